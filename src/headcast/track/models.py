"""Head models ready for the tracker: with the landmarks that a detector finds on them, found once and remembered."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from headcast.heads import HeadModel, files_of_head, find_head, load_head
from headcast.heads._model_arrays import read_model, write_model
from headcast.heads.regions import LANDMARK_REGIONS, landmark_regions
from headcast.store import InputFile

_LANDMARKS = ("mediapipe_478", "ibug_68", "ibug_70")
_CACHE_VERSION = 3
"""Raised where a change of readers or of the search for landmarks makes older files wrong."""


def load_model_for_tracking(name_or_path: str | Path) -> HeadModel:
    """The head model of that name, with all landmark sets that trackers use.

    Landmarks of a model that the user brings are found by rendering it from many sides and detecting (about a minute); the result is kept
    in the user's cache folder under the hash of the model's file, so that the next time is fast.

    Raises:
        MissingAssetError: there is no such model.
        FormatError: the file is not a head model.
    """
    model_file = find_head(name_or_path)
    if model_file is None:
        return load_head(name_or_path)
    cached = model_cache_folder() / f"{_fingerprint(model_file)}-{_CACHE_VERSION}.npz"
    if cached.is_file():
        name = str(name_or_path) if not Path(name_or_path).exists() else str(Path(name_or_path).resolve())
        return replace(read_model(cached), name=name)
    model = load_head(name_or_path)
    if any(name not in model.landmarks for name in _LANDMARKS):
        from headcast.perceive.embedding import embed_landmarks

        landmarks, _ = embed_landmarks(model)
        model = _with_better_regions(replace(model, landmarks={**landmarks, **model.landmarks}))
    write_model(cached, model)
    return model


def _fingerprint(model_file: Path) -> str:
    """Of everything that decides what the reader gives."""
    return hashlib.sha256(" ".join(InputFile.of(file).sha256 for file in files_of_head(model_file)).encode()).hexdigest()[:32]


def _with_better_regions(model: HeadModel) -> HeadModel:
    """Regions that the reader could only guess from the shape, drawn again where the landmarks outline them."""
    guessed = [name for name in LANDMARK_REGIONS if name in model.about.get("rough_regions", "").split()]
    if not guessed:
        return model
    other = np.logical_or.reduce([model.regions[name].numpy() for name in ("eyeballs", "mouth_interior", "teeth", "tongue")])
    marks = model.landmarks["ibug_68"].points(model.template, model.faces).numpy().astype(np.float64)
    drawn = landmark_regions(model.template.numpy().astype(np.float64), ~other, marks)
    return replace(model, regions={**model.regions, **{name: torch.from_numpy(drawn[name]) for name in guessed}})


def model_cache_folder() -> Path:
    """Where models with landmarks are kept: `headcast/models` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headcast" / "models"

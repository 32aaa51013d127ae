"""Landmarks that a person has placed on a scan, from a CSV or JSON file. docs/formats.md describes it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import FormatError, InputError
from headcast.fit.sides import FoundFace
from headcast.geometry import Similarity
from headcast.store import read_json

NAMES = {
    "nose_tip": 1, "chin": 152, "forehead": 10, "right_eye_outer": 33, "right_eye_inner": 133, "left_eye_inner": 362, "left_eye_outer": 263,
    "mouth_right": 61, "mouth_left": 291, "upper_lip": 0, "lower_lip": 17, "nose_right": 129, "nose_left": 358, "right_ear": 234, "left_ear": 454,
}  # fmt: skip
"""Words for some of MediaPipe's points; right and left are the subject's."""
_MEDIAPIPE, _IBUG = 478, 68
_FEWEST = 4


def read_points(path: Path, template: Float[ndarray, "546 3"]) -> FoundFace:
    """The named landmarks, and the pose and size that lay the mean head on them.

    Args:
        template: the mean head's landmarks: MediaPipe's 478, then iBUG's 68 (m, head space).

    Raises:
        InputError: there is no such file, or too few landmarks or all on one line.
        FormatError: a row is none.
    """
    entries = _json(path) if path.suffix.lower() == ".json" else _csv(path)
    points, spread = np.zeros((_MEDIAPIPE + _IBUG, 3)), np.full(_MEDIAPIPE + _IBUG, np.inf)
    for name, position in entries:
        number = _number(name, path)
        try:
            place = np.array([float(value) for value in position])
        except (TypeError, ValueError) as error:
            raise FormatError(f"expected three numbers for landmark {name!r}, found {position!r}, in {path}") from error
        if place.shape != (3,) or not np.isfinite(place).all():
            raise FormatError(f"expected three numbers for landmark {name!r}, found {position!r}, in {path}")
        points[number], spread[number] = place, 0.0
    known = np.isfinite(spread)
    flat = points[known] - points[known].mean(0) if known.any() else points[:1]
    if known.sum() < _FEWEST or np.linalg.svd(flat, compute_uv=False)[1] < 1e-6 * max(np.abs(flat).max(), 1e-30):
        raise InputError(f"expected at least {_FEWEST} landmarks that are not all on one line, found {int(known.sum())}, in {path}")
    similarity = Similarity.of_points(points[known], template[known])
    misfit = np.linalg.norm(similarity.points(points[known]) - template[known], axis=1) / np.linalg.norm(template[33] - template[263])
    return FoundFace(points, spread, similarity, float(np.median(misfit)), 0)


def _number(name: Any, path: Path) -> int:
    """Index among all landmarks of a word, of a number (MediaPipe's), or of `ibug_36`."""
    text = str(name).strip()
    if text in NAMES:
        return NAMES[text]
    if text.startswith("ibug_") and text[5:].isdigit() and int(text[5:]) < _IBUG:
        return _MEDIAPIPE + int(text[5:])
    if text.isdigit() and int(text) < _MEDIAPIPE:
        return int(text)
    raise FormatError(f"expected a landmark: a number 0–477 (MediaPipe), ibug_0 … ibug_67, or one of {', '.join(NAMES)}; found {text!r}, in {path}")


def _json(path: Path) -> list[tuple[Any, Any]]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise FormatError(f"expected an object with a position [x, y, z] for each landmark, found {type(value).__name__}, in {path}")
    return list(value.items())


def _csv(path: Path) -> list[tuple[Any, Any]]:
    if not path.is_file():
        raise InputError(f"expected a file of landmarks, found none at {path}")
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    if rows and rows[0][0].strip().lower() in ("landmark", "name"):
        rows = rows[1:]
    return [(row[0], row[1:]) for row in rows]

"""Matched faces of two head models, kept in the user's cache folder: matching takes seconds."""

import hashlib
import os
from pathlib import Path

import numpy as np

from headcast.expressions.correspondence import Correspondence, correspond
from headcast.expressions.warp import Warp
from headcast.heads import HeadModel
from headcast.store import read_arrays, write_arrays

_VERSION = 3
"""Raised where a change of matching makes older files wrong."""
_SCHEMA = {
    "vertices": ("points",),
    "weights": ("points",),
    "faces": ("points",),
    "barycentric": ("points", 3),
    "opposite": ("pairs", 2),
    "centres": ("centres", 3),
    "pulls": ("centres", 3),
    "affine": (4, 3),
    "matched": (),
    "apart_m": (),
}


def remembered_correspondence(source: HeadModel, target: HeadModel) -> Correspondence:
    """`correspond(source, target)`, from the cache folder where these two models were matched before."""
    path = conversion_cache_folder() / f"{fingerprint(source)}-{fingerprint(target)}-{_VERSION}.npz"
    if path.is_file():
        found = read_arrays(path, _SCHEMA)
        warp = Warp(found["centres"], found["pulls"], found["affine"])
        places = {name: found[name] for name in ("vertices", "weights", "faces", "barycentric", "opposite")}
        return Correspondence(**places, warp=warp, matched=float(found["matched"]), apart_m=float(found["apart_m"]))
    made = correspond(source, target)
    warp = {name: getattr(made.warp, name) for name in ("centres", "pulls", "affine")}
    places = {name: getattr(made, name) for name in _SCHEMA if name not in warp}
    write_arrays(path, {**warp, **{name: np.asarray(value) for name, value in places.items()}})
    return made


def fingerprint(model: HeadModel) -> str:
    """Of everything that matching looks at: shape at rest, faces, landmarks and regions."""
    marks = model.landmarks.get("mediapipe_478")
    values = [model.template, model.faces, *(model.regions[name] for name in sorted(model.regions))]
    values += [] if marks is None else [marks.faces, marks.barycentric]
    digest = hashlib.sha256(" ".join(sorted(model.regions)).encode())
    for value in values:
        digest.update(np.ascontiguousarray(value.numpy()).tobytes())
    return digest.hexdigest()[:24]


def conversion_cache_folder() -> Path:
    """Where matched faces are kept: `headcast/conversions` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headcast" / "conversions"

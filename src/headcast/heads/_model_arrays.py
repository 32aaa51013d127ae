"""A head model as plain arrays in one npz, and back: how the open head is shipped and how any model can be stored.

Bases are kept in 16-bit integers, each row with its own step; all other numbers keep 32-bit precision.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headcast.errors import FormatError
from headcast.heads.model import HeadModel, LandmarkSet
from headcast.store import read_arrays, write_arrays

_QUANTISED = ("identity_basis", "expression_basis")
_FLOATS = (
    "template",
    "expression_lower",
    "expression_upper",
    "expression_joint_rotations",
    "joint_template",
    "joint_identity_basis",
    "joint_expression_basis",
    "skinning_weights",
    "uv",
)
_INTEGERS = ("faces", "uv_faces")
_SCHEMA = {
    "template": ("vertices", 3),
    "faces": ("faces", 3),
    "identity_basis": ("identity", "vertices", 3),
    "identity_basis_step": ("identity",),
    "expression_basis": ("expression", "vertices", 3),
    "expression_basis_step": ("expression",),
    "expression_names": ("expression",),
    "expression_lower": ("expression",),
    "expression_upper": ("expression",),
    "expression_joint_rotations": ("expression", "joints", 3),
    "joint_names": ("joints",),
    "joint_parents": ("joints",),
    "joint_template": ("joints", 3),
    "joint_identity_basis": ("identity", "joints", 3),
    "joint_expression_basis": ("expression", "joints", 3),
    "skinning_weights": ("vertices", "joints"),
    "pose_correctives": ("features", "vertices", 3),
    "uv": ("uvs", 2),
    "uv_faces": ("faces", 3),
    "mirror": ("vertices",),
    "region_names": ("regions",),
    "regions": ("regions", "vertices"),
    "about_names": ("about",),
    "about_values": ("about",),
    "landmark_names": ("sets",),
    "name": (),
}
"""Axes of every array but the landmarks', which are `landmarks_NAME_faces`, `landmarks_NAME_barycentric` and, where known, `landmarks_NAME_sigma`."""


def arrays_from_model(model: HeadModel) -> dict[str, np.ndarray]:
    """The model as arrays that need only NumPy to read: a basis is `basis * basis_step[:, None, None]`, in metres."""
    arrays: dict[str, np.ndarray] = {"name": np.array(model.name)}
    for key in _QUANTISED:
        arrays[key], arrays[f"{key}_step"] = _quantised(getattr(model, key).numpy())
    for key in _FLOATS:
        arrays[key] = getattr(model, key).numpy().astype(np.float32)
    for key in _INTEGERS:
        arrays[key] = getattr(model, key).numpy().astype(np.int32)
    arrays["expression_names"] = np.array(model.expression_names)
    arrays["joint_names"] = np.array(model.joint_names)
    arrays["joint_parents"] = np.array(model.joint_parents, np.int32)
    if model.pose_correctives is not None:
        arrays["pose_correctives"] = model.pose_correctives.numpy().astype(np.float32)
    if model.mirror is not None:
        arrays["mirror"] = model.mirror.numpy().astype(np.int32)
    arrays["region_names"] = np.array(list(model.regions), dtype=str)
    arrays["regions"] = np.array([value.numpy() for value in model.regions.values()], bool).reshape(len(model.regions), len(model.template))
    arrays["about_names"] = np.array(list(model.about), dtype=str)
    arrays["about_values"] = np.array(list(model.about.values()), dtype=str)
    arrays["landmark_names"] = np.array(list(model.landmarks), dtype=str)
    for name, points in model.landmarks.items():
        arrays[f"landmarks_{name}_faces"] = points.faces.numpy().astype(np.int32)
        arrays[f"landmarks_{name}_barycentric"] = points.barycentric.numpy().astype(np.float32)
        if points.sigma is not None:
            arrays[f"landmarks_{name}_sigma"] = points.sigma.numpy().astype(np.float32)
    return arrays


def model_from_arrays(arrays: Mapping[str, np.ndarray]) -> HeadModel:
    """The model that `arrays_from_model` described, in 32-bit precision."""
    values: dict[str, object] = {"name": str(arrays["name"])}
    for key in _QUANTISED:
        step = torch.from_numpy(np.asarray(arrays[f"{key}_step"], np.float32))
        values[key] = torch.from_numpy(np.asarray(arrays[key])).to(torch.float32) * step[:, None, None]
    for key in _FLOATS:
        values[key] = _float(arrays[key])
    for key in _INTEGERS:
        values[key] = _index(arrays[key])
    values["expression_names"] = tuple(str(name) for name in arrays["expression_names"])
    values["joint_names"] = tuple(str(name) for name in arrays["joint_names"])
    values["joint_parents"] = tuple(int(parent) for parent in arrays["joint_parents"])
    values["pose_correctives"] = _float(arrays["pose_correctives"]) if "pose_correctives" in arrays else None
    values["mirror"] = _index(arrays["mirror"]) if "mirror" in arrays else None
    values["regions"] = {str(name): torch.from_numpy(row.copy()) for name, row in zip(arrays["region_names"], arrays["regions"])}
    values["about"] = {str(name): str(value) for name, value in zip(arrays["about_names"], arrays["about_values"])}
    values["landmarks"] = {str(name): _landmarks(arrays, str(name)) for name in arrays["landmark_names"]}
    return HeadModel(**values)


def write_model(path: Path, model: HeadModel) -> None:
    """Writes the model as one compressed npz."""
    write_arrays(path, arrays_from_model(model), compress=True)


def read_model(path: Path) -> HeadModel:
    """The model in a file that `write_model` made; raises `FormatError` where arrays are missing or contradict each other."""
    arrays = read_arrays(path, _SCHEMA, optional=("pose_correctives", "mirror"))
    missing = [key for name in arrays["landmark_names"] for part in ("faces", "barycentric") if (key := f"landmarks_{name}_{part}") not in arrays]
    if missing:
        raise FormatError(f"expected the arrays {missing}, found {sorted(arrays)}, in {path}")
    return model_from_arrays(arrays)


def _quantised(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers and the step of each row, so that the error is at most half a step, 1/65534 of the row's largest entry."""
    peak = np.abs(basis).max(axis=(1, 2), initial=0.0)
    step = np.where(peak > 0, peak, 1.0).astype(np.float64) / 32767
    return np.rint(basis / step[:, None, None]).astype(np.int16), step.astype(np.float32)


def _landmarks(arrays: Mapping[str, np.ndarray], name: str) -> LandmarkSet:
    sigma = arrays.get(f"landmarks_{name}_sigma")
    faces, barycentric = _index(arrays[f"landmarks_{name}_faces"]), _float(arrays[f"landmarks_{name}_barycentric"])
    return LandmarkSet(faces, barycentric, None if sigma is None else _float(sigma))


def _float(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32))


def _index(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value, np.int64))

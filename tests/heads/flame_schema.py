"""A file of FLAME's layout from another head model: its skin and eyeballs, its expressions mixed by their principal components, FLAME's joints.

FLAME's own file may not be handed on; what is measured with such a file says how conversions work between two surfaces and two bases, one of
them without names and with a jaw that turns, not how well FLAME itself fits.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from headcast.heads import HeadModel, LandmarkSet, load_head
from headcast.store import write_arrays

_IDENTITY_COUNT, _EXPRESSION_COUNT = 300, 100
_LEFT_OUT = ("mouth_interior", "teeth", "tongue", "eye_sockets")
_JOINTS = ("neck", "jaw", "left_eye", "right_eye")
_JAW_OPEN_RAD = np.deg2rad(25.0)
_MOST = 1.0
"""Largest coefficient that one of the other model's expressions needs."""


@dataclass(frozen=True)
class FlameSchema:
    """The arrays of the file, and where its vertices come from."""

    arrays: dict[str, np.ndarray]
    vertices: np.ndarray
    """Numbers in the other model."""
    faces: np.ndarray
    """Numbers in the other model."""


def flame_schema(model: HeadModel, identity: np.ndarray | None = None) -> FlameSchema:
    """FLAME's arrays from any model with FLAME's joints and an expression jawOpen.

    The jaw joint takes over what it can of jawOpen; the rest is one more field among the expressions.
    """
    dropped = torch.zeros(len(model.template), dtype=torch.bool)
    for name in _LEFT_OUT:
        dropped |= model.regions.get(name, torch.zeros_like(dropped))
    kept = ~dropped[model.faces].any(1)
    used, corners = torch.unique(model.faces[kept], return_inverse=True)
    shape = torch.zeros(model.identity_count) if identity is None else torch.from_numpy(identity).float()
    shaped = model.shaped(shape)
    order = [model.joint_names.index(name) for name in _JOINTS]
    joints, template = shaped.joints[order].double().numpy(), shaped.vertices[used].double().numpy()
    weights = model.skinning_weights[used][:, order].double().numpy()
    weights = np.concatenate([1 - weights.sum(1, keepdims=True), weights], 1)
    modes = _modes(model, used)
    basis = np.zeros((len(used), 3, _IDENTITY_COUNT + _EXPRESSION_COUNT))
    count = min(model.identity_count, _IDENTITY_COUNT)
    basis[:, :, :count] = np.moveaxis(model.identity_basis[:count, used].double().numpy(), 0, -1)
    basis[:, :, _IDENTITY_COUNT : _IDENTITY_COUNT + len(modes)] = np.moveaxis(modes, 0, -1)
    root = joints[0] - [0.0, 0.06, 0.01]
    arrays = {
        "v_template": template,
        "shapedirs": basis,
        "posedirs": np.zeros((len(used), 3, 36)),
        "J_regressor": np.stack([_regressor(template, joint) for joint in (root, *joints)]),
        "weights": weights,
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "f": corners.numpy().astype(np.uint32),
    }
    return FlameSchema(arrays, used.numpy(), np.flatnonzero(kept.numpy()))


def write_flame_schema(made: FlameSchema, path: Path) -> None:
    write_arrays(path, {name: value.astype(np.float32) if value.dtype == np.float64 else value for name, value in made.arrays.items()})


def with_landmarks(made: FlameSchema, path: Path, model: HeadModel) -> HeadModel:
    """The file as `load_head` reads it, with the other model's landmarks and face regions carried over instead of being found anew."""
    loaded = load_head(path)
    place = np.full(len(model.faces), -1)
    place[made.faces] = np.arange(len(made.faces))
    landmarks = {
        name: LandmarkSet(torch.from_numpy(place[found.faces.numpy()]), found.barycentric, found.sigma) for name, found in model.landmarks.items()
    }
    assert all(int(found.faces.min()) >= 0 for found in landmarks.values())
    regions = {name: model.regions[name][torch.from_numpy(made.vertices)] for name in ("face", "lips", "eyelids", "nose")}
    return replace(loaded, landmarks=landmarks, regions={**loaded.regions, **regions})


def _modes(model: HeadModel, used: torch.Tensor) -> np.ndarray:
    """Principal components of the expressions, scaled so that no expression needs a coefficient beyond `_MOST`."""
    fields = model.expression_basis[:, used].double().numpy().copy()
    opens = model.expression_names.index("jawOpen")
    pose = model.neutral_pose(2)
    pose.expression[0, opens] = 1
    turn = model.expression_joint_rotations[opens, model.joint_names.index("jaw"), 0]
    pose.joint_rotations[1, model.joint_names.index("jaw"), 0] = float(turn) if float(turn) else _JAW_OPEN_RAD
    opened = model.shaped(torch.zeros(model.identity_count)).posed(pose).vertices[:, used].double().numpy()
    fields[opens] = opened[0] - opened[1]
    flat = fields.reshape(len(fields), -1)
    rotated, singular, components = np.linalg.svd(flat, full_matrices=False)
    kept = singular > 1e-6 * singular[0]
    rotated, singular, components = rotated[:, kept], singular[kept], components[kept]
    scale = np.abs(rotated).max() / _MOST
    return (components * singular[:, None] * scale).reshape(-1, len(used), 3)[:_EXPRESSION_COUNT]


def _regressor(vertices: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Weights that sum to one and give the joint from the vertices near it."""
    near = np.argsort(np.linalg.norm(vertices - joint, axis=1))[:400]
    system = np.concatenate([vertices[near].T, np.ones((1, len(near)))])
    even = np.full(len(near), 1 / len(near))
    weights = np.zeros(len(vertices))
    weights[near] = even + np.linalg.lstsq(system, np.append(joint, 1.0) - system @ even, rcond=None)[0]
    return weights

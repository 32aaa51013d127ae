"""Joints for the ICT face model, which comes without: neck, jaw and two eyes, found from its shape and its expressions.

Lengths are in the file's centimetres. The jaw's axis and skinning are read off the linear expression jawOpen, on which the lower teeth move
as a rigid body; the model's expressions stay as they are, so the joints add to them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_NAMES = ("neck", "jaw", "left_eye", "right_eye")
_PARENTS = (-1, 0, 0, 0)
_LOOK = {"Up": np.deg2rad(-20.0), "Down": np.deg2rad(25.0), "In": np.deg2rad(28.0), "Out": np.deg2rad(28.0)}
"""Turn of an eye at full eyeLook expression; the file moves the lids only."""


@dataclass(frozen=True)
class IctRig:
    """Joints, and how they follow identity and move the vertices."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: Float[np.ndarray, "joints 3"]
    identity_basis: Float[np.ndarray, "identity joints 3"]
    weights: Float[np.ndarray, "vertices joints"]
    expression_joint_rotations: Float[np.ndarray, "expression joints 3"]


def rig(
    vertices: Float[np.ndarray, "vertices 3"],
    identity: Float[np.ndarray, "identity vertices 3"],
    jaw_open: Float[np.ndarray, "vertices 3"],
    expression_names: tuple[str, ...],
    parts: dict[str, np.ndarray],
) -> IctRig:
    """The joints of the model.

    Args:
        vertices: the neutral head.
        identity: its identity modes.
        jaw_open: how the vertices move at full jawOpen.
        expression_names: ARKit spelling.
        parts: masks "skin", "lower_teeth", "left_eyeball", "right_eyeball", "left_eye", "right_eye".
    """
    left, right = (_sphere_centre(vertices[parts[side]]) for side in ("left_eyeball", "right_eyeball"))
    pivot, turned = _jaw_turn(vertices, jaw_open, parts["lower_teeth"])
    neck = _neck_centre(vertices, parts["skin"])
    joints = np.stack([neck, pivot, left, right])
    skin = parts["skin"]
    around = [
        skin & (np.abs(vertices[:, 1] - neck[1]) < 2.0),
        skin & (np.linalg.norm(vertices[:, 1:] - pivot[1:], axis=1) < 2.0),
        parts["left_eyeball"],
        parts["right_eyeball"],
    ]
    regressor = np.stack([_regressor(vertices, mask, joint) for mask, joint in zip(around, joints)])
    weights = np.zeros((len(vertices), len(_NAMES)))
    head = _neck_weights(vertices, neck)
    jaw = _jaw_weights(jaw_open, turned) * head
    eyes = {"left": parts["left_eye"], "right": parts["right_eye"]}
    for side, column in (("left", 2), ("right", 3)):
        weights[eyes[side], column] = 1.0
    skull = 1.0 - weights[:, 2:].sum(1)
    weights[:, 1] = jaw * skull
    weights[:, 0] = (head - jaw) * skull
    return IctRig(_NAMES, _PARENTS, joints, np.einsum("jv,ivc->ijc", regressor, identity), weights, _eye_turns(expression_names))


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Centre of the sphere through the back of an eyeball; the cornea bulges out of it."""
    middle = (points[:, 2].min() + points[:, 2].max()) / 2
    back = points[points[:, 2] < middle + 0.15 * np.ptp(points[:, 2])]
    system = np.concatenate([2 * back, np.ones((len(back), 1))], 1)
    return np.linalg.lstsq(system, (back**2).sum(1), rcond=None)[0][:3]


def _jaw_turn(vertices: np.ndarray, jaw_open: np.ndarray, lower_teeth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The jaw's pivot in the middle plane, and how every vertex would move if it turned rigidly with the lower teeth at full jawOpen.

    The rotation is the orthogonal Procrustes fit of the teeth before and after; the pivot is its fixed point.
    """
    before, after = vertices[lower_teeth], (vertices + jaw_open)[lower_teeth]
    u, _, vt = np.linalg.svd((after - after.mean(0)).T @ (before - before.mean(0)))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    shift = after.mean(0) - rotation @ before.mean(0)
    pivot = np.array([0.0, *np.linalg.lstsq((np.eye(3) - rotation)[1:, 1:], shift[1:], rcond=None)[0]])
    return pivot, vertices @ rotation.T + shift - vertices


def _jaw_weights(jaw_open: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """The share of the rigid turn that a vertex takes part in; near the pivot, where nothing moves, the share fades to nothing."""
    squared = (turned**2).sum(1)
    return np.clip((jaw_open * turned).sum(1) / np.maximum(squared, 0.25), 0.0, 1.0)


def _neck_centre(vertices: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Middle of the neck, two fifths of the way up from the rim of the mesh to the height of the eyes."""
    low, eyes = vertices[skin, 1].min(), np.percentile(vertices[skin, 1], 65)
    height = low + 0.4 * (eyes - low)
    ring = vertices[skin & (np.abs(vertices[:, 1] - height) < 1.5)]
    behind = ring[ring[:, 2] < np.median(ring[:, 2]) + 2.0] if len(ring) else vertices[skin]
    return np.array([0.0, height, (behind[:, 2].min() + behind[:, 2].max()) / 2])


def _neck_weights(vertices: np.ndarray, neck: np.ndarray) -> np.ndarray:
    """Zero at the rim of the neck, one on the head, smooth between; the boundary rises towards the nape, so that the chin is head."""
    height = vertices[:, 1] + 0.35 * (vertices[:, 2] - neck[2])
    step = np.clip((height - (neck[1] - 3.0)) / 5.5, 0.0, 1.0)
    return step * step * (3 - 2 * step)


def _regressor(vertices: np.ndarray, mask: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Weights that sum to one and give the joint from the masked vertices; of all such, those nearest to equal weights.

    Because they sum to one, the joint follows translation, scaling and shear of those vertices exactly.
    """
    count = int(mask.sum())
    constraints = np.concatenate([vertices[mask].T, np.ones((1, count))])
    even = np.full(count, 1.0 / count)
    correction = np.linalg.lstsq(constraints, np.append(joint, 1.0) - constraints @ even, rcond=None)[0]
    weights = np.zeros(len(vertices))
    weights[mask] = even + correction
    return weights


def _eye_turns(names: tuple[str, ...]) -> np.ndarray:
    """Axis-angle of the eye joints at full eyeLook: up and down about X, in (towards the nose) and out about Y."""
    turns = np.zeros((len(names), len(_NAMES), 3))
    for idx, name in enumerate(names):
        for direction, angle in _LOOK.items():
            for side, joint, outward in (("Left", 2, 1.0), ("Right", 3, -1.0)):
                if name == f"eyeLook{direction}{side}":
                    if direction in ("Up", "Down"):
                        turns[idx, joint, 0] = angle
                    else:
                        turns[idx, joint, 1] = angle * outward * (1.0 if direction == "Out" else -1.0)
    return turns

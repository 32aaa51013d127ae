"""Reads GNM Head v3 (Google, 2026, Apache-2.0) from its npz.

GNM's first joint turns everything, its "head" joint turns the head on the neck: the first is what `world_from_head` does here, the second is
the joint that all our models call "neck". GNM has no jaw joint; its lower-face expressions open the mouth.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headcast.errors import FormatError
from headcast.heads.model import HeadModel
from headcast.heads.regions import boundary_vertices, complete_regions, derived_regions, rough_regions
from headcast.store import read_arrays

_SCHEMA = {
    "template_vertex_positions": ("vertices", 3),
    "template_joint_positions": ("joints", 3),
    "vertex_identity_basis": ("identity", "vertices", 3),
    "joint_identity_basis": ("identity", "joints", 3),
    "expression_basis": ("expression", "vertices", 3),
    "expression_names": ("expression",),
    "joint_names": ("joints",),
    "joint_parent_indices": ("joints",),
    "skinning_weights": ("joints", "vertices"),
    "triangles": ("faces", 3),
    "triangle_uvs": ("faces", 3, 2),
    "mirror_indices": ("vertices",),
    "pose_correctives_regressor": ("features", "offsets"),
    "vertex_groups": ("groups", "vertices"),
    "vertex_group_names": ("groups",),
    "version": (),
}
_OPTIONAL = ("mirror_indices", "pose_correctives_regressor")
_JOINTS = {"head": "neck", "left_eye": "left_eye", "right_eye": "right_eye"}
"""GNM's joints after the root, and our names for them."""
_GROUPS = {
    "face": ("hockey_mask",),
    "forehead": ("forehead_region",),
    "nose": ("nose_region",),
    "lips": ("upper_lip", "lower_lip"),
    "eyeballs": ("left_eye", "right_eye"),
    "irises": ("irises", "pupils"),
    "ears": ("ears",),
    "mouth_interior": ("mouth_sock",),
    "teeth": ("upper_teeth_and_gums", "lower_teeth_and_gums"),
    "tongue": ("tongue",),
}
"""Our regions and the vertex groups that make them up."""
_TILES = (
    (("skin",), (0.0, 0.3, 0.7)),
    (("left_eye",), (0.7, 0.7, 0.3)),
    (("right_eye",), (0.7, 0.4, 0.3)),
    (("upper_teeth_and_gums", "lower_teeth_and_gums"), (0.0, 0.0, 0.3)),
    (("tongue",), (0.3, 0.0, 0.3)),
)
"""GNM's parts all use the whole unit square; here each gets a tile (left, bottom, size) of one atlas."""
_HALF = 0.5


def load_gnm(path: Path) -> HeadModel:
    """The GNM model in an npz: identity and expression as they are, joints neck, left_eye, right_eye.

    The corneas are not drawn: the iris inside them would be hidden. Landmark sets are empty.
    """
    arrays = read_arrays(path, _SCHEMA, _OPTIONAL)
    kept, root = _joint_order(arrays, path)
    joints = arrays["template_joint_positions"].astype(np.float64)
    origin = joints[[kept["left_eye"], kept["right_eye"]]].mean(0)
    template = arrays["template_vertex_positions"] - origin
    order = list(kept.values())
    groups = {str(name): weights > _HALF for name, weights in zip(arrays["vertex_group_names"], arrays["vertex_groups"])}
    corners = arrays["triangles"].astype(np.int64)
    if corners.max(initial=0) >= len(template) or corners.min(initial=0) < 0:
        raise FormatError(f"expected triangles of {len(template)} vertices, found vertex {corners.max(initial=0)}, in {path}")
    drawn = ~groups.get("eye_exteriors", np.zeros(len(template), bool))[corners].all(1)
    faces = corners[drawn]
    uv, uv_faces = _atlas(arrays["triangle_uvs"][drawn].astype(np.float64), faces, groups)
    regions, rough = _regions(template, faces, groups, joints[[kept["left_eye"], kept["right_eye"]]])
    expression_count = len(arrays["expression_names"])
    position = {joint: idx for idx, joint in enumerate(order)}
    parents = tuple(position.get(int(arrays["joint_parent_indices"][joint]), -1) for joint in order)
    return HeadModel(
        name=str(path),
        template=_float(template),
        faces=torch.from_numpy(faces),
        identity_basis=_float(arrays["vertex_identity_basis"]),
        expression_basis=_float(arrays["expression_basis"]),
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        expression_lower=torch.full((expression_count,), -3.0),
        expression_upper=torch.full((expression_count,), 3.0),
        expression_joint_rotations=torch.zeros(expression_count, len(order), 3),
        joint_names=tuple(kept),
        joint_parents=parents,
        joint_template=_float(joints[order] - origin),
        joint_identity_basis=_float(arrays["joint_identity_basis"][:, order]),
        joint_expression_basis=torch.zeros(expression_count, len(order), 3),
        skinning_weights=_float(arrays["skinning_weights"][order].T),
        pose_correctives=_pose_correctives(arrays, order, root, path),
        uv=_float(uv),
        uv_faces=torch.from_numpy(uv_faces),
        landmarks={},
        regions={name: torch.from_numpy(mask) for name, mask in regions.items()},
        mirror=torch.from_numpy(arrays["mirror_indices"].astype(np.int64)) if "mirror_indices" in arrays else None,
        about={
            "family": "GNM",
            "file": path.name,
            "version": str(arrays["version"]),
            "licence": "Apache-2.0",
            "uv": "GNM's, packed into one atlas",
            "rough_regions": rough,
        },
    )


def is_gnm(names: set[str]) -> bool:
    """Whether arrays of these names can be a GNM model."""
    return {"template_vertex_positions", "vertex_identity_basis"} <= names


def _joint_order(arrays: dict[str, np.ndarray], path: Path) -> tuple[dict[str, int], int]:
    """The kept joints' places in the file by our names, parents first, and the place of the root."""
    names = [str(name) for name in arrays["joint_names"]]
    missing = sorted(set(_JOINTS) - set(names))
    if missing:
        raise FormatError(f"expected the joints {missing}, found {names}, in {path}")
    parents = [int(parent) for parent in arrays["joint_parent_indices"]]
    roots = [idx for idx, parent in enumerate(parents) if parent in (idx, -1)]
    if roots != [0] or len(names) != len(_JOINTS) + 1 or any(parent >= idx for idx, parent in enumerate(parents) if idx):
        raise FormatError(f"expected one root joint and behind it {sorted(_JOINTS)}, found {names} with parents {parents}, in {path}")
    return {_JOINTS[name]: idx for idx, name in enumerate(names) if idx}, 0


def _pose_correctives(arrays: dict[str, np.ndarray], order: list[int], root: int, path: Path) -> Tensor | None:
    """Offsets per entry of (rotation − identity) of the kept joints; None where they are all zero, as in version 3.0."""
    regressor = arrays.get("pose_correctives_regressor")
    if regressor is None or not regressor.any():
        return None
    expected = (9 * len(arrays["joint_names"]), 3 * len(arrays["template_vertex_positions"]))
    if regressor.shape != expected:
        raise FormatError(f"expected 'pose_correctives_regressor' of shape {expected}, found {regressor.shape}, in {path}")
    by_joint = regressor.reshape(len(arrays["joint_names"]), 9, -1, 3)
    if by_joint[root].any():
        raise FormatError(f"expected no pose correctives of the root joint {str(arrays['joint_names'][root])!r}, found some, in {path}")
    return _float(by_joint[order].reshape(9 * len(order), -1, 3))


def _regions(template: np.ndarray, faces: np.ndarray, groups: dict[str, np.ndarray], eyes: np.ndarray) -> tuple[dict[str, np.ndarray], str]:
    """The regions, and the names of those that had to be derived."""
    none = np.zeros(len(template), bool)
    known = {name: np.logical_or.reduce([groups[part] for part in parts]) for name, parts in _GROUPS.items() if all(part in groups for part in parts)}
    eyeballs = known.get("eyeballs", none)
    skin = groups.get("skin_exterior", groups.get("skin", ~eyeballs))
    derived = derived_regions(template, faces, eyeballs, ~(skin | eyeballs), float(np.linalg.norm(eyes[0] - eyes[1])))
    known["boundary"] = boundary_vertices(faces, len(template)) & groups.get("skin", ~eyeballs)
    if "skin_exterior" in groups:
        known["eye_sockets"] = groups.get("skin", none) & ~skin & ~known.get("mouth_interior", none)
    return complete_regions(known, derived), rough_regions(known)


def _atlas(corner_uvs: np.ndarray, faces: np.ndarray, groups: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """One texture layout without overlaps, and its faces; corners with equal positions share an entry."""
    packed = corner_uvs * 0.3 + [0.6, 0.0]
    for parts, (left, bottom, size) in _TILES:
        if all(part in groups for part in parts):
            own = np.logical_or.reduce([groups[part] for part in parts])[faces].all(1)
            packed[own] = corner_uvs[own] * size + [left, bottom]
    uv, inverse = np.unique(packed.reshape(-1, 2), axis=0, return_inverse=True)
    return uv, inverse.reshape(-1, 3)


def _float(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(value, np.float32))

"""Reads FLAME 2017, 2020, 2023 and 2023 Open (Li et al. 2017) from the pickle its authors hand out, or from an npz of the same arrays.

FLAME turns the whole head about a root joint; a `HeadModel` has no root, `world_from_head` moves everything. Only `FlameRoot` knows both.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headcast.errors import FormatError
from headcast.geometry import Transform, axis_angle_from_matrix, matrix_from_axis_angle
from headcast.heads.model import HeadModel
from headcast.heads.regions import complete_regions, derived_regions, rough_regions
from headcast.heads.unpickle import read_plain_pickle
from headcast.heads.unwrap import unwrapped
from headcast.heads.wavefront import read_polygons
from headcast.store import check_arrays, read_arrays

JOINT_NAMES = ("neck", "jaw", "left_eye", "right_eye")
"""FLAME's joints after the root, in its order; with rotations in this order `neck_pose`, `jaw_pose` and `eyes_pose` are slices."""
_PARENTS = (0, 1, 1, 1)
_IDENTITY_COUNT = 300
_SCHEMA = {
    "v_template": ("vertices", 3),
    "shapedirs": ("vertices", 3, "coefficients"),
    "posedirs": ("vertices", 3, 36),
    "J_regressor": (5, "vertices"),
    "weights": ("vertices", 5),
    "kintree_table": (2, 5),
    "f": ("faces", 3),
}
_MASK_FILES = ("FLAME_masks.pkl", "FLAME_masks/FLAME_masks.pkl")
_LAYOUT_FILES = ("head_template_mesh.obj", "head_template.obj", "FLAME_texture.npz")
_MASKS = {
    "face": ("face",),
    "forehead": ("forehead",),
    "nose": ("nose",),
    "lips": ("lips",),
    "eyeballs": ("left_eyeball", "right_eyeball"),
    "ears": ("left_ear", "right_ear"),
    "scalp": ("scalp",),
    "neck": ("neck",),
    "boundary": ("boundary",),
}
"""Our regions and the masks of FLAME_masks.pkl that make them up."""


@dataclass(frozen=True)
class FlameRoot:
    """The joint that FLAME has and a `HeadModel` has not, and where our head space lies in FLAME's."""

    origin: Float[Tensor, "3"]
    """Our origin, midway between the eyes of the template, in FLAME's coordinates (m)."""
    joint_template: Float[Tensor, "3"]
    """The root joint of the template, in FLAME's coordinates (m)."""
    joint_identity_basis: Float[Tensor, "identity 3"]
    joint_expression_basis: Float[Tensor, "expression 3"]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "FlameRoot":
        """The same values elsewhere or in another precision."""
        return FlameRoot(*(getattr(self, name).to(device=device, dtype=dtype) for name in self.__dataclass_fields__))

    def joint(self, identity: Float[Tensor, "*shared identity"], expression: Float[Tensor, "*batch expression"]) -> Float[Tensor, "*batch 3"]:
        """The root joint of a shaped head: FLAME regresses it from identity and expression."""
        moved = identity @ self.joint_identity_basis[: identity.shape[-1]]
        return self.joint_template + moved + expression @ self.joint_expression_basis[: expression.shape[-1]]

    def parameters(
        self, world_from_head: Transform, identity: Float[Tensor, "*shared identity"], expression: Float[Tensor, "*batch expression"]
    ) -> tuple[Float[Tensor, "*batch 3"], Float[Tensor, "*batch 3"]]:
        """FLAME's global rotation (axis-angle, rad) and translation (m) that put the head where `world_from_head` puts it."""
        joint = self.joint(identity, expression)
        rotation = world_from_head.rotation
        turned = (rotation @ (self.origin - joint)[..., None])[..., 0]
        return axis_angle_from_matrix(rotation), world_from_head.translation - turned - joint

    def world_from_head(
        self,
        rotation: Float[Tensor, "*batch 3"],
        translation: Float[Tensor, "*batch 3"],
        identity: Float[Tensor, "*shared identity"],
        expression: Float[Tensor, "*batch expression"],
    ) -> Transform:
        """The inverse of `parameters`."""
        joint = self.joint(identity, expression)
        matrix = matrix_from_axis_angle(rotation)
        turned = (matrix @ (self.origin - joint)[..., None])[..., 0]
        return Transform(matrix, translation + turned + joint)


def load_flame(path: Path) -> HeadModel:
    """The FLAME model in a pickle or npz: 300 identity modes, 100 expression modes, joints neck, jaw, left_eye, right_eye.

    Regions come from `FLAME_masks.pkl` and the texture layout from `head_template_mesh.obj` or `FLAME_texture.npz` where these lie beside
    the file; otherwise both are derived from the shape, and `about` says so. Landmark sets are empty.
    """
    arrays = _flame_arrays(path)
    origin, joints = _joints(arrays)
    template = arrays["v_template"] - origin
    faces = arrays["f"].astype(np.int64)
    basis = np.moveaxis(arrays["shapedirs"], 2, 0)
    identity, expression = basis[:_IDENTITY_COUNT], basis[_IDENTITY_COUNT:]
    joint_basis = np.einsum("jv,kvc->kjc", arrays["J_regressor"], basis)[:, 1:]
    regions, region_source = _regions(path, template, faces, arrays["weights"], joints[1:] - origin)
    uv, uv_faces, uv_source = _layout(path, template, faces)
    return HeadModel(
        name=str(path),
        template=_float(template),
        faces=torch.from_numpy(faces),
        identity_basis=_float(identity),
        expression_basis=_float(expression),
        expression_names=tuple(f"expression_{idx:03d}" for idx in range(len(expression))),
        expression_lower=torch.full((len(expression),), -3.0),
        expression_upper=torch.full((len(expression),), 3.0),
        expression_joint_rotations=torch.zeros(len(expression), 4, 3),
        joint_names=JOINT_NAMES,
        joint_parents=tuple(parent - 1 for parent in _PARENTS),
        joint_template=_float(joints[1:] - origin),
        joint_identity_basis=_float(joint_basis[:_IDENTITY_COUNT]),
        joint_expression_basis=_float(joint_basis[_IDENTITY_COUNT:]),
        skinning_weights=_float(arrays["weights"][:, 1:]),
        pose_correctives=_float(np.moveaxis(arrays["posedirs"], 2, 0)),
        uv=_float(uv),
        uv_faces=torch.from_numpy(uv_faces),
        landmarks={},
        regions={name: torch.from_numpy(mask) for name, mask in regions.items()},
        mirror=None,
        about={
            "family": "FLAME",
            "file": path.name,
            "licence": "the licence of the file: CC-BY-4.0 for FLAME 2023 Open, otherwise the FLAME licence (non-commercial research)",
            "citation": "Li, Bolkart, Black, Li, Romero: Learning a model of facial shape and expression from 4D scans, 2017",
            "regions": region_source[0],
            "rough_regions": region_source[1],
            "uv": uv_source,
        },
    )


def load_flame_root(path: Path) -> FlameRoot:
    """The root joint of the same file, for those who exchange FLAME parameters with other programs."""
    arrays = _flame_arrays(path)
    origin, joints = _joints(arrays)
    basis = np.einsum("v,vck->kc", arrays["J_regressor"][0], arrays["shapedirs"])
    return FlameRoot(_float(origin), _float(joints[0]), _float(basis[:_IDENTITY_COUNT]), _float(basis[_IDENTITY_COUNT:]))


def flame_companions(path: Path) -> list[Path]:
    """Files beside a FLAME file that `load_flame` reads too."""
    return [found for name in (*_MASK_FILES, *_LAYOUT_FILES) if (found := path.parent / name).is_file()]


def is_flame(names: set[str]) -> bool:
    """Whether arrays of these names can be a FLAME model."""
    return {"v_template", "shapedirs", "J_regressor"} <= names


def _flame_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `_SCHEMA` in double precision, checked."""
    if path.suffix == ".npz":
        found = read_arrays(path)
    else:
        found = read_plain_pickle(path)
        if not isinstance(found, dict):
            raise FormatError(f"expected a pickled dictionary of arrays, found {type(found).__name__}, in {path}")
    arrays = {name: value for name, value in found.items() if name in _SCHEMA and isinstance(value, np.ndarray) and value.dtype.kind in "fiu"}
    check_arrays(arrays, _SCHEMA, (), path)
    parents = tuple(int(parent) for parent in arrays["kintree_table"][0][1:])
    if parents != _PARENTS:
        raise FormatError(f"expected FLAME's joint parents {_PARENTS}, found {parents}, in {path}")
    modes = arrays["shapedirs"].shape[2]
    if modes <= _IDENTITY_COUNT:
        raise FormatError(f"expected {_IDENTITY_COUNT} identity modes and expression modes behind them, found {modes} modes, in {path}")
    if int(arrays["f"].max(initial=0)) >= len(arrays["v_template"]):
        raise FormatError(f"expected faces of {len(arrays['v_template'])} vertices, found vertex {int(arrays['f'].max())}, in {path}")
    return {name: value if name == "f" else value.astype(np.float64) for name, value in arrays.items()}


def _joints(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Our origin and the five joints, both in FLAME's coordinates."""
    joints = arrays["J_regressor"] @ arrays["v_template"]
    return joints[3:].mean(0), joints


def _regions(
    path: Path, template: np.ndarray, faces: np.ndarray, weights: np.ndarray, joints: np.ndarray
) -> tuple[dict[str, np.ndarray], tuple[str, str]]:
    """The regions, where they come from, and the names of those that had to be derived."""
    eyeballs = weights[:, 3:].sum(1) > 0.5
    inside = np.zeros(len(template), bool)
    derived = derived_regions(template, faces, eyeballs, inside, float(np.linalg.norm(joints[2] - joints[3])))
    masks = next((found for name in _MASK_FILES if (found := path.parent / name).is_file()), None)
    if masks is None:
        known = {"eyeballs": eyeballs}
        source = "derived from the shape: rough; put FLAME_masks.pkl beside the file for better"
        return complete_regions(known, derived), (source, rough_regions(known))
    found = read_plain_pickle(masks)
    lacking = sorted({part for parts in _MASKS.values() for part in parts} - set(found if isinstance(found, dict) else ()))
    if lacking:
        raise FormatError(f"expected the masks {lacking}, found others, in {masks}")
    known = {}
    for name, parts in _MASKS.items():
        known[name] = np.zeros(len(template), bool)
        for part in parts:
            known[name][np.asarray(found[part], np.int64)] = True
    known["face"] = known["face"] & ~known["eyeballs"]
    return complete_regions(known, derived), (masks.name, rough_regions(known))


def _layout(path: Path, template: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Texture positions and faces, and where they come from."""
    for found in (path.parent / name for name in _LAYOUT_FILES):
        if not found.is_file():
            continue
        if found.suffix == ".npz":
            arrays = read_arrays(found, {"vt": ("uvs", 2), "ft": ("faces", 3)})
            uv, uv_faces, same = arrays["vt"].astype(np.float64), arrays["ft"].astype(np.int64), len(arrays["ft"]) == len(faces)
        else:
            polygons = read_polygons(found)
            uv, uv_faces = polygons.uv, polygons.uv_corners[:, :3]
            same = len(polygons.corners) == len(faces) and bool((polygons.corners[:, :3] == faces).all())
        if not same or uv_faces.min(initial=0) < 0 or uv_faces.max(initial=0) >= len(uv):
            raise FormatError(f"expected a texture layout for the {len(faces)} faces of {path.name}, found one for other faces, in {found}")
        return uv, uv_faces, found.name
    uv, uv_faces = unwrapped(template, faces)
    return uv, uv_faces, "unrolled from the shape; put head_template_mesh.obj or FLAME_texture.npz beside the file for FLAME's own"


def _float(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(value, np.float32))

"""Reads the ICT Face Model Light (USC ICT, MIT licence): a clone's folder of OBJ files, or one npz of the same arrays.

The file has no joints: `ict_rig` adds neck, jaw and eyes. Only opaque parts are drawn: the shells of tear fluid, occlusion and blending, the
lashes, and the iris bowls behind the corneas stay in the vertex list (numbers stay those of the file) without faces.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.errors import FormatError
from headcast.heads.ict_rig import IctRig, rig
from headcast.heads.model import HeadModel, LandmarkSet
from headcast.heads.regions import complete_regions, derived_regions, landmark_regions
from headcast.heads.wavefront import read_polygons, read_vertices, triangulated
from headcast.store import read_arrays, read_json

_SCHEMA = {
    "vertices": ("vertices", 3),
    "uv": ("uvs", 2),
    "quads": ("polygons", 4),
    "quads_uv": ("polygons", 4),
    "face_material": ("polygons",),
    "material_names": ("materials",),
    "identity": ("identity", "vertices", 3),
    "expression": ("expression", "vertices", 3),
    "expression_names": ("expression",),
    "landmarks68": (68,),
}
_TILES = {
    "M_Face": (0.0, 0.3, 0.7),
    "M_BackHead": (0.7, 0.7, 0.3),
    "M_ScleraLeft": (0.7, 0.4, 0.3),
    "M_ScleraRight": (0.7, 0.1, 0.3),
    "M_GumsTongue": (0.0, 0.0, 0.3),
    "M_Teeth": (0.3, 0.0, 0.3),
}
"""The opaque materials, and the tile (left, bottom, size) of one atlas that each gets: in the file each fills a unit square."""
_METRES = 0.01
_NEUTRAL = "generic_neutral_mesh.obj"
_NOT_EXPRESSIONS = ("generic_neutral_mesh", "identity")
_IRIS_ANGLE = np.deg2rad(23.0)
"""Half the angle that the iris takes up, seen from the eyeball's centre; the file's pupil dilation ends there."""


@dataclass(frozen=True)
class _Ict:
    """What the folder and the npz have in common, in centimetres."""

    vertices: Float[np.ndarray, "vertices 3"]
    uv: Float[np.ndarray, "uvs 2"]
    corners: Int[np.ndarray, "polygons 4"]
    uv_corners: Int[np.ndarray, "polygons 4"]
    material: Int[np.ndarray, "polygons"]
    material_names: tuple[str, ...]
    identity: Float[np.ndarray, "identity vertices 3"]
    expression: Float[np.ndarray, "expression vertices 3"]
    expression_names: tuple[str, ...]
    landmarks: Int[np.ndarray, "68"]

    def of(self, *materials: str) -> np.ndarray:
        """Mask of the vertices on polygons of these materials."""
        chosen = np.isin(self.material, [self.material_names.index(name) for name in materials])
        mask = np.zeros(len(self.vertices), bool)
        mask[self.corners[chosen][self.corners[chosen] >= 0]] = True
        return mask


def load_ict(path: Path) -> HeadModel:
    """The ICT model in a folder (a clone of ICT-FaceKit, or its `FaceXModel`) or npz; landmark set "ibug_68" as its authors give it.

    Expressions keep the file's number; `_L` and `_R` become ARKit's `Left` and `Right` (left of the person).
    """
    ict = _from_folder(path) if path.is_dir() else _from_npz(path)
    missing = sorted(set(_TILES) - set(ict.material_names))
    if missing:
        raise FormatError(f"expected the materials {missing}, found {list(ict.material_names)}, in {path}")
    names = tuple(_arkit_name(name) for name in ict.expression_names)
    if "jawOpen" not in names:
        raise FormatError(f"expected an expression 'jawOpen', found {list(ict.expression_names)}, in {path}")
    drawn = np.isin(ict.material, [ict.material_names.index(name) for name in _TILES])
    faces, source = triangulated(ict.corners[drawn])
    uv_faces, _ = triangulated(ict.uv_corners[drawn])
    parts = _parts(ict)
    rigged = rig(ict.vertices, ict.identity, ict.expression[names.index("jawOpen")], names, parts)
    origin = rigged.joints[2:].mean(0)
    template = (ict.vertices - origin) * _METRES
    uv, uv_faces = _atlas(ict, uv_faces, ict.material[drawn][source])
    regions = _regions(ict, template, faces, parts, rigged)
    first_faces = _first_face_of(faces, ict.landmarks, path)
    return HeadModel(
        name=str(path),
        template=_float(template),
        faces=torch.from_numpy(faces),
        identity_basis=_float(ict.identity * _METRES),
        expression_basis=_float(ict.expression * _METRES),
        expression_names=names,
        expression_lower=torch.zeros(len(names)),
        expression_upper=torch.ones(len(names)),
        expression_joint_rotations=_float(rigged.expression_joint_rotations),
        joint_names=rigged.names,
        joint_parents=rigged.parents,
        joint_template=_float((rigged.joints - origin) * _METRES),
        joint_identity_basis=_float(rigged.identity_basis * _METRES),
        joint_expression_basis=torch.zeros(len(names), len(rigged.names), 3),
        skinning_weights=_float(rigged.weights),
        pose_correctives=None,
        uv=_float(uv),
        uv_faces=torch.from_numpy(uv_faces),
        landmarks={"ibug_68": LandmarkSet(*first_faces)},
        regions={name: torch.from_numpy(mask) for name, mask in regions.items()},
        mirror=None,
        about={"family": "ICT-FaceKit", "file": path.name, "licence": "MIT, USC Institute for Creative Technologies", "joints": "added by Headcast"},
    )


def is_ict(names: set[str]) -> bool:
    """Whether arrays of these names can be an ICT model."""
    return {"vertices", "quads", "face_material", "identity", "expression"} <= names


def is_ict_folder(path: Path) -> bool:
    """Whether the folder is a clone of ICT-FaceKit or its `FaceXModel`."""
    return (path / _NEUTRAL).is_file() or (path / "FaceXModel" / _NEUTRAL).is_file()


def _from_npz(path: Path) -> _Ict:
    arrays = read_arrays(path, _SCHEMA)
    unit = str(arrays.get("units", "cm"))
    if unit != "cm":
        raise FormatError(f"expected an ICT model in 'cm', found {unit!r}, in {path}")
    floats = {name: arrays[name].astype(np.float64) for name in ("vertices", "uv")}
    ict = _Ict(
        **floats,
        corners=arrays["quads"].astype(np.int64),
        uv_corners=arrays["quads_uv"].astype(np.int64),
        material=arrays["face_material"].astype(np.int64),
        material_names=tuple(str(name) for name in arrays["material_names"]),
        identity=arrays["identity"].astype(np.float32),
        expression=arrays["expression"].astype(np.float32),
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        landmarks=arrays["landmarks68"].astype(np.int64),
    )
    for name, table, count in (("quads", ict.corners, len(ict.vertices)), ("quads_uv", ict.uv_corners, len(ict.uv))):
        if table.max(initial=-1) >= count:
            raise FormatError(f"expected {name!r} below {count}, found {table.max()}, in {path}")
    return ict


def _from_folder(path: Path) -> _Ict:
    """Reads every mode as a whole mesh; a mode is its difference from the neutral one. Takes about ten seconds for a full clone."""
    folder = path if (path / _NEUTRAL).is_file() else path / "FaceXModel"
    neutral = read_polygons(folder / _NEUTRAL)
    modes = sorted(folder.glob("identity[0-9]*.obj"))
    expected = [f"identity{idx:03d}" for idx in range(len(modes))]
    if not modes or [mode.stem for mode in modes] != expected:
        raise FormatError(f"expected identity000.obj and on without gaps, found {[mode.stem for mode in modes][:5]}, in {folder}")
    others = [mesh for mesh in sorted(folder.glob("*.obj"), key=lambda mesh: mesh.stem) if not mesh.stem.startswith(_NOT_EXPRESSIONS)]
    landmarks = np.asarray(read_json(folder / "vertex_indices.json").get("idx_to_landmark_verts", ()), np.int64)
    if landmarks.shape != (68,) or landmarks.max() >= len(neutral.vertices):
        raise FormatError(
            f"expected 'idx_to_landmark_verts' with 68 vertex numbers, found shape {landmarks.shape}, in {folder / 'vertex_indices.json'}"
        )

    def differences(files: list[Path]) -> np.ndarray:
        found = np.zeros((len(files), *neutral.vertices.shape), np.float32)
        for idx, file in enumerate(files):
            vertices = read_vertices(file)
            if vertices.shape != neutral.vertices.shape:
                raise FormatError(f"expected {len(neutral.vertices)} vertices as in {_NEUTRAL}, found {len(vertices)}, in {file}")
            found[idx] = vertices - neutral.vertices
        return found

    return _Ict(
        vertices=neutral.vertices,
        uv=neutral.uv,
        corners=neutral.corners,
        uv_corners=neutral.uv_corners,
        material=neutral.material,
        material_names=neutral.material_names,
        identity=differences(modes),
        expression=differences(others),
        expression_names=tuple(mesh.stem for mesh in others),
        landmarks=landmarks,
    )


def _arkit_name(name: str) -> str:
    side = {"_L": "Left", "_R": "Right"}.get(name[-2:])
    return name[:-2] + side if side else name


def _parts(ict: _Ict) -> dict[str, np.ndarray]:
    """Masks of the parts that the rig and the regions need."""
    face, back = ict.of("M_Face"), ict.of("M_BackHead")
    teeth = ict.of("M_Teeth")
    jaw_height = np.median(ict.vertices[teeth, 1]) if teeth.any() else 0.0
    opens = np.linalg.norm(ict.expression[[_arkit_name(name) for name in ict.expression_names].index("jawOpen")], axis=1)
    return {
        "skin": face | _outermost(ict, back),
        "face": face,
        "teeth": teeth,
        "lower_teeth": teeth & (opens > 0.5 * opens[teeth].max(initial=0.0)) & (ict.vertices[:, 1] < jaw_height + 1.5),
        "gums_tongue": ict.of("M_GumsTongue"),
        "left_eyeball": ict.of("M_ScleraLeft"),
        "right_eyeball": ict.of("M_ScleraRight"),
        "left_eye": ict.of(*[name for name in ("M_ScleraLeft", "M_IrisLeft") if name in ict.material_names]),
        "right_eye": ict.of(*[name for name in ("M_ScleraRight", "M_IrisRight") if name in ict.material_names]),
    }


def _outermost(ict: _Ict, back: np.ndarray) -> np.ndarray:
    """The head and neck among the vertices of the back material; it also holds the sockets of mouth and eyes, in front and near the middle."""
    x, y, z = ict.vertices.T
    face = ict.vertices[ict.of("M_Face")]
    socket = (z > 0.4) & (np.abs(x) < 5.0) & (y > face[:, 1].min() + 9.0) & (y < face[:, 1].max() - 6.0)
    return back & ~socket


def _regions(ict: _Ict, template: np.ndarray, faces: np.ndarray, parts: dict[str, np.ndarray], rigged: IctRig) -> dict[str, np.ndarray]:
    eyeballs = parts["left_eyeball"] | parts["right_eyeball"]
    inside = ict.of("M_BackHead") & ~parts["skin"]
    others = ~(parts["skin"] | eyeballs | inside)
    between = float(np.linalg.norm(rigged.joints[2] - rigged.joints[3])) * _METRES
    derived = derived_regions(template, faces, eyeballs, inside | others, between)
    drawn = landmark_regions(template, parts["face"], template[ict.landmarks])
    known = {name: drawn[name] for name in ("lips", "eyelids", "nose")} | {"brows": drawn["brows"]}
    teeth_points = ict.vertices[parts["teeth"]]
    far = np.ones(len(template), bool)
    if len(teeth_points):
        soft = np.nonzero(parts["gums_tongue"])[0]
        gap = np.sqrt(((ict.vertices[soft][:, None] - teeth_points[None, ::8]) ** 2).sum(-1)).min(1)
        far[soft] = gap > 0.35
    tongue = parts["gums_tongue"] & far & (rigged.weights[:, 1] > 0.5)
    irises = np.zeros(len(template), bool)
    for side, joint in (("left_eyeball", 2), ("right_eyeball", 3)):
        offset = ict.vertices - rigged.joints[joint]
        irises |= parts[side] & (offset[:, 2] > np.cos(_IRIS_ANGLE) * np.linalg.norm(offset, axis=1))
    known |= {
        "eyeballs": eyeballs,
        "irises": irises,
        "mouth_interior": inside & (template[:, 1] < -0.5 * between),
        "eye_sockets": inside & (template[:, 1] >= -0.5 * between),
        "teeth": parts["teeth"] | (parts["gums_tongue"] & ~tongue),
        "tongue": tongue,
    }
    return complete_regions(known, derived)


def _atlas(ict: _Ict, uv_faces: np.ndarray, material: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One texture layout without overlaps: positions are repeated where two materials share them."""
    positions, result = [], np.zeros_like(uv_faces)
    start = 0
    for name, (left, bottom, size) in _TILES.items():
        own = material == ict.material_names.index(name)
        used, inverse = np.unique(uv_faces[own], return_inverse=True)
        inside = ict.uv[used] - np.floor(ict.uv[used].min(0, initial=np.inf) + 1e-6)
        positions.append(inside * size + [left, bottom])
        result[own] = start + inverse.reshape(-1, 3)
        start += len(used)
    return np.concatenate(positions), result


def _first_face_of(faces: np.ndarray, vertices: np.ndarray, path: Path) -> tuple[Tensor, Tensor]:
    """A face at each of these vertices and the barycentric weights of the vertex in it."""
    chosen, weights = [], []
    for vertex in vertices:
        found, corner = np.nonzero(faces == vertex)
        if not len(found):
            raise FormatError(f"expected landmarks on the drawn surface, found vertex {vertex} off it, in {path}")
        chosen.append(found[0])
        weights.append(np.eye(3)[corner[0]])
    return torch.tensor(chosen), _float(np.array(weights))


def _float(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(value, np.float32))

"""The texture atlas: the charts of the base mesh re-laid so that the face gets most of the picture, with our eyes and teeth beside them.

The atlas is symmetric: the mirror image of a texel's place on the head is at (1 − u, v).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from open_head_build.mesh import HeadMesh, triangulated
from open_head_build.source import PARTS

FACE_AT = (0.868, 0.48315)
"""The point of the base mesh's chart of the head that is magnified most, between the eyes and the mouth; its second number is the midline."""
MAGNIFIED_WITHIN = 0.070
"""Distance from there at which lengths have shrunk by a factor √2 against the middle."""
EYE_EXPONENT = 0.6
"""Distance from the pupil in the picture is the polar angle to this power, so that the iris gets more of it."""
BOXES = {
    "skin": (0.006, 0.272, 0.994, 0.994),
    "tongue": (0.480, 0.944, 0.520, 0.996),
    "mouth_cavity": (0.415, 0.158, 0.585, 0.262),
    "upper_teeth": (0.250, 0.126, 0.750, 0.150),
    "lower_teeth": (0.250, 0.094, 0.750, 0.118),
    "throat": (0.370, 0.006, 0.630, 0.086),
    "eye_cavity.L": (0.640, 0.158, 0.740, 0.262),
    "left_eye": (0.800, 0.070, 0.990, 0.260),
}
"""Left, bottom, right and top of each chart's room; the right side's charts mirror the left side's."""
UP = (-1, 1)
"""Whether the inner gum of the upper and of the lower teeth is at the top of their strips, so that both show their outside."""


@dataclass(frozen=True)
class Atlas:
    """Texture positions, 0–1 from the lower left corner, and which three each face uses."""

    uv: Float[np.ndarray, "uvs 2"]
    faces: Int[np.ndarray, "faces 3"]
    mirror: Int[np.ndarray, "uvs"]
    """Texture vertex of each one's mirror image."""
    base_uv: Float[np.ndarray, "faces 3 2"]
    """Where the corners of each face lie in the base mesh's own atlas; not a number for eyeballs and teeth."""


def texture_atlas(mesh: HeadMesh) -> Atlas:
    """The atlas of the head's mesh."""
    source = mesh.source
    skin_quads = np.isin(source.quad_parts, [idx for idx, name in enumerate(PARTS) if not name.startswith(("eye_front", "eye_back"))])
    quads, uv_quads, parts = source.quads[skin_quads], source.uv_quads[skin_quads], source.quad_parts[skin_quads]
    uv = np.zeros_like(source.uv)
    for name, members in _charts(uv_quads, parts).items():
        if name != "eye_cavity.R":
            uv[members] = _fitted(_unrolled(source.uv[members]) if name == "skin" else source.uv[members], BOXES[name], stretch=name == "skin")
    faces = triangulated(uv_quads, quads, mesh.helper_mean)
    base_uv = np.full((len(mesh.faces), 3, 2), np.nan)
    base_uv[: len(faces)] = source.uv[faces]
    used, faces = np.unique(faces, return_inverse=True)
    uv, faces = [uv[used]], [faces.reshape(-1, 3)]
    begin = len(used)
    eye = _fitted(_eye_chart(mesh.eye.uv), BOXES["left_eye"])
    rows = [_fitted(row.uv * [1, side], BOXES[name], stretch=True) for row, name, side in zip(mesh.tooth_rows, ("upper_teeth", "lower_teeth"), UP)]
    for points, own in (
        (eye, mesh.eye.uv_faces),
        (eye * [-1, 1] + [1, 0], mesh.eye.uv_faces[:, ::-1]),
        *zip(rows, (r.faces for r in mesh.tooth_rows)),
    ):
        uv.append(points)
        faces.append(own + begin)
        begin += len(points)
    uv, faces = np.concatenate(uv), np.concatenate(faces)
    mirror = _uv_mirror(mesh, faces, len(uv))
    uv[_on_the_right(mesh, faces, len(uv))] = 0
    other = np.where((uv[mirror] == 0).all(1, keepdims=True), uv, uv[mirror] * [-1, 1] + [1, 0])
    own = np.where((uv == 0).all(1, keepdims=True), other, uv)
    return Atlas((own + other) / 2, faces, mirror, base_uv)


def _charts(uv_quads: np.ndarray, parts: np.ndarray) -> dict[str, Int[np.ndarray, "some"]]:
    """Texture vertices of each connected chart by the name of its part; of the head's two, the larger is "skin", the other "throat"."""
    count = uv_quads.max() + 1
    ends = np.concatenate([uv_quads[:, [0, 1]], uv_quads[:, [1, 2]], uv_quads[:, [2, 3]]])
    labels = connected_components(coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count)), directed=False)[1]
    charts: dict[str, np.ndarray] = {}
    for label in np.unique(labels[uv_quads[:, 0]]):
        members, part = np.flatnonzero(labels == label), PARTS[parts[labels[uv_quads[:, 0]] == label][0]]
        charts[part if part != "head" else "skin" if len(members) > 1000 else "throat"] = members
    return charts


def _unrolled(uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """The head's chart upright, magnified around the face: the distance r from its middle becomes a · asinh(r / a)."""
    upright = np.stack([uv[:, 1] - FACE_AT[1], FACE_AT[0] - uv[:, 0]], -1)
    distance = np.linalg.norm(upright, axis=1, keepdims=True)
    return upright * MAGNIFIED_WITHIN * np.arcsinh(distance / MAGNIFIED_WITHIN) / np.maximum(distance, 1e-12)


def _eye_chart(polar: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    distance = np.linalg.norm(polar, axis=1, keepdims=True)
    return polar * np.maximum(distance, 1e-12) ** (EYE_EXPONENT - 1)


def _fitted(points: Float[np.ndarray, "n 2"], box: tuple[float, float, float, float], stretch: bool = False) -> Float[np.ndarray, "n 2"]:
    """The points moved and scaled into the middle of a box."""
    low, high = points.min(0), points.max(0)
    room = np.array(box[2:]) - box[:2]
    scale = room / (high - low)
    scale = scale if stretch else np.full(2, scale.min())
    return (points - (low + high) / 2) * scale + np.array(box[:2]) + room / 2


def _corners(mesh: HeadMesh, faces: np.ndarray, count: int) -> np.ndarray:
    """The mesh vertex of each texture vertex."""
    vertex = np.zeros(count, int)
    vertex[faces] = mesh.faces
    return vertex


def _on_the_right(mesh: HeadMesh, faces: np.ndarray, count: int) -> np.ndarray:
    """Texture vertices of the right eye's socket, whose chart is made from the left one's."""
    socket = mesh.parts["eye_cavity.R"][mesh.faces].all(1)
    return np.isin(np.arange(count), faces[socket])


def _uv_mirror(mesh: HeadMesh, faces: np.ndarray, count: int) -> Int[np.ndarray, "uvs"]:
    """Pairs texture vertices through the faces: the mirror image of a face has the mirror images of its corners."""
    place = {tuple(sorted(face)): idx for idx, face in enumerate(mesh.faces.tolist())}
    mirror = np.full(count, -1)
    for face, uv_face in zip(mesh.mirror[mesh.faces].tolist(), faces):
        partner = place[tuple(sorted(face))]
        corner = {int(vertex): idx for idx, vertex in enumerate(mesh.faces[partner])}
        for vertex, uv_idx in zip(face, uv_face):
            mirror[uv_idx] = faces[partner][corner[vertex]]
    assert (mirror[mirror] == np.arange(count)).all()
    return mirror

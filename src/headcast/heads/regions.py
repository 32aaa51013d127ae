"""The parts of a head by name, and how to find them on a head model whose file does not say.

Everything is measured in head space: origin midway between the eyeball centres, +Y up, +Z out of the face, +X to the subject's left.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

REGION_NAMES = (
    "face", "forehead", "nose", "lips", "eyelids", "eyeballs", "irises", "ears", "scalp", "neck",
    "mouth_interior", "teeth", "tongue", "boundary",
)  # fmt: skip
"""Every head model has these; a part that a model lacks (FLAME has no teeth) is an empty mask."""


LANDMARK_REGIONS = ("lips", "eyelids", "nose")
"""Regions that `landmark_regions` draws better than `derived_regions`."""


def rough_regions(known: Mapping[str, Bool[np.ndarray, "vertices"]]) -> str:
    """Names of the regions that a reader had to derive, as one text for `HeadModel.about["rough_regions"]`."""
    return " ".join(name for name in REGION_NAMES if name not in known)


def complete_regions(
    known: Mapping[str, Bool[np.ndarray, "vertices"]], derived: Mapping[str, Bool[np.ndarray, "vertices"]]
) -> dict[str, Bool[np.ndarray, "vertices"]]:
    """All regions of `REGION_NAMES`, from the file where it has them, otherwise as derived; other known names are kept behind them."""
    result = {name: known[name] if name in known else derived[name] for name in REGION_NAMES}
    return result | {name: mask for name, mask in known.items() if name not in result}


def derived_regions(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    eyeballs: Bool[np.ndarray, "vertices"],
    inside: Bool[np.ndarray, "vertices"],
    eye_distance_m: float,
) -> dict[str, Bool[np.ndarray, "vertices"]]:
    """Regions from nothing but the shape of a neutral head: boxes in units of the distance between the eyeball centres.

    They are rough (a few millimetres to a centimetre) and follow the proportions of an average adult. Masks that come with a model, or
    `landmark_regions` once landmarks are known, are better.

    Args:
        vertices: neutral head in head space (m).
        faces: its triangles.
        eyeballs: vertices of the eyeballs.
        inside: vertices inside the mouth or the eye sockets, which belong to no part of the skin.
        eye_distance_m: between the eyeball centres.
    """
    x, y, z = vertices.T / eye_distance_m
    outward = _normals(vertices, faces)
    skin = ~(eyeballs | inside)
    front = outward[:, 2] > 0.0
    face = skin & front & (np.abs(x) < 1.1) & (y < 1.15) & (y > -1.95) & (z > -0.6)
    beside = np.abs(np.abs(x) - 0.5)
    irises = eyeballs & (_angle_from_front(vertices, eyeballs) < np.deg2rad(28.0))
    none = np.zeros(len(vertices), bool)
    return {
        "face": face,
        "forehead": face & (y > 0.45) & (np.abs(x) < 0.9),
        "nose": face & (np.abs(x) < 0.36) & (y < 0.1) & (y > -0.85) & (z > 0.2),
        "lips": face & (np.abs(x) < 0.45) & (y < -0.9) & (y > -1.3),
        "eyelids": face & (beside < 0.28) & (np.abs(y) < 0.2),
        "eyeballs": eyeballs,
        "irises": irises,
        "ears": skin & (np.abs(x) > 1.12) & (y < 0.25) & (y > -0.95) & (z < -0.72) & (z > -1.7),
        "scalp": skin & ~face & (y > np.clip(0.9 + 0.55 * z, -1.0, 0.9)) & (np.abs(x) < 1.6),
        "neck": skin & ~face & (y < -1.9) | (skin & ~face & (y < -1.3) & (z < -1.2)),
        "mouth_interior": inside & (y < -0.5),
        "teeth": none,
        "tongue": none.copy(),
        "boundary": boundary_vertices(faces, len(vertices)) & (y < -1.9),
    }


def landmark_regions(
    vertices: Float[np.ndarray, "vertices 3"], skin: Bool[np.ndarray, "vertices"], landmarks: Float[np.ndarray, "68 3"]
) -> dict[str, Bool[np.ndarray, "vertices"]]:
    """Lips, eyelids, nose and brows as seen from the front, inside the outlines that 68 landmarks draw (iBUG order).

    Args:
        vertices: neutral head in head space (m).
        skin: vertices of the outer skin; nothing else is ever chosen.
        landmarks: the 68 points on it.
    """
    front = skin & (_depth_behind(vertices, landmarks) < 0.35)
    flat, points = vertices[:, :2], landmarks[:, :2]
    lips = _inside(flat, points[48:60], 1.08) & ~_inside(flat, points[60:68], 0.9)
    lids = [_inside(flat, points[start : start + 6], 1.7) & ~_inside(flat, points[start : start + 6], 0.95) for start in (36, 42)]
    width = np.linalg.norm(points[35] - points[31])
    wings = points[31:36] + np.linspace(-0.3, 0.3, 5)[:, None] * [width, 0.0] - [0.0, 0.05 * width]
    sides = points[[30, 30]] + [[-0.75 * width, 0.15 * width], [0.75 * width, 0.15 * width]]
    bridge = points[[27, 27]] + [[0.22 * width, 0.0], [-0.22 * width, 0.0]]
    nose = _inside(flat, np.concatenate([wings, sides[1:], bridge, sides[:1]]), 1.0)
    brows = [_inside(flat, _band(points[start : start + 5]), 1.1) for start in (17, 22)]
    return {"lips": front & lips, "eyelids": front & (lids[0] | lids[1]), "nose": front & nose, "brows": front & (brows[0] | brows[1])}


def boundary_vertices(faces: Int[np.ndarray, "faces 3"], count: int) -> Bool[np.ndarray, "vertices"]:
    """Vertices on an edge that belongs to one face only."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    mask = np.zeros(count, bool)
    mask[unique[counts == 1]] = True
    return mask


def components(faces: Int[np.ndarray, "faces 3"], count: int) -> Int[np.ndarray, "vertices"]:
    """A number for each vertex, the same for vertices that faces connect; the component with the most vertices has number 0."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty_like(by_size)
    rank[by_size] = np.arange(len(by_size))
    return rank[labels]


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    per_face = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], per_face)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)


def _angle_from_front(vertices: np.ndarray, eyeballs: np.ndarray) -> np.ndarray:
    """Angle (rad) between +Z and the direction from the own eyeball's centre; π off the eyeballs."""
    result = np.full(len(vertices), np.pi)
    for side in (vertices[:, 0] > 0, vertices[:, 0] <= 0):
        own = eyeballs & side
        if own.any():
            offset = vertices[own] - (vertices[own].min(0) + vertices[own].max(0)) / 2
            result[own] = np.arccos(np.clip(offset[:, 2] / np.maximum(np.linalg.norm(offset, axis=1), 1e-12), -1, 1))
    return result


def _depth_behind(vertices: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """How far a vertex lies behind the landmark nearest to it in the front view, in units of the outer eye corners' distance."""
    flat = vertices[:, None, :2] - landmarks[None, :, :2]
    nearest = (flat**2).sum(-1).argmin(1)
    return (landmarks[nearest, 2] - vertices[:, 2]) / np.linalg.norm(landmarks[45] - landmarks[36])


def _band(line: np.ndarray) -> np.ndarray:
    """The outline of a brow: a band under and over a line of points."""
    up = np.array([0.0, 0.09 * np.linalg.norm(line[-1] - line[0])])
    return np.concatenate([line + up, line[::-1] - up])


def _inside(points: np.ndarray, outline: np.ndarray, scale: float) -> np.ndarray:
    """Points inside an outline that is first scaled about its mean: the even-odd rule."""
    corners = (outline - outline.mean(0)) * scale + outline.mean(0)
    following = np.roll(corners, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    crosses = (corners[None, :, 1] > y) != (following[None, :, 1] > y)
    rise = following[:, 1] - corners[:, 1]
    at = corners[:, 0] + (y - corners[:, 1]) / np.where(rise == 0, 1e-30, rise) * (following[:, 0] - corners[:, 0])
    return (crosses & (x < at)).sum(1) % 2 == 1

"""Which faces of a mesh run through each other."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree


def intersecting_faces(vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of faces of which an edge of one passes through the inside of the other; faces with a common vertex are no pair.

    Faces that only touch, or lie in one plane, count as apart.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    middle = corners.mean(1)
    reach = np.linalg.norm(corners - middle[:, None], axis=2).max(1)
    near = cKDTree(middle).query_pairs(2 * reach.max(), output_type="ndarray") if len(faces) else np.zeros((0, 2), int)
    near = near[np.linalg.norm(middle[near[:, 0]] - middle[near[:, 1]], axis=1) <= reach[near].sum(1)]
    shared = (faces[near[:, 0]][:, :, None] == faces[near[:, 1]][:, None, :]).any((1, 2))
    near = near[~shared]
    first, second = corners[near[:, 0]], corners[near[:, 1]]
    crossed = _edges_cross(first, second) | _edges_cross(second, first)
    return near[crossed]


def _edges_cross(edges_of: Float[np.ndarray, "n 3 3"], through: Float[np.ndarray, "n 3 3"]) -> Bool[np.ndarray, "n"]:
    """Whether an edge of the first triangle passes through the second (Möller and Trumbore 1997)."""
    origin, along, across = through[:, 0], through[:, 1] - through[:, 0], through[:, 2] - through[:, 0]
    crossed = np.zeros(len(through), bool)
    for k in range(3):
        start, ray = edges_of[:, k], edges_of[:, (k + 1) % 3] - edges_of[:, k]
        p = np.cross(ray, across)
        det = (along * p).sum(1)
        safe = np.where(np.abs(det) > 1e-300, det, np.inf)
        s = start - origin
        u = (s * p).sum(1) / safe
        q = np.cross(s, along)
        v = (ray * q).sum(1) / safe
        t = (across * q).sum(1) / safe
        crossed |= (np.abs(det) > 1e-300) & (u > 0) & (v > 0) & (u + v < 1) & (t > 0) & (t < 1)
    return crossed

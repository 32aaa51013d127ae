"""The nearest point of a triangle mesh, exactly, for many points at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

_FLAT = 1e-14
"""Squared sine of the angle at a triangle's first corner below which it has no area."""


@dataclass(frozen=True)
class ClosestPoints:
    """Where on a mesh the nearest points lie."""

    faces: Int[np.ndarray, "n"]
    barycentric: Float[np.ndarray, "n 3"]
    points: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, "n"]


class ClosestPointQuery:
    """Answers which point of a mesh is nearest; building it once per mesh position saves the search trees.

    A face lies inside a ball around its centroid, so the nearest face is certain as soon as no other ball reaches as near as the best
    face found; the search looks at more and more centroids until that holds. Faces of similar size share a tree, so that a few
    large ones do not blur the bound of the small ones.
    """

    def __init__(self, vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]):
        self._corners = np.asarray(vertices, np.float64)[faces]
        centroids = self._corners.mean(1)
        reach = np.linalg.norm(self._corners - centroids[:, None], axis=2).max(1)
        size_class = np.floor(np.log2(np.maximum(reach, 1e-12))).astype(int)
        members = [np.flatnonzero(size_class == value) for value in np.unique(size_class)]
        members.sort(key=len, reverse=True)
        self._groups = [(idx, reach[idx].max(), cKDTree(centroids[idx])) for idx in members]

    def __call__(self, points: Float[np.ndarray, "n 3"], within: float = np.inf) -> ClosestPoints:
        """The nearest point of the mesh to each point.

        Points farther from the mesh than `within` get an infinite distance; a bound saves time where far points do not matter.
        """
        points = np.asarray(points, np.float64)
        count = len(points)
        found = ClosestPoints(np.zeros(count, np.int64), np.zeros((count, 3)), np.full((count, 3), np.nan), np.full(count, within, np.float64))
        for members, reach, tree in self._groups:
            self._search(points, members, reach, tree, found)
        found.distance[np.isnan(found.points[:, 0])] = np.inf
        return found

    def _search(self, points: np.ndarray, members: np.ndarray, reach: float, tree: cKDTree, found: ClosestPoints) -> None:
        """Improves what was found by the faces of one size class."""
        open_idx, looked_at = np.arange(len(points)), 4
        while len(open_idx):
            looked_at = min(looked_at, len(members))
            bound = found.distance[open_idx].max() + reach
            radius, candidates = tree.query(points[open_idx], k=looked_at, distance_upper_bound=bound)
            radius, candidates = radius.reshape(len(open_idx), -1), candidates.reshape(len(open_idx), -1)
            row, column = np.nonzero(radius <= found.distance[open_idx][:, None] + reach)
            self._compare(points, open_idx[row], members[candidates[row, column]], found)
            certain = (radius[:, -1] >= found.distance[open_idx] + reach) | (looked_at == len(members))
            open_idx, looked_at = open_idx[~certain], looked_at * 4

    def _compare(self, points: np.ndarray, point_idx: np.ndarray, face_idx: np.ndarray, found: ClosestPoints) -> None:
        """Takes over the faces that are nearer to their points than what was found before."""
        weights = barycentric_of_nearest(points[point_idx], self._corners[face_idx])
        nearest = (weights[..., None] * self._corners[face_idx]).sum(-2)
        distance = np.linalg.norm(nearest - points[point_idx], axis=-1)
        order = np.argsort(-distance, kind="stable")
        order = order[distance[order] < found.distance[point_idx[order]]]
        target = point_idx[order]
        found.faces[target] = face_idx[order]
        found.barycentric[target] = weights[order]
        found.points[target] = nearest[order]
        found.distance[target] = distance[order]


def barycentric_of_nearest(points: Float[np.ndarray, "*#batch 3"], corners: Float[np.ndarray, "*#batch 3 3"]) -> Float[np.ndarray, "*#batch 3"]:
    """Weights of a triangle's corners at its point nearest to a given point.

    The foot of the perpendicular where it lies inside, otherwise the nearest point of the three edges; a triangle without area counts
    as its edges.
    """
    # A point of the triangle is s·across + t·along beside its first corner; everything that follows is made of five products of vectors.
    across, along = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    away = points - corners[..., 0, :]
    cc, ca, aa, pc, pa = (_dot(*pair) for pair in ((across, across), (across, along), (along, along), (away, across), (away, along)))
    area = cc * aa - ca * ca
    flat = area <= _FLAT * cc * aa
    area = np.where(flat, 1.0, area)
    best_s, best_t = (pc * aa - pa * ca) / area, (pa * cc - pc * ca) / area
    inside = (best_s >= 0) & (best_t >= 0) & (best_s + best_t <= 1) & ~flat
    best = np.where(inside, -np.inf, np.inf)
    opposite = _share(pa - pc + cc - ca, cc - 2 * ca + aa)
    for s, t in ((_share(pc, cc), 0.0), (1 - opposite, opposite), (0.0, _share(pa, aa))):
        squared = s * s * cc + 2 * s * t * ca + t * t * aa - 2 * (s * pc + t * pa)
        nearer = squared < best
        best_s, best_t, best = np.where(nearer, s, best_s), np.where(nearer, t, best_t), np.where(nearer, squared, best)
    return np.stack([1 - best_s - best_t, best_s, best_t], -1)


def _dot(a: Float[np.ndarray, "*#batch 3"], b: Float[np.ndarray, "*#batch 3"]) -> Float[np.ndarray, "*batch"]:
    return np.einsum("...i,...i->...", a, b)


def _share(part: Float[np.ndarray, "*#batch"], whole: Float[np.ndarray, "*#batch"]) -> Float[np.ndarray, "*batch"]:
    """0–1; 0 of nothing."""
    return np.clip(part / np.where(whole > 0, whole, np.inf), 0, 1)

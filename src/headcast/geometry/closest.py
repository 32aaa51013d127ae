"""The nearest point of a triangle mesh, exactly, for many points at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class ClosestPoints:
    """Where on a mesh the nearest points lie."""

    faces: Int[np.ndarray, "n"]
    barycentric: Float[np.ndarray, "n 3"]
    points: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, "n"]


class ClosestPointQuery:
    """Answers which point of a mesh is nearest; building it once per mesh position saves the search tree.

    A face lies inside a ball around its centroid, so the nearest face is certain as soon as no other ball reaches as near as the best
    face found; the search looks at more and more centroids until that holds.
    """

    def __init__(self, vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]):
        self._corners = np.asarray(vertices, np.float64)[faces]
        self._centroids = self._corners.mean(1)
        self._reach = np.linalg.norm(self._corners - self._centroids[:, None], axis=2).max()
        self._tree = cKDTree(self._centroids)

    def __call__(self, points: Float[np.ndarray, "n 3"]) -> ClosestPoints:
        """The nearest point of the mesh to each point."""
        points = np.asarray(points, np.float64)
        count = len(points)
        found = ClosestPoints(np.zeros(count, np.int64), np.zeros((count, 3)), np.zeros((count, 3)), np.full(count, np.inf))
        open_idx, looked_at = np.arange(count), 8
        while len(open_idx):
            looked_at = min(looked_at, len(self._centroids))
            radius, candidates = self._tree.query(points[open_idx], k=looked_at)
            radius, candidates = radius.reshape(len(open_idx), -1), candidates.reshape(len(open_idx), -1)
            weights = barycentric_of_nearest(points[open_idx, None], self._corners[candidates])
            nearest = (weights[..., None] * self._corners[candidates]).sum(-2)
            distance = np.linalg.norm(nearest - points[open_idx, None], axis=-1)
            row, best = np.arange(len(open_idx)), distance.argmin(1)
            found.faces[open_idx] = candidates[row, best]
            found.barycentric[open_idx] = weights[row, best]
            found.points[open_idx] = nearest[row, best]
            found.distance[open_idx] = distance[row, best]
            certain = (distance[row, best] <= radius[:, -1] - self._reach) | (looked_at == len(self._centroids))
            open_idx, looked_at = open_idx[~certain], looked_at * 4
        return found


def barycentric_of_nearest(points: Float[np.ndarray, "*batch 3"], corners: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Weights of a triangle's corners at its point nearest to a given point.

    The foot of the perpendicular where it lies inside, otherwise the nearest point of the three edges; a triangle without area counts
    as its edges.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    normal = np.cross(b - a, c - a)
    squared = (normal**2).sum(-1)
    safe = np.where(squared > 0, squared, 1.0)
    inner = np.stack([(np.cross(c - b, points - b) * normal).sum(-1), (np.cross(a - c, points - c) * normal).sum(-1)], -1) / safe[..., None]
    inner = np.concatenate([inner, 1 - inner.sum(-1, keepdims=True)], -1)
    inside = (inner >= 0).all(-1) & (squared > 0)
    best, best_distance = inner, np.where(inside, 0.0, np.inf)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        origin, along = corners[..., start, :], corners[..., end, :] - corners[..., start, :]
        length = (along**2).sum(-1)
        t = np.clip(((points - origin) * along).sum(-1) / np.where(length > 0, length, 1.0), 0, 1)
        distance = ((origin + t[..., None] * along - points) ** 2).sum(-1)
        weights = np.zeros_like(inner)
        weights[..., start], weights[..., end] = 1 - t, t
        nearer = ~inside & (distance < best_distance)
        best, best_distance = np.where(nearer[..., None], weights, best), np.where(nearer, distance, best_distance)
    return best

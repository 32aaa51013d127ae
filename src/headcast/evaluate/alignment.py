"""The similarity that lays one clip or cloud over another, from matched points or from points and surfaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from headcast.geometry import Similarity
from headcast.geometry.closest import ClosestPointQuery

_TUKEY = 4.685 * 1.4826
"""Residuals beyond this many times their median size do not count (Tukey's biweight at 95 % efficiency, Huber 1981)."""
_EXACT_STEPS = 4
_CALM_M = 1e-6
"""Alignment ends where no point moves farther than this in a step."""


@dataclass(frozen=True)
class Pairs:
    """Points that are to come to lie on planes."""

    points: Float[np.ndarray, "n 3"]
    """As they lie now."""
    on_plane: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    """Unit."""


def align_to_planes(pairs_at: Callable[[Similarity], Pairs], start: Similarity, steps: int) -> Similarity:
    """Gauss-Newton on point-to-plane distances (Chen & Medioni 1991) over rotation, translation and scale, with Tukey's weights.

    Args:
        pairs_at: finds the pairs for a similarity; asked again at every step.
        start: near the answer.
    """
    current = start
    for _ in range(steps):
        pairs = pairs_at(current)
        centre = pairs.points.mean(0)
        arm = pairs.points - centre
        residual = ((pairs.points - pairs.on_plane) * pairs.normals).sum(1)
        size = _TUKEY * max(float(np.median(np.abs(residual))), 1e-9)
        weight = np.clip(1 - (residual / size) ** 2, 0, None) ** 2
        rows = np.concatenate([np.cross(arm, pairs.normals), pairs.normals, (arm * pairs.normals).sum(1, keepdims=True)], 1)
        normal = (rows * weight[:, None]).T @ rows
        step = np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(7), -(rows * weight[:, None]).T @ residual)
        turn, scale = Rotation.from_rotvec(step[:3]).as_matrix(), float(np.exp(step[6]))
        update = Similarity(scale, turn, centre + step[3:6] - scale * turn @ centre)
        current = current.then(update)
        if np.abs(update.points(pairs.points) - pairs.points).max() < _CALM_M:
            break
    return current


def align_to_surfaces(
    points: Sequence[Float[np.ndarray, "n 3"]], surfaces: Sequence["Surface"], point_from_surface: Similarity, steps: int = 20
) -> Similarity:
    """One similarity for all frames that lays surfaces onto points: iterated closest points.

    Args:
        points: of each frame.
        surfaces: of each frame.
        point_from_surface: near the answer.
        steps: most iterations.
    """

    def pairs_at(surface_from_point: Similarity, exact: bool) -> Pairs:
        moved = [surface_from_point.points(some) for some in points]
        met = [surface.nearest(some)[:2] if exact else surface.nearest_plane(some) for some, surface in zip(moved, surfaces)]
        return Pairs(np.concatenate(moved), np.concatenate([point for point, _ in met]), np.concatenate([normal for _, normal in met]))

    rough = align_to_planes(lambda at: pairs_at(at, False), point_from_surface.inverse(), steps)
    return align_to_planes(lambda at: pairs_at(at, True), rough, _EXACT_STEPS).inverse()


class Surface:
    """A mesh that answers where its nearest points are and how it is inclined there."""

    def __init__(self, vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]):
        self._query = ClosestPointQuery(vertices, faces)
        a, b, c = (vertices[faces[:, k]] for k in range(3))
        self._centroids = (a + b + c) / 3
        self._tree = cKDTree(self._centroids)
        normals = np.cross(b - a, c - a)
        self._normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)

    def nearest(self, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Float[np.ndarray, "n"]]:
        """The nearest points, the normals of their faces, and the distances."""
        found = self._query(points)
        return found.points, self._normals[found.faces], found.distance

    def nearest_plane(self, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
        """The planes, as point and normal, of the faces whose centroids are nearest: almost as good for an alignment and much faster."""
        _, face = self._tree.query(points)
        return self._centroids[face], self._normals[face]


def distances_to_surfaces(
    points: Sequence[Float[np.ndarray, "n 3"]], surfaces: Sequence[Surface], point_from_surface: Similarity
) -> list[Float[np.ndarray, "n"]]:
    """How far each frame's points lie from its surface, in the points' unit."""
    back = point_from_surface.inverse()
    return [surface.nearest(back.points(some))[2] * point_from_surface.scale for some, surface in zip(points, surfaces)]

"""The similarity that lays one clip over another, from matched points or from points and surfaces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from headcast.geometry import similarity_from_points
from headcast.geometry.closest import ClosestPointQuery


@dataclass(frozen=True)
class Similarity:
    """`to = scale · rotation @ from + translation`."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @classmethod
    def of_points(cls, source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]) -> "Similarity":
        """The least-squares similarity of matched points (Umeyama 1991)."""
        scale, rotation, translation = similarity_from_points(
            torch.from_numpy(np.ascontiguousarray(source, np.float64)), torch.from_numpy(np.ascontiguousarray(target, np.float64))
        )
        return cls(scale, rotation.numpy(), translation.numpy())

    def points(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        return self.scale * points @ self.rotation.T + self.translation

    def inverse(self) -> "Similarity":
        return Similarity(1 / self.scale, self.rotation.T, -(self.rotation.T @ self.translation) / self.scale)


def align_to_surfaces(
    points: Sequence[Float[np.ndarray, "n 3"]], surfaces: Sequence[ClosestPointQuery], start: Similarity, steps: int = 30
) -> Similarity:
    """One similarity for all frames that brings surfaces onto points: iterated closest points (Besl & McKay 1992).

    Pairs farther apart than three times their median distance do not count: there one of the two has no counterpart.

    Args:
        points: of each frame.
        surfaces: of each frame.
        start: surface space to point space, near the answer.
        steps: most iterations; ends earlier where the similarity no longer changes.
    """
    current = start
    for _ in range(steps):
        back = current.inverse()
        found = [surface(back.points(some)) for some, surface in zip(points, surfaces)]
        distance = np.concatenate([nearest.distance for nearest in found])
        near = distance <= 3 * np.median(distance) + 1e-12
        source = np.concatenate([nearest.points for nearest in found])[near]
        following = Similarity.of_points(source, np.concatenate(list(points))[near])
        moved = np.abs(following.points(source[::97]) - current.points(source[::97])).max()
        current = following
        if moved < 2e-6:
            break
    return current


def distances_to_surfaces(
    points: Sequence[Float[np.ndarray, "n 3"]], surfaces: Sequence[ClosestPointQuery], point_from_surface: Similarity
) -> list[Float[np.ndarray, "n"]]:
    """How far each frame's points lie from its surface, in the points' unit."""
    back = point_from_surface.inverse()
    return [surface(back.points(some)).distance * point_from_surface.scale for some, surface in zip(points, surfaces)]

"""A change of place, turn and size, as NumPy: what lays a scan over a head, or one clip over another."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from headcast.geometry.mesh import similarity_from_points


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

    def directions(self, directions: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Turned, and neither moved nor scaled."""
        return directions @ self.rotation.T

    def inverse(self) -> "Similarity":
        return Similarity(1 / self.scale, self.rotation.T, -(self.rotation.T @ self.translation) / self.scale)

    def then(self, other: "Similarity") -> "Similarity":
        """This one first, the other on its result."""
        return Similarity(
            self.scale * other.scale, other.rotation @ self.rotation, other.scale * other.rotation @ self.translation + other.translation
        )

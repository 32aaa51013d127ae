"""A smooth motion of space that takes points of one head to those of another."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.distance import cdist

_CHUNK = 20_000
"""Points that are moved at a time; their distances to all centres are in memory at once."""


@dataclass(frozen=True)
class Warp:
    """An affine map and a spline around centres: `x ↦ [1, x] · affine + Σ |x − centre| · pull` (Duchon 1977, the biharmonic spline of space)."""

    centres: Float[ndarray, "centres 3"]
    pulls: Float[ndarray, "centres 3"]
    affine: Float[ndarray, "4 3"]

    @classmethod
    def between(cls, source: Float[ndarray, "n 3"], target: Float[ndarray, "n 3"], slack_m: Float[ndarray, "n"], stiffness_m: float = 0.03) -> "Warp":
        """The warp that takes the source points near the target points.

        Args:
            slack_m: how far each pair may stay apart; pairs with much slack bend space less.
            stiffness_m: over which distance a bend as large as the slack costs as much as leaving it.
        """
        count = len(source)
        plane = np.concatenate([np.ones((count, 1)), source], 1)
        system = np.zeros((count + 4, count + 4))
        system[:count, :count] = -cdist(source, source) + np.diag((slack_m / np.median(slack_m)) ** 2 * stiffness_m)
        system[:count, count:], system[count:, :count] = plane, plane.T
        solved = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
        return cls(source, -solved[:count], solved[count:])

    def __call__(self, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3"]:
        flat = np.asarray(points, np.float64).reshape(-1, 3)
        moved = [self._moved(flat[start : start + _CHUNK]) for start in range(0, len(flat), _CHUNK)]
        return np.concatenate([*moved, np.empty((0, 3))]).reshape(np.shape(points))

    def _moved(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        return self.affine[0] + points @ self.affine[1:] + cdist(points, self.centres) @ self.pulls

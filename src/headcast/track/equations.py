"""Quadratic models of what a step costs."""

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from headcast.track.rig import Turned


@dataclass(frozen=True)
class Equations:
    """A quadratic model of a frame's cost: `x·matrix·x/2 − right·x` for a step x of the unknowns (shared ones, where asked for, come last)."""

    matrix: Float[np.ndarray, "n n"]
    right: Float[np.ndarray, "n"]
    cost: float = 0.0
    """Where the step is zero."""

    def turned(self, turned: Turned) -> "Equations":
        """Of a frame's unknowns in rig space, from those in a camera's."""
        return Equations(turned.of_frame(turned.of_frame(self.matrix).T), turned.of_frame(self.right), self.cost)

    def spread(self, turned: Turned) -> "Equations":
        """The same with the shared unknowns."""
        return Equations(turned.of_clip(turned.of_clip(self.matrix).T), turned.of_clip(self.right), self.cost)

    def __add__(self, other: "Equations") -> "Equations":
        return Equations(self.matrix + other.matrix, self.right + other.right, self.cost + other.cost)


def summed(parts: Iterable[Equations]) -> Equations:
    """The sum of one or more."""
    return functools.reduce(operator.add, parts)

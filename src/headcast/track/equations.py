"""Quadratic models of what a step costs."""

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from headcast.track.rig import Turned


@dataclass(frozen=True)
class Equations:
    """A quadratic model of a frame's cost: `x·matrix·x/2 − right·x` for a step x of the unknowns (shared ones, where asked for, come last)."""

    matrix: Float[np.ndarray, "n n"]
    right: Float[np.ndarray, "n"]
    terms: Mapping[str, float] = field(default_factory=dict)
    """What each term (landmarks, photometric, depth, prior) costs where the step is zero."""

    @property
    def cost(self) -> float:
        """Of all terms."""
        return float(sum(self.terms.values()))

    def holding(self, held: Bool[np.ndarray, "n"] | None) -> "Equations":
        """The same with some unknowns kept where they are: their step is exactly zero; None holds nothing."""
        if held is None:
            return self
        matrix = np.where(held[:, None] | held, 0.0, self.matrix)
        matrix[held, held] = 1.0
        return replace(self, matrix=matrix, right=np.where(held, 0.0, self.right))

    def turned(self, turned: Turned) -> "Equations":
        """Of a frame's unknowns in rig space, from those in a camera's."""
        return Equations(turned.of_frame(turned.of_frame(self.matrix).T), turned.of_frame(self.right), self.terms)

    def spread(self, turned: Turned) -> "Equations":
        """The same with the shared unknowns."""
        return Equations(turned.of_clip(turned.of_clip(self.matrix).T), turned.of_clip(self.right), self.terms)

    def __add__(self, other: "Equations") -> "Equations":
        return Equations(self.matrix + other.matrix, self.right + other.right, added(self.terms, other.terms))


def summed(parts: Iterable[Equations]) -> Equations:
    """The sum of one or more."""
    return functools.reduce(operator.add, parts)


def added(terms: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    """What each term costs in two places together."""
    return {**terms, **{name: terms.get(name, 0.0) + cost for name, cost in others.items()}}

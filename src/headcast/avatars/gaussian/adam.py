"""Adam (Kingma and Ba 2015) for the rows of one matrix, of which each step takes only some: the others keep still, and so does their momentum."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int32
from numpy import ndarray

from headcast.compiled import compiled
from headcast.threads import in_parts

_FIRST, _SECOND, _EPSILON = 0.9, 0.99, 1e-8
_GRAIN = 2000


@compiled()
def _step(first, last, values, gradient, rows, mean, square, steps, rates, share):
    for row in range(first, last):
        if rows[row]:
            steps[row] += 1
            unbias = np.float32(1 / (1 - _FIRST ** steps[row]))
            unbias_square = np.float32(1 / (1 - _SECOND ** steps[row]))
            for column in range(values.shape[1]):
                g = gradient[row, column]
                m = mean[row, column] + np.float32(1 - _FIRST) * (g - mean[row, column])
                v = square[row, column] + np.float32(1 - _SECOND) * (g * g - square[row, column])
                mean[row, column], square[row, column] = m, v
                values[row, column] -= share * rates[column] * m * unbias / (np.sqrt(v * unbias_square) + np.float32(_EPSILON))


@dataclass(frozen=True)
class RowAdam:
    """What Adam remembers of each row."""

    mean: Float32[ndarray, "rows columns"]
    square: Float32[ndarray, "rows columns"]
    steps: Int32[ndarray, "rows"]
    """In which each row took part."""

    @classmethod
    def new(cls, rows: int, columns: int) -> "RowAdam":
        return cls(np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32), np.zeros(rows, np.int32))

    def chosen(self, rows: ndarray, fresh: int) -> "RowAdam":
        """What is remembered of the chosen rows, and nothing of so many new ones after them."""
        new = RowAdam.new(fresh, self.mean.shape[1])
        return RowAdam(*(np.concatenate([getattr(self, name)[rows], getattr(new, name)]) for name in ("mean", "square", "steps")))

    def step(
        self,
        values: Float32[ndarray, "rows columns"],
        gradient: Float32[ndarray, "rows columns"],
        rows: Bool[ndarray, "rows"],
        rates: Float32[ndarray, "columns"],
        share: float,
    ) -> None:
        """Changes `values` in place: the rows that take part, by `share` of each column's rate."""
        in_parts(_step, len(values), values, gradient, rows, self.mean, self.square, self.steps, rates, np.float32(share), grain=_GRAIN)

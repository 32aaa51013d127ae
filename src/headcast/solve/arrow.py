"""Least squares whose unknowns are a few shared ones and many blocks that only meet through them (Schur complement, as in bundle adjustment)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float


@dataclass(frozen=True)
class Arrow:
    """The solution of an arrow-shaped system."""

    shared: Float[np.ndarray, "shared"]
    blocks: tuple[Float[np.ndarray, "own"], ...]
    shared_covariance: Float[np.ndarray, "shared shared"]
    """Inverse of the reduced matrix: marginal covariance of the shared unknowns."""


def solve_arrow(
    blocks: Sequence[tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n"]]],
    own_count: int,
    shared_matrix: Float[np.ndarray, "shared shared"],
    shared_right: Float[np.ndarray, "shared"],
    fixed: Sequence[Float[np.ndarray, "n"]] | None = None,
) -> Arrow:
    """Solves for all unknowns at once.

    Args:
        blocks: Per block its matrix and right-hand side over its own unknowns followed by the shared ones.
        own_count: How many unknowns each block owns.
        shared_matrix, shared_right: What is known of the shared unknowns besides (their prior).
        fixed: Per block the values of own unknowns that are given (those at a bound); NaN where an unknown is free.
    """
    reduced, right = shared_matrix.copy(), shared_right.copy()
    kept = []
    for idx, (matrix, vector) in enumerate(blocks):
        given = np.full(own_count, np.nan) if fixed is None else fixed[idx]
        free = np.flatnonzero(np.isnan(given))
        start = np.nan_to_num(given)
        left = vector - matrix[:, :own_count] @ start
        own = scipy.linalg.cho_factor(matrix[np.ix_(free, free)])
        cross = matrix[free, own_count:]
        half = scipy.linalg.cho_solve(own, np.column_stack([cross, left[free]]))
        reduced += matrix[own_count:, own_count:] - cross.T @ half[:, :-1]
        right += left[own_count:] - cross.T @ half[:, -1]
        kept.append((start, free, half))
    factor = scipy.linalg.cho_factor(0.5 * (reduced + reduced.T))
    shared = scipy.linalg.cho_solve(factor, right)
    solved = []
    for start, free, half in kept:
        own = start.copy()
        own[free] = half[:, -1] - half[:, :-1] @ shared
        solved.append(own)
    return Arrow(shared, tuple(solved), scipy.linalg.cho_solve(factor, np.eye(len(right))))

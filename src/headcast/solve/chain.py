"""Least squares along a chain: blocks of unknowns that each meet only the next one."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float


def solve_chain(
    matrices: Sequence[Float[np.ndarray, "n n"]],
    rights: Sequence[Float[np.ndarray, "n"]],
    links: Sequence[Float[np.ndarray, "n"]],
    gaps: Sequence[Float[np.ndarray, "n"]],
) -> list[Float[np.ndarray, "n"]]:
    """The steps x that minimise Σ (xₜ·Hₜ·xₜ/2 − gₜ·xₜ) + Σ Σᵢ linkᵢ (xₜ₊₁ᵢ − xₜᵢ + gapᵢ)²/2, by block elimination (Thomas).

    Args:
        matrices, rights: Hₜ (symmetric, positive definite together with its links) and gₜ.
        links: Between t and t + 1, the precision per unknown; zeros where the chain is cut.
        gaps: Difference of the positions, (t + 1) − t, that the steps start from.
    """
    count = len(matrices)
    reduced: list[tuple] = []
    carried_matrix, carried_right = 0.0, 0.0
    for t in range(count):
        matrix = matrices[t] + carried_matrix
        right = rights[t] + carried_right
        if t > 0:
            matrix = matrix + np.diag(links[t - 1])
            right = right - links[t - 1] * gaps[t - 1]
        if t + 1 < count:
            matrix = matrix + np.diag(links[t])
            right = right + links[t] * gaps[t]
        factor = scipy.linalg.cho_factor(matrix)
        reduced.append((factor, right))
        if t + 1 < count:
            link = links[t]
            carried_matrix = -link[:, None] * scipy.linalg.cho_solve(factor, np.diag(link))
            carried_right = link * scipy.linalg.cho_solve(factor, right)
    steps: list[np.ndarray] = [np.zeros(0)] * count
    steps[-1] = scipy.linalg.cho_solve(*reduced[-1])
    for t in range(count - 2, -1, -1):
        factor, right = reduced[t]
        steps[t] = scipy.linalg.cho_solve(factor, right + links[t] * steps[t + 1])
    return steps

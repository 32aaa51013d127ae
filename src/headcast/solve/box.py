"""Small quadratic problems with bounds on the unknowns."""

import numpy as np
from jaxtyping import Float
from numba import njit


def solve_box(
    hessian: Float[np.ndarray, "n n"],
    gradient: Float[np.ndarray, "n"],
    lower: Float[np.ndarray, "n"],
    upper: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """The x that minimises `x·H·x/2 − g·x` with lower ≤ x ≤ upper, by a primal active set.

    Args:
        hessian: Symmetric positive definite.
        gradient: The vector g (the right-hand side, that is the negative gradient at zero).
        lower: May be −inf.
        upper: May be inf; never below `lower`.
    """
    return _active_set(hessian.astype(np.float64), gradient.astype(np.float64), lower.astype(np.float64), upper.astype(np.float64))


@njit(cache=True)
def _active_set(hessian, gradient, lower, upper):
    n = len(gradient)
    x = np.minimum(np.maximum(np.zeros(n), lower), upper)
    bound = np.zeros(n, np.int8)  # −1 at the lower bound, 1 at the upper one, 0 free
    for _ in range(4 * n + 10):
        free = np.flatnonzero(bound == 0)
        m = len(free)
        target = x.copy()
        if m > 0:
            matrix = np.empty((m, m))
            right = np.empty(m)
            for a in range(m):
                i = free[a]
                right[a] = gradient[i]
                for j in range(n):
                    if bound[j] != 0:
                        right[a] -= hessian[i, j] * x[j]
                for b in range(m):
                    matrix[a, b] = hessian[i, free[b]]
            solution = np.linalg.solve(matrix, right)
            for a in range(m):
                target[free[a]] = solution[a]
        # Walk towards the free solution until the first bound, then hold every unknown that reached one.
        step = 1.0
        for i in free:
            move = target[i] - x[i]
            if move < 0 and target[i] < lower[i]:
                step = min(step, (lower[i] - x[i]) / move)
            elif move > 0 and target[i] > upper[i]:
                step = min(step, (upper[i] - x[i]) / move)
        for i in free:
            x[i] += step * (target[i] - x[i])
        if step < 1.0:
            for i in free:
                if target[i] < lower[i] and x[i] <= lower[i] + 1e-9:
                    x[i] = lower[i]
                    bound[i] = -1
                elif target[i] > upper[i] and x[i] >= upper[i] - 1e-9:
                    x[i] = upper[i]
                    bound[i] = 1
            continue
        # At the minimum over the free ones: release the bound whose multiplier has the wrong sign most.
        worst, index = 1e-9, -1
        for i in range(n):
            if bound[i] != 0:
                pull = gradient[i]
                for j in range(n):
                    pull -= hessian[i, j] * x[j]
                pull *= -bound[i]
                if pull > worst:
                    worst, index = pull, i
        if index < 0:
            return x
        bound[index] = 0
    return x

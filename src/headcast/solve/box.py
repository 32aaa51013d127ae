"""Small quadratic problems with bounds on the unknowns."""

import numpy as np
from jaxtyping import Float

from headcast.compiled import compiled


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


@compiled("f8[:,::1], f8[::1], f8[::1], f8[::1]", nogil=True)
def _active_set(hessian, gradient, lower, upper):
    n = len(gradient)
    x, target = np.empty(n), np.empty(n)
    for i in range(n):
        x[i] = min(max(0.0, lower[i]), upper[i])
    bound = np.zeros(n, np.int8)  # −1 at the lower bound, 1 at the upper one, 0 free
    free = np.empty(n, np.int64)
    factor = np.empty((n, n))
    for _ in range(4 * n + 10):
        m = 0
        for i in range(n):
            if bound[i] == 0:
                free[m] = i
                m += 1
        _solve_free(hessian, gradient, x, bound, free, m, factor, target)
        # Walk towards the free solution until the first bound, then hold every unknown that reached one.
        step = 1.0
        for a in range(m):
            i = free[a]
            move = target[i] - x[i]
            if move < 0 and target[i] < lower[i]:
                step = min(step, (lower[i] - x[i]) / move)
            elif move > 0 and target[i] > upper[i]:
                step = min(step, (upper[i] - x[i]) / move)
        for a in range(m):
            i = free[a]
            x[i] += step * (target[i] - x[i])
            if step < 1.0 and target[i] < lower[i] and x[i] <= lower[i] + 1e-9:
                x[i] = lower[i]
                bound[i] = -1
            elif step < 1.0 and target[i] > upper[i] and x[i] >= upper[i] - 1e-9:
                x[i] = upper[i]
                bound[i] = 1
        if step < 1.0:
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


@compiled(nogil=True, fastmath=True)
def _solve_free(hessian, gradient, x, bound, free, m, factor, target):
    """Sets target at the first m entries of `free` to what minimises the cost while the others keep their x; by Cholesky's factor."""
    for a in range(m):
        i = free[a]
        right = gradient[i]
        for j in range(len(x)):
            if bound[j] != 0:
                right -= hessian[i, j] * x[j]
        for b in range(a + 1):
            value = hessian[i, free[b]]
            for k in range(b):
                value -= factor[a, k] * factor[b, k]
            factor[a, b] = value / factor[b, b] if b < a else np.sqrt(max(value, 1e-12 * hessian[i, i]))
        for k in range(a):
            right -= factor[a, k] * target[free[k]]
        target[i] = right / factor[a, a]
    for a in range(m - 1, -1, -1):
        value = target[free[a]]
        for k in range(a + 1, m):
            value -= factor[k, a] * target[free[k]]
        target[free[a]] = value / factor[a, a]

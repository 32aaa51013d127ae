"""Small quadratic problems with bounds on the unknowns."""

import numpy as np
from jaxtyping import Float

from headcast.compiled import compiled

PATIENCE = 3
"""How often all wrong unknowns change sides at once without fewer being wrong, before they do so one by one."""


def solve_box(
    hessian: Float[np.ndarray, "n n"],
    gradient: Float[np.ndarray, "n"],
    lower: Float[np.ndarray, "n"],
    upper: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """The x that minimises `x·H·x/2 − g·x` with lower ≤ x ≤ upper, by block principal pivoting (Júdice & Pires 1994).

    Unknowns are free or on a bound. Those that are free and beyond a bound, or on one that they are pulled away from, change sides together;
    where that leads nowhere, only the last of them does, which ends after finitely many steps (Murty 1974).

    Args:
        hessian: Symmetric positive definite.
        gradient: The vector g (the right-hand side, that is the negative gradient at zero).
        lower: May be −inf.
        upper: May be inf; never below `lower`.

    Raises:
        numpy.linalg.LinAlgError: The matrix is not positive definite.
    """
    size, tight = len(gradient), 1e-9 * max(float(np.abs(gradient).max(initial=0)), 1e-30)
    # A first guess: what stands on a bound and is pulled over it stays there.
    side = np.where((lower >= 0) & (gradient < 0), -1, np.where((upper <= 0) & (gradient > 0), 1, 0))
    x, factor, places = np.zeros(size), np.empty((size, size)), np.empty(size, np.int64)
    if not _pivot(
        hessian.astype(np.float64), gradient.astype(np.float64), lower.astype(np.float64), upper.astype(np.float64), tight, side, x, factor, places
    ):
        raise np.linalg.LinAlgError("the matrix of a quadratic problem with bounds must be positive definite")
    return np.clip(x, lower, upper)


@compiled("f8[:,::1], f8[::1], f8[::1], f8[::1], f8, i8[::1], f8[::1], f8[:,::1], i8[::1]", fastmath={"contract", "reassoc", "arcp", "nsz"})
def _pivot(hessian, gradient, lower, upper, tight, side, x, factor, places):
    """Sets x, starting from the bound that each unknown stands on: −1 the lower, 1 the upper, 0 none. False for a matrix that is not positive."""
    size = len(x)
    fewest, patience = size + 1, PATIENCE
    while True:
        free = 0
        for i in range(size):
            if side[i] == 0:
                places[free] = i
                free += 1
            else:
                x[i] = lower[i] if side[i] < 0 else upper[i]
        # The free unknowns by Cholesky's factor.
        for a in range(free):
            i = places[a]
            right = gradient[i]
            for j in range(size):
                if side[j] != 0:
                    right -= hessian[i, j] * x[j]
            for b in range(a + 1):
                value = hessian[i, places[b]]
                for k in range(b):
                    value -= factor[a, k] * factor[b, k]
                if b < a:
                    factor[a, b] = value / factor[b, b]
                elif value > 0:
                    factor[a, a] = np.sqrt(value)
                else:
                    return False
            for k in range(a):
                right -= factor[a, k] * x[places[k]]
            x[i] = right / factor[a, a]
        for a in range(free - 1, -1, -1):
            value = x[places[a]]
            for k in range(a + 1, free):
                value -= factor[k, a] * x[places[k]]
            x[places[a]] = value / factor[a, a]
        # Who is on the wrong side?
        wrong = 0
        for i in range(size):
            new = 0
            if side[i] == 0:
                new = -1 if x[i] < lower[i] - 1e-12 else 1 if x[i] > upper[i] + 1e-12 else 0
            else:
                pull = gradient[i]
                for j in range(size):
                    pull -= hessian[i, j] * x[j]
                new = 0 if pull * side[i] < -tight else side[i]
            if new != side[i]:
                places[wrong] = i
                wrong += 1
        if wrong == 0:
            return True
        first = 0
        if wrong < fewest:
            fewest, patience = wrong, PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            first = wrong - 1
        for a in range(first, wrong):
            i = places[a]
            side[i] = 0 if side[i] != 0 else -1 if x[i] < lower[i] else 1

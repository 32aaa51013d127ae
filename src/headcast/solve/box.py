"""Small quadratic problems with bounds on the unknowns."""

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dposv

_PATIENCE = 3
"""How often all wrong unknowns change sides at once without fewer being wrong, before they do so one by one."""


def solve_box(
    hessian: Float[np.ndarray, "n n"],
    gradient: Float[np.ndarray, "n"],
    lower: Float[np.ndarray, "n"],
    upper: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """The x that minimises `x·H·x/2 − g·x` with lower ≤ x ≤ upper, by block principal pivoting (Júdice & Pires 1994).

    Unknowns are free or on a bound. Those that are free and beyond a bound, or on one that they are pulled away from, change sides together; where that
    leads nowhere, only the last of them does, which ends after finitely many steps (Murty 1974).

    Args:
        hessian: Symmetric positive definite.
        gradient: The vector g (the right-hand side, that is the negative gradient at zero).
        lower: May be −inf.
        upper: May be inf; never below `lower`.

    Raises:
        numpy.linalg.LinAlgError: The matrix is not positive definite.
    """
    count = len(gradient)
    tight = 1e-9 * max(float(np.abs(gradient).max(initial=0)), 1e-30)
    # A first guess: what stands on a bound and is pulled over it stays there.
    side = np.where((lower >= 0) & (gradient < 0), -1, np.where((upper <= 0) & (gradient > 0), 1, 0))
    fewest, patience = count + 1, _PATIENCE
    while True:
        x = np.where(side < 0, lower, np.where(side > 0, upper, 0.0))
        free = np.flatnonzero(side == 0)
        if len(free):
            right = (gradient - hessian @ x)[free]
            _, x[free], info = dposv(hessian[np.ix_(free, free)], right, lower=1)
            if info != 0:
                raise np.linalg.LinAlgError("the matrix of a bounded quadratic problem must be positive definite")
        pull = gradient - hessian @ x
        below, above = (side == 0) & (x < lower - 1e-12), (side == 0) & (x > upper + 1e-12)
        away = ((side < 0) & (pull > tight)) | ((side > 0) & (pull < -tight))
        wrong = np.flatnonzero(below | above | away)
        if not len(wrong):
            return np.clip(x, lower, upper)
        if len(wrong) < fewest:
            fewest, patience = len(wrong), _PATIENCE
        elif patience:
            patience -= 1
        else:
            wrong = wrong[-1:]
        side[wrong] = np.where(below[wrong], -1, np.where(above[wrong], 1, 0))

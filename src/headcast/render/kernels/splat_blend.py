"""Bodies for one splat at one pixel: how much of it is seen there, and what the gradient at the pixel says about it.

Splats are blended from front to back (Zwicker et al. 2001, eq. 3; Kerbl et al. 2023, eq. 2 and 3). A splat counts at a pixel where its alpha is at
least 1/255 and the splats before it let through at least `LEAST_LIGHT`. Arithmetic is float32: constants are named so that none of them widens it.
"""

import math

import numpy as np

from headcast.render.kernels.extremes import smaller

ZERO, ONE, TWO, EIGHTH = np.float32(0), np.float32(1), np.float32(2), np.float32(0.125)
MOST_ALPHA = np.float32(0.99)
LEAST_ALPHA = np.float32(1 / 255)
LEAST_LIGHT = np.float32(1e-4)
CHANNELS = 4
"""Features that are blended in one pass: red, green, blue and depth."""

EXP_1, EXP_2, EXP_3 = np.float32(-0.9999948056525145), np.float32(0.49990118863271144), np.float32(-0.16603713656792152)
EXP_4, EXP_5 = np.float32(0.039867025922012966), np.float32(-0.005898301845295495)


def falling(power):
    """exp(−power) for powers from 0 to ln 255, within 3e-6 of it: the eighth power of a polynomial that was fitted to exp(−power / 8)."""
    eighth = EIGHTH * power
    root = ONE + eighth * (EXP_1 + eighth * (EXP_2 + eighth * (EXP_3 + eighth * (EXP_4 + eighth * EXP_5))))
    square = root * root
    fourth = square * square
    return fourth * fourth


def power_at(dx, dy, half_xx, xy, half_yy):
    """Half the squared distance from a splat's centre, in its standard deviations."""
    return dx * (half_xx * dx + xy * dy) + half_yy * dy * dy


def alpha_at(power, opacity, reach):
    """Alpha before it is held at `MOST_ALPHA`; zero beyond the power at which it is 1/255."""
    alpha = opacity * falling(smaller(power, reach))
    return alpha if power <= reach else ZERO


def weight_of(alpha, light):
    """Share of a splat in a pixel that the splats before it leave this much light."""
    held = smaller(alpha, MOST_ALPHA)
    return held * light if light >= LEAST_LIGHT else ZERO


def alpha_slope(alpha, light, along, behind):
    """Gradient of the logarithm of a splat's alpha.

    Args:
        along: the splat's features times the gradients of the pixel's.
        behind: the same of all that is seen behind the splat, weighted as it is seen.
    """
    slope = alpha * (light * along - behind / (ONE - smaller(alpha, MOST_ALPHA)))
    return slope if alpha <= MOST_ALPHA and light >= LEAST_LIGHT else ZERO


def reach_of(opacity):
    """The power at which a splat's alpha falls to 1/255."""
    return np.float32(math.log(opacity / LEAST_ALPHA))


def shape_gradient(shapes, splat, sums, place, grad_shapes):
    """Adds what a splat's sums over pixels say about its shape.

    The sums are those of `alpha_slope` times dx, dy, dx², dx·dy, dy² and one.
    """
    along_x, along_y = sums[place, 0], sums[place, 1]
    grad_shapes[splat, 0] += TWO * shapes[splat, 2] * along_x + shapes[splat, 3] * along_y
    grad_shapes[splat, 1] += TWO * shapes[splat, 4] * along_y + shapes[splat, 3] * along_x
    grad_shapes[splat, 2] -= sums[place, 2]
    grad_shapes[splat, 3] -= sums[place, 3]
    grad_shapes[splat, 4] -= sums[place, 4]
    grad_shapes[splat, 5] += sums[place, 5] / shapes[splat, 5]

"""Bodies for a splat's colour as seen from one side: spherical harmonics of degree 0 to 3 of the direction in which it is looked at.

Real harmonics with their constants, in the order and with the signs that files of splats use (Kerbl et al. 2023): the colour is their sum plus
one half, not below zero. Arithmetic is float32.
"""

import math

import numpy as np

ZERO, ONE, TWO, THREE, FOUR, FIVE, HALF = (np.float32(x) for x in (0, 1, 2, 3, 4, 5, 0.5))
C0 = np.float32(0.5 / math.sqrt(math.pi))
C1 = np.float32(math.sqrt(3 / (4 * math.pi)))
C2, C2_Z, C2_X = np.float32(math.sqrt(15 / (4 * math.pi))), np.float32(math.sqrt(5 / (16 * math.pi))), np.float32(math.sqrt(15 / (16 * math.pi)))
C3_A, C3_B = np.float32(math.sqrt(35 / (32 * math.pi))), np.float32(math.sqrt(105 / (4 * math.pi)))
C3_C, C3_D = np.float32(math.sqrt(21 / (32 * math.pi))), np.float32(math.sqrt(7 / (16 * math.pi)))
C3_E = np.float32(math.sqrt(105 / (16 * math.pi)))


def harmonic(k, x, y, z):
    """The k-th harmonic of a unit direction."""
    if k == 0:
        value = C0
    elif k == 1:
        value = -C1 * y
    elif k == 2:
        value = C1 * z
    elif k == 3:
        value = -C1 * x
    elif k == 4:
        value = C2 * x * y
    elif k == 5:
        value = -C2 * y * z
    elif k == 6:
        value = C2_Z * (TWO * z * z - x * x - y * y)
    elif k == 7:
        value = -C2 * x * z
    elif k == 8:
        value = C2_X * (x * x - y * y)
    elif k == 9:
        value = -C3_A * y * (THREE * x * x - y * y)
    elif k == 10:
        value = C3_B * x * y * z
    elif k == 11:
        value = -C3_C * y * (FOUR * z * z - x * x - y * y)
    elif k == 12:
        value = C3_D * z * (TWO * z * z - THREE * x * x - THREE * y * y)
    elif k == 13:
        value = -C3_C * x * (FOUR * z * z - x * x - y * y)
    elif k == 14:
        value = C3_E * z * (x * x - y * y)
    else:
        value = -C3_A * x * (x * x - THREE * y * y)
    return value


def harmonic_slope(k, x, y, z):
    """The k-th harmonic's derivatives by x, y and z, each coordinate taken as free."""
    dx, dy, dz = ZERO, ZERO, ZERO
    if k == 1:
        dy = -C1
    elif k == 2:
        dz = C1
    elif k == 3:
        dx = -C1
    elif k == 4:
        dx, dy = C2 * y, C2 * x
    elif k == 5:
        dy, dz = -C2 * z, -C2 * y
    elif k == 6:
        dx, dy, dz = -TWO * C2_Z * x, -TWO * C2_Z * y, FOUR * C2_Z * z
    elif k == 7:
        dx, dz = -C2 * z, -C2 * x
    elif k == 8:
        dx, dy = TWO * C2_X * x, -TWO * C2_X * y
    elif k == 9:
        dx, dy = -TWO * THREE * C3_A * x * y, -THREE * C3_A * (x * x - y * y)
    elif k == 10:
        dx, dy, dz = C3_B * y * z, C3_B * x * z, C3_B * x * y
    elif k == 11:
        dx, dy, dz = TWO * C3_C * x * y, -C3_C * (FOUR * z * z - x * x - THREE * y * y), -TWO * FOUR * C3_C * y * z
    elif k == 12:
        dx, dy, dz = -TWO * THREE * C3_D * x * z, -TWO * THREE * C3_D * y * z, THREE * C3_D * (TWO * z * z - x * x - y * y)
    elif k == 13:
        dx, dy, dz = -C3_C * (FOUR * z * z - THREE * x * x - y * y), TWO * C3_C * x * y, -TWO * FOUR * C3_C * x * z
    elif k == 14:
        dx, dy, dz = TWO * C3_E * x * z, -TWO * C3_E * y * z, C3_E * (x * x - y * y)
    elif k == 15:
        dx, dy = -THREE * C3_A * (x * x - y * y), TWO * THREE * C3_A * x * y
    return dx, dy, dz


def direction_to(means, eye, splat):
    """The unit vector from the camera to a splat, and one over the distance; zeros where they are one point."""
    x, y, z = means[splat, 0] - eye[0], means[splat, 1] - eye[1], means[splat, 2] - eye[2]
    squared = x * x + y * y + z * z
    nearness = ONE / np.float32(math.sqrt(squared)) if squared > ZERO else ZERO
    return x * nearness, y * nearness, z * nearness, nearness


def color_splat(means, eye, coefficients, splat, out):
    """Sets a splat's red, green and blue."""
    x, y, z, _ = direction_to(means, eye, splat)
    red, green, blue = HALF, HALF, HALF
    for k in range(coefficients.shape[1]):
        value = harmonic(k, x, y, z)
        red += value * coefficients[splat, k, 0]
        green += value * coefficients[splat, k, 1]
        blue += value * coefficients[splat, k, 2]
    out[splat, 0] = red if red > ZERO else ZERO
    out[splat, 1] = green if green > ZERO else ZERO
    out[splat, 2] = blue if blue > ZERO else ZERO


def color_splat_gradient(means, eye, coefficients, color, splat, grad_color, grad_means, grad_coefficients):
    """Sets the gradients of a splat's mean, through the direction, and coefficients; color is what `color_splat` gave."""
    x, y, z, nearness = direction_to(means, eye, splat)
    red = grad_color[splat, 0] if color[splat, 0] > ZERO else ZERO
    green = grad_color[splat, 1] if color[splat, 1] > ZERO else ZERO
    blue = grad_color[splat, 2] if color[splat, 2] > ZERO else ZERO
    along_x, along_y, along_z = ZERO, ZERO, ZERO
    for k in range(coefficients.shape[1]):
        value = harmonic(k, x, y, z)
        grad_coefficients[splat, k, 0] = value * red
        grad_coefficients[splat, k, 1] = value * green
        grad_coefficients[splat, k, 2] = value * blue
        through = red * coefficients[splat, k, 0] + green * coefficients[splat, k, 1] + blue * coefficients[splat, k, 2]
        dx, dy, dz = harmonic_slope(k, x, y, z)
        along_x += through * dx
        along_y += through * dy
        along_z += through * dz
    radial = along_x * x + along_y * y + along_z * z
    grad_means[splat, 0] = (along_x - radial * x) * nearness
    grad_means[splat, 1] = (along_y - radial * y) * nearness
    grad_means[splat, 2] = (along_z - radial * z) * nearness

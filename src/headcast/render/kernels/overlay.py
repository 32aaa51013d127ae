"""Bodies for a shaded mesh over a photograph: light from the camera, smooth outlines, no gradients."""

import math

import numpy as np

from headcast.render.kernels.blend import other_pixel, share_of, untouched
from headcast.render.kernels.extremes import larger, smaller

ZERO, ONE, HALF, WHITE = np.float32(0), np.float32(1), np.float32(0.5), np.float32(255)
DARKEST, TINY = np.float32(0.25), np.float32(1e-20)


def facing(normals, faces, face, weights, axis, row, column):
    """Brightness of a pixel lit from the camera, whose axis in world space is given: 1 where the surface faces it, DARKEST at right angles.

    Zero where there is nothing.
    """
    f = face[row, column]
    if f < 0:
        return ZERO
    along, squared = ZERO, ZERO
    for k in range(3):
        value = ZERO
        for corner in range(3):
            value += weights[row, column, corner] * normals[faces[f, corner], k]
        along -= value * axis[k]
        squared += value * value
    return DARKEST + (ONE - DARKEST) * larger(along, ZERO) / np.float32(math.sqrt(larger(squared, TINY)))


def tint(colors, faces, face, weights, row, column, k):
    """One channel of the surface's own colour at a pixel; zero where there is nothing."""
    f = face[row, column]
    value = ZERO
    if f >= 0:
        for corner in range(3):
            value += weights[row, column, corner] * colors[faces[f, corner], k]
    return value


def mix(picture, row, column, k, cover, lit):
    """A channel of the photograph (0–255) under a surface of this opacity and this colour times opacity (0–1)."""
    value = np.float32(picture[row, column, k]) * (ONE - cover) + WHITE * lit
    return np.uint8(smaller(larger(value + HALF, ZERO), WHITE))


def draw_pixel(normals, colors, faces, face, weights, blends, axis, opacity, picture, row, column, out):
    """Sets a pixel to the photograph with the surface over it, mixed along outlines where `blends` is not empty."""
    outline = blends.shape[0] > 0 and not untouched(blends, row, column)
    if face[row, column] < 0 and not outline:
        for k in range(3):
            out[row, column, k] = picture[row, column, k]
        return
    here = ONE if face[row, column] >= 0 else ZERO
    light = facing(normals, faces, face, weights, axis, row, column)
    red = light * tint(colors, faces, face, weights, row, column, 0)
    green = light * tint(colors, faces, face, weights, row, column, 1)
    blue = light * tint(colors, faces, face, weights, row, column, 2)
    mixed_red, mixed_green, mixed_blue, cover = red, green, blue, here
    for side in range(4 if outline else 0):
        share = share_of(blends, row, column, side)
        if share > ZERO:
            other_row, other_column = other_pixel(row, column, side)
            there = ONE if face[other_row, other_column] >= 0 else ZERO
            light = facing(normals, faces, face, weights, axis, other_row, other_column)
            cover += share * (there - here)
            mixed_red += share * (light * tint(colors, faces, face, weights, other_row, other_column, 0) - red)
            mixed_green += share * (light * tint(colors, faces, face, weights, other_row, other_column, 1) - green)
            mixed_blue += share * (light * tint(colors, faces, face, weights, other_row, other_column, 2) - blue)
    out[row, column, 0] = mix(picture, row, column, 0, opacity * cover, opacity * mixed_red)
    out[row, column, 1] = mix(picture, row, column, 1, opacity * cover, opacity * mixed_green)
    out[row, column, 2] = mix(picture, row, column, 2, opacity * cover, opacity * mixed_blue)

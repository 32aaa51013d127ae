"""Bodies for one texture look-up: mip level, bilinear taps, and their gradients.

A pyramid is one array of texels (texels, channels) with one row of `levels` per level: first texel, height, width. Row 0 is the
top of the picture; (u, v) = (0, 0) is its lower left corner. Beyond the border the nearest texel counts.
"""

import math

import numpy as np

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.extremes import larger, smaller
from headcast.render.kernels.triangle import corner

ZERO, ONE, QUARTER = np.float32(0), np.float32(1), np.float32(0.25)


def mip_level(positions, faces, uv, uv_faces, face, weights, row, column, height, width, out):
    """Sets log2 of the texels that a step of one pixel passes, along the image axis where they are more (OpenGL 4.6, section 8.14.1)."""
    f = face[row, column]
    if f < 0:
        out[row, column] = ZERO
    else:
        out[row, column] = face_mip_level(
            positions, faces[f, 0], faces[f, 1], faces[f, 2], uv, uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2],
            weights[row, column, 0], weights[row, column, 1], weights[row, column, 2], column + 0.5, row + 0.5, height, width,
        )  # fmt: skip


def face_mip_level(positions, a, b, c, uv, ua, ub, uc, first, second, third, px, py, height, width):
    """The mip level at a point of a face."""
    ax, ay, az = corner(positions, a)
    bx, by, bz = corner(positions, b)
    cx, cy, cz = corner(positions, c)
    at_a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / az
    at_b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / bz
    at_c = ((ax - px) * (by - py) - (ay - py) * (bx - px)) / cz
    over_total = 1.0 / (at_a + at_b + at_c)
    longest = 0.0
    for axis in range(2):
        if axis == 0:
            step_a, step_b, step_c = (by - cy) / az, (cy - ay) / bz, (ay - by) / cz
        else:
            step_a, step_b, step_c = (cx - bx) / az, (ax - cx) / bz, (bx - ax) / cz
        drift = step_a + step_b + step_c
        grow_a = (step_a - first * drift) * over_total
        grow_b = (step_b - second * drift) * over_total
        grow_c = (step_c - third * drift) * over_total
        along_u = (grow_a * uv[ua, 0] + grow_b * uv[ub, 0] + grow_c * uv[uc, 0]) * width
        along_v = (grow_a * uv[ua, 1] + grow_b * uv[ub, 1] + grow_c * uv[uc, 1]) * height
        longest = larger(longest, along_u * along_u + along_v * along_v)
    return np.float32(0.5) * np.float32(math.log2(np.float32(larger(longest, 1e-30))))


def taps(levels, level, u, v):
    """First texel of the 2×2 around a position, steps to its right and lower neighbours, and the fractions towards them."""
    height, width = levels[level, 1], levels[level, 2]
    x = smaller(larger(u * width - 0.5, 0.0), width - 1.0)
    y = smaller(larger((1.0 - v) * height - 0.5, 0.0), height - 1.0)
    column, row = smaller(int(x), larger(width - 2, 0)), smaller(int(y), larger(height - 2, 0))
    right = 1 if width > 1 else 0
    down = width if height > 1 else 0
    return levels[level, 0] + row * width + column, right, down, np.float32(x - column), np.float32(y - row)


def level_pair(levels, level):
    """The finer of the two levels between which a mip level lies, and the fraction towards the coarser."""
    clamped = smaller(larger(level, ZERO), np.float32(levels.shape[0] - 1))
    finer = smaller(int(clamped), larger(levels.shape[0] - 2, 0))
    return finer, np.float32(clamped - finer)


def sample(texels, levels, uv, level, face, point, out):
    """Trilinear value of a texture; zero for no face."""
    for k in range(out.shape[1]):
        out[point, k] = ZERO
    if face[point] >= 0:
        finer, fraction = level_pair(levels, level[point])
        for step in range(2):
            share = fraction if step == 1 else ONE - fraction
            if share > ZERO:
                texel, right, down, fx, fy = taps(levels, finer + step, uv[point, 0], uv[point, 1])
                lower_share, upper_share = share * fy, share * (ONE - fy)
                upper_left, upper_right = upper_share * (ONE - fx), upper_share * fx
                lower_left, lower_right = lower_share * (ONE - fx), lower_share * fx
                for k in range(out.shape[1]):
                    upper = upper_left * texels[texel, k] + upper_right * texels[texel + right, k]
                    out[point, k] += upper + lower_left * texels[texel + down, k] + lower_right * texels[texel + down + right, k]


def sample_position_gradient(texels, levels, uv, level, face, point, grad_out, grad_uv):
    """Sets the gradient of (u, v); the mip level counts as fixed."""
    along_u, along_v = ZERO, ZERO
    if face[point] >= 0:
        u, v = uv[point, 0], uv[point, 1]
        finer, fraction = level_pair(levels, level[point])
        for step in range(2):
            share = fraction if step == 1 else ONE - fraction
            if share > ZERO:
                texel, right, down, fx, fy = taps(levels, finer + step, u, v)
                height, width = levels[finer + step, 1], levels[finer + step, 2]
                slope_x, slope_y = ZERO, ZERO
                for k in range(grad_out.shape[1]):
                    upper_left, upper_right = texels[texel, k], texels[texel + right, k]
                    lower_left, lower_right = texels[texel + down, k], texels[texel + down + right, k]
                    slope_x += grad_out[point, k] * ((upper_right - upper_left) * (ONE - fy) + (lower_right - lower_left) * fy)
                    slope_y += grad_out[point, k] * ((lower_left - upper_left) * (ONE - fx) + (lower_right - upper_right) * fx)
                if 0.0 < u * width - 0.5 < width - 1.0:
                    along_u += share * slope_x * np.float32(width)
                if 0.0 < (1.0 - v) * height - 0.5 < height - 1.0:
                    along_v -= share * slope_y * np.float32(height)
    grad_uv[point, 0] = along_u
    grad_uv[point, 1] = along_v


def scatter_texel_gradient(levels, uv, level, face, point, grad_out, grad_texels):
    """Adds to the gradients of the texels around a point."""
    if face[point] >= 0:
        finer, fraction = level_pair(levels, level[point])
        for step in range(2):
            share = fraction if step == 1 else ONE - fraction
            if share > ZERO:
                texel, right, down, fx, fy = taps(levels, finer + step, uv[point, 0], uv[point, 1])
                lower_share, upper_share = share * fy, share * (ONE - fy)
                for k in range(grad_out.shape[1]):
                    upper, lower = upper_share * grad_out[point, k], lower_share * grad_out[point, k]
                    accumulate(grad_texels, texel, k, upper * (ONE - fx))
                    accumulate(grad_texels, texel + right, k, upper * fx)
                    accumulate(grad_texels, texel + down, k, lower * (ONE - fx))
                    accumulate(grad_texels, texel + down + right, k, lower * fx)


def children(levels, level, texel):
    """First of the 2×2 texels of the next finer level under a texel of this one, and the steps to its neighbours."""
    width = levels[level, 2]
    finer_height, finer_width = levels[level - 1, 1], levels[level - 1, 2]
    row, column = texel // width, texel % width
    first = levels[level - 1, 0] + 2 * row * finer_width + 2 * column
    return first, 1 if finer_width > 1 else 0, finer_width if finer_height > 1 else 0


def halve_texel(texels, levels, level, texel):
    """Sets a texel of a coarser level to the mean of the four under it."""
    first, right, down = children(levels, level, texel)
    target = levels[level, 0] + texel
    for k in range(texels.shape[1]):
        upper = texels[first, k] + texels[first + right, k]
        texels[target, k] = QUARTER * (upper + texels[first + down, k] + texels[first + down + right, k])


def spread_texel(grad_texels, levels, level, texel):
    """Gives the four texels under a texel of a coarser level their quarters of its gradient."""
    first, right, down = children(levels, level, texel)
    source = levels[level, 0] + texel
    for k in range(grad_texels.shape[1]):
        quarter = QUARTER * grad_texels[source, k]
        grad_texels[first, k] += quarter
        grad_texels[first + right, k] += quarter
        grad_texels[first + down, k] += quarter
        grad_texels[first + down + right, k] += quarter

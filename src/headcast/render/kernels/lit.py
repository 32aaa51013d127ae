"""Bodies for one pixel of a textured, lit surface: all steps from its face to its colour at once, and all gradients at once.

They give what looking up, interpolating, shading and colouring one after the other give, without an image in memory after each.
"""

import math

import numpy as np

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.surface import ONE, ZERO, encoded, encoded_slope, light_on, light_on_gradient
from headcast.render.kernels.texture import level_pair, taps


def between(values, a, b, c, channel, first, second, third):
    """Weighted mean of a channel at three rows."""
    return first * values[a, channel] + second * values[b, channel] + third * values[c, channel]


def unit(x, y, z):
    """A vector at length one, and one over its length; zeros for no length."""
    squared = x * x + y * y + z * z
    over_length = ONE / np.float32(math.sqrt(squared)) if squared > ZERO else ZERO
    return x * over_length, y * over_length, z * over_length, over_length


def texel_at(texels, texel, right, down, fx, fy, k):
    """Bilinear value of a channel."""
    upper = texels[texel, k] * (ONE - fx) + texels[texel + right, k] * fx
    lower = texels[texel + down, k] * (ONE - fx) + texels[texel + down + right, k] * fx
    return upper * (ONE - fy) + lower * fy


def albedo_at(texels, levels, finer, fraction, u, v):
    """Trilinear red, green and blue."""
    texel, right, down, fx, fy = taps(levels, finer, u, v)
    red = texel_at(texels, texel, right, down, fx, fy, 0)
    green = texel_at(texels, texel, right, down, fx, fy, 1)
    blue = texel_at(texels, texel, right, down, fx, fy, 2)
    if fraction > ZERO:
        texel, right, down, fx, fy = taps(levels, finer + 1, u, v)
        red += fraction * (texel_at(texels, texel, right, down, fx, fy, 0) - red)
        green += fraction * (texel_at(texels, texel, right, down, fx, fy, 1) - green)
        blue += fraction * (texel_at(texels, texel, right, down, fx, fy, 2) - blue)
    return red, green, blue


def level_of(level, row, column):
    """The mip level of a pixel; zero where there is no image of them."""
    return level[row, column] if level.shape[0] > 0 else ZERO


def light_pixel(faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, row, column, srgb, out):
    """Sets a lit surface's colour, encoded as sRGB where asked for, or the background where there is no face; and alpha after it."""
    f = face[row, column]
    if f < 0:
        for k in range(3):
            out[row, column, k] = background[row, column, k]
        out[row, column, 3] = ZERO
    else:
        first, second, third = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
        a, b, c = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
        finer, fraction = level_pair(levels, level_of(level, row, column))
        u, v = between(uv, a, b, c, 0, first, second, third), between(uv, a, b, c, 1, first, second, third)
        red, green, blue = albedo_at(texels, levels, finer, fraction, u, v)
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x, y, z, _ = unit(
            between(normals, a, b, c, 0, first, second, third),
            between(normals, a, b, c, 1, first, second, third),
            between(normals, a, b, c, 2, first, second, third),
        )
        red *= light_on(light, x, y, z, 0)
        green *= light_on(light, x, y, z, 1)
        blue *= light_on(light, x, y, z, 2)
        out[row, column, 0] = encoded(red) if srgb else red
        out[row, column, 1] = encoded(green) if srgb else green
        out[row, column, 2] = encoded(blue) if srgb else blue
        out[row, column, 3] = ONE


def light_pixel_gradient(
    faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, row, column, srgb, color, grad_out, grad_weights, grad_normals,
    grad_light, grad_albedo,
):  # fmt: skip
    """Sets the gradients of a pixel's weights and albedo, and adds to those of the vertices' normals and the light."""
    f = face[row, column]
    if f >= 0:
        first, second, third = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
        ua, ub, uc = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        u, v = between(uv, ua, ub, uc, 0, first, second, third), between(uv, ua, ub, uc, 1, first, second, third)
        x, y, z, over_length = unit(
            between(normals, a, b, c, 0, first, second, third),
            between(normals, a, b, c, 1, first, second, third),
            between(normals, a, b, c, 2, first, second, third),
        )
        finer, fraction = level_pair(levels, level_of(level, row, column))
        albedos = albedo_at(texels, levels, finer, fraction, u, v)
        along_x, along_y, along_z = ZERO, ZERO, ZERO
        for k in range(3):
            albedo = albedos[k]
            shading = light_on(light, x, y, z, k)
            g = grad_out[row, column, k]
            if srgb:
                g *= encoded_slope(albedo * shading, color[row, column, k])
            grad_albedo[row, column, k] = g * shading
            more_x, more_y, more_z = light_on_gradient(light, x, y, z, k, g * albedo, grad_light)
            along_x += more_x
            along_y += more_y
            along_z += more_z
        # Through the length of the normal, to the normals of the corners and the weights.
        radial = along_x * x + along_y * y + along_z * z
        along_x = (along_x - radial * x) * over_length
        along_y = (along_y - radial * y) * over_length
        along_z = (along_z - radial * z) * over_length
        grad_a = along_x * normals[a, 0] + along_y * normals[a, 1] + along_z * normals[a, 2]
        grad_b = along_x * normals[b, 0] + along_y * normals[b, 1] + along_z * normals[b, 2]
        grad_c = along_x * normals[c, 0] + along_y * normals[c, 1] + along_z * normals[c, 2]
        accumulate(grad_normals, a, 0, first * along_x)
        accumulate(grad_normals, a, 1, first * along_y)
        accumulate(grad_normals, a, 2, first * along_z)
        accumulate(grad_normals, b, 0, second * along_x)
        accumulate(grad_normals, b, 1, second * along_y)
        accumulate(grad_normals, b, 2, second * along_z)
        accumulate(grad_normals, c, 0, third * along_x)
        accumulate(grad_normals, c, 1, third * along_y)
        accumulate(grad_normals, c, 2, third * along_z)
        along_u, along_v = slope_at(texels, levels, finer, ONE - fraction, u, v, grad_albedo, row, column)
        if fraction > ZERO:
            more_u, more_v = slope_at(texels, levels, finer + 1, fraction, u, v, grad_albedo, row, column)
            along_u += more_u
            along_v += more_v
        grad_weights[row, column, 0] = grad_a + along_u * uv[ua, 0] + along_v * uv[ua, 1]
        grad_weights[row, column, 1] = grad_b + along_u * uv[ub, 0] + along_v * uv[ub, 1]
        grad_weights[row, column, 2] = grad_c + along_u * uv[uc, 0] + along_v * uv[uc, 1]


def slope_at(texels, levels, step, share, u, v, grad_albedo, row, column):
    """The gradient of (u, v) through one level of the texture."""
    texel, right, down, fx, fy = taps(levels, step, u, v)
    height, width = levels[step, 1], levels[step, 2]
    slope_x, slope_y = ZERO, ZERO
    for k in range(3):
        g = grad_albedo[row, column, k]
        upper_left, upper_right = texels[texel, k], texels[texel + right, k]
        lower_left, lower_right = texels[texel + down, k], texels[texel + down + right, k]
        slope_x += g * ((upper_right - upper_left) * (ONE - fy) + (lower_right - lower_left) * fy)
        slope_y += g * ((lower_left - upper_left) * (ONE - fx) + (lower_right - upper_right) * fx)
    along_u, along_v = ZERO, ZERO
    if 0.0 < u * width - 0.5 < width - 1.0:
        along_u = share * slope_x * np.float32(width)
    if 0.0 < (1.0 - v) * height - 0.5 < height - 1.0:
        along_v = -(share * slope_y * np.float32(height))
    return along_u, along_v


def light_pixel_texels(uv, uv_faces, levels, face, weights, level, row, column, grad_albedo, grad_texels):
    """Adds to the gradients of the texels that a pixel looked up."""
    f = face[row, column]
    if f >= 0:
        first, second, third = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
        a, b, c = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
        u, v = between(uv, a, b, c, 0, first, second, third), between(uv, a, b, c, 1, first, second, third)
        finer, fraction = level_pair(levels, level_of(level, row, column))
        for step in range(2):
            share = fraction if step == 1 else ONE - fraction
            if share > ZERO:
                texel, right, down, fx, fy = taps(levels, finer + step, u, v)
                lower_share, upper_share = share * fy, share * (ONE - fy)
                for k in range(3):
                    upper, lower = upper_share * grad_albedo[row, column, k], lower_share * grad_albedo[row, column, k]
                    accumulate(grad_texels, texel, k, upper * (ONE - fx))
                    accumulate(grad_texels, texel + right, k, upper * fx)
                    accumulate(grad_texels, texel + down, k, lower * (ONE - fx))
                    accumulate(grad_texels, texel + down + right, k, lower * fx)

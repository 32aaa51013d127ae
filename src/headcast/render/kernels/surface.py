"""Bodies for one pixel of a surface: attributes between a face's corners, light on its normal, the colour that results.

Arithmetic is float32: constants are named so that none of them widens it.
"""

import math

import numpy as np

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.triangle import barycentric, corner, scatter_position_gradient

ZERO, ONE, TWO, THREE, SIX = np.float32(0), np.float32(1), np.float32(2), np.float32(3), np.float32(6)
STRAIGHT_TO, STRAIGHT_SLOPE = np.float32(0.0031308), np.float32(12.92)
CURVE_SCALE, CURVE_SHIFT, CURVE_POWER = np.float32(1.055), np.float32(0.055), np.float32(1 / 2.4)


def covered(seen, row):
    """First column of a row that shows a face, and the column after the last; equal where none does."""
    first, last = 0, seen.shape[1]
    while first < last and seen[row, first] < 0:
        first += 1
    while last > first and seen[row, last - 1] < 0:
        last -= 1
    return first, last


def resolve_pixel(positions, faces, face, row, column, weights, depth):
    """Sets the three weights of a pixel's face, and its depth; zeros where there is no face."""
    f = face[row, column]
    first, second, third, distance = 0.0, 0.0, 0.0, 0.0
    if f >= 0:
        ax, ay, az = corner(positions, faces[f, 0])
        bx, by, bz = corner(positions, faces[f, 1])
        cx, cy, cz = corner(positions, faces[f, 2])
        first, second, distance = barycentric(ax, ay, az, bx, by, bz, cx, cy, cz, column + 0.5, row + 0.5)
        third = 1.0 - first - second
    weights[row, column, 0] = first
    weights[row, column, 1] = second
    weights[row, column, 2] = third
    depth[row, column] = distance


def resolve_gradient(positions, faces, face, row, column, grad_weights, grad_depth, gradient):
    """Adds what the gradients of a pixel's weights and depth say about its face's corners."""
    f = face[row, column]
    if f >= 0:
        first, second, third = grad_weights[row, column, 0], grad_weights[row, column, 1], grad_weights[row, column, 2]
        distance = grad_depth[row, column]
        if first != ZERO or second != ZERO or third != ZERO or distance != ZERO:
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            scatter_position_gradient(positions, a, b, c, column + 0.5, row + 0.5, first, second, third, distance, gradient)


def interpolate(attributes, faces, face, weights, row, column, unit, out):
    """Weighted mean of the attributes of a face's corners, zero for no face; with `unit`, brought to length one."""
    f = face[row, column]
    if f < 0:
        for k in range(out.shape[2]):
            out[row, column, k] = ZERO
    else:
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        first, second, third = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
        squared = ZERO
        for k in range(out.shape[2]):
            value = first * attributes[a, k] + second * attributes[b, k] + third * attributes[c, k]
            out[row, column, k] = value
            squared += value * value
        if unit and squared > ZERO:
            over_length = ONE / np.float32(math.sqrt(squared))
            for k in range(out.shape[2]):
                out[row, column, k] *= over_length


def interpolate_gradient(attributes, faces, face, weights, row, column, unit, grad_out, scatter, grad_attributes, grad_weights):
    """Sets the gradient of the three weights and, with `scatter`, adds to that of the attributes."""
    f = face[row, column]
    grad_a, grad_b, grad_c = ZERO, ZERO, ZERO
    if f >= 0:
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        first, second, third = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
        over_length, along = ONE, ZERO
        if unit:
            squared = ZERO
            for k in range(grad_out.shape[2]):
                value = first * attributes[a, k] + second * attributes[b, k] + third * attributes[c, k]
                squared += value * value
                along += value * grad_out[row, column, k]
            over_length = ONE / np.float32(math.sqrt(squared)) if squared > ZERO else ZERO
            along *= over_length * over_length * over_length
        for k in range(grad_out.shape[2]):
            at_a, at_b, at_c = attributes[a, k], attributes[b, k], attributes[c, k]
            gradient = grad_out[row, column, k] * over_length - along * (first * at_a + second * at_b + third * at_c)
            grad_a += gradient * at_a
            grad_b += gradient * at_b
            grad_c += gradient * at_c
            if scatter:
                accumulate(grad_attributes, a, k, gradient * first)
                accumulate(grad_attributes, b, k, gradient * second)
                accumulate(grad_attributes, c, k, gradient * third)
    grad_weights[row, column, 0] = grad_a
    grad_weights[row, column, 1] = grad_b
    grad_weights[row, column, 2] = grad_c


def light_on(light, x, y, z, k):
    """Light of a channel on a unit normal; none where the normal is zero."""
    if x == ZERO and y == ZERO and z == ZERO:
        return ZERO
    xy, yz, zz, xz, xx = x * y, y * z, THREE * z * z - ONE, x * z, x * x - y * y
    linear = light[0, k] + light[1, k] * y + light[2, k] * z + light[3, k] * x
    return linear + light[4, k] * xy + light[5, k] * yz + light[6, k] * zz + light[7, k] * xz + light[8, k] * xx


def light_on_gradient(light, x, y, z, k, g, grad_light):
    """What the gradient g of a channel's light says about the normal (x, y, z); adds what it says about the light."""
    if x == ZERO and y == ZERO and z == ZERO:
        return ZERO, ZERO, ZERO
    accumulate(grad_light, 0, k, g)
    accumulate(grad_light, 1, k, g * y)
    accumulate(grad_light, 2, k, g * z)
    accumulate(grad_light, 3, k, g * x)
    accumulate(grad_light, 4, k, g * x * y)
    accumulate(grad_light, 5, k, g * y * z)
    accumulate(grad_light, 6, k, g * (THREE * z * z - ONE))
    accumulate(grad_light, 7, k, g * x * z)
    accumulate(grad_light, 8, k, g * (x * x - y * y))
    along_x = g * (light[3, k] + light[4, k] * y + light[7, k] * z + TWO * light[8, k] * x)
    along_y = g * (light[1, k] + light[4, k] * x + light[5, k] * z - TWO * light[8, k] * y)
    along_z = g * (light[2, k] + light[5, k] * y + light[7, k] * x + SIX * light[6, k] * z)
    return along_x, along_y, along_z


def shade(normals, light, point, out):
    """Light (red, green, blue) that a surface with this unit normal receives; none where the normal is zero."""
    for k in range(3):
        out[point, k] = light_on(light, normals[point, 0], normals[point, 1], normals[point, 2], k)


def shade_gradient(normals, light, point, grad_out, grad_normals, grad_light):
    """Sets the gradient of the normal and adds to that of the light."""
    x, y, z = normals[point, 0], normals[point, 1], normals[point, 2]
    along_x, along_y, along_z = ZERO, ZERO, ZERO
    for k in range(3):
        more_x, more_y, more_z = light_on_gradient(light, x, y, z, k, grad_out[point, k], grad_light)
        along_x += more_x
        along_y += more_y
        along_z += more_z
    grad_normals[point, 0] = along_x
    grad_normals[point, 1] = along_y
    grad_normals[point, 2] = along_z


def encoded(linear):
    """sRGB of linear light (IEC 61966-2-1)."""
    if linear <= STRAIGHT_TO:
        return STRAIGHT_SLOPE * linear
    return CURVE_SCALE * linear**CURVE_POWER - CURVE_SHIFT


def encoded_slope(linear, srgb):
    """Derivative of `encoded`, from both ends of it."""
    if linear <= STRAIGHT_TO:
        return STRAIGHT_SLOPE
    return CURVE_POWER * (srgb + CURVE_SHIFT) / linear


def color_pixel(albedo, shading, face, background, pixel, srgb, out):
    """Sets a lit surface's colour, encoded as sRGB where asked for, or the background where there is no face; and alpha after it."""
    channels = albedo.shape[1]
    if face[pixel] < 0:
        behind = pixel if pixel < background.shape[0] else pixel % background.shape[0]
        for k in range(channels):
            out[pixel, k] = background[behind, k]
        out[pixel, channels] = ZERO
    else:
        for k in range(channels):
            linear = albedo[pixel, k] * shading[pixel, k]
            out[pixel, k] = encoded(linear) if srgb else linear
        out[pixel, channels] = ONE


def color_gradient(albedo, shading, face, color, pixel, srgb, grad_out, grad_albedo, grad_shading):
    """Sets the gradients of albedo and shading; color is what `color_pixel` gave."""
    for k in range(albedo.shape[1]):
        gradient = ZERO
        if face[pixel] >= 0:
            slope = encoded_slope(albedo[pixel, k] * shading[pixel, k], color[pixel, k]) if srgb else ONE
            gradient = grad_out[pixel, k] * slope
        grad_albedo[pixel, k] = gradient * shading[pixel, k]
        grad_shading[pixel, k] = gradient * albedo[pixel, k]

"""The kernels on the GPU for splats: one thread per splat to project them, per tile to list them, per pixel to blend them."""

import numpy as np
from numba import cuda

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.cuda_targets import cuda_kernel
from headcast.render.kernels.splat_blend import LEAST_LIGHT, ONE, TWO, ZERO, alpha_at, alpha_slope, power_at, weight_of
from headcast.render.kernels.splat_colors import color_splat, color_splat_gradient
from headcast.render.kernels.splat_projection import project_splat, project_splat_gradient
from headcast.render.kernels.splat_tiles import TILE, tile_columns, tile_rows

HALF = np.float32(0.5)


@cuda_kernel
def project(means, rotations, scales, opacities, view, height, width, near, dilation, compensate, shapes, extents, depth):
    splat = cuda.grid(1)
    if splat < means.shape[0]:
        project_splat(
            means, rotations, scales, opacities, view, height, width, near, dilation, compensate, splat, shapes, extents, depth
        )  # fmt: skip


@cuda_kernel
def project_gradient(
    means, rotations, scales, opacities, view, dilation, compensate, extents, grad_shapes, grad_depth, grad_means, grad_rotations, grad_scales,
    grad_opacities,
):  # fmt: skip
    splat = cuda.grid(1)
    if splat < means.shape[0]:
        project_splat_gradient(
            means, rotations, scales, opacities, view, dilation, compensate, splat, extents, grad_shapes, grad_depth, grad_means, grad_rotations,
            grad_scales, grad_opacities,
        )  # fmt: skip


@cuda_kernel
def color(means, eye, coefficients, out):
    splat = cuda.grid(1)
    if splat < means.shape[0]:
        color_splat(means, eye, coefficients, splat, out)


@cuda_kernel
def color_gradient(means, eye, coefficients, color, grad_color, grad_means, grad_coefficients):
    splat = cuda.grid(1)
    if splat < means.shape[0]:
        color_splat_gradient(means, eye, coefficients, color, splat, grad_color, grad_means, grad_coefficients)


def pixel_of(thread, width):
    """A thread's tile, and the row and column of its pixel: threads that follow each other stay in one tile."""
    columns = (width + TILE - 1) // TILE
    tile, within = thread // (TILE * TILE), thread % (TILE * TILE)
    return tile, tile // columns * TILE + within // TILE, tile % columns * TILE + within % TILE


def enters(shapes, extents, splat, row, column, rows, columns):
    """Whether a splat's ellipse enters a tile."""
    inside = False
    top, bottom = tile_rows(shapes, extents, splat, rows)
    if top <= row < bottom:
        left, right = tile_columns(shapes, extents, splat, row, columns)
        inside = left <= column < right
    return inside


@cuda_kernel
def count_members(shapes, extents, rows, columns, counts):
    """Each tile asks every splat: all threads read the same splat at once."""
    tile = cuda.grid(1)
    if tile < rows * columns:
        count = 0
        for splat in range(shapes.shape[0]):
            if enters(shapes, extents, splat, tile // columns, tile % columns, rows, columns):
                count += 1
        counts[tile] = count


@cuda_kernel
def list_members(order, shapes, extents, rows, columns, starts, members):
    tile = cuda.grid(1)
    if tile < rows * columns:
        place = starts[tile]
        for rank in range(order.shape[0]):
            splat = order[rank]
            if enters(shapes, extents, splat, tile // columns, tile % columns, rows, columns):
                members[place] = splat
                place += 1


@cuda_kernel
def blend_pixels(shapes, extents, features, starts, members, out, light):
    thread = cuda.grid(1)
    height, width = light.shape
    tile, row, column = pixel_of(thread, width)
    if row < height and column < width:
        x, y = np.float32(column) + HALF, np.float32(row) + HALF
        left, f0, f1, f2, f3 = ONE, ZERO, ZERO, ZERO, ZERO
        place = starts[tile]
        while place < starts[tile + 1] and left >= LEAST_LIGHT:
            s = members[place]
            power = power_at(x - shapes[s, 0], y - shapes[s, 1], shapes[s, 2], shapes[s, 3], shapes[s, 4])
            weight = weight_of(alpha_at(power, shapes[s, 5], extents[s, 0]), left)
            f0 += weight * features[s, 0]
            f1 += weight * features[s, 1]
            f2 += weight * features[s, 2]
            f3 += weight * features[s, 3]
            left -= weight
            place += 1
        out[row, column, 0] = f0
        out[row, column, 1] = f1
        out[row, column, 2] = f2
        out[row, column, 3] = f3
        light[row, column] = left


@cuda_kernel
def blend_gradients(shapes, extents, features, starts, members, out, light, grad_out, grad_light, grad_shapes, grad_features):
    thread = cuda.grid(1)
    height, width = light.shape
    tile, row, column = pixel_of(thread, width)
    if row < height and column < width:
        x, y = np.float32(column) + HALF, np.float32(row) + HALF
        behind = light[row, column] * grad_light[row, column]
        for k in range(4):
            behind += out[row, column, k] * grad_out[row, column, k]
        left = ONE
        place = starts[tile]
        while place < starts[tile + 1] and left >= LEAST_LIGHT:
            s = members[place]
            dx, dy, xx, xy, yy = x - shapes[s, 0], y - shapes[s, 1], shapes[s, 2], shapes[s, 3], shapes[s, 4]
            alpha = alpha_at(power_at(dx, dy, xx, xy, yy), shapes[s, 5], extents[s, 0])
            if alpha > ZERO:
                weight = weight_of(alpha, left)
                seen = ZERO
                for k in range(4):
                    seen += features[s, k] * grad_out[row, column, k]
                    accumulate(grad_features, s, k, weight * grad_out[row, column, k])
                behind -= weight * seen
                slope = alpha_slope(alpha, left, seen, behind)
                left -= weight
                accumulate(grad_shapes, s, 0, slope * (TWO * xx * dx + xy * dy))
                accumulate(grad_shapes, s, 1, slope * (TWO * yy * dy + xy * dx))
                accumulate(grad_shapes, s, 2, -slope * dx * dx)
                accumulate(grad_shapes, s, 3, -slope * dx * dy)
                accumulate(grad_shapes, s, 4, -slope * dy * dy)
                accumulate(grad_shapes, s, 5, slope / shapes[s, 5])
            place += 1

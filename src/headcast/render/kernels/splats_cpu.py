"""The drivers on the CPU for splats: square tiles of pixels, each blended by one thread, splat after splat.

A tile's pixels lie side by side in one working array. The loops over them hold no branch and read that array at fixed distances, so that the
compiler computes eight pixels at once. What a tile says about a splat goes to a place of its own and is added up in the order of the tiles: results
do not depend on the number of threads.
"""

import numpy as np

from headcast.render.kernels.extremes import larger, smaller
from headcast.render.kernels.splat_blend import (
    LEAST_LIGHT,
    ONE,
    ZERO,
    alpha_at,
    alpha_slope,
    power_at,
    shape_gradient,
    weight_of,
)
from headcast.render.kernels.splat_colors import color_splat, color_splat_gradient
from headcast.render.kernels.splat_projection import project_splat, project_splat_gradient
from headcast.render.kernels.splat_tiles import TILE, tile_columns, tile_rows
from headcast.render.kernels.targets import cpu_driver

PIXELS = TILE * TILE
Y, LIGHT, FIRST, SECOND, THIRD, FOURTH, BEHIND = (k * PIXELS for k in range(1, 8))
"""Where a tile's working array holds what: x from 0 on, then y, the light that is left, four features or their gradients, what is seen behind."""
WORK_SIZE = 8 * PIXELS
PAUSE = 8
"""Splats after which a tile is asked whether any light is left."""
SUMS = 10
HALF = np.float32(0.5)
IN_ANY_ORDER = frozenset({"reassoc", "contract", "nsz", "arcp"})
"""Sums over a tile's pixels may be taken eight by eight, and a product added to a sum is rounded once."""


@cpu_driver(parallel=False)
def project(
    first, last, means, rotations, scales, opacities, view, height, width, near, dilation, compensate, shapes, extents, depth
):  # fmt: skip
    for splat in range(first, last):
        project_splat(
            means, rotations, scales, opacities, view, height, width, near, dilation, compensate, splat, shapes, extents, depth
        )  # fmt: skip


@cpu_driver(parallel=False)
def project_gradient(
    first, last, means, rotations, scales, opacities, view, dilation, compensate, extents, grad_shapes, grad_depth, grad_means, grad_rotations,
    grad_scales, grad_opacities,
):  # fmt: skip
    for splat in range(first, last):
        project_splat_gradient(
            means, rotations, scales, opacities, view, dilation, compensate, splat, extents, grad_shapes, grad_depth, grad_means, grad_rotations,
            grad_scales, grad_opacities,
        )  # fmt: skip


@cpu_driver(parallel=False)
def color(first, last, means, eye, coefficients, out):
    for splat in range(first, last):
        color_splat(means, eye, coefficients, splat, out)


@cpu_driver(parallel=False)
def color_gradient(first, last, means, eye, coefficients, color, grad_color, grad_means, grad_coefficients):
    for splat in range(first, last):
        color_splat_gradient(means, eye, coefficients, color, splat, grad_color, grad_means, grad_coefficients)


@cpu_driver(parallel=False)
def count_members(shapes, extents, rows, columns, counts):
    """Adds to counts (tiles) how many splats enter each tile."""
    for splat in range(shapes.shape[0]):
        top, bottom = tile_rows(shapes, extents, splat, rows)
        for row in range(top, bottom):
            left, right = tile_columns(shapes, extents, splat, row, columns)
            for tile in range(row * columns + left, row * columns + right):
                counts[tile] += 1


@cpu_driver(parallel=False)
def list_members(order, shapes, extents, rows, columns, free, members):
    """Lists the splats of each tile in their order; free (tiles) says where each tile's list goes on."""
    for place in range(order.shape[0]):
        splat = order[place]
        top, bottom = tile_rows(shapes, extents, splat, rows)
        for row in range(top, bottom):
            left, right = tile_columns(shapes, extents, splat, row, columns)
            for tile in range(row * columns + left, row * columns + right):
                members[free[tile]] = splat
                free[tile] += 1


def begin_tile(work, row, column):
    """Sets the positions of a tile's pixels, of which the first is given, and lets all light through."""
    for pixel in range(PIXELS):
        work[pixel] = np.float32(column + pixel % TILE) + HALF
        work[pixel + Y] = np.float32(row + pixel // TILE) + HALF
        work[pixel + LIGHT] = ONE


def rows_in_tile(y, half_height, top):
    """First row of a tile, whose first row in the picture is `top`, that a splat reaches, and the row after the last."""
    first = smaller(larger(y - half_height - top + HALF, ZERO), np.float32(TILE))
    last = smaller(larger(y + half_height - top + HALF, ZERO), np.float32(TILE))
    return int(first), int(last)


def any_light(work):
    """Whether a tile still lets light through."""
    most = ZERO
    for pixel in range(PIXELS):
        most = larger(most, work[pixel + LIGHT])
    return most >= LEAST_LIGHT


def blend_tile(shapes, extents, features, members, begin, end, top, work):
    """Adds a tile's splats to its four features and takes their light."""
    for place in range(begin, end):
        s = members[place]
        x, y, xx, xy, yy, opacity = shapes[s, 0], shapes[s, 1], shapes[s, 2], shapes[s, 3], shapes[s, 4], shapes[s, 5]
        f0, f1, f2, f3 = features[s, 0], features[s, 1], features[s, 2], features[s, 3]
        reach = extents[s, 0]
        first, last = rows_in_tile(y, extents[s, 2], top)
        part = work[first * TILE :]
        for pixel in range((last - first) * TILE):
            light = part[pixel + LIGHT]
            weight = weight_of(alpha_at(power_at(part[pixel] - x, part[pixel + Y] - y, xx, xy, yy), opacity, reach), light)
            part[pixel + FIRST] += weight * f0
            part[pixel + SECOND] += weight * f1
            part[pixel + THIRD] += weight * f2
            part[pixel + FOURTH] += weight * f3
            part[pixel + LIGHT] = light - weight
        if place % PAUSE == 0 and not any_light(work):
            break


@cpu_driver(parallel=False, fastmath=IN_ANY_ORDER)
def blend_tiles(first, last, shapes, extents, features, starts, members, out, light):
    """Sets out (height, width, 4) and light (height, width) in the tiles [first, last)."""
    height, width = light.shape
    columns = (width + TILE - 1) // TILE
    work = np.empty(WORK_SIZE, np.float32)
    for tile in range(first, last):
        row, column = tile // columns * TILE, tile % columns * TILE
        begin_tile(work, row, column)
        work[FIRST:BEHIND] = ZERO
        blend_tile(shapes, extents, features, members, starts[tile], starts[tile + 1], np.float32(row), work)
        for i in range(min(TILE, height - row)):
            for j in range(min(TILE, width - column)):
                for k in range(4):
                    out[row + i, column + j, k] = work[i * TILE + j + FIRST + k * PIXELS]
                light[row + i, column + j] = work[i * TILE + j + LIGHT]


def begin_gradient(row, column, out, light, grad_out, grad_light, work):
    """Sets the gradients of a tile's pixels, and what all its splats together say along them."""
    height, width = light.shape
    for pixel in range(PIXELS):
        i, j = row + pixel // TILE, column + pixel % TILE
        inside = i < height and j < width
        behind = light[i, j] * grad_light[i, j] if inside else ZERO
        for k in range(4):
            gradient = grad_out[i, j, k] if inside else ZERO
            work[pixel + FIRST + k * PIXELS] = gradient
            behind += gradient * out[i, j, k] if inside else ZERO
        work[pixel + BEHIND] = behind


def differentiate_tile(shapes, extents, features, members, begin, end, top, work, sums):
    """Sets the sums (places, 10) of a tile's splats: of `alpha_slope` times dx, dy, dx², dx·dy, dy² and one, and of the features' gradients."""
    for place in range(begin, end):
        s = members[place]
        x, y, xx, xy, yy, opacity = shapes[s, 0], shapes[s, 1], shapes[s, 2], shapes[s, 3], shapes[s, 4], shapes[s, 5]
        f0, f1, f2, f3 = features[s, 0], features[s, 1], features[s, 2], features[s, 3]
        reach = extents[s, 0]
        first, last = rows_in_tile(y, extents[s, 2], top)
        part = work[first * TILE :]
        along_x, along_y, along_xx, along_xy, along_yy, along = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
        to_0, to_1, to_2, to_3 = ZERO, ZERO, ZERO, ZERO
        for pixel in range((last - first) * TILE):
            dx, dy, light = part[pixel] - x, part[pixel + Y] - y, part[pixel + LIGHT]
            g0, g1, g2, g3 = part[pixel + FIRST], part[pixel + SECOND], part[pixel + THIRD], part[pixel + FOURTH]
            alpha = alpha_at(power_at(dx, dy, xx, xy, yy), opacity, reach)
            weight = weight_of(alpha, light)
            seen = f0 * g0 + f1 * g1 + f2 * g2 + f3 * g3
            behind = part[pixel + BEHIND] - weight * seen
            slope = alpha_slope(alpha, light, seen, behind)
            part[pixel + BEHIND] = behind
            part[pixel + LIGHT] = light - weight
            along_x += slope * dx
            along_y += slope * dy
            along_xx += slope * dx * dx
            along_xy += slope * dx * dy
            along_yy += slope * dy * dy
            along += slope
            to_0 += weight * g0
            to_1 += weight * g1
            to_2 += weight * g2
            to_3 += weight * g3
        sums[place, 0], sums[place, 1], sums[place, 2], sums[place, 3], sums[place, 4] = along_x, along_y, along_xx, along_xy, along_yy
        sums[place, 5], sums[place, 6], sums[place, 7], sums[place, 8], sums[place, 9] = along, to_0, to_1, to_2, to_3
        if place % PAUSE == 0 and not any_light(work):
            sums[place + 1 : end] = ZERO
            break


@cpu_driver(parallel=False, fastmath=IN_ANY_ORDER)
def differentiate_tiles(first, last, shapes, extents, features, starts, members, out, light, grad_out, grad_light, sums):
    """Sets the sums of all splats in the tiles [first, last)."""
    columns = (light.shape[1] + TILE - 1) // TILE
    work = np.empty(WORK_SIZE, np.float32)
    for tile in range(first, last):
        row, column = tile // columns * TILE, tile % columns * TILE
        if starts[tile] == starts[tile + 1]:
            continue
        begin_tile(work, row, column)
        begin_gradient(row, column, out, light, grad_out, grad_light, work)
        differentiate_tile(shapes, extents, features, members, starts[tile], starts[tile + 1], np.float32(row), work, sums)


@cpu_driver(parallel=False)
def add_up(first, last, shapes, members, sums, grad_shapes, grad_features):
    """Sets the gradients of the splats [first, last) from their sums in all tiles, taken in the order of the tiles."""
    grad_shapes[first:last] = ZERO
    grad_features[first:last] = ZERO
    for place in range(members.shape[0]):
        splat = members[place]
        if first <= splat < last:
            shape_gradient(shapes, splat, sums, place, grad_shapes)
            for k in range(4):
                grad_features[splat, k] += sums[place, 6 + k]

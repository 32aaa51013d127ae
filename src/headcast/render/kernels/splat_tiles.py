"""Bodies that say which tiles of a picture a splat reaches: exactly those that its ellipse enters, row of tiles by row of tiles."""

import math

from headcast.render.kernels.extremes import larger, smaller

TILE = 8
"""Pixels along a side of a tile: as many single-precision numbers as a register of today's processors holds."""


def tile_of(position_px, count):
    """The tile in which a position lies: −1 for all before the first, `count` for all after the last."""
    return int(smaller(larger(position_px / TILE, -1.0), 1.0 * count) + 1.0) - 1


def tile_rows(shapes, extents, splat, rows):
    """First row of tiles that a splat reaches, and the row after the last; equal for one that is not drawn."""
    first, last = 0, 0
    if extents[splat, 0] > 0.0:
        y, half_height = shapes[splat, 1], extents[splat, 2]
        first, last = larger(tile_of(y - half_height, rows), 0), smaller(tile_of(y + half_height, rows) + 1, rows)
    return first, last


def side_at(dy, xx, xy, yy, reach, sign):
    """How far right (sign 1) of its centre, or left (−1), the ellipse ends at this height."""
    room = larger(xy * xy * dy * dy - 4.0 * xx * (yy * dy * dy - reach), 0.0)
    return (sign * math.sqrt(room) - xy * dy) / (2.0 * xx)


def tile_columns(shapes, extents, splat, row, columns):
    """First tile of a row that a splat's ellipse enters, and the tile after the last."""
    x, y, xx, xy, yy = shapes[splat, 0], shapes[splat, 1], shapes[splat, 2], shapes[splat, 3], shapes[splat, 4]
    reach, half_width, half_height = extents[splat, 0], extents[splat, 1], extents[splat, 2]
    top, bottom = larger(1.0 * row * TILE - y, -1.0 * half_height), smaller(1.0 * (row + 1) * TILE - y, 1.0 * half_height)
    # Where the ellipse is widest to the right; it is widest to the left at the negative.
    widest = -0.5 * xy * half_width / yy
    right = 1.0 * half_width if top <= widest <= bottom else side_at(smaller(larger(widest, top), bottom), xx, xy, yy, reach, 1.0)
    left = -1.0 * half_width if top <= -widest <= bottom else side_at(smaller(larger(-widest, top), bottom), xx, xy, yy, reach, -1.0)
    return larger(tile_of(x + left, columns), 0), smaller(tile_of(x + right, columns) + 1, columns)

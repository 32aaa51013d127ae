"""Bodies for one triangle in the image: which pixel centres it covers, how near it is there, and where on it they lie.

Positions are (x_px, y_px, depth_m) of one view; the first pixel's centre is (0.5, 0.5) and y points down. Arithmetic is float64.
Coverage is decided row by row between two edges: of two triangles that share an edge exactly one owns a pixel on it, because
both compute the same crossing from the same two ends, upper one first.
"""

import math

import numpy as np

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.extremes import larger, largest, smaller, smallest


def first_centre(coordinate):
    """Index of the first pixel whose centre lies at or after a coordinate (px)."""
    return math.ceil(coordinate - 0.5)


def twice_area(ax, ay, bx, by, cx, cy):
    """Twice the signed area; negative where the corners run counter-clockwise as seen on the screen (y points down)."""
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def corner(positions, vertex):
    """Position of a vertex in double precision."""
    return np.float64(positions[vertex, 0]), np.float64(positions[vertex, 1]), np.float64(positions[vertex, 2])


def rows_covered(positions, a, b, c, height, width, near, cull):
    """First row and the row after the last that a triangle may cover; equal where it is not drawn."""
    ax, ay, az = corner(positions, a)
    bx, by, bz = corner(positions, b)
    cx, cy, cz = corner(positions, c)
    if not (az > near and bz > near and cz > near):
        return 0, 0
    area = twice_area(ax, ay, bx, by, cx, cy)
    if not (area < 0.0 or (area > 0.0 and not cull)):
        return 0, 0
    if largest(ax, bx, cx) <= 0.5 or smallest(ax, bx, cx) > width - 0.5:
        return 0, 0
    top = larger(smallest(ay, by, cy), 0.0)
    bottom = smaller(largest(ay, by, cy), np.float64(height))
    if not top < bottom:
        return 0, 0
    return first_centre(top), first_centre(bottom)


def slope(ax, ay, bx, by):
    """Change of x per row along an edge; zero for an edge along a row, which bounds no pixel."""
    if by == ay:
        return 0.0
    return (bx - ax) / (by - ay)


def sorted_by_row(ax, ay, az, bx, by, bz, cx, cy, cz):
    """The three corners from top to bottom."""
    if by < ay:
        ax, ay, az, bx, by, bz = bx, by, bz, ax, ay, az
    if cy < by:
        bx, by, bz, cx, cy, cz = cx, cy, cz, bx, by, bz
        if by < ay:
            ax, ay, az, bx, by, bz = bx, by, bz, ax, ay, az
    return ax, ay, az, bx, by, bz, cx, cy, cz


def nearness_plane(ax, ay, az, bx, by, bz, cx, cy, cz):
    """Inverse depth at corner a, its change per pixel in x and y (it is linear in the image), and its least and largest value."""
    near_a, near_b, near_c = 1.0 / az, 1.0 / bz, 1.0 / cz
    over_area = 1.0 / twice_area(ax, ay, bx, by, cx, cy)
    gradient_x = ((near_b - near_a) * (cy - ay) - (near_c - near_a) * (by - ay)) * over_area
    gradient_y = ((near_c - near_a) * (bx - ax) - (near_b - near_a) * (cx - ax)) * over_area
    return near_a, gradient_x, gradient_y, smallest(near_a, near_b, near_c), largest(near_a, near_b, near_c)


def nearness_at(row_value, gradient_x, column, low, high):
    """Inverse depth at a pixel centre in single precision, kept between those of the corners."""
    return np.float32(smaller(larger(row_value + gradient_x * (column + 0.5), low), high))


def span(ax, ay, bx, by, long_slope, upper_slope, lower_slope, row, width):
    """First column and the column after the last that a triangle covers in a row.

    a is its top corner and b its middle one; the long edge leaves a, the upper edge joins a and b, the lower edge leaves b.
    """
    centre = row + 0.5
    long_x = ax + (centre - ay) * long_slope
    short_x = ax + (centre - ay) * upper_slope if centre < by else bx + (centre - by) * lower_slope
    left = smaller(larger(smaller(long_x, short_x), 0.0), np.float64(width))
    right = smaller(largest(long_x, short_x, 0.0), np.float64(width))
    return first_centre(left), first_centre(right)


def barycentric(ax, ay, az, bx, by, bz, cx, cy, cz, px, py):
    """Perspective-correct weights of the first two corners, and depth, at a point of the image."""
    edge_a = (bx - px) * (cy - py) - (by - py) * (cx - px)
    edge_b = (cx - px) * (ay - py) - (cy - py) * (ax - px)
    edge_c = (ax - px) * (by - py) - (ay - py) * (bx - px)
    # Edge functions over depths, all times the three depths: one division serves all.
    at_a, at_b, at_c = edge_a * bz * cz, edge_b * cz * az, edge_c * az * bz
    over_total = 1.0 / (at_a + at_b + at_c)
    return at_a * over_total, at_b * over_total, (edge_a + edge_b + edge_c) * az * bz * cz * over_total


def scatter_position_gradient(positions, a, b, c, px, py, grad_a, grad_b, grad_c, grad_depth, gradient):
    """Adds what the gradients of a pixel's three weights and its depth say about the corners' positions.

    With edge functions E, the weights are w = (E / z) / T where T = Σ E / z, and the depth is Σ E / T.
    """
    ax, ay, az = corner(positions, a)
    bx, by, bz = corner(positions, b)
    cx, cy, cz = corner(positions, c)
    ax, ay, bx, by, cx, cy = ax - px, ay - py, bx - px, by - py, cx - px, cy - py
    edge_a, edge_b, edge_c = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
    over_total = 1.0 / (edge_a / az + edge_b / bz + edge_c / cz)
    depth = (edge_a + edge_b + edge_c) * over_total
    mean = (grad_a * edge_a / az + grad_b * edge_b / bz + grad_c * edge_c / cz) * over_total + grad_depth * depth
    ratio_a = (grad_a - mean) * over_total / az
    ratio_b = (grad_b - mean) * over_total / bz
    ratio_c = (grad_c - mean) * over_total / cz
    from_a, from_b, from_c = ratio_a + grad_depth * over_total, ratio_b + grad_depth * over_total, ratio_c + grad_depth * over_total
    accumulate(gradient, a, 0, from_c * by - from_b * cy)
    accumulate(gradient, a, 1, from_b * cx - from_c * bx)
    accumulate(gradient, a, 2, -ratio_a * edge_a / az)
    accumulate(gradient, b, 0, from_a * cy - from_c * ay)
    accumulate(gradient, b, 1, from_c * ax - from_a * cx)
    accumulate(gradient, b, 2, -ratio_b * edge_b / bz)
    accumulate(gradient, c, 0, from_b * ay - from_a * by)
    accumulate(gradient, c, 1, from_a * bx - from_b * ax)
    accumulate(gradient, c, 2, -ratio_c * edge_c / cz)

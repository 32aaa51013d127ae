"""Bodies for one triangle in the image: which pixel centres it covers, how near it is there, and where on it they lie.

Positions are (x_px, y_px, depth_m); the first pixel's centre is (0.5, 0.5) and y points down. Arithmetic is float64.
Coverage is decided row by row between two edges: of two triangles that share an edge exactly one owns a pixel on it, because
both compute the same crossing from the same two ends, upper one first.
"""

import math

import numpy as np


def first_centre(coordinate):
    """Index of the first pixel whose centre lies at or after a coordinate (px)."""
    return math.ceil(coordinate - 0.5)


def twice_area(ax, ay, bx, by, cx, cy):
    """Twice the signed area; negative where the corners run counter-clockwise as seen on the screen (y points down)."""
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def corner(positions, view, vertex):
    """Position of a vertex in double precision."""
    return np.float64(positions[view, vertex, 0]), np.float64(positions[view, vertex, 1]), np.float64(positions[view, vertex, 2])


def rows_covered(positions, view, a, b, c, height, width, near, cull):
    """First row and the row after the last that a triangle may cover; equal where it is not drawn."""
    ax, ay, az = corner(positions, view, a)
    bx, by, bz = corner(positions, view, b)
    cx, cy, cz = corner(positions, view, c)
    if not (az > near and bz > near and cz > near):
        return 0, 0
    area = twice_area(ax, ay, bx, by, cx, cy)
    if not (area < 0.0 or (area > 0.0 and not cull)):
        return 0, 0
    if max(ax, bx, cx) <= 0.5 or min(ax, bx, cx) > width - 0.5:
        return 0, 0
    top = max(min(ay, by, cy), 0.0)
    bottom = min(max(ay, by, cy), np.float64(height))
    if not top < bottom:
        return 0, 0
    return first_centre(top), first_centre(bottom)


def slope(ax, ay, bx, by):
    """Change of x per row along an edge; zero for an edge along a row, which bounds no pixel."""
    if by == ay:
        return 0.0
    return (bx - ax) / (by - ay)


def span(ax, ay, bx, by, cy, long_slope, upper_slope, lower_slope, row, width):
    """First column and the column after the last that a triangle with corners a, b, c from top to bottom covers in a row."""
    centre = row + 0.5
    long_x = ax + (centre - ay) * long_slope
    short_x = ax + (centre - ay) * upper_slope if centre < by else bx + (centre - by) * lower_slope
    left = min(max(min(long_x, short_x), 0.0), np.float64(width))
    right = min(max(long_x, short_x, 0.0), np.float64(width))
    return first_centre(left), first_centre(right)


def barycentric(ax, ay, az, bx, by, bz, cx, cy, cz, px, py):
    """Perspective-correct weights of the first two corners, and depth, at a point of the image."""
    at_a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / az
    at_b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / bz
    at_c = ((ax - px) * (by - py) - (ay - py) * (bx - px)) / cz
    total = at_a + at_b + at_c
    area = at_a * az + at_b * bz + at_c * cz
    return at_a / total, at_b / total, area / total

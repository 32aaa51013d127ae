"""Bodies for silhouettes: where between two neighbouring pixel centres the nearer surface ends, and how the pixels blend.

After the analytic antialiasing of Laine et al. 2020 (section 3.5), with one difference: the silhouette edge is found by walking over
the surface from the nearer pixel towards the other, so that it may belong to a face that no pixel centre sees.
"""

import numpy as np

from headcast.render.kernels.accumulate import accumulate
from headcast.render.kernels.extremes import larger, smaller
from headcast.render.kernels.triangle import twice_area

MOST_STEPS = 32


def orientation(positions, faces, face_idx, near):
    """Twice the signed area of a face on the screen; zero for a face that is not drawn."""
    a, b, c = faces[face_idx, 0], faces[face_idx, 1], faces[face_idx, 2]
    if not (positions[a, 2] > near and positions[b, 2] > near and positions[c, 2] > near):
        return 0.0
    return twice_area(
        np.float64(positions[a, 0]), np.float64(positions[a, 1]),
        np.float64(positions[b, 0]), np.float64(positions[b, 1]),
        np.float64(positions[c, 0]), np.float64(positions[c, 1]),
    )  # fmt: skip


def way_out(positions, faces, face_idx, area, x0, y0, x1, y1):
    """Fraction of the way from point 0 to point 1 at which it leaves a face, and the corner where the edge it crosses begins."""
    nearest, exit_corner = 2.0, -1
    sign = 1.0 if area > 0.0 else -1.0
    for k in range(3):
        p, q = faces[face_idx, k], faces[face_idx, (k + 1) % 3]
        px, py, qx, qy = np.float64(positions[p, 0]), np.float64(positions[p, 1]), np.float64(positions[q, 0]), np.float64(positions[q, 1])
        inside_0 = sign * twice_area(px, py, qx, qy, x0, y0)
        inside_1 = sign * twice_area(px, py, qx, qy, x1, y1)
        if inside_1 < inside_0:
            fraction = inside_0 / (inside_0 - inside_1)
            if fraction < nearest:
                nearest, exit_corner = fraction, k
    return nearest, exit_corner


def silhouette_edge(positions, faces, neighbours, start, other, near, x0, y0, x1, y1):
    """The face and corner whose edge ends the surface between point 0, which lies on face `start`, and point 1; −1 for none.

    A surface ends where a face has no neighbour or one that turns its other side. The face seen at point 1 is `other`.
    """
    face_idx = start
    area = orientation(positions, faces, face_idx, near)
    for k in range(3):
        if other >= 0 and neighbours[start, k] == other and orientation(positions, faces, other, near) * area > 0.0:
            return -1, 0
    for _ in range(MOST_STEPS):
        fraction, exit_corner = way_out(positions, faces, face_idx, area, x0, y0, x1, y1)
        if exit_corner < 0 or fraction >= 1.0:
            return -1, 0
        neighbour = neighbours[face_idx, exit_corner]
        neighbour_area = orientation(positions, faces, neighbour, near) if neighbour >= 0 else 0.0
        if neighbour_area * area <= 0.0:
            return face_idx, exit_corner
        if neighbour == other:
            return -1, 0
        face_idx, area = neighbour, neighbour_area
    return -1, 0


def pair_edge(positions, faces, neighbours, face, depth, near, row, column, axis):
    """The two vertices of the silhouette edge between a pixel and its right (axis 0) or lower (axis 1) neighbour; −1 for none.

    Edges that run more along the pair than across it are left to the pairs of the other axis.
    """
    other_row, other_column = row + axis, column + 1 - axis
    here, there = face[row, column], face[other_row, other_column]
    x0, y0, x1, y1 = column + 0.5, row + 0.5, other_column + 0.5, other_row + 0.5
    if here < 0 or (there >= 0 and depth[row, column] > depth[other_row, other_column]):
        here, there, x0, y0, x1, y1 = there, here, x1, y1, x0, y0
    found, k = silhouette_edge(positions, faces, neighbours, here, there, near, x0, y0, x1, y1)
    if found < 0:
        return -1, -1
    p, q = faces[found, k], faces[found, (k + 1) % 3]
    across, along = positions[q, 1 - axis] - positions[p, 1 - axis], positions[q, axis] - positions[p, axis]
    if abs(across) < abs(along) or (axis == 0 and abs(across) == abs(along)):
        return -1, -1
    return p, q


def crossing(positions, p, q, row, column, axis):
    """How far past the middle between two pixel centres an edge crosses, in pixels, and the fraction of the edge before that."""
    centre = (column if axis == 1 else row) + 0.5
    start, end = np.float64(positions[p, 1 - axis]), np.float64(positions[q, 1 - axis])
    fraction = (centre - start) / (end - start)
    place = positions[p, axis] + fraction * (np.float64(positions[q, axis]) - positions[p, axis])
    return place - ((row if axis == 1 else column) + 1.0), fraction


def pair_blend(positions, faces, neighbours, face, depth, near, row, column, axis, blends):
    """Sets the signed share (−½ to ½) of the other's colour that one of two neighbouring pixels takes; zero where no silhouette passes.

    Negative: this pixel takes colour from its neighbour, because the edge crosses on its side of the middle. Positive: the reverse.
    """
    share = 0.0
    if row + axis < face.shape[0] and column + 1 - axis < face.shape[1] and face[row, column] != face[row + axis, column + 1 - axis]:
        p, q = pair_edge(positions, faces, neighbours, face, depth, near, row, column, axis)
        if p >= 0:
            past_middle, _ = crossing(positions, p, q, row, column, axis)
            share = smaller(larger(past_middle, -0.5), 0.5)
    blends[row, column, axis] = share


def pair_blend_gradient(positions, faces, neighbours, face, depth, near, row, column, axis, blends, grad_blends, gradient):
    """Adds what the gradient of a pair's share says about the two ends of its silhouette edge."""
    share, grad_share = blends[row, column, axis], grad_blends[row, column, axis]
    if share != 0.0 and grad_share != 0.0 and abs(share) < 0.5:
        p, q = pair_edge(positions, faces, neighbours, face, depth, near, row, column, axis)
        _, fraction = crossing(positions, p, q, row, column, axis)
        slope = (np.float64(positions[q, axis]) - positions[p, axis]) / (np.float64(positions[q, 1 - axis]) - positions[p, 1 - axis])
        accumulate(gradient, p, axis, grad_share * (1.0 - fraction))
        accumulate(gradient, q, axis, grad_share * fraction)
        accumulate(gradient, p, 1 - axis, -grad_share * slope * (1.0 - fraction))
        accumulate(gradient, q, 1 - axis, -grad_share * slope * fraction)

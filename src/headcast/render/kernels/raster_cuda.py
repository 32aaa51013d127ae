"""The rasteriser's kernels on the GPU: one thread per face finds the nearest depth at each pixel, then whose it is.

Both passes run the same kernel, so that a face meets in the second exactly the number that it wrote in the first.
"""

from numba import cuda

from headcast.render.kernels.cuda_targets import cuda_kernel
from headcast.render.kernels.extremes import larger, smaller
from headcast.render.kernels.surface import ZERO, resolve_gradient, resolve_pixel
from headcast.render.kernels.triangle import corner, first_centre, nearness_at, nearness_plane, rows_covered, slope, sorted_by_row, span


@cuda_kernel
def clear_views(face, depth, none):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        face[view, row, column] = none
        depth[view, row, column] = ZERO


@cuda_kernel
def fill_views(positions, faces, near, cull, find_owner, face, depth):
    """With find_owner the smallest number of the faces that reached `depth`, else the largest inverse depth."""
    entry = cuda.grid(1)
    views, height, width = face.shape
    if entry < views * faces.shape[0]:
        view, f = entry // faces.shape[0], entry % faces.shape[0]
        points = positions[view]
        first_row, last_row = rows_covered(points, faces[f, 0], faces[f, 1], faces[f, 2], height, width, near, cull)
        if first_row < last_row:
            ax, ay, az = corner(points, faces[f, 0])
            bx, by, bz = corner(points, faces[f, 1])
            cx, cy, cz = corner(points, faces[f, 2])
            ax, ay, az, bx, by, bz, cx, cy, cz = sorted_by_row(ax, ay, az, bx, by, bz, cx, cy, cz)
            near_a, gradient_x, gradient_y, low, high = nearness_plane(ax, ay, az, bx, by, bz, cx, cy, cz)
            long_slope, upper_slope, lower_slope = slope(ax, ay, cx, cy), slope(ax, ay, bx, by), slope(bx, by, cx, cy)
            for row in range(larger(first_row, first_centre(ay)), smaller(last_row, first_centre(cy))):
                first, last = span(ax, ay, bx, by, long_slope, upper_slope, lower_slope, row, width)
                row_value = near_a - gradient_x * ax + gradient_y * (row + 0.5 - ay)
                for column in range(first, last):
                    nearness = nearness_at(row_value, gradient_x, column, low, high)
                    if not find_owner:
                        cuda.atomic.max(depth, (view, row, column), nearness)
                    elif nearness == depth[view, row, column]:
                        cuda.atomic.min(face, (view, row, column), f)


@cuda_kernel
def resolve_views(positions, faces, none, face, weights, depth):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        if face[view, row, column] == none:
            face[view, row, column] = -1
        resolve_pixel(positions[view], faces, face[view], row, column, weights[view], depth[view])


@cuda_kernel
def resolve_gradients(positions, faces, face, grad_weights, grad_depth, gradient):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        resolve_gradient(positions[view], faces, face[view], row, column, grad_weights[view], grad_depth[view], gradient[view])

"""The rasteriser's drivers on the CPU: faces are sorted into bands of rows, then threads fill whole bands.

A band belongs to one thread, faces enter it in their order, and the nearest wins, the earlier face among equals: the result does
not depend on the number of threads.
"""

import numpy as np
from numba import prange

from headcast.render.kernels.targets import cpu_driver
from headcast.render.kernels.triangle import barycentric, corner, first_centre, rows_covered, slope, span, twice_area

BAND_ROWS = 16


def fill_row(inverse_depth, owner, first, last, row_value, gradient_x, low, high, face_idx):
    """Enters a face into one row of the depth test, which compares inverse depths in single precision."""
    for column in range(first, last):
        nearness = np.float32(min(max(row_value + gradient_x * (column + 0.5), low), high))
        if nearness > inverse_depth[column]:
            inverse_depth[column] = nearness
            owner[column] = face_idx


def fill_face(positions, view, a, b, c, first_row, last_row, face_idx, owner, inverse_depth):
    """Enters a face into the rows [first_row, last_row) of the depth test."""
    ax, ay, az = corner(positions, view, a)
    bx, by, bz = corner(positions, view, b)
    cx, cy, cz = corner(positions, view, c)
    if by < ay:
        ax, ay, az, bx, by, bz = bx, by, bz, ax, ay, az
    if cy < by:
        bx, by, bz, cx, cy, cz = cx, cy, cz, bx, by, bz
        if by < ay:
            ax, ay, az, bx, by, bz = bx, by, bz, ax, ay, az
    a_near, b_near, c_near = 1.0 / az, 1.0 / bz, 1.0 / cz
    low, high = min(a_near, b_near, c_near), max(a_near, b_near, c_near)
    area = twice_area(ax, ay, bx, by, cx, cy)
    gradient_x = ((b_near - a_near) * (cy - ay) - (c_near - a_near) * (by - ay)) / area
    gradient_y = ((c_near - a_near) * (bx - ax) - (b_near - a_near) * (cx - ax)) / area
    long_slope, upper_slope, lower_slope = slope(ax, ay, cx, cy), slope(ax, ay, bx, by), slope(bx, by, cx, cy)
    width = owner.shape[2]
    for row in range(max(first_row, first_centre(ay)), min(last_row, first_centre(cy))):
        first, last = span(ax, ay, bx, by, cy, long_slope, upper_slope, lower_slope, row, width)
        row_value = a_near - gradient_x * ax + gradient_y * (row + 0.5 - ay)
        fill_row(inverse_depth[view, row], owner[view, row], first, last, row_value, gradient_x, low, high, face_idx)


def resolve_row(positions, faces, view, row, owner, weights, depth):
    """Turns one row of inverse depths into barycentrics and depths."""
    for column in range(owner.shape[2]):
        face_idx = owner[view, row, column]
        if face_idx < 0:
            weights[view, row, column, 0] = 0.0
            weights[view, row, column, 1] = 0.0
            weights[view, row, column, 2] = 0.0
            continue
        ax, ay, az = corner(positions, view, faces[face_idx, 0])
        bx, by, bz = corner(positions, view, faces[face_idx, 1])
        cx, cy, cz = corner(positions, view, faces[face_idx, 2])
        first, second, distance = barycentric(ax, ay, az, bx, by, bz, cx, cy, cz, column + 0.5, row + 0.5)
        weights[view, row, column, 0] = first
        weights[view, row, column, 1] = second
        weights[view, row, column, 2] = 1.0 - first - second
        depth[view, row, column] = distance


def sorted_into_bands(rows, starts, face_count, views, bands):
    """Faces of each (view, band) in their order: starts[task] to starts[task + 1] of the result, where task = view · bands + band.

    While faces are entered, starts[task + 1] is the next free place of a task; it ends where the next task starts.
    """
    for entry in range(views * face_count):
        if rows[entry, 0] < rows[entry, 1]:
            base = entry // face_count * bands
            for band in range(rows[entry, 0] // BAND_ROWS, (rows[entry, 1] - 1) // BAND_ROWS + 1):
                starts[base + band + 2] += 1
    for task in range(views * bands):
        starts[task + 2] += starts[task + 1]
    members = np.empty(starts[views * bands + 1], np.int32)
    for entry in range(views * face_count):
        if rows[entry, 0] < rows[entry, 1]:
            base = entry // face_count * bands
            for band in range(rows[entry, 0] // BAND_ROWS, (rows[entry, 1] - 1) // BAND_ROWS + 1):
                members[starts[base + band + 1]] = entry % face_count
                starts[base + band + 1] += 1
    return members


def fill_band(positions, faces, members, start, end, view, first_row, last_row, owner, weights, depth):
    """Clears a band of rows, draws its faces and resolves it."""
    for row in range(first_row, last_row):
        for column in range(owner.shape[2]):
            owner[view, row, column] = -1
            depth[view, row, column] = 0.0
    for place in range(start, end):
        f = members[place]
        fill_face(positions, view, faces[f, 0], faces[f, 1], faces[f, 2], first_row, last_row, f, owner, depth)
    for row in range(first_row, last_row):
        resolve_row(positions, faces, view, row, owner, weights, depth)


@cpu_driver
def rasterize_views(positions, faces, near, cull, threads, rows, starts, owner, weights, depth):
    """Fills owner (views, h, w), weights (views, h, w, 3) and depth (views, h, w) from positions (views, vertices, 3).

    Scratch: rows (views · faces, 2), and starts (views · bands + 2) filled with zeros. Threads take bands in turn, like dealt cards,
    so that each gets its share of the rows that show something.
    """
    views, height, width = owner.shape
    face_count = faces.shape[0]
    bands = (height + BAND_ROWS - 1) // BAND_ROWS
    for entry in prange(views * face_count):
        view, face_idx = entry // face_count, entry % face_count
        first, last = rows_covered(positions, view, faces[face_idx, 0], faces[face_idx, 1], faces[face_idx, 2], height, width, near, cull)
        rows[entry, 0] = first
        rows[entry, 1] = last
    members = sorted_into_bands(rows, starts, face_count, views, bands)
    per_thread = (views * bands + threads - 1) // threads
    for turn in prange(threads * per_thread):
        task = turn % per_thread * threads + turn // per_thread
        if task < views * bands:
            view, band = task // bands, task % bands
            first_row, last_row = band * BAND_ROWS, min((band + 1) * BAND_ROWS, height)
            fill_band(positions, faces, members, starts[task], starts[task + 1], view, first_row, last_row, owner, weights, depth)

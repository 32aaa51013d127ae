"""The rasteriser's drivers on the CPU: faces are sorted into bands of rows, then threads fill whole bands.

A band belongs to one thread, faces enter it in their order, and the nearest wins, the earlier face among equals: the result does
not depend on the number of threads.
"""

from headcast.render.kernels.surface import covered
from headcast.render.kernels.targets import cpu_driver
from headcast.render.kernels.triangle import barycentric, corner, first_centre, nearness_at, nearness_plane, rows_covered, slope, sorted_by_row, span

BAND_ROWS = 16


def fill_row(inverse_depth, owner, row, first, last, row_value, gradient_x, low, high, face_idx):
    """Enters a face into one row of the depth test, which compares inverse depths in single precision."""
    for column in range(first, last):
        nearness = nearness_at(row_value, gradient_x, column, low, high)
        if nearness > inverse_depth[row, column]:
            inverse_depth[row, column] = nearness
            owner[row, column] = face_idx


def fill_face(positions, a, b, c, first_row, last_row, face_idx, owner, inverse_depth):
    """Enters a face into the rows [first_row, last_row) of the depth test."""
    ax, ay, az = corner(positions, a)
    bx, by, bz = corner(positions, b)
    cx, cy, cz = corner(positions, c)
    ax, ay, az, bx, by, bz, cx, cy, cz = sorted_by_row(ax, ay, az, bx, by, bz, cx, cy, cz)
    near_a, gradient_x, gradient_y, low, high = nearness_plane(ax, ay, az, bx, by, bz, cx, cy, cz)
    long_slope, upper_slope, lower_slope = slope(ax, ay, cx, cy), slope(ax, ay, bx, by), slope(bx, by, cx, cy)
    for row in range(max(first_row, first_centre(ay)), min(last_row, first_centre(cy))):
        first, last = span(ax, ay, bx, by, long_slope, upper_slope, lower_slope, row, owner.shape[1])
        row_value = near_a - gradient_x * ax + gradient_y * (row + 0.5 - ay)
        fill_row(inverse_depth, owner, row, first, last, row_value, gradient_x, low, high, face_idx)


def face_rows(entry, positions, faces, height, width, near, cull, rows):
    """Sets the first row and the row after the last of one face in one view; entry = view · faces + face."""
    view, f = entry // faces.shape[0], entry % faces.shape[0]
    first, last = rows_covered(positions[view], faces[f, 0], faces[f, 1], faces[f, 2], height, width, near, cull)
    rows[entry, 0] = first
    rows[entry, 1] = last


def count_members(rows, face_count, bands, starts):
    """Sets starts[task + 2] to how many faces enter all tasks up to this one, where task = view · bands + band."""
    for entry in range(rows.shape[0]):
        base = entry // face_count * bands
        for band in range(rows[entry, 0] // BAND_ROWS, (rows[entry, 1] + BAND_ROWS - 1) // BAND_ROWS):
            starts[base + band + 2] += 1
    for place in range(3, starts.shape[0]):
        starts[place] += starts[place - 1]


def enter_members(rows, face_count, bands, starts, members):
    """Lists the faces of each task in their order, at starts[task] to starts[task + 1].

    While faces are entered, starts[task + 1] is the next free place of a task; it ends where the next task starts.
    """
    for entry in range(rows.shape[0]):
        base = entry // face_count * bands
        for band in range(rows[entry, 0] // BAND_ROWS, (rows[entry, 1] + BAND_ROWS - 1) // BAND_ROWS):
            members[starts[base + band + 1]] = entry % face_count
            starts[base + band + 1] += 1


def resolve_run(positions, faces, owner, row, first, last, weights, depth):
    """Resolves a row's pixels from `first` on that show the same face, and gives the column after them."""
    f, end = owner[row, first], first + 1
    while end < last and owner[row, end] == f:
        end += 1
    if f >= 0:
        ax, ay, az = corner(positions, faces[f, 0])
        bx, by, bz = corner(positions, faces[f, 1])
        cx, cy, cz = corner(positions, faces[f, 2])
        for column in range(first, end):
            to_a, to_b, distance = barycentric(ax, ay, az, bx, by, bz, cx, cy, cz, column + 0.5, row + 0.5)
            weights[row, column, 0] = to_a
            weights[row, column, 1] = to_b
            weights[row, column, 2] = 1.0 - to_a - to_b
            depth[row, column] = distance
    return end


def fill_band(task, positions, faces, starts, members, owner, weights, depth):
    """Clears a band of rows in one view, draws its faces and resolves it."""
    height, width = owner.shape[1], owner.shape[2]
    bands = (height + BAND_ROWS - 1) // BAND_ROWS
    view, band = task // bands, task % bands
    first_row, last_row = band * BAND_ROWS, min((band + 1) * BAND_ROWS, height)
    own_positions, own_owner, own_weights, own_depth = positions[view], owner[view], weights[view], depth[view]
    for row in range(first_row, last_row):
        for column in range(width):
            own_owner[row, column] = -1
            own_depth[row, column] = 0.0
            for k in range(3):
                own_weights[row, column, k] = 0.0
    for place in range(starts[task], starts[task + 1]):
        f = members[place]
        fill_face(own_positions, faces[f, 0], faces[f, 1], faces[f, 2], first_row, last_row, f, own_owner, own_depth)
    for row in range(first_row, last_row):
        first, last = covered(own_owner, row)
        while first < last:
            first = resolve_run(own_positions, faces, own_owner, row, first, last, own_weights, own_depth)


@cpu_driver("f4[:,:,::1], i4[:,::1], i8, i8, f8, b1, i4[:,::1], i8[::1]", parallel=False)
def sort_faces(positions, faces, height, width, near, cull, rows, starts):
    """Sets rows (views · faces, 2), and in starts (views · bands + 2, zeros on entry) how many faces each band of rows has."""
    for entry in range(rows.shape[0]):
        face_rows(entry, positions, faces, height, width, near, cull, rows)
    count_members(rows, faces.shape[0], (height + BAND_ROWS - 1) // BAND_ROWS, starts)


@cpu_driver("i4[:,::1], i8, i8, i8[::1], i4[::1]", parallel=False)
def list_members(rows, face_count, bands, starts, members):
    """Lists the faces of each band in members; see `enter_members`."""
    enter_members(rows, face_count, bands, starts, members)


@cpu_driver("i8, i8, f4[:,:,::1], i4[:,::1], i8[::1], i4[::1], i8, i4[:,:,::1], f4[:,:,:,::1], f4[:,:,::1]", parallel=False)
def fill_views(first, last, positions, faces, starts, members, shares, owner, weights, depth):
    """Does shares first, …, last − 1 of filling owner (views, h, w), weights (views, h, w, 3) and depth (views, h, w).

    Bands are dealt like cards, so that each share has as many of the rows that show something.
    """
    tasks = owner.shape[0] * ((owner.shape[1] + BAND_ROWS - 1) // BAND_ROWS)
    for share in range(first, last):
        for task in range(share, tasks, shares):
            fill_band(task, positions, faces, starts, members, owner, weights, depth)

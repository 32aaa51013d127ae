"""Bodies for vertex normals: each face adds its area-weighted normal to its corners, then each vertex brings its sum to length one."""

import math

import numpy as np

from headcast.render.kernels.accumulate import accumulate

ZERO, ONE = np.float32(0), np.float32(1)


def scatter_face_normal(vertices, a, b, c, sums):
    """Adds a face's normal, twice its area long, to its corners."""
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    for k in range(3):
        vertex = a if k == 0 else (b if k == 1 else c)
        accumulate(sums, vertex, 0, x)
        accumulate(sums, vertex, 1, y)
        accumulate(sums, vertex, 2, z)


def over_length(sums, vertex):
    """One over the length of a sum of normals; zero for the vertices of no face."""
    squared = sums[vertex, 0] * sums[vertex, 0] + sums[vertex, 1] * sums[vertex, 1] + sums[vertex, 2] * sums[vertex, 2]
    return ONE / np.float32(math.sqrt(squared)) if squared > ZERO else ZERO


def unit_normal(sums, vertex, normals):
    """Sets a vertex's normal."""
    over = over_length(sums, vertex)
    for k in range(3):
        normals[vertex, k] = sums[vertex, k] * over


def unit_gradient(sums, vertex, gradient):
    """Replaces the gradient of a unit normal by that of the sum it was made from."""
    over = over_length(sums, vertex)
    along = ZERO
    for k in range(3):
        along += sums[vertex, k] * gradient[vertex, k]
    for k in range(3):
        gradient[vertex, k] = (gradient[vertex, k] - along * over * over * sums[vertex, k]) * over


def scatter_corner_gradient(vertices, a, b, c, grad_sums, gradient):
    """Adds what the gradients of the sums at a face's corners say about the corners' positions.

    For a normal n = u × v with u = b − a, v = c − a and gradient g: that of u is v × g, that of v is g × u.
    """
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    gx = grad_sums[a, 0] + grad_sums[b, 0] + grad_sums[c, 0]
    gy = grad_sums[a, 1] + grad_sums[b, 1] + grad_sums[c, 1]
    gz = grad_sums[a, 2] + grad_sums[b, 2] + grad_sums[c, 2]
    bx, by, bz = vy * gz - vz * gy, vz * gx - vx * gz, vx * gy - vy * gx
    cx, cy, cz = gy * uz - gz * uy, gz * ux - gx * uz, gx * uy - gy * ux
    accumulate(gradient, b, 0, bx)
    accumulate(gradient, b, 1, by)
    accumulate(gradient, b, 2, bz)
    accumulate(gradient, c, 0, cx)
    accumulate(gradient, c, 1, cy)
    accumulate(gradient, c, 2, cz)
    accumulate(gradient, a, 0, -bx - cx)
    accumulate(gradient, a, 1, -by - cy)
    accumulate(gradient, a, 2, -bz - cz)

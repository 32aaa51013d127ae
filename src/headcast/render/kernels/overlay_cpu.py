"""The driver on the CPU for a shaded mesh over a photograph."""

import numpy as np
from numba import prange

from headcast.render.kernels.overlay import draw_pixel
from headcast.render.kernels.targets import cpu_driver


def draw_line(line, normals, colors, faces, face, weights, blends, axis, opacity, picture, out):
    row = np.int64(line)
    for column in range(face.shape[1]):
        draw_pixel(normals, colors, faces, face, weights, blends, axis, opacity, picture, row, column, out)


@cpu_driver()
def draw_surface(normals, colors, faces, face, weights, blends, axis, opacity, picture, out):
    """Sets out (h, w, 3), bytes."""
    for row in prange(face.shape[0]):
        draw_line(row, normals, colors, faces, face, weights, blends, axis, opacity, picture, out)

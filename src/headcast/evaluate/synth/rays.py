"""One pass over an image that shades several rays per pixel and keeps their mean: what drawing a clip spends its time on."""

import numpy as np
from numba import prange

from headcast.render.kernels.surface import interpolate, shade
from headcast.render.kernels.targets import cpu_driver
from headcast.render.kernels.texture import sample


@cpu_driver
def mean_of_rays(normals, uv, faces, uv_faces, face, weights, texels, levels, light, least, factor, color, alpha, seen):
    """Sets color (h, w, 3), linear and multiplied with coverage, and alpha (h, w); marks in seen (faces,) the faces that any ray meets.

    Args:
        face, weights: what each ray meets, (h · factor, w · factor) and (…, 3).
        texels, levels: a texture of one level.
        least: light below which no surface falls.
        factor: rays per pixel along each axis.
    """
    height, width = alpha.shape
    share = np.float32(1.0 / (factor * factor))
    for row in prange(height):
        normal, place = np.empty(3, np.float32), np.empty(2, np.float32)
        light_here, albedo = np.empty(3, np.float32), np.empty(3, np.float32)
        for column in range(width):
            red, green, blue, covered = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for ray_row in range(row * factor, row * factor + factor):
                for ray_column in range(column * factor, column * factor + factor):
                    f = face[ray_row, ray_column]
                    if f >= 0:
                        seen[f] = True
                        w = weights[ray_row, ray_column]
                        interpolate(normals, faces[f, 0], faces[f, 1], faces[f, 2], w, True, normal)
                        shade(normal, light, light_here)
                        interpolate(uv, uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2], w, False, place)
                        sample(texels, levels, place[0], place[1], 0.0, albedo)
                        red += albedo[0] * max(light_here[0], least)
                        green += albedo[1] * max(light_here[1], least)
                        blue += albedo[2] * max(light_here[2], least)
                        covered += np.float32(1.0)
            color[row, column, 0] = red * share
            color[row, column, 1] = green * share
            color[row, column, 2] = blue * share
            alpha[row, column] = covered * share

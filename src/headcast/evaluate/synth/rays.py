"""One pass over an image that shades several rays per pixel and keeps their mean: what drawing a clip spends its time on.

It computes what `render.interpolate`, `render.shade` and `render.sample_texture` compute, without keeping an image of each step; a test holds
it to them.
"""

import math

import numpy as np
from numba import prange

from headcast.compiled import compiled


@compiled(parallel=True)
def mean_of_rays(normals, uv, faces, uv_faces, face, weights, texture, light, least, factor, color, alpha, seen):
    """Sets color (h, w, 3), linear and multiplied with coverage, and alpha (h, w); marks in seen (faces,) the faces that any ray meets.

    Args:
        face, weights: what each ray meets, (h · factor, w · factor) and (…, 3).
        texture: (side, side, 3), looked up with linear interpolation.
        light: (9, 3), see `render.sh_basis`.
        least: light below which no surface falls.
        factor: rays per pixel along each axis.
    """
    height, width = alpha.shape
    for row in prange(height):
        for column in range(width):
            covered = 0
            total = np.zeros(3, np.float32)
            for ray_row in range(row * factor, row * factor + factor):
                for ray_column in range(column * factor, column * factor + factor):
                    f = face[ray_row, ray_column]
                    if f >= 0:
                        seen[f] = True
                        covered += 1
                        w = weights[ray_row, ray_column]
                        _add_ray(normals, uv, faces[f], uv_faces[f], w, texture, light, least, total)
            for k in range(3):
                color[row, column, k] = total[k] / (factor * factor)
            alpha[row, column] = covered / (factor * factor)


@compiled()
def _add_ray(normals, uv, corners, uv_corners, w, texture, light, least, total):
    """Adds the colour of one ray to total (3,)."""
    a, b, c = corners[0], corners[1], corners[2]
    x = w[0] * normals[a, 0] + w[1] * normals[b, 0] + w[2] * normals[c, 0]
    y = w[0] * normals[a, 1] + w[1] * normals[b, 1] + w[2] * normals[c, 1]
    z = w[0] * normals[a, 2] + w[1] * normals[b, 2] + w[2] * normals[c, 2]
    over_length = 1 / max(math.sqrt(x * x + y * y + z * z), 1e-12)
    x, y, z = x * over_length, y * over_length, z * over_length
    a, b, c = uv_corners[0], uv_corners[1], uv_corners[2]
    u = w[0] * uv[a, 0] + w[1] * uv[b, 0] + w[2] * uv[c, 0]
    v = w[0] * uv[a, 1] + w[1] * uv[b, 1] + w[2] * uv[c, 1]
    side_y, side_x = texture.shape[0], texture.shape[1]
    across = min(max(u * side_x - 0.5, 0.0), side_x - 1.0)
    down = min(max((1 - v) * side_y - 0.5, 0.0), side_y - 1.0)
    left, top = min(int(across), side_x - 2), min(int(down), side_y - 2)
    across, down = across - left, down - top
    for k in range(3):
        lit = light[0, k] + light[1, k] * y + light[2, k] * z + light[3, k] * x + light[4, k] * x * y + light[5, k] * y * z
        lit += light[6, k] * (3 * z * z - 1) + light[7, k] * x * z + light[8, k] * (x * x - y * y)
        upper = texture[top, left, k] * (1 - across) + texture[top, left + 1, k] * across
        lower = texture[top + 1, left, k] * (1 - across) + texture[top + 1, left + 1, k] * across
        total[k] += max(lit, least) * (upper * (1 - down) + lower * down)

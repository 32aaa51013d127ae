"""Drawing clouds and 3D Gaussians: splats from the nearest to the farthest, each hiding what lies behind it."""

import numpy as np

from headcast.compiled import compiled

_SOLID = 0.999
"""Opacity from which on nothing behind shows."""


@compiled("f4[:,::1], f4[:,::1], f4[::1], f4[:,::1], f4[::1], f4[:,:,::1], f4[:,::1], f4[:,::1]")
def draw_splats(centers, spreads, opacities, colors, depths, picture, depth, light_left):
    """Adds splats, given in order of depth, to a picture, and the depth at which half of the light is stopped (0 where it never is).

    `spreads` holds the inverse of each splat's covariance in the picture (xx, xy, yy), pixels⁻²; a splat ends at two standard deviations.
    `light_left` starts as ones: the share of light that comes from behind.
    """
    height, width = depth.shape
    for k in range(len(centers)):
        a, b, c = spreads[k]
        det = a * c - b * b
        if not det > 0:
            continue
        reach_x, reach_y = 2 * np.sqrt(c / det), 2 * np.sqrt(a / det)
        x, y = centers[k, 0], centers[k, 1]
        left, right = max(int(x - reach_x), 0), min(int(x + reach_x) + 1, width)
        top, bottom = max(int(y - reach_y), 0), min(int(y + reach_y) + 1, height)
        for row in range(top, bottom):
            for column in range(left, right):
                if light_left[row, column] < 1 - _SOLID:
                    continue
                dx, dy = column + np.float32(0.5) - x, row + np.float32(0.5) - y
                square = a * dx * dx + 2 * b * dx * dy + c * dy * dy
                if square > 4:
                    continue
                alpha = opacities[k] * np.exp(np.float32(-0.5) * square) if opacities[k] < 1 else np.float32(1)
                before = light_left[row, column]
                light_left[row, column] = before * (1 - alpha)
                for channel in range(3):
                    picture[row, column, channel] += before * alpha * colors[k, channel]
                if before > 0.5 and light_left[row, column] <= 0.5:
                    depth[row, column] = depths[k]

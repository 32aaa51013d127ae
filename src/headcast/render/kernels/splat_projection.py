"""Bodies for one splat on its way into the picture: its ellipse there, and back from the ellipse's gradient to its own.

A splat is a Gaussian: mean, rotation, and standard deviations along its own axes. A camera makes an ellipse of it by its first-order motion around
the mean (Zwicker et al. 2001, eq. 24–31; Kerbl et al. 2023, eq. 5 and 6). A view is one row of numbers: the rotation into the camera, row by row, the
translation, focal lengths, principal point, and between what u = x / z and v = y / z the motion may be taken (`VIEW_SIZE` in all). Sums run in
double precision, so that long splats near the camera keep their thin side.
"""

import math

import numpy as np

from headcast.render.kernels.extremes import larger, smaller
from headcast.render.kernels.splat_blend import LEAST_ALPHA, reach_of

VIEW_SIZE = 20
LEAST_SHARE = 1e-6
"""Least share of a splat's alpha that is left to it when it is made larger than a pixel, squared."""
NOTHING = np.float32(-1)


def turned(view, row, x, y, z):
    """One coordinate of a world direction in the camera, in double precision."""
    return np.float64(view[3 * row]) * x + np.float64(view[3 * row + 1]) * y + np.float64(view[3 * row + 2]) * z


def axis_in_camera(rotations, scales, view, splat, axis):
    """One axis of a splat, as long as its standard deviation, in the camera."""
    x, y, z = rotations[splat, 0, axis], rotations[splat, 1, axis], rotations[splat, 2, axis]
    scale = scales[splat, axis]
    return turned(view, 0, x, y, z) * scale, turned(view, 1, x, y, z) * scale, turned(view, 2, x, y, z) * scale


def point_in_camera(means, view, splat):
    """A splat's mean in the camera."""
    x, y, z = means[splat, 0], means[splat, 1], means[splat, 2]
    return turned(view, 0, x, y, z) + view[9], turned(view, 1, x, y, z) + view[10], turned(view, 2, x, y, z) + view[11]


def held_ray(view, x, y, z):
    """x / z and y / z, held near the picture: far beside it the first-order motion grows without bound."""
    return smaller(larger(x / z, view[16]), view[17]), smaller(larger(y / z, view[18]), view[19])


def covariance_in_picture(rotations, scales, view, splat, u, v, z):
    """The ellipse's covariance in px²: xx, xy, yy."""
    across, down = view[12] / z, view[13] / z
    xx, xy, yy = 0.0, 0.0, 0.0
    for axis in range(3):
        ax, ay, az = axis_in_camera(rotations, scales, view, splat, axis)
        px, py = across * (ax - u * az), down * (ay - v * az)
        xx += px * px
        xy += px * py
        yy += py * py
    return xx, xy, yy


def project_splat(means, rotations, scales, opacities, view, height, width, near, dilation, compensate, splat, shapes, extents, depth):
    """Sets a splat's shape (x, y, half the inverse covariance as xx, 2·xy, yy, opacity), extent (reach, half width, half height) and depth.

    What cannot be seen gets a reach below zero: too near, too faint, outside the picture, or made of numbers that are not finite.
    """
    x, y, z = point_in_camera(means, view, splat)
    depth[splat] = z
    for k in range(6):
        shapes[splat, k] = 0.0
    extents[splat, 0] = NOTHING
    extents[splat, 1] = 0.0
    extents[splat, 2] = 0.0
    if z > near:
        u, v = held_ray(view, x, y, z)
        xx, xy, yy = covariance_in_picture(rotations, scales, view, splat, u, v, z)
        area = xx * yy - xy * xy
        xx, yy = xx + dilation, yy + dilation
        wider_area = xx * yy - xy * xy
        opacity = np.float64(opacities[splat])
        if compensate:
            opacity *= math.sqrt(larger(area / wider_area, LEAST_SHARE))
        if wider_area > 0.0 and wider_area < math.inf and opacity >= LEAST_ALPHA:
            reach = np.float64(reach_of(np.float32(opacity)))
            half_width, half_height = math.sqrt(2.0 * reach * xx), math.sqrt(2.0 * reach * yy)
            px, py = view[12] * x / z + view[14], view[13] * y / z + view[15]
            if px + half_width > 0.0 and px - half_width < width and py + half_height > 0.0 and py - half_height < height:
                shapes[splat, 0] = px
                shapes[splat, 1] = py
                shapes[splat, 2] = 0.5 * yy / wider_area
                shapes[splat, 3] = -xy / wider_area
                shapes[splat, 4] = 0.5 * xx / wider_area
                shapes[splat, 5] = opacity
                extents[splat, 0] = reach
                extents[splat, 1] = half_width
                extents[splat, 2] = half_height


def project_splat_gradient(
    means, rotations, scales, opacities, view, dilation, compensate, splat, extents, grad_shapes, grad_depth, grad_means, grad_rotations,
    grad_scales, grad_opacities,
):  # fmt: skip
    """Sets the gradients of a splat's mean, rotation, scales and opacity; those of one that was not drawn are zero but for its depth's."""
    x, y, z = point_in_camera(means, view, splat)
    along_x, along_y, along_z = 0.0, 0.0, np.float64(grad_depth[splat])
    along_opacity = 0.0
    drawn = extents[splat, 0] > 0.0
    for axis in range(3):
        grad_scales[splat, axis] = 0.0
        for k in range(3):
            grad_rotations[splat, k, axis] = 0.0
    if drawn:
        across, down = view[12] / z, view[13] / z
        u, v = held_ray(view, x, y, z)
        xx, xy, yy = covariance_in_picture(rotations, scales, view, splat, u, v, z)
        area = xx * yy - xy * xy
        wide_xx, wide_yy = xx + dilation, yy + dilation
        wider_area = wide_xx * wide_yy - xy * xy
        # To the covariance through its inverse: −K G K with K = inverse, G = gradient.
        kxx, kxy, kyy = wide_yy / wider_area, -xy / wider_area, wide_xx / wider_area
        gxx, gxy, gyy = 0.5 * grad_shapes[splat, 2], 0.5 * grad_shapes[splat, 3], 0.5 * grad_shapes[splat, 4]
        first_xx, first_xy = kxx * gxx + kxy * gxy, kxx * gxy + kxy * gyy
        first_yx, first_yy = kxy * gxx + kyy * gxy, kxy * gxy + kyy * gyy
        to_xx = -(first_xx * kxx + first_xy * kxy)
        to_xy = -(first_xx * kxy + first_xy * kyy)
        to_yy = -(first_yx * kxy + first_yy * kyy)
        along_opacity = np.float64(grad_shapes[splat, 5])
        if compensate:
            share = area / wider_area
            kept = math.sqrt(larger(share, LEAST_SHARE))
            if share > LEAST_SHARE:
                through = along_opacity * opacities[splat] * 0.5 * kept
                to_xx += through * (yy / area - kxx)
                to_xy += through * (-xy / area - kxy)
                to_yy += through * (xx / area - kyy)
            along_opacity *= kept
        along_u, along_v = 0.0, 0.0
        for axis in range(3):
            ax, ay, az = axis_in_camera(rotations, scales, view, splat, axis)
            px, py = across * (ax - u * az), down * (ay - v * az)
            to_px, to_py = 2.0 * (to_xx * px + to_xy * py), 2.0 * (to_xy * px + to_yy * py)
            along_z -= (to_px * px + to_py * py) / z
            to_px, to_py = to_px * across, to_py * down
            along_u -= to_px * az
            along_v -= to_py * az
            to_az = -(u * to_px + v * to_py)
            scale = scales[splat, axis]
            longer = 0.0
            for k in range(3):
                to_axis = view[k] * to_px + view[3 + k] * to_py + view[6 + k] * to_az
                longer += to_axis * rotations[splat, k, axis]
                grad_rotations[splat, k, axis] = to_axis * scale
            grad_scales[splat, axis] = longer
        if view[16] < x / z < view[17]:
            along_x += along_u / z
            along_z -= along_u * u / z
        if view[18] < y / z < view[19]:
            along_y += along_v / z
            along_z -= along_v * v / z
        along_x += grad_shapes[splat, 0] * across
        along_y += grad_shapes[splat, 1] * down
        along_z -= (grad_shapes[splat, 0] * across * x + grad_shapes[splat, 1] * down * y) / z
    grad_opacities[splat] = along_opacity
    for k in range(3):
        grad_means[splat, k] = view[k] * along_x + view[3 + k] * along_y + view[6 + k] * along_z

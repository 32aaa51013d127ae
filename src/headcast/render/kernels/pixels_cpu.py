"""The drivers on the CPU for what is done at every pixel: each runs lines of pixels on the threads.

A line takes its view's part of the arrays once; taking it at every pixel would count references there.

Gradients of shared things (vertices, light) are gathered in STRIPES interleaved sets of rows with an array of their own each, which
the caller adds up: threads never write to the same place, and the sums do not depend on how many threads there are.
"""

from numba import prange

from headcast.render.kernels.blend import ZERO, blend_gradient, blend_pixel, untouched
from headcast.render.kernels.edges import pair_blend, pair_blend_gradient
from headcast.render.kernels.surface import covered, interpolate, interpolate_gradient, resolve_gradient, shade, shade_gradient
from headcast.render.kernels.targets import cpu_driver
from headcast.render.kernels.texture import mip_level

STRIPES = 8


def resolve_stripe(task, positions, faces, face, grad_weights, grad_depth, parts):
    view, part = task // STRIPES, parts[task]
    points, seen, from_weights, from_depth = positions[view], face[view], grad_weights[view], grad_depth[view]
    for row in range(task % STRIPES, face.shape[1], STRIPES):
        first, last = covered(seen, row)
        for column in range(first, last):
            resolve_gradient(points, faces, seen, row, column, from_weights, from_depth, part)


@cpu_driver()
def rasterize_gradient(positions, faces, face, grad_weights, grad_depth, parts):
    """Adds the gradient of positions to parts (views · stripes, vertices, 3)."""
    for task in prange(parts.shape[0]):
        resolve_stripe(task, positions, faces, face, grad_weights, grad_depth, parts)


def interpolate_line(line, attributes, faces, face, weights, unit, out):
    view, row = line // face.shape[1], line % face.shape[1]
    values, seen, shares, image = attributes[view], face[view], weights[view], out[view]
    first, last = covered(seen, row)
    for column in range(first, last):
        interpolate(values, faces, seen, shares, row, column, unit, image)


@cpu_driver()
def interpolate_views(attributes, faces, face, weights, unit, out):
    """Sets out (views, h, w, channels), zeros on entry, where there is a face."""
    for line in prange(face.shape[0] * face.shape[1]):
        interpolate_line(line, attributes, faces, face, weights, unit, out)


def interpolate_stripe(task, attributes, faces, face, weights, unit, grad_out, scatter, parts, grad_weights):
    view, part = task // STRIPES, parts[task]
    values, seen, shares, from_image, into = attributes[view], face[view], weights[view], grad_out[view], grad_weights[view]
    for row in range(task % STRIPES, face.shape[1], STRIPES):
        first, last = covered(seen, row)
        for column in range(first, last):
            interpolate_gradient(values, faces, seen, shares, row, column, unit, from_image, scatter, part, into)


@cpu_driver()
def interpolate_views_gradient(attributes, faces, face, weights, unit, grad_out, scatter, parts, grad_weights):
    """Sets the gradient of weights, zeros on entry, and with `scatter` adds that of attributes to parts (views · stripes, n, channels)."""
    for task in prange(parts.shape[0]):
        interpolate_stripe(task, attributes, faces, face, weights, unit, grad_out, scatter, parts, grad_weights)


def shade_stripe(task, normals, light, out):
    view, stripe, count = task // STRIPES, task % STRIPES, normals.shape[1]
    own_normals, own_light, own_out = normals[view], light[view], out[view]
    for point in range(stripe * count // STRIPES, (stripe + 1) * count // STRIPES):
        shade(own_normals, own_light, point, own_out)


@cpu_driver()
def shade_views(normals, light, out):
    """Sets out (views, n, 3) from normals (views, n, 3) and light (views, 9, 3)."""
    for task in prange(normals.shape[0] * STRIPES):
        shade_stripe(task, normals, light, out)


def shade_gradient_stripe(task, normals, light, grad_out, grad_normals, parts):
    view, stripe, count, part = task // STRIPES, task % STRIPES, normals.shape[1], parts[task]
    own_normals, own_light, from_out, into = normals[view], light[view], grad_out[view], grad_normals[view]
    for point in range(stripe * count // STRIPES, (stripe + 1) * count // STRIPES):
        shade_gradient(own_normals, own_light, point, from_out, into, part)


@cpu_driver()
def shade_views_gradient(normals, light, grad_out, grad_normals, parts):
    """Sets the gradient of normals and adds that of the light to parts (views · stripes, 9, 3)."""
    for task in prange(parts.shape[0]):
        shade_gradient_stripe(task, normals, light, grad_out, grad_normals, parts)


def mip_line(line, positions, faces, uv, uv_faces, face, weights, height, width, out):
    view, row = line // face.shape[1], line % face.shape[1]
    points, seen, shares, image = positions[view], face[view], weights[view], out[view]
    for column in range(face.shape[2]):
        mip_level(points, faces, uv, uv_faces, seen, shares, row, column, height, width, image)


@cpu_driver()
def mip_levels(positions, faces, uv, uv_faces, face, weights, height, width, out):
    """Sets out (views, h, w): the mip level of a texture of this height and width at each pixel."""
    for line in prange(face.shape[0] * face.shape[1]):
        mip_line(line, positions, faces, uv, uv_faces, face, weights, height, width, out)


def edge_line(line, positions, faces, neighbours, face, depth, near, blends):
    view, row = line // face.shape[1], line % face.shape[1]
    points, seen, distances, image = positions[view], face[view], depth[view], blends[view]
    for column in range(face.shape[2]):
        for axis in range(2):
            pair_blend(points, faces, neighbours, seen, distances, near, row, column, axis, image)


@cpu_driver()
def edge_blends(positions, faces, neighbours, face, depth, near, blends):
    """Sets blends (views, h, w, 2)."""
    for line in prange(face.shape[0] * face.shape[1]):
        edge_line(line, positions, faces, neighbours, face, depth, near, blends)


def edge_stripe(task, positions, faces, neighbours, face, depth, near, blends, grad_blends, parts):
    view, part = task // STRIPES, parts[task]
    points, seen, distances, shares, from_blends = positions[view], face[view], depth[view], blends[view], grad_blends[view]
    for row in range(task % STRIPES, face.shape[1], STRIPES):
        for column in range(face.shape[2]):
            for axis in range(2):
                if shares[row, column, axis] != ZERO:
                    pair_blend_gradient(points, faces, neighbours, seen, distances, near, row, column, axis, shares, from_blends, part)


@cpu_driver()
def edge_blends_gradient(positions, faces, neighbours, face, depth, near, blends, grad_blends, parts):
    """Adds the gradient of positions to parts (views · stripes, vertices, 3)."""
    for task in prange(parts.shape[0]):
        edge_stripe(task, positions, faces, neighbours, face, depth, near, blends, grad_blends, parts)


def blend_line(line, color, blends, out):
    view, row = line // color.shape[1], line % color.shape[1]
    source, shares, image = color[view], blends[view], out[view]
    for column in range(color.shape[2]):
        if not untouched(shares, row, column):
            blend_pixel(source, shares, row, column, image)


@cpu_driver()
def blend_edges(color, blends, out):
    """Mixes the colours across silhouettes in out (views, h, w, channels), on entry the colours."""
    for line in prange(color.shape[0] * color.shape[1]):
        blend_line(line, color, blends, out)


def blend_gradient_line(line, color, blends, grad_out, grad_color, grad_blends):
    view, row = line // color.shape[1], line % color.shape[1]
    source, shares, from_out, into_color, into_blends = color[view], blends[view], grad_out[view], grad_color[view], grad_blends[view]
    for column in range(color.shape[2]):
        if not untouched(shares, row, column):
            blend_gradient(source, shares, row, column, from_out, into_color, into_blends)


@cpu_driver()
def blend_edges_gradient(color, blends, grad_out, grad_color, grad_blends):
    """Sets the gradients of the colours, on entry that of the mixed ones, and of the shares, zeros on entry."""
    for line in prange(color.shape[0] * color.shape[1]):
        blend_gradient_line(line, color, blends, grad_out, grad_color, grad_blends)

"""The drivers on the CPU that do not need to know where in the image a pixel is, or that go by texels or by meshes."""

from numba import prange

from headcast.render.kernels.normals import ZERO, scatter_corner_gradient, scatter_face_normal, unit_gradient, unit_normal
from headcast.render.kernels.surface import color_gradient, color_pixel
from headcast.render.kernels.targets import cpu_driver
from headcast.render.kernels.texture import halve_texel, sample, sample_position_gradient, scatter_texel_gradient, spread_texel

BLOCK = 512


def covered_points(block, face):
    """First point of a block that has a face, and the one after the last; equal where none has."""
    first, last = block * BLOCK, min((block + 1) * BLOCK, face.shape[0])
    while first < last and face[first] < 0:
        first += 1
    while last > first and face[last - 1] < 0:
        last -= 1
    return first, last


def halve_row(row, texels, levels, level):
    for column in range(levels[level, 2]):
        halve_texel(texels, levels, level, row * levels[level, 2] + column)


@cpu_driver()
def build_pyramid(texels, levels):
    """Fills all levels after the first."""
    for level in range(1, levels.shape[0]):
        for row in prange(levels[level, 1]):
            halve_row(row, texels, levels, level)


def spread_row(row, grad_texels, levels, level):
    for column in range(levels[level, 2]):
        spread_texel(grad_texels, levels, level, row * levels[level, 2] + column)


@cpu_driver()
def build_pyramid_gradient(grad_texels, levels):
    """Adds the gradients of coarser levels to finer ones, down to the first."""
    for step in range(1, levels.shape[0]):
        for row in prange(levels[levels.shape[0] - step, 1]):
            spread_row(row, grad_texels, levels, levels.shape[0] - step)


def sample_block(block, texels, levels, uv, level, face, out):
    first, last = covered_points(block, face)
    for point in range(first, last):
        sample(texels, levels, uv, level, face, point, out)


@cpu_driver()
def sample_points(texels, levels, uv, level, face, out):
    """Sets out (points, channels), zeros on entry, at uv (points, 2) and level (points,) where face (points,) is not negative."""
    for block in prange((face.shape[0] + BLOCK - 1) // BLOCK):
        sample_block(block, texels, levels, uv, level, face, out)


def position_gradient_block(block, texels, levels, uv, level, face, grad_out, grad_uv):
    first, last = covered_points(block, face)
    for point in range(first, last):
        sample_position_gradient(texels, levels, uv, level, face, point, grad_out, grad_uv)


@cpu_driver()
def sample_points_gradient(texels, levels, uv, level, face, grad_out, grad_uv):
    """Sets the gradient of uv, zeros on entry."""
    for block in prange((face.shape[0] + BLOCK - 1) // BLOCK):
        position_gradient_block(block, texels, levels, uv, level, face, grad_out, grad_uv)


@cpu_driver(parallel=False)
def scatter_texels(levels, uv, level, face, grad_out, grad_texels):
    """Adds the gradients of the texels, in the points' order: neighbouring points share texels, so one thread does it."""
    for point in range(face.shape[0]):
        scatter_texel_gradient(levels, uv, level, face, point, grad_out, grad_texels)


def color_block(block, albedo, shading, face, background, srgb, out):
    for pixel in range(block * BLOCK, min((block + 1) * BLOCK, face.shape[0])):
        color_pixel(albedo, shading, face, background, pixel, srgb, out)


@cpu_driver()
def color_pixels(albedo, shading, face, background, srgb, out):
    """Sets out (pixels, channels + 1); the background's pixels repeat."""
    for block in prange((face.shape[0] + BLOCK - 1) // BLOCK):
        color_block(block, albedo, shading, face, background, srgb, out)


def color_gradient_block(block, albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading):
    first, last = covered_points(block, face)
    for pixel in range(first, last):
        color_gradient(albedo, shading, face, color, pixel, srgb, grad_out, grad_albedo, grad_shading)


@cpu_driver()
def color_pixels_gradient(albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading):
    """Sets the gradients of albedo and shading, zeros on entry; color is what `color_pixels` gave."""
    for block in prange((face.shape[0] + BLOCK - 1) // BLOCK):
        color_gradient_block(block, albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading)


def mesh_normals(view, vertices, faces, sums, normals):
    own_vertices, own_sums, own_normals = vertices[view], sums[view], normals[view]
    own_sums[:] = ZERO
    for f in range(faces.shape[0]):
        scatter_face_normal(own_vertices, faces[f, 0], faces[f, 1], faces[f, 2], own_sums)
    for vertex in range(vertices.shape[1]):
        unit_normal(own_sums, vertex, own_normals)


@cpu_driver()
def vertex_normals(vertices, faces, sums, normals):
    """Sets sums (views, n, 3), the area-weighted sums of face normals, and normals, the same at length one."""
    for view in prange(vertices.shape[0]):
        mesh_normals(view, vertices, faces, sums, normals)


def mesh_normals_gradient(view, vertices, faces, sums, grad_sums, gradient):
    own_vertices, own_sums, from_sums, own_gradient = vertices[view], sums[view], grad_sums[view], gradient[view]
    own_gradient[:] = ZERO
    for vertex in range(vertices.shape[1]):
        unit_gradient(own_sums, vertex, from_sums)
    for f in range(faces.shape[0]):
        scatter_corner_gradient(own_vertices, faces[f, 0], faces[f, 1], faces[f, 2], from_sums, own_gradient)


@cpu_driver()
def vertex_normals_gradient(vertices, faces, sums, grad_sums, gradient):
    """Turns grad_sums, on entry the gradient of the normals, into that of the sums, and sets the gradient of vertices."""
    for view in prange(vertices.shape[0]):
        mesh_normals_gradient(view, vertices, faces, sums, grad_sums, gradient)

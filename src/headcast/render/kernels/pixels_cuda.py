"""The kernels on the GPU for images of a mesh: one thread per pixel, vertex or face."""

from numba import cuda

from headcast.render.kernels.blend import blend_gradient, blend_pixel
from headcast.render.kernels.cuda_targets import cuda_kernel
from headcast.render.kernels.edges import pair_blend, pair_blend_gradient
from headcast.render.kernels.normals import scatter_corner_gradient, scatter_face_normal, unit_gradient, unit_normal
from headcast.render.kernels.surface import ZERO, interpolate, interpolate_gradient
from headcast.render.kernels.texture import mip_level


@cuda_kernel
def clear(values):
    place = cuda.grid(1)
    if place < values.shape[0]:
        values[place] = ZERO


@cuda_kernel
def interpolate_pixels(attributes, faces, face, weights, unit, out):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        interpolate(attributes[view], faces, face[view], weights[view], row, column, unit, out[view])


@cuda_kernel
def interpolate_gradients(attributes, faces, face, weights, unit, grad_out, scatter, grad_attributes, grad_weights):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        into, from_out = grad_attributes[view], grad_out[view]
        interpolate_gradient(attributes[view], faces, face[view], weights[view], row, column, unit, from_out, scatter, into, grad_weights[view])


@cuda_kernel
def mip_pixels(positions, faces, uv, uv_faces, face, weights, texture_height, texture_width, out):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        mip_level(positions[view], faces, uv, uv_faces, face[view], weights[view], row, column, texture_height, texture_width, out[view])


@cuda_kernel
def pair_blends(positions, faces, neighbours, face, depth, near, blends):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        for axis in range(2):
            pair_blend(positions[view], faces, neighbours, face[view], depth[view], near, row, column, axis, blends[view])


@cuda_kernel
def pair_blend_gradients(positions, faces, neighbours, face, depth, near, blends, grad_blends, gradient):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        for axis in range(2):
            points, seen, into = positions[view], face[view], gradient[view]
            pair_blend_gradient(points, faces, neighbours, seen, depth[view], near, row, column, axis, blends[view], grad_blends[view], into)


@cuda_kernel
def blend_pixels(color, blends, out):
    pixel = cuda.grid(1)
    views, height, width = color.shape[0], color.shape[1], color.shape[2]
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        blend_pixel(color[view], blends[view], row, column, out[view])


@cuda_kernel
def blend_gradients(color, blends, grad_out, grad_color, grad_blends):
    pixel = cuda.grid(1)
    views, height, width = color.shape[0], color.shape[1], color.shape[2]
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        blend_gradient(color[view], blends[view], row, column, grad_out[view], grad_color[view], grad_blends[view])


@cuda_kernel
def face_normals(vertices, faces, sums):
    entry = cuda.grid(1)
    if entry < vertices.shape[0] * faces.shape[0]:
        view, f = entry // faces.shape[0], entry % faces.shape[0]
        scatter_face_normal(vertices[view], faces[f, 0], faces[f, 1], faces[f, 2], sums[view])


@cuda_kernel
def unit_normals(sums, normals):
    entry = cuda.grid(1)
    if entry < sums.shape[0] * sums.shape[1]:
        unit_normal(sums[entry // sums.shape[1]], entry % sums.shape[1], normals[entry // sums.shape[1]])


@cuda_kernel
def unit_gradients(sums, grad_sums):
    entry = cuda.grid(1)
    if entry < sums.shape[0] * sums.shape[1]:
        unit_gradient(sums[entry // sums.shape[1]], entry % sums.shape[1], grad_sums[entry // sums.shape[1]])


@cuda_kernel
def corner_gradients(vertices, faces, grad_sums, gradient):
    entry = cuda.grid(1)
    if entry < vertices.shape[0] * faces.shape[0]:
        view, f = entry // faces.shape[0], entry % faces.shape[0]
        scatter_corner_gradient(vertices[view], faces[f, 0], faces[f, 1], faces[f, 2], grad_sums[view], gradient[view])

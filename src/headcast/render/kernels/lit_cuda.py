"""The kernels on the GPU for textured, lit pixels: one thread per pixel."""

from numba import cuda

from headcast.render.kernels.cuda_targets import cuda_kernel
from headcast.render.kernels.lit import light_pixel, light_pixel_gradient, light_pixel_texels


@cuda_kernel
def light_pixels(faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, srgb, out):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        behind = background[view % background.shape[0]]
        light_pixel(
            faces, uv, uv_faces, texels, levels, face[view], weights[view], level[view], normals[view], light[view], behind, row, column, srgb,
            out[view],
        )  # fmt: skip


@cuda_kernel
def light_gradients(
    faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, grad_normals, grad_light,
    grad_albedo,
):  # fmt: skip
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        light_pixel_gradient(
            faces, uv, uv_faces, texels, levels, face[view], weights[view], level[view], normals[view], light[view], row, column, srgb,
            color[view], grad_out[view], grad_weights[view], grad_normals[view], grad_light[view], grad_albedo[view],
        )  # fmt: skip


@cuda_kernel
def texel_gradients(uv, uv_faces, levels, face, weights, level, grad_albedo, grad_texels):
    pixel = cuda.grid(1)
    views, height, width = face.shape
    if pixel < views * height * width:
        view, row, column = pixel // (height * width), pixel // width % height, pixel % width
        light_pixel_texels(uv, uv_faces, levels, face[view], weights[view], level[view], row, column, grad_albedo[view], grad_texels)

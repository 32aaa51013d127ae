"""The kernels on the GPU that do not need to know where in the image a pixel is: one thread per pixel or texel."""

from numba import cuda

from headcast.render.kernels.cuda_targets import cuda_kernel
from headcast.render.kernels.surface import color_gradient, color_pixel, shade, shade_gradient
from headcast.render.kernels.texture import halve_texel, sample, sample_position_gradient, scatter_texel_gradient, spread_texel


@cuda_kernel
def shade_points(normals, light, out):
    point = cuda.grid(1)
    count = normals.shape[1]
    if point < normals.shape[0] * count:
        view = point // count
        shade(normals[view], light[view], point % count, out[view])


@cuda_kernel
def shade_gradients(normals, light, grad_out, grad_normals, grad_light):
    point = cuda.grid(1)
    count = normals.shape[1]
    if point < normals.shape[0] * count:
        view = point // count
        shade_gradient(normals[view], light[view], point % count, grad_out[view], grad_normals[view], grad_light[view])


@cuda_kernel
def color_points(albedo, shading, face, background, srgb, out):
    pixel = cuda.grid(1)
    if pixel < face.shape[0]:
        color_pixel(albedo, shading, face, background, pixel, srgb, out)


@cuda_kernel
def color_gradients(albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading):
    pixel = cuda.grid(1)
    if pixel < face.shape[0]:
        color_gradient(albedo, shading, face, color, pixel, srgb, grad_out, grad_albedo, grad_shading)


@cuda_kernel
def halve_level(texels, levels, level):
    texel = cuda.grid(1)
    if texel < levels[level, 1] * levels[level, 2]:
        halve_texel(texels, levels, level, texel)


@cuda_kernel
def spread_level(grad_texels, levels, level):
    texel = cuda.grid(1)
    if texel < levels[level, 1] * levels[level, 2]:
        spread_texel(grad_texels, levels, level, texel)


@cuda_kernel
def sample_each(texels, levels, uv, level, face, out):
    point = cuda.grid(1)
    if point < face.shape[0]:
        sample(texels, levels, uv, level, face, point, out)


@cuda_kernel
def position_gradients(texels, levels, uv, level, face, grad_out, grad_uv):
    point = cuda.grid(1)
    if point < face.shape[0]:
        sample_position_gradient(texels, levels, uv, level, face, point, grad_out, grad_uv)


@cuda_kernel
def texel_gradients(levels, uv, level, face, grad_out, grad_texels):
    point = cuda.grid(1)
    if point < face.shape[0]:
        scatter_texel_gradient(levels, uv, level, face, point, grad_out, grad_texels)

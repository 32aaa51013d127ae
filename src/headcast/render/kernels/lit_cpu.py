"""The drivers on the CPU for textured, lit pixels; stripes as in `pixels_cpu`."""

from numba import prange

from headcast.render.kernels.lit import light_pixel, light_pixel_gradient, light_pixel_texels
from headcast.render.kernels.pixels_cpu import STRIPES
from headcast.render.kernels.surface import covered
from headcast.render.kernels.targets import cpu_driver


def light_line(line, faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, srgb, out):
    view, row = line // face.shape[1], line % face.shape[1]
    seen, shares, finest = face[view], weights[view], level[view]
    own_normals, own_light, behind, image = normals[view], light[view], background[view % background.shape[0]], out[view]
    for column in range(face.shape[2]):
        light_pixel(
            faces, uv, uv_faces, texels, levels, seen, shares, finest, own_normals, own_light, behind, row, column, srgb, image
        )  # fmt: skip


@cpu_driver()
def light_views(faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, srgb, out):
    """Sets out (views, h, w, 4)."""
    for line in prange(face.shape[0] * face.shape[1]):
        light_line(line, faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, srgb, out)


def gradient_stripe(
    task, faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, normal_parts,
    light_parts, grad_albedo,
):  # fmt: skip
    view = task // STRIPES
    seen, shares, finest, own_normals, own_light = face[view], weights[view], level[view], normals[view], light[view]
    image, from_out, into_weights, into_albedo = color[view], grad_out[view], grad_weights[view], grad_albedo[view]
    into_normals, into_light = normal_parts[task], light_parts[task]
    for row in range(task % STRIPES, face.shape[1], STRIPES):
        first, last = covered(seen, row)
        for column in range(first, last):
            light_pixel_gradient(
                faces, uv, uv_faces, texels, levels, seen, shares, finest, own_normals, own_light, row, column, srgb, image, from_out,
                into_weights, into_normals, into_light, into_albedo,
            )  # fmt: skip


@cpu_driver()
def light_views_gradient(
    faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, normal_parts, light_parts,
    grad_albedo,
):  # fmt: skip
    """Sets the gradients of weights (zeros on entry) and albedo where there is a face; adds those of normals and light to the parts."""
    for task in prange(normal_parts.shape[0]):
        gradient_stripe(
            task, faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, normal_parts,
            light_parts, grad_albedo,
        )  # fmt: skip


def scatter_rows(part, parts, uv, uv_faces, levels, face, weights, level, grad_albedo, grad_texels):
    for view in range(face.shape[0]):
        seen, shares, finest, from_albedo = face[view], weights[view], level[view], grad_albedo[view]
        for row in range(part * face.shape[1] // parts, (part + 1) * face.shape[1] // parts):
            first, last = covered(seen, row)
            for column in range(first, last):
                light_pixel_texels(uv, uv_faces, levels, seen, shares, finest, row, column, from_albedo, grad_texels)


@cpu_driver()
def scatter_lit_texels(uv, uv_faces, levels, face, weights, level, grad_albedo, parts):
    """Adds to parts (2, texels, 3) what the upper and the lower half of all pictures say of the texels."""
    for part in prange(parts.shape[0]):
        scatter_rows(part, parts.shape[0], uv, uv_faces, levels, face, weights, level, grad_albedo, parts[part])

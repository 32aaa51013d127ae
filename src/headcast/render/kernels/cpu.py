"""Every operation on the CPU, under the names and with the arguments that `cuda` has too: NumPy arrays in, NumPy arrays filled."""

import numpy as np

from headcast.render.kernels import lit_cpu, meshes_cpu, pixels_cpu, splats_cpu
from headcast.render.kernels.lit_cpu import light_views
from headcast.render.kernels.meshes_cpu import build_pyramid, build_pyramid_gradient, color_pixels, vertex_normals, vertex_normals_gradient
from headcast.render.kernels.pixels_cpu import STRIPES, edge_blends, mip_levels, shade_views
from headcast.render.kernels.raster_cpu import BAND_ROWS, fill_views, list_members, sort_faces
from headcast.threads import in_parts, meanwhile

SPLAT_GRAIN = 2000
"""Splats for which waking another thread is worth while."""

__all__ = [
    "blend_edges",
    "blend_edges_gradient",
    "blend_splats",
    "blend_splats_gradient",
    "build_pyramid",
    "build_pyramid_gradient",
    "color_pixels",
    "color_pixels_gradient",
    "color_splats",
    "color_splats_gradient",
    "count_splats",
    "edge_blends",
    "edge_blends_gradient",
    "interpolate_views",
    "interpolate_views_gradient",
    "light_texels_gradient",
    "light_views",
    "light_views_gradient",
    "list_splats",
    "mip_levels",
    "project_splats",
    "project_splats_gradient",
    "rasterize",
    "rasterize_gradient",
    "sample_points",
    "sample_points_gradient",
    "shade_views",
    "shade_views_gradient",
    "vertex_normals",
    "vertex_normals_gradient",
]


def rasterize(positions, faces, near, cull, face, weights, depth):
    """Fills face (views, h, w), weights (views, h, w, 3) and depth (views, h, w) from positions (views, vertices, 3)."""
    views, height, width = face.shape
    rows = np.empty((views * len(faces), 2), np.int32)
    bands = -(-height // BAND_ROWS)
    starts = np.zeros(views * bands + 2, np.int64)
    sort_faces(positions, faces, height, width, near, cull, rows, starts)
    members = np.empty(starts[-1], np.int32)
    list_members(rows, len(faces), bands, starts, members)
    in_parts(fill_views, bands, positions, faces, starts, members, bands, face, weights, depth)


def _parts(gradient):
    return np.zeros((len(gradient) * STRIPES, *gradient.shape[1:]), gradient.dtype)


def _add_up(parts, gradient):
    np.add.reduce(parts.reshape(len(gradient), STRIPES, *gradient.shape[1:]), axis=1, out=gradient)


def rasterize_gradient(positions, faces, face, grad_weights, grad_depth, gradient):
    """Sets the gradient (views, vertices, 3) of positions from those of weights and depth."""
    parts = _parts(gradient)
    pixels_cpu.rasterize_gradient(positions, faces, face, grad_weights, grad_depth, parts)
    _add_up(parts, gradient)


def interpolate_views(attributes, faces, face, weights, unit, out):
    """Sets out (views, h, w, channels)."""
    out.fill(0)
    pixels_cpu.interpolate_views(attributes, faces, face, weights, unit, out)


def interpolate_views_gradient(attributes, faces, face, weights, unit, grad_out, scatter, grad_attributes, grad_weights):
    """Sets the gradient of weights (views, h, w, 3) and, with `scatter`, of attributes (views, n, channels)."""
    parts = _parts(grad_attributes if scatter else grad_attributes[:, :0])
    grad_weights.fill(0)
    pixels_cpu.interpolate_views_gradient(attributes, faces, face, weights, unit, grad_out, scatter, parts, grad_weights)
    if scatter:
        _add_up(parts, grad_attributes)


def shade_views_gradient(normals, light, grad_out, grad_normals, grad_light):
    """Sets the gradients of normals (views, n, 3) and light (views, 9, 3)."""
    parts = _parts(grad_light)
    pixels_cpu.shade_views_gradient(normals, light, grad_out, grad_normals, parts)
    _add_up(parts, grad_light)


def edge_blends_gradient(positions, faces, neighbours, face, depth, near, blends, grad_blends, gradient):
    """Sets the gradient (views, vertices, 3) of positions."""
    parts = _parts(gradient)
    pixels_cpu.edge_blends_gradient(positions, faces, neighbours, face, depth, near, blends, grad_blends, parts)
    _add_up(parts, gradient)


def blend_edges(color, blends, out):
    """Sets out (views, h, w, channels) to the colours mixed across silhouettes."""
    np.copyto(out, color)
    pixels_cpu.blend_edges(color, blends, out)


def blend_edges_gradient(color, blends, grad_out, grad_color, grad_blends):
    """Sets the gradients of the colours and of the shares."""
    np.copyto(grad_color, grad_out)
    grad_blends.fill(0)
    pixels_cpu.blend_edges_gradient(color, blends, grad_out, grad_color, grad_blends)


def color_pixels_gradient(albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading):
    """Sets the gradients of albedo and shading; color is what `color_pixels` gave."""
    grad_albedo.fill(0)
    grad_shading.fill(0)
    meshes_cpu.color_pixels_gradient(albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading)


def sample_points(texels, levels, uv, level, face, out):
    """Sets out (points, channels) at uv (points, 2) and level (points,); zeros where face (points,) is negative."""
    out.fill(0)
    meshes_cpu.sample_points(texels, levels, uv, level, face, out)


def sample_points_gradient(texels, levels, uv, level, face, grad_out, into_uv, into_texels, grad_texels, grad_uv):
    """Sets the gradient of uv and adds to that of the texels, where asked for, both at once."""
    scattering = meanwhile(meshes_cpu.scatter_texels, levels, uv, level, face, grad_out, grad_texels) if into_texels else None
    if into_uv:
        grad_uv.fill(0)
        meshes_cpu.sample_points_gradient(texels, levels, uv, level, face, grad_out, grad_uv)
    if scattering is not None:
        scattering.result()


def light_views_gradient(
    faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, grad_normals, grad_light,
    grad_albedo,
):  # fmt: skip
    """Sets the gradients of weights, normals and light, and that of the albedo at each pixel (views, h, w, 3); color is what `light_views` gave."""
    normal_parts, light_parts = _parts(grad_normals), _parts(grad_light)
    grad_weights.fill(0)
    grad_albedo.fill(0)
    lit_cpu.light_views_gradient(
        faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, normal_parts, light_parts,
        grad_albedo,
    )  # fmt: skip
    _add_up(normal_parts, grad_normals)
    _add_up(light_parts, grad_light)


def light_texels_gradient(uv, uv_faces, levels, face, weights, level, grad_albedo, grad_texels):
    """Sets the gradient of the texels (texels, 3) from that of the albedo at each pixel."""
    parts = np.zeros((2, *grad_texels.shape), grad_texels.dtype)
    lit_cpu.scatter_lit_texels(uv, uv_faces, levels, face, weights, level, grad_albedo, parts)
    np.add(parts[0], parts[1], out=grad_texels)


def project_splats(means, rotations, scales, opacities, view, height, width, near, dilation, compensate, shapes, extents, depth):
    """Sets shapes (splats, 6), extents (splats, 3) and depth (splats,); see `splat_projection`."""
    in_parts(
        splats_cpu.project, len(means), means, rotations, scales, opacities, view, height, width, near, dilation, compensate, shapes, extents, depth,
        grain=SPLAT_GRAIN,
    )  # fmt: skip


def project_splats_gradient(
    means, rotations, scales, opacities, view, dilation, compensate, extents, grad_shapes, grad_depth, grad_means, grad_rotations, grad_scales,
    grad_opacities,
):  # fmt: skip
    """Sets the gradients of means, rotations, scales and opacities."""
    in_parts(
        splats_cpu.project_gradient, len(means), means, rotations, scales, opacities, view, dilation, compensate, extents, grad_shapes, grad_depth,
        grad_means, grad_rotations, grad_scales, grad_opacities, grain=SPLAT_GRAIN,
    )  # fmt: skip


def color_splats(means, eye, coefficients, out):
    """Sets out (splats, 3) as seen from the point `eye`."""
    in_parts(splats_cpu.color, len(means), means, eye, coefficients, out, grain=SPLAT_GRAIN)


def color_splats_gradient(means, eye, coefficients, color, grad_color, grad_means, grad_coefficients):
    """Sets the gradients of means and coefficients; color is what `color_splats` gave."""
    in_parts(
        splats_cpu.color_gradient, len(means), means, eye, coefficients, color, grad_color, grad_means, grad_coefficients, grain=SPLAT_GRAIN
    )  # fmt: skip


def count_splats(shapes, extents, rows, columns, counts):
    """Sets counts (rows · columns,): how many splats enter each tile."""
    counts.fill(0)
    splats_cpu.count_members(shapes, extents, rows, columns, counts)


def list_splats(order, shapes, extents, rows, columns, starts, members):
    """Lists the splats of each tile in the given order, at starts[tile] to starts[tile + 1]."""
    splats_cpu.list_members(order, shapes, extents, rows, columns, starts[:-1].copy(), members)


def blend_splats(shapes, extents, features, starts, members, out, light):
    """Sets out (h, w, 4), the blended features, and light (h, w), what the splats let through."""
    in_parts(splats_cpu.blend_tiles, len(starts) - 1, shapes, extents, features, starts, members, out, light)


def blend_splats_gradient(
    shapes, extents, features, starts, members, out, light, grad_out, grad_light, grad_shapes, grad_features
):  # fmt: skip
    """Sets the gradients of shapes and features; out and light are what `blend_splats` gave."""
    sums = np.empty((len(members), splats_cpu.SUMS), np.float32)
    in_parts(
        splats_cpu.differentiate_tiles, len(starts) - 1, shapes, extents, features, starts, members, out, light, grad_out, grad_light, sums
    )  # fmt: skip
    in_parts(splats_cpu.add_up, len(shapes), shapes, members, sums, grad_shapes, grad_features, grain=SPLAT_GRAIN)

"""Every operation on an NVIDIA GPU, under the names and with the arguments that `cpu` has too: CUDA arrays in, CUDA arrays filled.

Sums over pixels are atomic, so their last digits may differ from run to run.
"""

from headcast.render.kernels import lit_cuda, pixels_cuda, points_cuda, raster_cuda, splats_cuda
from headcast.render.kernels.splat_tiles import TILE


def _zero(array) -> None:
    pixels_cuda.clear(array.size, array.reshape(-1))


def rasterize(positions, faces, near, cull, face, weights, depth):
    """Fills face (views, h, w), weights (views, h, w, 3) and depth (views, h, w) from positions (views, vertices, 3)."""
    none = faces.shape[0]
    entries = positions.shape[0] * none
    raster_cuda.clear_views(face.size, face, depth, none)
    for find_owner in (False, True):
        raster_cuda.fill_views(entries, positions, faces, near, cull, find_owner, face, depth)
    raster_cuda.resolve_views(face.size, positions, faces, none, face, weights, depth)


def rasterize_gradient(positions, faces, face, grad_weights, grad_depth, gradient):
    """Sets the gradient (views, vertices, 3) of positions from those of weights and depth."""
    _zero(gradient)
    raster_cuda.resolve_gradients(face.size, positions, faces, face, grad_weights, grad_depth, gradient)


def interpolate_views(attributes, faces, face, weights, unit, out):
    """Sets out (views, h, w, channels); zeros where there is no face."""
    pixels_cuda.interpolate_pixels(face.size, attributes, faces, face, weights, unit, out)


def interpolate_views_gradient(attributes, faces, face, weights, unit, grad_out, scatter, grad_attributes, grad_weights):
    """Sets the gradient of weights (views, h, w, 3) and, with `scatter`, of attributes (views, n, channels)."""
    if scatter:
        _zero(grad_attributes)
    pixels_cuda.interpolate_gradients(face.size, attributes, faces, face, weights, unit, grad_out, scatter, grad_attributes, grad_weights)


def mip_levels(positions, faces, uv, uv_faces, face, weights, height, width, out):
    """Sets out (views, h, w): the mip level of a texture of this height and width at each pixel."""
    pixels_cuda.mip_pixels(face.size, positions, faces, uv, uv_faces, face, weights, height, width, out)


def edge_blends(positions, faces, neighbours, face, depth, near, blends):
    """Sets blends (views, h, w, 2)."""
    pixels_cuda.pair_blends(face.size, positions, faces, neighbours, face, depth, near, blends)


def edge_blends_gradient(positions, faces, neighbours, face, depth, near, blends, grad_blends, gradient):
    """Sets the gradient (views, vertices, 3) of positions."""
    _zero(gradient)
    pixels_cuda.pair_blend_gradients(face.size, positions, faces, neighbours, face, depth, near, blends, grad_blends, gradient)


def blend_edges(color, blends, out):
    """Sets out (views, h, w, channels) to the colours mixed across silhouettes."""
    pixels_cuda.blend_pixels(blends.size // 2, color, blends, out)


def blend_edges_gradient(color, blends, grad_out, grad_color, grad_blends):
    """Sets the gradients of the colours and of the shares."""
    pixels_cuda.blend_gradients(blends.size // 2, color, blends, grad_out, grad_color, grad_blends)


def vertex_normals(vertices, faces, sums, normals):
    """Sets sums (views, n, 3), the area-weighted sums of face normals, and normals, the same at length one."""
    _zero(sums)
    pixels_cuda.face_normals(vertices.shape[0] * faces.shape[0], vertices, faces, sums)
    pixels_cuda.unit_normals(sums.size // 3, sums, normals)


def vertex_normals_gradient(vertices, faces, sums, grad_sums, gradient):
    """Turns grad_sums, on entry the gradient of the normals, into that of the sums, and sets the gradient of vertices."""
    _zero(gradient)
    pixels_cuda.unit_gradients(sums.size // 3, sums, grad_sums)
    pixels_cuda.corner_gradients(vertices.shape[0] * faces.shape[0], vertices, faces, grad_sums, gradient)


def shade_views(normals, light, out):
    """Sets out (views, n, 3) from normals (views, n, 3) and light (views, 9, 3)."""
    points_cuda.shade_points(normals.size // 3, normals, light, out)


def shade_views_gradient(normals, light, grad_out, grad_normals, grad_light):
    """Sets the gradients of normals and light."""
    _zero(grad_light)
    points_cuda.shade_gradients(normals.size // 3, normals, light, grad_out, grad_normals, grad_light)


def color_pixels(albedo, shading, face, background, srgb, out):
    """Sets out (pixels, channels + 1); the background's pixels repeat."""
    points_cuda.color_points(face.size, albedo, shading, face, background, srgb, out)


def color_pixels_gradient(albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading):
    """Sets the gradients of albedo and shading; color is what `color_pixels` gave."""
    points_cuda.color_gradients(face.size, albedo, shading, face, color, srgb, grad_out, grad_albedo, grad_shading)


def build_pyramid(texels, levels):
    """Fills all levels after the first, each less than half as many texels as all before it."""
    for level in range(1, levels.shape[0]):
        points_cuda.halve_level(texels.shape[0] // 2 + 1, texels, levels, level)


def build_pyramid_gradient(grad_texels, levels):
    """Adds the gradients of coarser levels to finer ones, down to the first."""
    for level in range(levels.shape[0] - 1, 0, -1):
        points_cuda.spread_level(grad_texels.shape[0] // 2 + 1, grad_texels, levels, level)


def sample_points(texels, levels, uv, level, face, out):
    """Sets out (points, channels) at uv (points, 2) and level (points,); zeros where face (points,) is negative."""
    points_cuda.sample_each(face.size, texels, levels, uv, level, face, out)


def sample_points_gradient(texels, levels, uv, level, face, grad_out, into_uv, into_texels, grad_texels, grad_uv):
    """Sets the gradient of uv and adds to that of the texels, where asked for."""
    if into_uv:
        points_cuda.position_gradients(face.size, texels, levels, uv, level, face, grad_out, grad_uv)
    if into_texels:
        points_cuda.texel_gradients(face.size, levels, uv, level, face, grad_out, grad_texels)


def light_views(faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, srgb, out):
    """Sets out (views, h, w, 4)."""
    lit_cuda.light_pixels(face.size, faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, background, srgb, out)


def light_views_gradient(
    faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, grad_normals, grad_light,
    grad_albedo,
):  # fmt: skip
    """Sets the gradients of weights, normals and light, and that of the albedo at each pixel (views, h, w, 3); color is what `light_views` gave."""
    for gradient in (grad_weights, grad_normals, grad_light, grad_albedo):
        _zero(gradient)
    lit_cuda.light_gradients(
        face.size, faces, uv, uv_faces, texels, levels, face, weights, level, normals, light, srgb, color, grad_out, grad_weights, grad_normals,
        grad_light, grad_albedo,
    )  # fmt: skip


def light_texels_gradient(uv, uv_faces, levels, face, weights, level, grad_albedo, grad_texels):
    """Sets the gradient of the texels (texels, 3) from that of the albedo at each pixel."""
    _zero(grad_texels)
    lit_cuda.texel_gradients(face.size, uv, uv_faces, levels, face, weights, level, grad_albedo, grad_texels)


def project_splats(means, rotations, scales, opacities, view, height, width, near, dilation, compensate, shapes, extents, depth):
    """Sets shapes (splats, 6), extents (splats, 3) and depth (splats,); see `splat_projection`."""
    splats_cuda.project(
        means.shape[0], means, rotations, scales, opacities, view, height, width, near, dilation, compensate, shapes, extents, depth
    )  # fmt: skip


def project_splats_gradient(
    means, rotations, scales, opacities, view, dilation, compensate, extents, grad_shapes, grad_depth, grad_means, grad_rotations, grad_scales,
    grad_opacities,
):  # fmt: skip
    """Sets the gradients of means, rotations, scales and opacities."""
    splats_cuda.project_gradient(
        means.shape[0], means, rotations, scales, opacities, view, dilation, compensate, extents, grad_shapes, grad_depth, grad_means,
        grad_rotations, grad_scales, grad_opacities,
    )  # fmt: skip


def color_splats(means, eye, coefficients, out):
    """Sets out (splats, 3) as seen from the point `eye`."""
    splats_cuda.color(means.shape[0], means, eye, coefficients, out)


def color_splats_gradient(means, eye, coefficients, color, grad_color, grad_means, grad_coefficients):
    """Sets the gradients of means and coefficients; color is what `color_splats` gave."""
    splats_cuda.color_gradient(means.shape[0], means, eye, coefficients, color, grad_color, grad_means, grad_coefficients)


def count_splats(shapes, extents, rows, columns, counts):
    """Sets counts (rows · columns,): how many splats enter each tile."""
    splats_cuda.count_members(rows * columns, shapes, extents, rows, columns, counts)


def list_splats(order, shapes, extents, rows, columns, starts, members):
    """Lists the splats of each tile in the given order, at starts[tile] to starts[tile + 1]."""
    splats_cuda.list_members(rows * columns, order, shapes, extents, rows, columns, starts, members)


def blend_splats(shapes, extents, features, starts, members, out, light):
    """Sets out (h, w, 4), the blended features, and light (h, w), what the splats let through."""
    splats_cuda.blend_pixels((len(starts) - 1) * TILE * TILE, shapes, extents, features, starts, members, out, light)


def blend_splats_gradient(
    shapes, extents, features, starts, members, out, light, grad_out, grad_light, grad_shapes, grad_features
):  # fmt: skip
    """Sets the gradients of shapes and features; out and light are what `blend_splats` gave."""
    _zero(grad_shapes)
    _zero(grad_features)
    splats_cuda.blend_gradients(
        (len(starts) - 1) * TILE * TILE, shapes, extents, features, starts, members, out, light, grad_out, grad_light, grad_shapes, grad_features
    )  # fmt: skip

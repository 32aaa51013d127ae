"""Rasterising, shading and drawing meshes, with gradients where they are asked for."""

from headcast.render.antialias import antialias, edge_blends, face_neighbours
from headcast.render.arrays import NEAR_M, Coverage, new_coverage, rasterize_arrays
from headcast.render.draw import draw_mesh
from headcast.render.head import render_head, surface_color
from headcast.render.interpolation import interpolate, label_image, smooth_normals, vertex_normals
from headcast.render.light import ambient_light, linear_from_srgb, sh_basis, shade, srgb_from_linear
from headcast.render.lit import lit_texture
from headcast.render.rendering import Rendering, image_positions, rasterize, rasterize_positions
from headcast.render.splats import SplatImage, Splats, splat, view_colors
from headcast.render.texture import mip_level, sample_texture

__all__ = [
    "NEAR_M",
    "Coverage",
    "Rendering",
    "SplatImage",
    "Splats",
    "ambient_light",
    "antialias",
    "draw_mesh",
    "edge_blends",
    "face_neighbours",
    "image_positions",
    "interpolate",
    "label_image",
    "linear_from_srgb",
    "lit_texture",
    "mip_level",
    "new_coverage",
    "rasterize",
    "rasterize_arrays",
    "rasterize_positions",
    "render_head",
    "sample_texture",
    "sh_basis",
    "shade",
    "smooth_normals",
    "splat",
    "srgb_from_linear",
    "surface_color",
    "vertex_normals",
    "view_colors",
]

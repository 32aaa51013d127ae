"""Pictures of a textured, lit mesh before a background, with gradients to everything that shows."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.geometry import Camera, Mesh
from headcast.render.antialias import antialias, face_neighbours
from headcast.render.interpolation import interpolate, smooth_normals
from headcast.render.kernels.machines import arrays, machine_of
from headcast.render.light import ambient_light, shade
from headcast.render.lit import lit_texture
from headcast.render.rendering import Rendering, rasterize
from headcast.render.texture import mip_level, sample_texture


def render_head(
    mesh: Mesh,
    camera: Camera,
    albedo: Float[Tensor, "*albedo_shape 3"],
    light: Float[Tensor, "*light_batch 9 3"] | None = None,
    uv: Float[Tensor, "uvs 2"] | None = None,
    uv_faces: Int[Tensor, "faces 3"] | None = None,
    background: Float[Tensor, "*background_shape 3"] | None = None,
    neighbours: Int[Tensor, "faces 3"] | None = None,
    samples: int = 1,
    cull: bool = True,
) -> Rendering:
    """A picture of a head per view: colour (sRGB), alpha, depth, normal, face and barycentric.

    Gradients go to vertices, albedo and light; through the outlines, which are always antialiased, also where the mesh ends.

    Args:
        mesh: in world space; its batch axes and the camera's are broadcast.
        albedo: linear. With `uv` a texture (height, width, 3), with row 0 the top of the picture; without, a colour per vertex.
        light: as for `shade`, one for all views or one per view; light that shades everything exactly one by default.
        uv: texture positions, (0, 0) the lower left corner of the picture, with `uv_faces` the three of each face.
        background: sRGB, (3,) or (height, width, 3) or one picture per view; black by default. It has no gradient.
        neighbours: `face_neighbours(mesh.faces)`; give it when the same mesh is rendered often.
        samples: each pixel is the mean of samples × samples; 1 is for fitting, 2 or more for looking at.
        cull: leave out faces that show their inside.
    """
    neighbours = face_neighbours(mesh.faces) if neighbours is None else neighbours
    light = ambient_light(mesh.vertices) if light is None else light
    background = albedo.new_zeros(3) if background is None else background
    height, width = camera.size
    seen = rasterize(mesh, camera, cull)
    if samples == 1:
        color, normal = _picture(mesh, seen, albedo, light, uv, uv_faces, _spread(background, camera.size, 1), neighbours)
    else:
        fine = rasterize(mesh, camera.resized((height * samples, width * samples)), cull)
        color, _ = _picture(mesh, fine, albedo, light, uv, uv_faces, _spread(background, camera.size, samples), neighbours)
        color = color.reshape(*color.shape[:-3], height, samples, width, samples, 4).mean((-4, -2))
        normal = smooth_normals(mesh, seen)
    colors, alpha = color.split((3, 1), -1)
    return replace(seen, color=colors, alpha=alpha.squeeze(-1), normal=normal)


def _picture(mesh, seen, albedo, light, uv, uv_faces, background, neighbours):
    normal = smooth_normals(mesh, seen)
    if uv is None:
        color = surface_color(interpolate(albedo, seen), shade(normal, light), seen, background)
    elif albedo.ndim == 3:
        level = mip_level(seen, uv, uv_faces, albedo.shape[:2])
        color = lit_texture(mesh, seen, albedo, light, uv, uv_faces, background, level)
    else:
        level = mip_level(seen, uv, uv_faces, albedo.shape[-3:-1])
        surface = sample_texture(albedo, interpolate(uv, seen, uv_faces), level, seen.face)
        color = surface_color(surface, shade(normal, light), seen, background)
    return antialias(color, seen, neighbours), normal


def _spread(background: Tensor, size: tuple[int, int], samples: int) -> Tensor:
    if background.ndim == 1:
        return background.expand(size[0] * samples, size[1] * samples, 3)
    return background if samples == 1 else background.repeat_interleave(samples, -3).repeat_interleave(samples, -2)


def surface_color(
    albedo: Float[Tensor, "*batch height width channels"],
    shading: Float[Tensor, "*batch height width channels"],
    rendering: Rendering,
    background: Float[Tensor, "*shared height width channels"],
    srgb: bool = True,
) -> Float[Tensor, "*batch height width channels_and_alpha"]:
    """Albedo times shading where the mesh is, the background elsewhere, and alpha (0 or 1) as the last channel.

    Args:
        background: one for all views, or one per view; taken as it is. It has no gradient.
        srgb: encode the lit surface as sRGB.
    """
    channels = albedo.shape[-1]
    backgrounds = background if background.ndim == 3 else background.expand(albedo.shape)
    color = _SurfaceColor.apply(
        albedo.reshape(-1, channels), shading.reshape(-1, channels), rendering.face.reshape(-1), backgrounds.reshape(-1, channels), srgb
    )
    return color.reshape(*albedo.shape[:-1], channels + 1)


class _SurfaceColor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, albedo, shading, face, background, srgb):
        color = albedo.new_empty(len(face), albedo.shape[-1] + 1)
        machine_of(albedo).color_pixels(*arrays(albedo, shading, face, background), srgb, *arrays(color))
        ctx.save_for_backward(albedo, shading, face, color)
        ctx.srgb = srgb
        return color

    @staticmethod
    def backward(ctx, grad_color):
        albedo, shading, face, color = ctx.saved_tensors
        grad_albedo = torch.empty_like(albedo, memory_format=torch.contiguous_format)
        grad_shading = torch.empty_like(shading, memory_format=torch.contiguous_format)
        machine_of(albedo).color_pixels_gradient(*arrays(albedo, shading, face, color), ctx.srgb, *arrays(grad_color, grad_albedo, grad_shading))
        return grad_albedo, grad_shading, None, None, None

"""A textured surface in light, in one pass over the pixels and with one pass for all gradients."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.geometry import Mesh
from headcast.render.interpolation import vertex_normals
from headcast.render.kernels.machines import arrays, machine_of
from headcast.render.rendering import Rendering
from headcast.render.texture import mip_pyramid


def lit_texture(
    mesh: Mesh,
    rendering: Rendering,
    texture: Float[Tensor, "texture_height texture_width 3"],
    light: Float[Tensor, "*shared 9 3"],
    uv: Float[Tensor, "uvs 2"],
    uv_faces: Int[Tensor, "faces 3"],
    background: Float[Tensor, "*backgrounds height width 3"],
    level: Float[Tensor, "*batch height width"] | None = None,
    srgb: bool = True,
) -> Float[Tensor, "*batch height width 4"]:
    """Colour and alpha (0 or 1) of every pixel: texture times the light on smooth normals, the background where the mesh is not.

    The same as `surface_color(sample_texture(texture, interpolate(uv, …), level), shade(smooth_normals(mesh, …), light), …)`, several times
    faster. Gradients go to vertices (through weights and normals), texture and light; none to level, uv and background.

    Args:
        mesh: what `rendering` shows.
        texture: linear; row 0 is the top of the picture.
        light: as for `shade`, one for all views or one per view.
        background: one for all views, or one per view; taken as it is.
        level: mip level; without it the full texture is used.
        srgb: encode the lit surface as sRGB.
    """
    face = rendering.face
    batch, size = face.shape[:-2], face.shape[-2:]
    normals = vertex_normals(mesh)
    normals = normals.expand(*batch, *normals.shape[-2:]).reshape(-1, *normals.shape[-2:])
    lights = light.expand(*batch, 9, 3).reshape(-1, 9, 3)
    backgrounds = (background if background.ndim == 3 else background.expand(*batch, *size, 3)).reshape(-1, *size, 3)
    levels = torch.tensor(mip_pyramid(*texture.shape[:2])[: None if level is not None else 1], dtype=torch.int32, device=texture.device)
    finest = rendering.depth.new_empty(len(lights), 0, 0) if level is None else level.reshape(-1, *size)
    color = _LitTexture.apply(
        texture, rendering.barycentric.reshape(-1, *size, 3), normals, lights, rendering.faces, uv, uv_faces, levels, face.reshape(-1, *size),
        finest, backgrounds, srgb,
    )  # fmt: skip
    return color.reshape(*batch, *size, 4)


class _LitTexture(torch.autograd.Function):
    @staticmethod
    def forward(ctx, texture, weights, normals, light, faces, uv, uv_faces, levels, face, level, background, srgb):
        machine = machine_of(texture)
        texels = texture.reshape(-1, 3)
        if len(levels) > 1:
            first, height, width = levels[-1].tolist()
            texels = torch.cat([texels, texels.new_empty(first + height * width - len(texels), 3)])
            machine.build_pyramid(*arrays(texels, levels))
        color = weights.new_empty(*face.shape, 4)
        seen = (faces, uv, uv_faces, texels, levels, face, weights, level, normals, light)
        machine.light_views(*arrays(*seen, background), srgb, *arrays(color))
        ctx.save_for_backward(*seen, color)
        ctx.srgb, ctx.size = srgb, texture.shape
        return color

    @staticmethod
    def backward(ctx, grad_color):
        *seen, color = ctx.saved_tensors
        _, uv, uv_faces, texels, levels, face, weights, level, normals, light = seen
        machine = machine_of(weights)
        into = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in (weights, normals, light, weights)]
        machine.light_views_gradient(*arrays(*seen), ctx.srgb, *arrays(color, grad_color, *into))
        grad_weights, grad_normals, grad_light, grad_albedo = into
        grad_texture = None
        if ctx.needs_input_grad[0]:
            grad_texels = torch.empty_like(texels)
            machine.light_texels_gradient(*arrays(uv, uv_faces, levels, face, weights, level, grad_albedo, grad_texels))
            if len(levels) > 1:
                machine.build_pyramid_gradient(*arrays(grad_texels, levels))
            grad_texture = grad_texels[: ctx.size[0] * ctx.size[1]].reshape(ctx.size)
        return grad_texture, grad_weights, grad_normals, grad_light, *(None,) * 8

"""Looking up textures with mip levels, with gradients to the texture and to where it is looked up."""

from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.render.kernels.machines import arrays, machine_of
from headcast.render.rendering import Rendering


def mip_level(
    rendering: Rendering, uv: Float[Tensor, "uvs 2"], uv_faces: Int[Tensor, "faces 3"], size: tuple[int, int]
) -> Float[Tensor, "*batch height width"]:
    """log2 of how many texels of a texture of `size` (height, width) one step to the next pixel passes. Has no gradients."""
    face = rendering.face
    batch, image = face.shape[:-2], face.shape[-2:]
    level = torch.empty_like(rendering.depth)
    positions = rendering.positions.reshape(-1, *rendering.positions.shape[-2:])
    machine_of(level).mip_levels(
        *arrays(positions, rendering.faces, uv, uv_faces, face.reshape(-1, *image), rendering.barycentric.reshape(-1, *image, 3)),
        *size,
        *arrays(level.view(-1, *image)),
    )
    return level.reshape(*batch, *image)


def sample_texture(
    texture: Float[Tensor, "*shared texture_height texture_width channels"],
    uv: Float[Tensor, "*batch height width 2"],
    level: Float[Tensor, "*batch height width"] | None = None,
    face: Int[Tensor, "*batch height width"] | None = None,
) -> Float[Tensor, "*batch height width channels"]:
    """Colours of a texture; gradients go to the texture and to uv, none to the level.

    Args:
        texture: row 0 is the top of the picture; one for all views, or one per view. Beyond its border the nearest texel counts.
        uv: (0, 0) is the lower left corner of the picture, (1, 1) the upper right one.
        level: mip level; between two levels, and between texels, the result is linear. Without it the full texture is used.
        face: of a `Rendering`; where it is negative the result is zero and nothing is looked up.
    """
    height, width, channels = texture.shape[-3:]
    pyramid = mip_pyramid(height, width) if level is not None else mip_pyramid(height, width)[:1]
    level = torch.zeros_like(uv[..., 0]) if level is None else level
    face = torch.zeros(uv.shape[:-1], dtype=torch.int32, device=uv.device) if face is None else face
    if texture.ndim > 3:
        textures = texture.expand(*uv.shape[:-3], height, width, channels).flatten(0, -4)
        views = zip(textures, uv.flatten(0, -4), level.flatten(0, -3), face.flatten(0, -3))
        return torch.stack([sample_texture(*view) for view in views]).reshape(*uv.shape[:-1], channels)
    levels = torch.tensor(pyramid, dtype=torch.int32, device=uv.device)
    colors = _Sample.apply(texture, uv.reshape(-1, 2), level.reshape(-1), face.reshape(-1), levels)
    return colors.reshape(*uv.shape[:-1], channels)


@lru_cache
def mip_pyramid(height: int, width: int) -> tuple[tuple[int, int, int], ...]:
    """First texel, height and width of every level down to one texel."""
    rows, first = [(0, height, width)], 0
    while max(rows[-1][1:]) > 1:
        first += rows[-1][1] * rows[-1][2]
        rows.append((first, max(rows[-1][1] // 2, 1), max(rows[-1][2] // 2, 1)))
    return tuple(rows)


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx, texture, uv, level, face, levels):
        machine = machine_of(uv)
        texels = texture.reshape(-1, texture.shape[-1])
        if len(levels) > 1:
            last_first, last_height, last_width = levels[-1].tolist()
            texels = torch.cat([texels, texels.new_empty(last_first + last_height * last_width - len(texels), texels.shape[-1])])
            machine.build_pyramid(*arrays(texels, levels))
        colors = uv.new_empty(len(uv), texture.shape[-1])
        machine.sample_points(*arrays(texels, levels, uv, level, face, colors))
        ctx.save_for_backward(texels, uv, level, face, levels)
        ctx.size = texture.shape
        return colors

    @staticmethod
    def backward(ctx, grad_colors):
        texels, uv, level, face, levels = ctx.saved_tensors
        machine = machine_of(uv)
        into_texels, into_uv = ctx.needs_input_grad[:2]
        grad_texels, grad_uv = torch.zeros_like(texels), torch.empty_like(uv, memory_format=torch.contiguous_format)
        machine.sample_points_gradient(*arrays(texels, levels, uv, level, face, grad_colors), into_uv, into_texels, *arrays(grad_texels, grad_uv))
        if len(levels) > 1 and into_texels:
            machine.build_pyramid_gradient(*arrays(grad_texels, levels))
        height, width, _ = ctx.size
        grad_texture = grad_texels[: height * width].reshape(ctx.size) if into_texels else None
        return grad_texture, grad_uv if into_uv else None, None, None, None

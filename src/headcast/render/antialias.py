"""Smooth silhouettes, and through them gradients that move outlines.

Which face a pixel's centre sees changes abruptly, so colours alone say nothing about where an outline should be. Blending the two
pixels on either side of it by where exactly it passes does (Laine et al. 2020, section 3.5; see `kernels/edges.py`).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.render.arrays import NEAR_M
from headcast.render.kernels.machines import arrays, machine_of
from headcast.render.rendering import Rendering


def face_neighbours(faces: Int[Tensor, "faces 3"]) -> Int[Tensor, "faces 3"]:
    """The face across the edge that begins at each corner; −1 where there is none. Of several, the first."""
    start, end = faces.long().flatten(), faces.long().roll(-1, 1).flatten()
    count = int(faces.max()) + 1 if len(faces) else 1
    forward, backward = start * count + end, end * count + start
    order = torch.argsort(forward, stable=True)
    ordered = forward[order]
    place = torch.searchsorted(ordered, backward).clamp_max(len(ordered) - 1)
    found = torch.where(ordered[place] == backward, order[place] // 3, torch.full_like(place, -1))
    return found.reshape(faces.shape).to(torch.int32)


def edge_blends(rendering: Rendering, neighbours: Int[Tensor, "faces 3"]) -> Float[Tensor, "*batch height width 2"]:
    """For each pixel and its right and its lower neighbour: how far past the middle between them an outline passes, −½ to ½ px.

    Zero where none passes. Gradients go to the vertices in the image.
    """
    face, positions = rendering.face, rendering.positions
    batch, size = face.shape[:-2], face.shape[-2:]
    depth = rendering.depth.detach().reshape(-1, *size)
    blends = _EdgeBlends.apply(positions.reshape(-1, *positions.shape[-2:]), rendering.faces, neighbours, face.reshape(-1, *size), depth)
    return blends.reshape(*batch, *size, 2)


def antialias(
    color: Float[Tensor, "*batch height width channels"], rendering: Rendering, neighbours: Int[Tensor, "faces 3"] | None = None
) -> Float[Tensor, "*batch height width channels"]:
    """The image with pixels along outlines mixed by the share of each side.

    Outlines are edges of the mesh where it ends or turns away; lines where two surfaces cross are left as they are.

    Args:
        color: everything that is to be mixed, the background included; gradients go to it and to the vertices.
        neighbours: `face_neighbours(rendering.faces)`, to be found once per mesh.
    """
    neighbours = face_neighbours(rendering.faces) if neighbours is None else neighbours
    blends = edge_blends(rendering, neighbours)
    flat = _BlendEdges.apply(color.reshape(-1, *color.shape[-3:]), blends.reshape(-1, *blends.shape[-3:]))
    return flat.reshape(color.shape)


class _EdgeBlends(torch.autograd.Function):
    @staticmethod
    def forward(ctx, positions, faces, neighbours, face, depth):
        blends = depth.new_empty(*face.shape, 2)
        machine_of(positions).edge_blends(*arrays(positions, faces, neighbours, face, depth), NEAR_M, *arrays(blends))
        ctx.save_for_backward(positions, faces, neighbours, face, depth, blends)
        return blends

    @staticmethod
    def backward(ctx, grad_blends):
        positions, faces, neighbours, face, depth, blends = ctx.saved_tensors
        gradient = torch.empty_like(positions, memory_format=torch.contiguous_format)
        machine_of(positions).edge_blends_gradient(*arrays(positions, faces, neighbours, face, depth), NEAR_M, *arrays(blends, grad_blends, gradient))
        return gradient, None, None, None, None


class _BlendEdges(torch.autograd.Function):
    @staticmethod
    def forward(ctx, color, blends):
        out = torch.empty_like(color, memory_format=torch.contiguous_format)
        machine_of(color).blend_edges(*arrays(color, blends, out))
        ctx.save_for_backward(color, blends)
        return out

    @staticmethod
    def backward(ctx, grad_out):
        color, blends = ctx.saved_tensors
        grad_color = torch.empty_like(color, memory_format=torch.contiguous_format)
        grad_blends = torch.empty_like(blends, memory_format=torch.contiguous_format)
        machine_of(color).blend_edges_gradient(*arrays(color, blends, grad_out, grad_color, grad_blends))
        return grad_color, grad_blends

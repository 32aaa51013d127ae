"""What a camera sees of a mesh, as images; and rasterising with gradients to the vertices."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.geometry import Camera, Mesh
from headcast.render.arrays import NEAR_M
from headcast.render.kernels.machines import arrays, machine_of


@dataclass(frozen=True)
class Rendering:
    """Images of one mesh, one per view. `rasterize` gives the first five; the rest is None until something computes it."""

    face: Int[Tensor, "*batch height width"]
    """The face that is seen at each pixel's centre; −1 where there is nothing."""
    barycentric: Float[Tensor, "*batch height width 3"]
    """Perspective-correct weights of the face's three corners; zeros where there is nothing."""
    depth: Float[Tensor, "*batch height width"]
    """Distance along the camera's axis in metres; 0 where there is nothing."""
    positions: Float[Tensor, "*batch vertices 3"]
    """Where the vertices are in the image: (x_px, y_px, depth_m)."""
    faces: Int[Tensor, "faces 3"]
    color: Float[Tensor, "*batch height width channels"] | None = None
    alpha: Float[Tensor, "*batch height width"] | None = None
    """Share of the pixel that the mesh covers, 0–1."""
    normal: Float[Tensor, "*batch height width 3"] | None = None
    """Unit vectors in world space; zeros where there is nothing."""


def image_positions(vertices: Float[Tensor, "*meshes vertices 3"], camera: Camera) -> Float[Tensor, "*batch vertices 3"]:
    """(x_px, y_px, depth_m) of world points, batch axes broadcast. For points behind or at the camera x and y have no meaning."""
    inside = camera.camera_from_world.points(vertices)
    depth = inside[..., 2:]
    divisor = torch.where(depth > NEAR_M, depth, torch.ones_like(depth))
    pixels = inside[..., :2] / divisor * camera.focal_px[..., None, :] + camera.center_px[..., None, :]
    return torch.cat([pixels, depth.expand(*pixels.shape[:-1], 1)], -1)


def rasterize(mesh: Mesh, camera: Camera, cull: bool = True) -> Rendering:
    """The nearest surface at every pixel centre of every view.

    Barycentrics and depth have gradients to the vertices; which face is seen has none (see `antialias`).

    Args:
        mesh: float32; its batch axes and the camera's are broadcast.
        cull: leave out faces that show their inside.
    """
    return rasterize_positions(image_positions(mesh.vertices, camera), mesh.faces, camera.size, cull)


def rasterize_positions(
    positions: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "faces 3"], size: tuple[int, int], cull: bool = True
) -> Rendering:
    """Like `rasterize`, of vertices already in the image as (x_px, y_px, depth_m); size is (height, width)."""
    batch = positions.shape[:-2]
    face, weights, depth = _Rasterize.apply(positions.reshape(-1, *positions.shape[-2:]), faces, size, cull)
    return Rendering(
        face=face.reshape(*batch, *size),
        barycentric=weights.reshape(*batch, *size, 3),
        depth=depth.reshape(*batch, *size),
        positions=positions,
        faces=faces,
    )


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, positions, faces, size, cull):
        shape = (len(positions), *size)
        face = torch.empty(shape, dtype=torch.int32, device=positions.device)
        weights = positions.new_empty(*shape, 3)
        depth = positions.new_empty(shape)
        machine_of(positions).rasterize(*arrays(positions, faces), NEAR_M, cull, *arrays(face, weights, depth))
        ctx.save_for_backward(positions, faces, face)
        ctx.mark_non_differentiable(face)
        return face, weights, depth

    @staticmethod
    def backward(ctx, _, grad_weights, grad_depth):
        positions, faces, face = ctx.saved_tensors
        gradient = torch.empty_like(positions, memory_format=torch.contiguous_format)
        machine_of(positions).rasterize_gradient(*arrays(positions, faces, face, grad_weights, grad_depth, gradient))
        return gradient, None, None, None

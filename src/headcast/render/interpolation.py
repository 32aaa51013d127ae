"""Attributes of a mesh as images: interpolated between the corners, normals, region labels."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.geometry import Mesh
from headcast.render.kernels.machines import arrays, machine_of
from headcast.render.rendering import Rendering


def interpolate(
    attributes: Float[Tensor, "*shared n channels"],
    rendering: Rendering,
    faces: Int[Tensor, "faces 3"] | None = None,
    unit: bool = False,
) -> Float[Tensor, "*batch height width channels"]:
    """Attributes at every pixel; zeros where there is nothing. Gradients go to the attributes and the barycentrics.

    Args:
        attributes: one set for all views, or one per view.
        faces: rows of `attributes` at each face's corners, for attributes with their own indices such as UVs; the mesh's faces by default.
        unit: bring the result to length one.
    """
    face, weights = rendering.face, rendering.barycentric
    batch, size = face.shape[:-2], face.shape[-2:]
    attributes = attributes.expand(*batch, *attributes.shape[-2:]).reshape(-1, *attributes.shape[-2:])
    faces = rendering.faces if faces is None else faces
    image = _Interpolate.apply(attributes, weights.reshape(-1, *size, 3), face.reshape(-1, *size), faces, unit)
    return image.reshape(*batch, *image.shape[1:])


def smooth_normals(mesh: Mesh, rendering: Rendering) -> Float[Tensor, "*batch height width 3"]:
    """Unit normals in world space, interpolated between the vertices'; zeros where there is nothing."""
    return interpolate(vertex_normals(mesh), rendering, unit=True)


def vertex_normals(mesh: Mesh) -> Float[Tensor, "*batch vertices 3"]:
    """Area-weighted unit normals, as `Mesh.normals` gives them, faster; zeros at vertices of no face."""
    vertices = mesh.vertices
    return _VertexNormals.apply(vertices.reshape(-1, *vertices.shape[-2:]), mesh.faces).reshape(vertices.shape)


def label_image(
    rendering: Rendering, faces: Int[Tensor, "faces"] | None = None, vertices: Int[Tensor, "vertices"] | None = None
) -> Int[Tensor, "*batch height width"]:
    """Region number at every pixel; −1 where there is nothing. Has no gradients.

    Args:
        faces: the number of each face, or
        vertices: the number of each vertex: a pixel takes that of the corner with the largest weight.
    """
    if (faces is None) == (vertices is None):
        raise ValueError("label_image takes the numbers of faces or of vertices: give exactly one of the two")
    covered = rendering.face >= 0
    face = rendering.face.clamp_min(0).long()
    if vertices is not None:
        corner = rendering.barycentric.argmax(-1)
        labels = vertices[rendering.faces[face].take_along_dim(corner[..., None], -1)[..., 0].long()]
    else:
        labels = faces[face]
    return torch.where(covered, labels, torch.full_like(labels, -1))


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, attributes, weights, face, faces, unit):
        image = weights.new_empty(*face.shape, attributes.shape[-1])
        machine_of(weights).interpolate_views(*arrays(attributes, faces, face, weights), unit, *arrays(image))
        ctx.save_for_backward(attributes, weights, face, faces)
        ctx.unit = unit
        return image

    @staticmethod
    def backward(ctx, grad_image):
        attributes, weights, face, faces = ctx.saved_tensors
        scatter = ctx.needs_input_grad[0]
        grad_attributes = torch.empty_like(attributes, memory_format=torch.contiguous_format)
        grad_weights = torch.empty_like(weights, memory_format=torch.contiguous_format)
        machine_of(weights).interpolate_views_gradient(
            *arrays(attributes, faces, face, weights), ctx.unit, *arrays(grad_image), scatter, *arrays(grad_attributes, grad_weights)
        )
        return grad_attributes if scatter else None, grad_weights, None, None, None


class _VertexNormals(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vertices, faces):
        normals = torch.empty_like(vertices, memory_format=torch.contiguous_format)
        sums = torch.empty_like(normals)
        machine_of(vertices).vertex_normals(*arrays(vertices, faces, sums, normals))
        ctx.save_for_backward(vertices, faces, sums)
        return normals

    @staticmethod
    def backward(ctx, grad_normals):
        vertices, faces, sums = ctx.saved_tensors
        grad_sums, gradient = grad_normals.clone(memory_format=torch.contiguous_format), torch.empty_like(sums)
        machine_of(vertices).vertex_normals_gradient(*arrays(vertices, faces, sums, grad_sums, gradient))
        return gradient, None

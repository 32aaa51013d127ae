"""A coordinate frame on every triangle of a mesh: what a splat rides on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_LEAST_M = 1e-4
"""Size that a triangle is taken to have at least; eyelids fold theirs up."""


@dataclass(frozen=True)
class TriangleFrames:
    """Where triangles are, how they are turned, how large they are."""

    origin: Float[Tensor, "triangles 3"]
    """Centroids, m."""
    rotation: Float[Tensor, "triangles 3 3"]
    """Columns: along the first edge, across it in the surface, out of the surface."""
    scale: Float[Tensor, "triangles"]
    """Side of the square of twice a triangle's area, m."""

    @classmethod
    def of(cls, vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "triangles 3"]) -> "TriangleFrames":
        a, b, c = (vertices[faces[:, k]] for k in range(3))
        edge, cross = b - a, torch.linalg.cross(b - a, c - a)
        along = edge / edge.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        doubled_area = cross.norm(dim=-1)
        out = cross / doubled_area[:, None].clamp_min(1e-12)
        rotation = torch.stack([along, torch.linalg.cross(out, along), out], -1)
        return cls((a + b + c) / 3, rotation, doubled_area.sqrt().clamp_min(_LEAST_M))

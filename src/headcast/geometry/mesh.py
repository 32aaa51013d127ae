"""Triangle meshes as tensors: counter-clockwise seen from outside, zero-based, metres."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Mesh:
    """A batch of meshes with common faces."""

    vertices: Float[Tensor, "*batch vertices 3"]
    faces: Int[Tensor, "faces 3"]

    def normals(self) -> Float[Tensor, "*batch vertices 3"]:
        """Area-weighted unit vertex normals."""
        return vertex_normals(self.vertices, self.faces)


def vertex_normals(vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "*batch vertices 3"]:
    """Unit normals at the vertices: the area-weighted mean of the faces around each."""
    a, b, c = (vertices[..., faces[:, k], :] for k in range(3))
    face_normals = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(-2, faces[:, k], face_normals)
    return total / total.norm(dim=-1, keepdim=True).clamp_min(1e-20)


def edges_of(faces: Int[Tensor, "faces 3"]) -> Int[Tensor, "edges 2"]:
    """Each undirected edge once, smaller vertex first."""
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return torch.unique(torch.sort(pairs, dim=1).values, dim=0)


def similarity_from_points(
    source: Float[Tensor, "n 3"], target: Float[Tensor, "n 3"], weights: Float[Tensor, "n"] | None = None
) -> tuple[float, Float[Tensor, "3 3"], Float[Tensor, "3"]]:
    """Scale, rotation and translation of the best `target ≈ scale · rotation @ source + translation` (Umeyama 1991)."""
    weights = torch.ones_like(source[:, 0]) if weights is None else weights
    weights = weights / weights.sum()
    mean_source, mean_target = weights @ source, weights @ target
    centred_source, centred_target = source - mean_source, target - mean_target
    covariance = (centred_target * weights[:, None]).T @ centred_source
    u, singular, vt = torch.linalg.svd(covariance)
    sign = torch.ones_like(singular)
    sign[2] = torch.sign(torch.det(u @ vt))
    rotation = u @ torch.diag(sign) @ vt
    scale = float((singular * sign).sum() / (weights @ (centred_source**2).sum(-1)))
    return scale, rotation, mean_target - scale * rotation @ mean_source

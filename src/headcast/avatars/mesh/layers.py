"""The two surfaces of a mesh avatar in a picture: the skin, and a fringe some millimetres above it, seen only where the skin is not."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from headcast.avatars.mesh.bust import Bust
from headcast.geometry import Camera, Mesh
from headcast.heads import HeadPose
from headcast.render import Rendering, face_neighbours, rasterize, vertex_normals

FRINGE_M = 0.012
"""How far the fringe lies above the skin: hair that stands out farther is cut."""
_INNER = ("eyeballs", "teeth", "tongue", "mouth_interior", "eye_sockets")
"""Parts without a fringe."""


@dataclass(frozen=True)
class Shape:
    """A person's bust, ready to be posed."""

    bust: Bust
    identity: Float[Tensor, "identity"]
    offsets: Float[Tensor, "all_vertices 3"]
    """Add to the head at rest (m, head space)."""

    @cached_property
    def inner(self) -> Bool[ndarray, "all_vertices"]:
        return np.logical_or.reduce([self.bust.region(name) for name in _INNER])

    @cached_property
    def faces(self) -> Int[Tensor, "all_faces 3"]:
        return self.bust.faces.int()

    @cached_property
    def uv_faces(self) -> Int[Tensor, "all_faces 3"]:
        return self.bust.uv_faces.int()

    @cached_property
    def _fringed(self) -> Bool[Tensor, "all_faces"]:
        return torch.from_numpy(~self.inner[self.bust.faces.numpy()].any(1))

    @cached_property
    def fringe_faces(self) -> Int[Tensor, "outer_faces 3"]:
        return self.faces[self._fringed].contiguous()

    @cached_property
    def fringe_uv_faces(self) -> Int[Tensor, "outer_faces 3"]:
        return self.uv_faces[self._fringed].contiguous()

    @cached_property
    def neighbours(self) -> Int[Tensor, "all_faces 3"]:
        return face_neighbours(self.faces)

    def layers(self, pose: HeadPose, camera: Camera) -> tuple[Rendering, Rendering]:
        """The skin, and the fringe; the fringe's faces are −1 where the skin is."""
        vertices = self.bust.posed(self.identity, self.offsets, pose)
        mesh = Mesh(vertices, self.faces)
        above = FRINGE_M * torch.from_numpy(~self.inner)[:, None] * vertex_normals(mesh)
        skin = rasterize(mesh, camera)
        fringe = rasterize(Mesh(vertices + above, self.fringe_faces), camera)
        fringe.face[skin.face >= 0] = -1
        return skin, fringe

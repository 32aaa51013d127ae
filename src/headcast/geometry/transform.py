"""Rigid transforms that name both ends: `a_from_b` takes points of b to a."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.geometry.rotations import matrix_from_axis_angle


@dataclass(frozen=True)
class Transform:
    """A batch of rigid transforms."""

    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]
    """In metres."""

    @classmethod
    def identity(cls, *batch: int, dtype: torch.dtype = torch.float32) -> "Transform":
        """Transforms that leave points where they are."""
        return cls(torch.eye(3, dtype=dtype).expand(*batch, 3, 3), torch.zeros(*batch, 3, dtype=dtype))

    @classmethod
    def from_axis_angle(cls, axis_angle: Float[Tensor, "*batch 3"], translation: Float[Tensor, "*batch 3"]) -> "Transform":
        """Transforms from axis-angle rotations (rad) and translations (m)."""
        return cls(matrix_from_axis_angle(axis_angle), translation)

    @classmethod
    def from_matrix(cls, matrix: Float[Tensor, "*batch 4 4"]) -> "Transform":
        """Transforms from homogeneous matrices."""
        return cls(matrix[..., :3, :3], matrix[..., :3, 3])

    def __matmul__(self, other: "Transform") -> "Transform":
        return Transform(
            self.rotation @ other.rotation,
            (self.rotation @ other.translation[..., None])[..., 0] + self.translation,
        )

    def inverse(self) -> "Transform":
        """`b_from_a` of an `a_from_b`."""
        back = self.rotation.transpose(-1, -2)
        return Transform(back, -(back @ self.translation[..., None])[..., 0])

    def points(self, points: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n 3"]:
        """Points of b, given in a."""
        return points @ self.rotation.transpose(-1, -2) + self.translation[..., None, :]

    def matrix(self) -> Float[Tensor, "*batch 4 4"]:
        """Homogeneous matrices."""
        top = torch.cat([self.rotation, self.translation[..., None]], -1)
        bottom = torch.tensor([0, 0, 0, 1], dtype=top.dtype, device=top.device).expand(*top.shape[:-2], 1, 4)
        return torch.cat([top, bottom], -2)

    def __getitem__(self, index) -> "Transform":
        return Transform(self.rotation[index], self.translation[index])

    def to(self, device: torch.device | str) -> "Transform":
        return Transform(self.rotation.to(device), self.translation.to(device))

"""Splats bound to triangles: their numbers, and the Gaussians that these make in a pose (after Qian et al. 2024, GaussianAvatars, section 3.2).

All numbers of a splat are one row, so that training, growing and files treat them alike.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.avatars.gaussian.columns import COLOR, OPACITY, POSITION, ROTATION, SCALE, column_count
from headcast.avatars.gaussian.ride import ridden
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.geometry import Transform
from headcast.heads import HeadPose
from headcast.render import Splats

_HARMONIC_ZERO = 0.28209479177387814
"""The constant harmonic: what turns a colour less one half into its first coefficient."""
_MOST_MOTION = 3.0
"""Standard deviations within which an expression beyond those of training is held."""


@dataclass(frozen=True)
class Motions:
    """Few numbers that say how a pose differs from the usual one: principal components of expressions and joints, with variance one."""

    center: Float[Tensor, "features"]
    directions: Float[Tensor, "features motions"]

    @classmethod
    def of(cls, poses: HeadPose, count: int) -> "Motions":
        """The strongest combinations in a batch of poses; fewer where the poses vary in fewer ways."""
        features = _features(poses)
        center = features.mean(0)
        _, singular, directions = torch.linalg.svd(features - center, full_matrices=False)
        deviations = singular / max(len(features), 1) ** 0.5
        kept = int((deviations[:count] > 1e-4).sum())
        return cls(center, directions[:kept].T / deviations[:kept])

    def of_pose(self, pose: HeadPose) -> Float[Tensor, "*batch motions"]:
        return ((_features(pose) - self.center) @ self.directions).clamp(-_MOST_MOTION, _MOST_MOTION)


def _features(pose: HeadPose) -> Float[Tensor, "*batch features"]:
    return torch.cat([pose.expression, pose.joint_rotations.flatten(-2)], -1)


@dataclass(frozen=True)
class BoundSplats:
    """Splats in the frames of triangles; lengths are in sizes of the triangle."""

    face: Int[Tensor, "splats"]
    values: Float[Tensor, "splats columns"]
    """See `columns`."""

    def __len__(self) -> int:
        return len(self.face)

    @classmethod
    def new(
        cls,
        face: Int[Tensor, "splats"],
        position: Float[Tensor, "splats 3"],
        scale: Float[Tensor, "splats 3"],
        opacity: float,
        color: Float[Tensor, "splats 3"],
        motions: int,
    ) -> "BoundSplats":
        """Splats along the axes of their triangles, which look the same from everywhere and in every expression."""
        values = position.new_zeros(len(face), column_count(motions))
        values[:, POSITION], values[:, ROTATION.start], values[:, SCALE] = position, 1.0, scale.log()
        values[:, OPACITY] = torch.logit(torch.tensor(opacity))
        values[:, COLOR.start : COLOR.start + 3] = (color - 0.5) / _HARMONIC_ZERO
        return cls(face, values)

    def chosen(self, rows: Tensor) -> "BoundSplats":
        return BoundSplats(self.face[rows], self.values[rows])

    def with_values(self, values: Float[Tensor, "splats columns"]) -> "BoundSplats":
        return replace(self, values=values)

    def posed(self, frames: TriangleFrames, motion: Float[Tensor, "motions"], head_from_world: Transform, eye: Float[Tensor, "3"]) -> Splats:
        """World-space Gaussians.

        Args:
            frames: of all triangles of the posed mesh.
            motion: what `Motions` says of the pose.
            eye: where the camera stands in the world.
        """
        return ridden(self.values, self.face, frames, motion, head_from_world, eye)

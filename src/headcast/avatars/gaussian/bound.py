"""Splats bound to triangles: their numbers, and the Gaussians that these make in a pose (after Qian et al. 2024, GaussianAvatars, section 3.2).

All numbers of a splat are one row, so that training, growing and files treat them alike.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.avatars.gaussian.columns import COLOR, HARMONICS, OPACITY, POSITION, ROTATION, SCALE, SHIFT_FROM, column_count
from headcast.avatars.gaussian.ride import ridden
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.geometry import Transform
from headcast.heads import HeadPose
from headcast.render import Splats

_HARMONIC_ZERO = 0.28209479177387814
"""The constant harmonic: what turns a colour less one half into its first coefficient."""
HEAD_FEATURES = 12
"""Entries of the head's rotation and translation."""
_HEAD_MOTIONS = 6
_METRES_PER_RADIAN = 0.1
"""How far a head moves that counts as much as a turn by one radian: about its radius."""
_LEAST_DEVIATION = 0.003
"""Standard deviation below which a combination is noise."""
_MOST_MOTION = 3.0
"""Standard deviations within which what goes beyond the training poses is held."""


@dataclass(frozen=True)
class Motions:
    """Few numbers that say how a pose differs from the usual one, each with variance one over the training poses.

    First principal components of expressions and joints; then of how the head is turned and where it is, by which the neck and its light follow a
    body that nobody tracks.
    """

    center: Float[Tensor, "features"]
    directions: Float[Tensor, "features motions"]

    @classmethod
    def of(cls, poses: HeadPose, count: int) -> "Motions":
        """The strongest combinations in a batch of poses, `count` of expressions and joints; fewer where the poses vary in fewer ways."""
        features = _features(poses)
        center, own = features.mean(0), features.shape[-1] - HEAD_FEATURES
        blocks = [_components(features[:, :own] - center[:own], count), _components(features[:, own:] - center[own:], _HEAD_MOTIONS)]
        return cls(center, torch.block_diag(*blocks))

    def of_pose(self, pose: HeadPose) -> Float[Tensor, "*batch motions"]:
        return ((_features(pose) - self.center) @ self.directions).clamp(-_MOST_MOTION, _MOST_MOTION)


def _components(values: Float[Tensor, "poses features"], count: int) -> Float[Tensor, "features components"]:
    _, singular, directions = torch.linalg.svd(values, full_matrices=False)
    deviations = singular / max(len(values), 1) ** 0.5
    kept = int((deviations[:count] > _LEAST_DEVIATION).sum())
    return directions[:kept].T / deviations[:kept]


def _features(pose: HeadPose) -> Float[Tensor, "*batch features"]:
    head = pose.world_from_head
    return torch.cat([pose.expression, pose.joint_rotations.flatten(-2), head.rotation.flatten(-2), head.translation / _METRES_PER_RADIAN], -1)


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

    def harmonics(self, motion: Float[Tensor, "motions"]) -> Float[Tensor, "splats 4 3"]:
        """Coefficients of the colours by the direction in head space, tints of the pose included."""
        found = self.values[:, COLOR].reshape(len(self), HARMONICS, 3).clone()
        tints = self.values[:, SHIFT_FROM + 3 * len(motion) :].reshape(len(self), len(motion), 3)
        found[:, 0] += torch.einsum("m,smc->sc", motion, tints)
        return found

"""Splats bound to triangles: their numbers, and the Gaussians that these make in a pose (after Qian et al. 2024, GaussianAvatars, section 3.2).

All numbers of a splat are one row, so that training, growing and files treat them alike.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.geometry import Transform, matrix_from_quaternion
from headcast.heads import HeadPose
from headcast.render import Splats, view_colors

HARMONICS = 4
"""Of a splat's colour, by the direction in which the head looks at the camera."""
POSITION, ROTATION, SCALE, OPACITY, COLOR = slice(0, 3), slice(3, 7), slice(7, 10), slice(10, 11), slice(11, 11 + 3 * HARMONICS)
MOTIONS_FROM = COLOR.stop
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
    """Position, rotation (quaternion w, x, y, z), logarithm of the scales, logit of the opacity, harmonics of the colour, then for each motion the
    shift of position, then for each motion the tint."""

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
        values = position.new_zeros(len(face), MOTIONS_FROM + 6 * motions)
        values[:, POSITION], values[:, ROTATION.start], values[:, SCALE] = position, 1.0, scale.log()
        values[:, OPACITY] = torch.logit(torch.tensor(opacity))
        values[:, COLOR.start : COLOR.start + 3] = (color - 0.5) / HARMONIC_ZERO
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
        count = len(motion)
        sizes = [3, 4, 3, 1, 3 * HARMONICS, 3 * count, 3 * count]
        position, rotation, scale, opacity, color, shift, tint = self.values.split(sizes, 1)
        turn, size = frames.rotation[self.face], frames.scale[self.face, None]
        if count:
            position = position + torch.einsum("m,smk->sk", motion, shift.reshape(-1, count, 3))
            color = color + torch.nn.functional.pad(torch.einsum("m,smk->sk", motion, tint.reshape(-1, count, 3)), (0, 3 * HARMONICS - 3))
        means = frames.origin[self.face] + (turn @ (size * position)[..., None])[..., 0]
        inside = head_from_world.points(means.detach())
        colors = view_colors(color.reshape(-1, HARMONICS, 3), inside, head_from_world.points(eye[None])[0])
        return Splats(means, turn @ matrix_from_quaternion(rotation), size * scale.exp(), opacity[:, 0].sigmoid(), colors)


HARMONIC_ZERO = 0.28209479177387814
"""The constant harmonic: what turns a colour less one half into its first coefficient."""

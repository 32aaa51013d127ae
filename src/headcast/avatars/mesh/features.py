"""What of a pose the look of a face follows: a few uncorrelated numbers of expression, joints, and how the head stands before the camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.geometry import Camera, axis_angle_from_matrix
from headcast.heads import HeadModel, HeadPose

_LEVER_M = 0.1
"""Metres that a radian counts as: skin lies about this far from the joints."""
_BEYOND = 1.2
"""Features keep to this many times what training frames have: beyond, nothing is known."""


@dataclass(frozen=True)
class PoseFeatures:
    """Linear map from a pose's raw numbers to features of variance one over the training frames, the first being 1 always."""

    scale: Float[Tensor, "raw"]
    """Metres that a unit of each raw number moves skin by."""
    mean: Float[Tensor, "raw"]
    directions: Float[Tensor, "features raw"]
    reach: Float[Tensor, "features"]
    """Largest size of each feature."""

    @classmethod
    def of(cls, model: HeadModel, poses: Sequence[HeadPose], cameras: Sequence[Camera], most: int) -> "PoseFeatures":
        """The principal components of the training frames, the largest motion of skin first; fewer where the frames do not tell so many apart."""
        scale = _skin_motion(model)
        raw = torch.stack([raw_numbers(pose, camera) for pose, camera in zip(poses, cameras, strict=True)]) * scale
        mean = raw.mean(0)
        _, spread, directions = torch.linalg.svd(raw - mean, full_matrices=False)
        sigma = spread / len(raw) ** 0.5
        count = min(most, int((sigma > 1e-4).sum()), len(raw) // 2)
        directions = directions[:count] / sigma[:count, None].clamp_min(1e-9)
        reach = ((raw - mean) @ directions.T).abs().amax(0) if count else torch.zeros(0)
        return cls(scale, mean, directions, _BEYOND * reach)

    def of_pose(self, pose: HeadPose, camera: Camera) -> Float[Tensor, "features_and_one"]:
        """1, then the features."""
        raw = raw_numbers(pose, camera) * self.scale - self.mean
        return torch.cat([torch.ones(1), (self.directions @ raw).clamp(-self.reach, self.reach)])

    def arrays(self) -> dict[str, ndarray]:
        return {f"feature_{name}": getattr(self, name).numpy() for name in self.__dataclass_fields__}


def raw_numbers(pose: HeadPose, camera: Camera) -> Float[Tensor, "raw"]:
    """Expression, joints' rotations, and the head's rotation from one that looks into the camera."""
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    turned = upright @ camera.camera_from_world.rotation @ pose.world_from_head.rotation
    return torch.cat([pose.expression, pose.joint_rotations.flatten(), axis_angle_from_matrix(turned)])


def _skin_motion(model: HeadModel) -> Float[Tensor, "raw"]:
    """Largest distance (m) that a unit of each expression moves a vertex; radians count by their lever."""
    neutral = model.neutral_pose(model.expression_count)
    rest = model.shaped(model.template.new_zeros(model.identity_count))
    moved = rest.posed(type(neutral)(torch.eye(model.expression_count), neutral.joint_rotations, neutral.world_from_head)).vertices
    expression = (moved - rest.posed(model.neutral_pose()).vertices).norm(dim=-1).amax(-1)
    return torch.from_numpy(np.concatenate([expression.numpy(), np.full(3 * model.joint_count + 3, _LEVER_M)]).astype(np.float32))

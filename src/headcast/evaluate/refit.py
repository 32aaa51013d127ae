"""The pose with which an avatar shows a recorded frame best: what a driver who may look at the picture would choose."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from torch import Tensor

from headcast.avatars import Avatar, AvatarFrame
from headcast.geometry import Transform, matrix_from_axis_angle
from headcast.heads import HeadPose
from headcast.track import Track

_DIRECTIONS = 12
"""Directions of expression that are free: those in which the clip varies most."""
_SIGMA = {"turn": 0.02, "shift": 0.004, "joint": 0.05, "expression": 0.5}
"""How far from the track the unknowns may be expected: rad, m, rad, standard deviations of the clip."""
_STEP = {"turn": 0.005, "shift": 0.0008, "joint": 0.01, "expression": 0.15}
"""Steps of the finite differences, in the same units."""
_COLOR_SIGMA = 0.05
_ROUNDS = 3
_JOINTS = ("neck", "jaw")
_WORTH_PX = 400.0
"""Pixels that count as one observation: neighbouring pixels err alike."""


@dataclass(frozen=True)
class Refitter:
    """Finds the pose of single frames by Gauss–Newton steps with finite differences, so that it works for avatars of every kind."""

    avatar: Avatar
    directions: Float[Tensor, "directions expression"]
    """A unit is one standard deviation of the clip."""
    joints: tuple[int, ...]

    @classmethod
    def of(cls, avatar: Avatar, track: Track) -> "Refitter":
        """Frees the directions in which the expressions of a track vary most."""
        expression = track.expression[track.valid]
        _, spread, directions = torch.linalg.svd(expression - expression.mean(0), full_matrices=False)
        sigma = spread / max(len(expression), 1) ** 0.5
        count = min(_DIRECTIONS, int((sigma > 1e-4).sum()))
        joints = tuple(track.joint_names.index(name) for name in _JOINTS if name in track.joint_names)
        return cls(avatar, sigma[:count, None] * directions[:count], joints)

    def pose(self, frame: AvatarFrame) -> HeadPose:
        """The frame's pose, changed so that the avatar on white is like its head on white."""
        target = frame.on_white(frame.head)
        sigma, step = self._per_unknown(_SIGMA), self._per_unknown(_STEP)
        found, shown = np.zeros(len(sigma)), self._picture(frame, np.zeros(len(sigma)))
        for _ in range(_ROUNDS):
            slopes = np.stack([(self._picture(frame, found + step[k] * unit) - shown).ravel() / step[k] for k, unit in enumerate(np.eye(len(sigma)))])
            residual = (target - shown).ravel()
            worth = 1 / (_COLOR_SIGMA**2 * _WORTH_PX * 3)
            change = np.linalg.solve(worth * slopes @ slopes.T + np.diag(1 / sigma**2), worth * slopes @ residual - found / sigma**2)
            better = self._picture(frame, found + change)
            if ((target - better) ** 2).mean() >= (residual**2).mean():
                break
            found, shown = found + change, better
        return self._moved(frame.pose, found)

    def _per_unknown(self, of: dict[str, float]) -> Float[ndarray, "unknowns"]:
        counts = {"turn": 3, "shift": 3, "joint": 3 * len(self.joints), "expression": len(self.directions)}
        return np.concatenate([np.full(count, of[name]) for name, count in counts.items()])

    def _picture(self, frame: AvatarFrame, unknowns: Float[ndarray, "unknowns"]) -> Float32[ndarray, "height width 3"]:
        return self.avatar.render(self._moved(frame.pose, unknowns), frame.camera).over(torch.ones(3)).numpy()

    def _moved(self, pose: HeadPose, unknowns: Float[ndarray, "unknowns"]) -> HeadPose:
        turn, shift, rest = (torch.from_numpy(part).float() for part in np.split(unknowns, (3, 6)))
        own = pose.world_from_head
        rotations = pose.joint_rotations.clone()
        for k, joint in enumerate(self.joints):
            rotations[joint] += rest[3 * k : 3 * k + 3]
        world_from_head = Transform(own.rotation @ matrix_from_axis_angle(turn), own.translation + shift)
        expression = pose.expression + rest[3 * len(self.joints) :] @ self.directions
        lower, upper = self.avatar.model.expression_lower, self.avatar.model.expression_upper
        return replace(pose, expression=expression.clamp(lower, upper), joint_rotations=rotations, world_from_head=world_from_head)

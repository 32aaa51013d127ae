"""Where a camera stands around a head, moment by moment: still, around it, up and down around it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.errors import ConfigError
from headcast.geometry import Camera, Transform, matrix_from_axis_angle

Motion = Literal["still", "orbit", "turntable", "spiral"]


@dataclass(frozen=True)
class CameraPath:
    """How the camera moves. Angles are about the head's middle, from where the first camera stands."""

    motion: Motion = "still"
    """still: where the recording's camera stood; orbit: to and fro around the head; turntable: the head turns around, the light stays with the
    camera; spiral: to and fro and up and down."""
    yaw_deg: float = 40.0
    """Farthest to either side, of orbit and spiral."""
    pitch_deg: float = 15.0
    """Farthest up and down, of spiral."""
    period_s: float = 6.0
    """Of one round."""

    def __post_init__(self) -> None:
        if not self.period_s > 0:
            raise ConfigError(f"period_s must be above 0, found {self.period_s}")

    def angles(self, time_s: Float[ndarray, "frames"]) -> Float[ndarray, "frames 2"]:
        """Yaw (about the camera's down axis) and pitch (about its right axis) of the view, rad."""
        phase = 2 * np.pi * np.asarray(time_s) / self.period_s
        yaw, pitch = np.radians([self.yaw_deg, self.pitch_deg])
        if self.motion == "still":
            return np.zeros((len(phase), 2))
        if self.motion == "turntable":
            return np.stack([phase, np.zeros_like(phase)], 1)
        return np.stack([yaw * np.sin(phase), pitch * np.cos(phase) if self.motion == "spiral" else np.zeros_like(phase)], 1)


def turns_about(camera: Camera, angles: Float[ndarray, "frames 2"]) -> Float[Tensor, "frames 3 3"]:
    """Rotations in world space that turn a head before the camera by yaw and then pitch, as the camera sees it."""
    axes = camera.camera_from_world.rotation.double()
    yaw, pitch = torch.from_numpy(np.asarray(angles, np.float64)).unbind(-1)
    turned = matrix_from_axis_angle(pitch[:, None] * axes[0]) @ matrix_from_axis_angle(yaw[:, None] * axes[1])
    return turned.to(camera.focal_px.dtype)


def around(camera: Camera, middle: Float[Tensor, "3"], angles: Float[ndarray, "frames 2"]) -> list[Camera]:
    """The camera carried around a point: what it sees of a still head is the head turned by those angles."""
    turns = turns_about(camera, angles)
    moved = Transform(turns, middle - turns @ middle)
    seen = [camera.camera_from_world @ moved[frame] for frame in range(len(turns))]
    return [Camera(camera.focal_px, camera.center_px, camera.size, pose) for pose in seen]


def turned_about(world_from_head: Transform, middle: Float[Tensor, "3"], turns: Float[Tensor, "frames 3 3"]) -> Transform:
    """Heads that turn on the spot."""
    return Transform(turns, middle - turns @ middle) @ world_from_head

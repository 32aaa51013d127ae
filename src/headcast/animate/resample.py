"""A performance at other moments: any length, any frame rate."""

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from headcast.export import Performance
from headcast.geometry import Transform
from headcast.heads import HeadPose


def frame_times(duration_s: float, fps: float) -> Float[ndarray, "frames"]:
    """Moments of the frames that a clip of this duration shows, at least one."""
    return np.arange(max(1, int(np.floor(duration_s * fps + 1e-6)) + 1)) / fps


def resampled(performance: Performance, time_s: Float[ndarray, "moments"]) -> Performance:
    """The performance at other moments, in between by straight lines and shortest turns; before the first and after the last it stands still."""
    own = performance.time_s
    if len(own) == len(time_s) and np.array_equal(own, time_s):
        return performance
    inside = np.clip(time_s, own[0], own[-1])
    pose = performance.pose
    joints = [
        _turning(own, Rotation.from_rotvec(pose.joint_rotations[:, joint].double().numpy()), inside) for joint in range(pose.joint_rotations.shape[1])
    ]
    rotation = _turning(own, Rotation.from_matrix(pose.world_from_head.rotation.double().numpy()), inside).as_matrix()
    turned = np.stack([joint.as_rotvec() for joint in joints], 1) if joints else np.zeros((len(inside), 0, 3))
    return Performance(
        np.asarray(time_s, np.float64),
        HeadPose(
            expression=_lines(own, pose.expression, inside),
            joint_rotations=torch.from_numpy(turned).float(),
            world_from_head=Transform(torch.from_numpy(rotation).float(), _lines(own, pose.world_from_head.translation, inside)),
        ),
    )


def _lines(
    own: Float[ndarray, "frames"], values: Float[Tensor, "frames channels"], inside: Float[ndarray, "moments"]
) -> Float[Tensor, "moments channels"]:
    found = [np.interp(inside, own, values[:, channel].double().numpy()) for channel in range(values.shape[1])]
    return torch.from_numpy(np.stack(found, 1)).float() if found else torch.zeros(len(inside), 0)


def _turning(own: Float[ndarray, "frames"], turns: Rotation, inside: Float[ndarray, "moments"]) -> Rotation:
    return Slerp(own, turns)(inside) if len(own) > 1 else turns[np.zeros(len(inside), int)]

"""Training pictures in memory, each cut to the person."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from headcast.avatars.frames import AvatarFrame
from headcast.avatars.gaussian.config import GaussianConfig
from headcast.geometry import Camera
from headcast.heads import HeadPose, ShapedHead

_RIM_PX = 8
"""Background that is kept around the person."""
_SEEN = 0.02


@dataclass(frozen=True)
class Shot:
    """One training picture."""

    frame_idx: int
    picture: UInt8[ndarray, "height width 4"]
    """sRGB, and the opacity of what is learned."""
    camera: Camera
    """Of this window."""
    pose: HeadPose
    vertices: Float[Tensor, "vertices 3"]
    """Of the posed mesh, in the world."""

    def colors(self) -> tuple[Float[Tensor, "height width 3"], Float[Tensor, "height width"]]:
        """sRGB 0–1 as recorded, and the matte."""
        values = torch.from_numpy(self.picture).float() / 255
        return values[..., :3], values[..., 3]


def kept_shots(frames: Iterable[AvatarFrame], head: ShapedHead, config: GaussianConfig) -> list[Shot]:
    """The frames that show anything of the person."""
    found = (_shot(frame, head, config) for frame in frames)
    return [shot for shot in found if shot is not None]


def _shot(frame: AvatarFrame, head: ShapedHead, config: GaussianConfig) -> Shot | None:
    matte = frame.head if config.shows == "head" else frame.person
    rows, columns = (np.flatnonzero((matte > _SEEN).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, left = max(int(rows[0]) - _RIM_PX, 0), max(int(columns[0]) - _RIM_PX, 0)
    bottom, right = min(int(rows[-1]) + _RIM_PX + 1, matte.shape[0]), min(int(columns[-1]) + _RIM_PX + 1, matte.shape[1])
    window = np.s_[top:bottom, left:right]
    picture = (np.concatenate([frame.image, matte[..., None]], -1)[window] * 255).round().astype(np.uint8)
    camera = frame.camera.cropped(float(left), float(top), (bottom - top, right - left))
    return Shot(frame.frame_idx, picture, camera, frame.pose, head.posed(frame.pose).vertices)

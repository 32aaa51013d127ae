"""The cameras of a track as glTF has them: looking along −Z with +Y up, by the field of view alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from headcast.geometry import Camera, Transform
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.track import Track

_NEAR_M, _FAR_M = 0.01, 100.0


@dataclass(frozen=True)
class GltfCamera:
    """One camera; glTF has no place for its principal point."""

    name: str
    perspective: dict[str, float]
    world_from_camera: Transform
    """One pose, or of a camera that moves one per frame."""

    @property
    def moves(self) -> bool:
        return self.world_from_camera.translation.ndim > 1

    def node(self, number: int) -> dict[str, Any]:
        """The scene's node of camera `number`; where it moves, an animation places it."""
        matrix = None if self.moves else self.world_from_camera.matrix()
        placed = {} if matrix is None or torch.equal(matrix, torch.eye(4)) else {"matrix": matrix.T.reshape(-1).tolist()}
        return {"name": self.name, "camera": number, **placed}


def gltf_cameras(track: Track) -> Iterator[GltfCamera]:
    """All of a track's, in its order."""
    for camera, name in zip(track.cameras, track.camera_names, strict=True):
        pose = camera.camera_from_world
        yield GltfCamera(name, _perspective(camera), pose.inverse() @ OPENGL_FROM_OPENCV.inverse())


def _perspective(camera: Camera) -> dict[str, float]:
    height, width = camera.size
    focal = float(camera.focal_px.reshape(-1, 2)[0, 1])
    return {"yfov": 2 * float(np.arctan(height / (2 * focal))), "aspectRatio": width / height, "znear": _NEAR_M, "zfar": _FAR_M}

"""Camera poses as other programs write them, in ours: camera from world, +X right, +Y down, +Z forward."""

from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.written import rigid
from headcast.geometry.conventions import OPENGL_FROM_OPENCV

Axes = Literal["opencv", "opengl"]
"""OpenGL's cameras have +Y up and look along −Z, OpenCV's have +Y down and look along +Z."""


def camera_from_world(world_from_camera: Float64[ndarray, "poses 4 4"], axes: Axes, where: str) -> Float64[ndarray, "kept 4 4"]:
    """From camera-to-world matrices of cameras with those axes: one pose where all are the same, else all."""
    ours = rigid(world_from_camera, where)
    if axes == "opengl":
        ours = ours @ OPENGL_FROM_OPENCV.matrix().numpy().astype(np.float64)
    return still(np.linalg.inv(ours))


def still(poses: Float64[ndarray, "poses 4 4"]) -> Float64[ndarray, "kept 4 4"]:
    """One pose where all are the same, else all."""
    return poses[:1].copy() if np.abs(poses - poses[:1]).max() < 1e-9 else poses

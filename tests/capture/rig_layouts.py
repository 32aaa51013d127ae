"""Small recordings of known cameras, and what a camera of ours sees; the layouts themselves are written by each test."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from headcast.capture.cameras import CameraFile

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def save_picture(path: Path, value: int = 9, size: tuple[int, int] = (24, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def save_grey(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def save_exr(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    assert cv2.imwrite(str(path), values)


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def random_poses(seed: int, count: int) -> np.ndarray:
    """World-to-camera matrices, OpenCV's axes, of cameras about a metre in front of the origin that look at it."""
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("yxz", random.uniform(-50, 50, (count, 3)), degrees=True).as_matrix()
    poses[:, :3, 3] = random.normal(0, 0.05, (count, 3)) + np.array([0, 0, 1])
    return poses


POINTS = np.random.default_rng(3).normal(0, 0.1, (7, 3))


def projected(pose: np.ndarray, matrix: np.ndarray, points: np.ndarray = POINTS) -> np.ndarray:
    """The textbook's pinhole: pixels of world points by a world-to-camera matrix and intrinsics."""
    inside = points @ pose[:3, :3].T + pose[:3, 3]
    return (inside @ matrix.T)[:, :2] / inside[:, 2:]


def seen(camera: CameraFile, frame: int = 0, points: np.ndarray = POINTS) -> np.ndarray:
    """Pixels of world points by a camera that was read, distortion left aside."""
    poses = camera.camera_from_world
    (fx, fy), (cx, cy) = camera.focal_px, camera.center_px
    return projected(poses[frame if len(poses) > 1 else 0], np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), points)


def intrinsics(seed: int, size: Sequence[int] = (24, 32)) -> np.ndarray:
    random = np.random.default_rng(seed)
    height, width = size
    matrix = np.diag([*random.uniform(20, 40, 2), 1.0])
    matrix[:2, 2] = np.array([width, height]) / 2 + random.uniform(-2, 2, 2)
    return matrix

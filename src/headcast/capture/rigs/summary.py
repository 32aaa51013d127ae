"""What a person wants to see of a rig before tracking it: one line per camera, and how far the cameras stand from what they look at."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import CameraFile, CameraFiles


@dataclass(frozen=True)
class CameraSummary:
    """A camera as its recording and the file say it."""

    name: str
    size: tuple[int, int]
    """Height and width of the pictures."""
    frame_count: int
    focal_px: tuple[float, float] | None
    """In pixels of the pictures; None where it is to be solved."""
    distortion: str
    pose_count: int
    """0 unknown, 1 stands still, else one per frame."""
    distance: float | None
    """From what all cameras look at, in the file's unit; None where poses are unknown or the views nearly parallel."""
    extras: tuple[str, ...]
    """Of depth, matte, colour: what else there is."""


def summarise(files: CameraFiles) -> list[CameraSummary]:
    """One line per camera. Opens all recordings, and so raises what is wrong with them: `InputError`, `FormatError`."""
    target = _target(files)
    return [_summary(camera, CameraSource(camera_path(files.folder / "cameras.json", camera.name), files), target) for camera in files.cameras]


def _summary(camera: CameraFile, source: CameraSource, target: Float64[ndarray, "3"] | None) -> CameraSummary:
    known = camera.calibration(source.size)
    poses = camera.camera_from_world
    extras = (("depth", source.has_depth), ("matte", bool(camera.alpha)), ("colour", camera.color is not None))
    return CameraSummary(
        camera.name,
        source.size,
        source.frame_count,
        None if known.focal_px is None else (float(known.focal_px[0]), float(known.focal_px[1])),
        f"{camera.lens}, {len(camera.distortion)}" if camera.distortion else "",
        0 if poses is None else len(poses),
        None if poses is None or target is None else float(np.median(np.linalg.norm(_places(poses) - target, axis=1))),
        tuple(name for name, there in extras if there),
    )


def _places(poses: Float64[ndarray, "poses 4 4"]) -> Float64[ndarray, "poses 3"]:
    """Where the cameras stand in the world."""
    return -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])


def _target(files: CameraFiles) -> Float64[ndarray, "3"] | None:
    """The point nearest to all lines of sight (least squares); None where they are nearly parallel."""
    poses = [camera.camera_from_world for camera in files.cameras if camera.camera_from_world is not None]
    if not poses:
        return None
    every = np.concatenate(poses)
    sight = every[:, 2, :3]
    across = np.eye(3) - sight[:, :, None] * sight[:, None, :]
    normal = across.mean(0)
    if np.linalg.eigvalsh(normal)[0] < 1e-3:
        return None
    return np.linalg.solve(normal, np.einsum("nij,nj->i", across, _places(every)) / len(every))

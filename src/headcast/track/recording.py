"""What a run was asked to track: one recording, or those of a camera file; perceived into captures in the run's folder."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np

from headcast.capture import Calibration, Capture, PrepareConfig, RigCapture, open_source, prepare_steps
from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import CameraFiles
from headcast.capture.rigs import open_cameras
from headcast.perceive import Window
from headcast.solve.step import Step
from headcast.store import RunPaths


def check_recording(source: Path, config: PrepareConfig) -> None:
    """Opens what can be opened; raises what keeps the recording from being read."""
    files = open_cameras(source)
    if files is None:
        config.check(open_source(source, config.folder_fps))


def perceive_steps(source: Path, paths: RunPaths, config: PrepareConfig) -> Generator[Step, None, RigCapture]:
    """Perceives all cameras of a recording one after another; goes on with what a killed run left. The generator's value is the rig's captures."""
    files = open_cameras(source)
    if files is None:
        return RigCapture.single((yield from prepare_steps(source, paths.capture.root, config, resume=True)))
    files.save(paths.cameras)
    captures = []
    for camera in files.cameras:
        place = paths.camera_capture(camera.name).root
        captures.append((yield from prepare_steps(camera_path(paths.cameras, camera.name), place, config, resume=True)))
    return _together(files, captures)


def open_rig(paths: RunPaths) -> RigCapture:
    """What a run perceived."""
    if not paths.cameras.is_file():
        return RigCapture.single(Capture.open(paths.capture.root))
    files = CameraFiles.load(paths.cameras)
    return _together(files, [Capture.open(paths.camera_capture(camera.name).root) for camera in files.cameras])


def _together(files: CameraFiles, captures: list[Capture]) -> RigCapture:
    calibrations = tuple(_cropped(camera.calibration(one.source_size), one.crop) for camera, one in zip(files.cameras, captures, strict=True))
    return RigCapture(tuple(captures), calibrations, files.unit_m)


def _cropped(calibration: Calibration, crop: Window | None) -> Calibration:
    """The same camera, its principal point counted from the corner of the capture's crop."""
    if crop is None or calibration.center_px is None:
        return calibration
    return replace(calibration, center_px=calibration.center_px - np.array([crop.left, crop.top]))


def depth_source(paths: RunPaths, name: str) -> CameraSource | None:
    """Where a camera's depth comes from, where it has any."""
    source = CameraSource(camera_path(paths.cameras, name))
    return source if source.has_depth else None

"""What a run was asked to track: one recording, or those of a camera file; perceived into captures in the run's folder."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from headcast.capture import Calibration, Capture, PrepareConfig, RigCapture, open_source, prepare_steps
from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.cameras import CameraFiles
from headcast.capture.rigs import RigChoice
from headcast.solve.step import Step
from headcast.store import RunPaths


def check_recording(source: Path, config: PrepareConfig, choice: RigChoice) -> None:
    """Opens what can be opened; raises what keeps the recording from being read."""
    files = choice.open(source)
    if files is None:
        config.check(open_source(source, config.folder_fps))


def perceive_steps(source: Path, paths: RunPaths, config: PrepareConfig, choice: RigChoice | None = None) -> Generator[Step, None, RigCapture]:
    """Perceives the chosen cameras of a recording (all, if nothing is chosen) one after another; goes on with what a killed run left.

    The generator's value is the rig's captures.
    """
    files = (choice or RigChoice()).open(source)
    if files is None:
        return RigCapture.single((yield from prepare_steps(source, paths.capture.root, config, resume=True)))
    files.save(paths.cameras)
    captures = []
    for camera in files.cameras:
        place = paths.camera_capture(camera.name).root
        captures.append((yield from prepare_steps(camera_path(paths.cameras, camera.name), place, config, resume=True)))
    return _together(paths, files, captures)


def open_rig(paths: RunPaths) -> RigCapture:
    """What a run perceived."""
    if not paths.cameras.is_file():
        return RigCapture.single(Capture.open(paths.capture.root))
    files = CameraFiles.load(paths.cameras)
    return _together(paths, files, [Capture.open(paths.camera_capture(camera.name).root) for camera in files.cameras])


def _together(paths: RunPaths, files: CameraFiles, captures: list[Capture]) -> RigCapture:
    both = list(zip(files.cameras, captures, strict=True))
    calibrations = tuple(_captured(camera.calibration(capture.source_size), capture) for camera, capture in both)
    depths = tuple(_depth(CameraSource(camera_path(paths.cameras, camera.name)), capture) if camera.depth else None for camera, capture in both)
    return RigCapture(tuple(captures), calibrations, files.unit_m, depths if any(depths) else ())


def _captured(calibration: Calibration, capture: Capture) -> Calibration:
    """What is known of a recording's camera, for the frames that the capture took of it, cut as they are."""
    center, poses = calibration.center_px, calibration.camera_from_world
    if center is not None:
        center = center - np.array(capture.corner_px)
    if poses is not None and len(poses.translation) > 1:
        poses = poses[capture.source_frame_idx]
    return replace(calibration, center_px=center, camera_from_world=poses)


def _depth(source: CameraSource, capture: Capture) -> Callable[[int], Float32[ndarray, "height width"]]:
    """What gives the measured depth of a frame of the capture: that of the recording's frame, cut as the picture is."""

    def depth(frame_idx: int) -> Float32[ndarray, "height width"]:
        whole = source.depth(int(capture.source_frame_idx[frame_idx]))
        return whole if capture.crop is None else capture.crop.cut(whole)

    return depth

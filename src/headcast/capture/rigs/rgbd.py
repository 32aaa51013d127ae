"""Numbered pictures of colour and depth: color_000.png, depth_000.png, and cameras.json with the intrinsics of each frame.

    {"depth_unit_m": 0.0001, "frames": [{"frame": 0, "timestamp": 12.5, "width": 320, "height": 240, "fx": 300, "fy": 300, "cx": 160, "cy": 120}]}

Poses of the camera, where they are known, lie beside as camera_to_world.npy (or icp_camera_to_expected.npy): a 4×4 matrix for each of the
frames in the file, OpenCV's axes, metres. Pictures may be of some frames only; `timestamp` is in seconds.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.rigs.lens import Lens
from headcast.capture.rigs.poses import camera_from_world
from headcast.capture.source import PICTURE_SUFFIXES
from headcast.capture.written import a_list, an_object, numbers, positive, whole
from headcast.errors import FormatError, InputError
from headcast.store import read_json

NAME = "cameras.json"
POSES = ("camera_to_world.npy", "icp_camera_to_expected.npy")
_KEYS = {"fx", "fy", "cx", "cy"}


def is_rgbd(path: Path) -> bool:
    file = path / NAME if path.is_dir() else path
    found = read_json(file) if file.name == NAME and file.is_file() else None
    frames = found.get("frames") if isinstance(found, dict) else None
    return isinstance(frames, list) and bool(frames) and isinstance(frames[0], dict) and set(frames[0]) >= _KEYS


def read_rgbd(path: Path) -> CameraFiles:
    """The one camera, with depth.

    Raises:
        InputError: a picture of depth is missing, or there are no pictures.
        FormatError: the file says nothing of a frame that has a picture, or the poses are not as many as the frames.
    """
    file = path / NAME if path.is_dir() else path
    top = an_object(read_json(file), "a file of cameras", file)
    frames = [an_object(frame, f"frame {number}", file) for number, frame in enumerate(a_list(top["frames"], "frames", file))]
    place = {whole(frame.get("frame", number), "frame", str(file)): number for number, frame in enumerate(frames)}
    color, depth = _numbered(file.parent, "color"), _numbered(file.parent, "depth")
    if not color:
        raise InputError(f"expected pictures color_000.png and so on, found none, in {file.parent}")
    for number in color:
        if number not in place:
            raise FormatError(f"expected all frames that have a picture, found nothing of frame {number}, in {file}")
        if depth and number not in depth:
            raise InputError(f"expected a picture of depth for every picture of colour, found none of frame {number}, in {file.parent}")
    chosen = [place[number] for number in color]
    lens = Lens.of_all([_lens(frames[one], f"frame {one} in {file}") for one in chosen], str(file))
    camera = CameraFile(
        name="camera",
        pictures=tuple(color.values()),
        camera_from_world=_poses(file.parent, len(frames), chosen),
        depth=tuple(depth[number] for number in color) if depth else "",
        depth_unit_m=positive(top.get("depth_unit_m", 0.001), "depth_unit_m", file),
        time_s=_times(frames, chosen, file),
        **lens.known(),
    )
    return CameraFiles(file.parent, (camera,), 1.0)


def _numbered(folder: Path, kind: str) -> dict[int, str]:
    """Names of the pictures of a kind by their numbers."""
    files = [file for file in folder.glob(f"{kind}_*") if file.suffix.lower() in (*PICTURE_SUFFIXES, ".npy", ".exr")]
    found = {int(match[1]): file.name for file in files if (match := re.fullmatch(rf"{kind}_(\d+)", file.stem))}
    return dict(sorted(found.items()))


def _lens(frame: Mapping[str, Any], where: str) -> Lens:
    absent = sorted((_KEYS | {"width", "height"}) - set(frame))
    if absent:
        raise FormatError(f"expected fx, fy, cx, cy, width and height, found no {', '.join(absent)}, of {where}")
    fx, fy, cx, cy = (float(numbers(frame[key], (), key, where)) for key in ("fx", "fy", "cx", "cy"))
    size = whole(frame["height"], "height", where, 1), whole(frame["width"], "width", where, 1)
    return Lens.from_matrix(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), size, where)


def _times(frames: list[Mapping[str, Any]], chosen: list[int], file: Path) -> Float64[ndarray, "frames"] | None:
    if not all("timestamp" in frame for frame in frames):
        return None
    times = numbers([frame["timestamp"] for frame in frames], (len(frames),), "timestamp", str(file))
    if not (np.diff(times[chosen]) > 0).all():
        raise FormatError(f"expected time stamps that ascend, found others, in {file}")
    return times[chosen] - times[0]


def _poses(folder: Path, frame_count: int, chosen: list[int]) -> Float64[ndarray, "poses 4 4"] | None:
    file = next((folder / name for name in POSES if (folder / name).is_file()), None)
    if file is None:
        return None
    try:
        poses = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"expected poses, found something that cannot be read as an array ({error}): {file}") from error
    if poses.shape != (frame_count, 4, 4) or poses.dtype.kind not in "iuf" or not np.isfinite(poses).all():
        raise FormatError(f"expected {frame_count} poses of 4×4 finite numbers, one for each frame of {NAME}, found shape {poses.shape}, in {file}")
    return camera_from_world(poses.astype(np.float64)[chosen], "opencv", str(file))

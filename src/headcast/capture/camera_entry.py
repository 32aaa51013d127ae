"""One camera of a camera file: its recording, what is known of it, and how that stands in the file. See docs/formats.md."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.color import TERMS, Color
from headcast.capture.rig import Calibration
from headcast.capture.written import a_list, an_object, camera_name, names, numbers, positive, refuse_unknown, rigid, short, whole
from headcast.errors import ConfigError, FormatError, InputError
from headcast.geometry import Transform

_KEYS = {
    *("name", "pictures", "alpha", "depth", "depth_unit_m", "frames", "time_s", "size", "focal_px", "center_px", "distortion", "lens"),
    *("color", "camera_from_world"),
}
_COEFFICIENTS = {"opencv": (4, 5, 8), "fisheye": (4,)}
DEPTH_UNIT_M = 0.001


@dataclass(frozen=True)
class CameraFile:
    """One camera's recording and what is known of it."""

    name: str
    pictures: str | tuple[str, ...]
    """A video, a folder, a pattern, or the files one by one; relative to the camera file's folder."""
    focal_px: Float64[ndarray, "2"] | None = None
    center_px: Float64[ndarray, "2"] | None = None
    size: tuple[int, int] | None = None
    """(height, width) that the numbers are for, where the pictures may have another; they are scaled."""
    distortion: tuple[float, ...] = ()
    """OpenCV's coefficients k1, k2, p1, p2[, k3[, k4, k5, k6]], or four of its fisheye model."""
    lens: str = "opencv"
    """What the coefficients are of: opencv or fisheye."""
    color: Color | None = None
    camera_from_world: Float64[ndarray, "poses 4 4"] | None = None
    """+X right, +Y down, +Z forward; one pose, or one per frame."""
    depth: str | tuple[str, ...] = ""
    """Pictures of depth along the view, as many as pictures: a folder, a pattern or the files; none where it is empty."""
    depth_unit_m: float = DEPTH_UNIT_M
    alpha: str | tuple[str, ...] = ""
    """Mattes of the person, as many as pictures: a video, a folder, a pattern or the files; none where it is empty."""
    frames: str | tuple[int, ...] = ""
    """Which of the pictures are used, counted from zero: start:stop:step, or ascending numbers; all where it is empty. Poses and times are theirs."""
    time_s: Float64[ndarray, "frames"] | None = None
    """Seconds since the recording began; the recording's own clock where it is None."""

    def calibration(self, picture_size: tuple[int, int]) -> Calibration:
        """In pixels of pictures of that (height, width), distortion taken away."""
        height, width = self.size or picture_size
        ratio = np.array([picture_size[1] / width, picture_size[0] / height])
        if not 0.98 < ratio[0] / ratio[1] < 1.02:
            raise InputError(
                f"expected pictures with the proportions of {width}×{height}, which the numbers of camera {self.name!r} are for, "
                f"found {picture_size[1]}×{picture_size[0]}"
            )
        pose = None if self.camera_from_world is None else Transform.from_matrix(torch.from_numpy(self.camera_from_world))
        focal = None if self.focal_px is None else self.focal_px * ratio
        return Calibration(self.name, focal, None if self.center_px is None else self.center_px * ratio, pose)

    def used(self, recorded: int) -> Sequence[int]:
        """Which of so many recorded pictures are used; raises `InputError` where there are too few."""
        chosen = range(recorded)[_slice(self.frames)] if isinstance(self.frames, str) else self.frames
        if not chosen or chosen[-1] >= recorded:
            raise InputError(f"expected frames within the {recorded} pictures of camera {self.name!r}, found frames {short(self.frames)}")
        return chosen

    def subset(self, frames: Sequence[int], recorded: int) -> "CameraFile":
        """The same camera with only some of its used frames; each keeps its time."""
        used = self.used(recorded)
        beyond = [frame for frame in frames if not 0 <= frame < len(used)]
        if beyond or list(frames) != sorted(set(frames)) or not frames:
            raise ConfigError(f"expected ascending frames among the {len(used)} of camera {self.name!r}, found {short(list(beyond or frames))}")
        poses = self.camera_from_world
        return replace(
            self,
            frames=tuple(used[frame] for frame in frames),
            camera_from_world=poses if poses is None or len(poses) == 1 else poses[list(frames)],
            time_s=None if self.time_s is None else self.time_s[list(frames)],
        )


def camera_of_entry(entry: Any, number: int, path: Path) -> CameraFile:
    """The camera that an entry describes; `number` names it where it does not name itself. Raises `FormatError` for what is no such entry."""
    entry = an_object(entry, f"camera {number}", path)
    name = camera_name(entry.get("name", f"camera_{number}"), path)
    where = f"camera {name!r} in {path}"
    refuse_unknown(entry, _KEYS, where)
    if "pictures" not in entry:
        raise FormatError(f"expected 'pictures' (a video, a folder, a pattern or a list of files) of {where}")
    size, center, pose, color = (entry.get(key) for key in ("size", "center_px", "camera_from_world", "color"))
    focal, (lens, distortion) = _focal(entry.get("focal_px"), where), _lens(entry, where)
    if distortion and focal is None:
        raise FormatError(f"expected focal_px where there is distortion, found none, of {where}")
    return CameraFile(
        name=name,
        pictures=names(entry["pictures"], "pictures", where),
        focal_px=focal,
        center_px=None if center is None else numbers(center, (2,), "center_px", where),
        size=None if size is None else _size(size, where),
        distortion=distortion,
        lens=lens,
        color=None if color is None else _color(color, where),
        camera_from_world=None if pose is None else _poses(pose, where),
        depth=names(entry["depth"], "depth", where) if "depth" in entry else "",
        depth_unit_m=positive(entry.get("depth_unit_m", DEPTH_UNIT_M), "depth_unit_m", where),
        alpha=names(entry["alpha"], "alpha", where) if "alpha" in entry else "",
        frames=_frames(entry["frames"], where) if "frames" in entry else "",
        time_s=_times(entry["time_s"], where) if "time_s" in entry else None,
    )


def _focal(value: Any, where: str) -> Float64[ndarray, "2"] | None:
    if value is None:
        return None
    focal = np.array([numbers(value, (), "focal_px", where)] * 2) if isinstance(value, int | float) else numbers(value, (2,), "focal_px", where)
    if not (focal > 1e-6).all():
        raise FormatError(f"expected a focal length above zero, found {focal.tolist()}, of {where}")
    return focal


def _lens(entry: Any, where: str) -> tuple[str, tuple[float, ...]]:
    lens = entry.get("lens", "opencv")
    if not isinstance(lens, str) or lens not in _COEFFICIENTS:
        raise FormatError(f"expected lens to be one of {sorted(_COEFFICIENTS)}, found {lens!r}, of {where}")
    distortion = numbers(entry.get("distortion", []), (None,), "distortion", where)
    if len(distortion) not in (0, *_COEFFICIENTS[lens]):
        raise FormatError(f"expected {_COEFFICIENTS[lens]} coefficients of a lens {lens!r}, found {len(distortion)}, of {where}")
    return lens, tuple(distortion.tolist())


def _size(value: Any, where: str) -> tuple[int, int]:
    height, width = (whole(float(length), "size (height, width)", where, 1) for length in numbers(value, (2,), "size", where))
    return height, width


def _poses(value: Any, where: str) -> Float64[ndarray, "poses 4 4"]:
    several = isinstance(value, list) and value and isinstance(value[0], list) and value[0] and isinstance(value[0][0], list)
    return rigid(numbers(value, (None, 4, 4) if several else (4, 4), "camera_from_world", where), where)


def _times(value: Any, where: str) -> Float64[ndarray, "frames"]:
    times = numbers(value, (None,), "time_s", where)
    if not (np.diff(times) > 0).all():
        raise FormatError(f"expected ascending times as time_s, found {short(value)}, of {where}")
    return times


def _frames(value: Any, where: str) -> str | tuple[int, ...]:
    if isinstance(value, str) and value:
        try:
            _slice(value)
        except ValueError as error:
            raise FormatError(f"expected frames as start:stop:step or a list of numbers, found {value!r}, of {where}") from error
        return value
    chosen = tuple(whole(frame, "a frame", where) for frame in a_list(value, "frames, or start:stop:step", where))
    if any(after <= before for before, after in pairwise(chosen)):
        raise FormatError(f"expected ascending frames, found {short(list(chosen))}, of {where}")
    return chosen


def _slice(text: str) -> slice:
    """start:stop:step, each of which may be missing; raises `ValueError` for other texts and for steps backwards."""
    start, stop, step = (*(int(part) if part.strip() else None for part in text.split(":")), None, None, None)[:3]
    if text.count(":") > 2 or (text and ":" not in text) or (step is not None and step < 1):
        raise ValueError(text)
    return slice(start, stop, step)


def _color(value: Any, where: str) -> Color:
    if (
        not isinstance(value, dict)
        or "matrix" not in value
        or set(value) - {"matrix", "space"}
        or value.get("space", "srgb") not in ("srgb", "linear")
    ):
        raise FormatError(f'expected color as {{"matrix": …, "space": "srgb" or "linear"}}, found {short(value)}, of {where}')
    return checked_color(numbers(value["matrix"], (3, None), "color.matrix", where), value.get("space", "srgb") == "linear", where)


def checked_color(matrix: Float64[ndarray, "3 terms"], linear: bool, where: str) -> Color:
    """A colour correction; raises `FormatError` where no polynomial has so many terms."""
    if matrix.shape[1] not in TERMS:
        raise FormatError(f"expected a colour matrix of 3 rows and {sorted(TERMS)} columns, found {matrix.shape[1]} columns, of {where}")
    return Color(matrix, linear)


def entry_of_camera(camera: CameraFile, folder: Path, target: Path) -> dict[str, Any]:
    """A camera as it stands in a camera file in the folder `target`; its names of pictures are relative to `folder`."""
    entry: dict[str, Any] = {"name": camera.name, "pictures": _located(camera.pictures, folder, target)}
    if camera.alpha:
        entry["alpha"] = _located(camera.alpha, folder, target)
    if camera.depth:
        entry |= {"depth": _located(camera.depth, folder, target), "depth_unit_m": camera.depth_unit_m}
    if camera.frames:
        entry["frames"] = camera.frames if isinstance(camera.frames, str) else list(camera.frames)
    if camera.size is not None:
        entry["size"] = list(camera.size)
    for key in ("time_s", "focal_px", "center_px", "camera_from_world"):
        value = getattr(camera, key)
        if value is not None:
            entry[key] = value.tolist()
    if camera.distortion:
        entry |= {"distortion": list(camera.distortion), "lens": camera.lens}
    if camera.color is not None:
        entry["color"] = {"matrix": camera.color.matrix.tolist(), "space": "linear" if camera.color.linear else "srgb"}
    return entry


def _located(listed: str | tuple[str, ...], folder: Path, target: Path) -> str | list[str]:
    """Names of pictures as a camera file in another folder must give them."""
    if folder.resolve() == target.resolve():
        return listed if isinstance(listed, str) else list(listed)
    located = [str((folder / name).resolve()) for name in ((listed,) if isinstance(listed, str) else listed)]
    return located[0] if isinstance(listed, str) else located

"""The camera file: which recordings belong together, and what is known of the camera of each. Headcast's own format; see docs/formats.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.rig import Calibration
from headcast.errors import FormatError, InputError
from headcast.geometry import Transform
from headcast.store import read_json, write_json

KIND = "headcast cameras"
SCHEMA = 1
_FILE_KEYS = {"kind", "schema", "unit_m", "fps", "cameras"}
_CAMERA_KEYS = {
    *("name", "pictures", "focal_px", "center_px", "size", "distortion", "lens", "color", "camera_from_world", "depth", "depth_unit_m"),
}
_COEFFICIENTS = {"opencv": (4, 5, 8), "fisheye": (4,)}


@dataclass(frozen=True)
class Color:
    """A correction of colours: polynomial terms of a pixel's red, green and blue (0–1) times a matrix.

    Four terms: r, g, b, 1 (affine). More as in Cheung et al. (2004): 3, 5, 7, 8, 9, 11 of r, g, b, rg, rb, gb, r², g², b², rgb, 1 as they list them.
    """

    matrix: Float64[ndarray, "3 terms"]
    linear: bool = False
    """Whether it works on linear light instead of sRGB."""


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
    depth_unit_m: float = 0.001

    def calibration(self, picture_size: tuple[int, int]) -> Calibration:
        """In pixels of pictures of that (height, width), distortion taken away."""
        height, width = self.size or picture_size
        ratio = np.array([picture_size[1] / width, picture_size[0] / height])
        pose = None if self.camera_from_world is None else Transform.from_matrix(torch.from_numpy(self.camera_from_world))
        focal = None if self.focal_px is None else self.focal_px * ratio
        return Calibration(self.name, focal, None if self.center_px is None else self.center_px * ratio, pose)


@dataclass(frozen=True)
class CameraFiles:
    """All cameras of a recording."""

    folder: Path
    """What names of pictures are relative to."""
    cameras: tuple[CameraFile, ...]
    unit_m: float | None = 1.0
    """Metres per unit of the positions; None where nobody knows it."""
    fps: float | None = None
    """Of pictures, which have no clock."""

    def camera(self, name: str) -> CameraFile:
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise InputError(f"expected one of the cameras {', '.join(repr(camera.name) for camera in self.cameras)}, found {name!r}, in {self.folder}")

    def save(self, path: Path) -> None:
        """Writes the camera file; names of pictures become absolute where they do not lie beside it."""
        cameras = []
        for camera in self.cameras:
            entry: dict[str, Any] = {"name": camera.name, "pictures": _located(camera.pictures, self.folder, path.parent)}
            for key in ("focal_px", "center_px", "camera_from_world"):
                value = getattr(camera, key)
                if value is not None:
                    entry[key] = value.tolist()
            if camera.size is not None:
                entry["size"] = list(camera.size)
            if camera.distortion:
                entry |= {"distortion": list(camera.distortion), "lens": camera.lens}
            if camera.color is not None:
                entry["color"] = {"matrix": camera.color.matrix.tolist(), "space": "linear" if camera.color.linear else "srgb"}
            if camera.depth:
                entry |= {"depth": _located(camera.depth, self.folder, path.parent), "depth_unit_m": camera.depth_unit_m}
            cameras.append(entry)
        fps = {} if self.fps is None else {"fps": self.fps}
        write_json(path, {"kind": KIND, "schema": SCHEMA, "unit_m": self.unit_m, **fps, "cameras": cameras})

    @classmethod
    def load(cls, path: Path) -> "CameraFiles":
        """Reads a camera file.

        Raises:
            FormatError: something in it is missing, unknown or impossible; the message names the camera and the value.
        """
        found = read_json(path)
        if not isinstance(found, Mapping) or found.get("kind") != KIND:
            raise FormatError(f'expected a camera file with "kind": "{KIND}", found {_short(found)}, in {path}')
        if found.get("schema") != SCHEMA:
            raise FormatError(f"expected schema {SCHEMA} of camera files, found {found.get('schema')!r}; a newer Headcast may read it: {path}")
        _refuse_unknown(found, _FILE_KEYS, f"the camera file {path}")
        entries = found.get("cameras")
        if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
            raise FormatError(f"expected a list of cameras, found {_short(entries)}, in {path}")
        cameras = tuple(_camera(entry, number, path) for number, entry in enumerate(entries))
        names = [camera.name for camera in cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FormatError(f"expected every camera to have a name of its own, found {twice} more than once, in {path}")
        unit = found.get("unit_m", 1.0)
        return cls(
            path.parent,
            cameras,
            None if unit is None else _positive(unit, "unit_m", path),
            _positive(found["fps"], "fps", path) if "fps" in found else None,
        )


def _camera(entry: Any, number: int, path: Path) -> CameraFile:
    if not isinstance(entry, Mapping):
        raise FormatError(f"expected camera {number} as an object, found {_short(entry)}, in {path}")
    name = entry.get("name", f"camera_{number}")
    where = f"camera {name!r} in {path}"
    if not isinstance(name, str) or not name or any(sign in name for sign in '/\\#:*?"<>|') or name.startswith("."):
        raise FormatError(f"expected the name of a camera to be usable as the name of a folder, found {name!r}, in {path}")
    _refuse_unknown(entry, _CAMERA_KEYS, where)
    if "pictures" not in entry:
        raise FormatError(f"expected 'pictures' (a video, a folder, a pattern or a list of files) of {where}")
    lens = entry.get("lens", "opencv")
    if lens not in _COEFFICIENTS:
        raise FormatError(f"expected lens to be one of {sorted(_COEFFICIENTS)}, found {lens!r}, of {where}")
    distortion = _numbers(entry.get("distortion", []), (None,), "distortion", where)
    if len(distortion) not in (0, *_COEFFICIENTS[lens]):
        raise FormatError(f"expected {_COEFFICIENTS[lens]} coefficients of a lens {lens!r}, found {len(distortion)}, of {where}")
    focal = entry.get("focal_px")
    if focal is not None:
        focal = np.broadcast_to(_numbers(focal, (None,) if np.ndim(focal) else (), "focal_px", where), 2).copy()
        if not (focal > 1e-6).all():
            raise FormatError(f"expected a focal length above zero, found {focal.tolist()}, of {where}")
    elif len(distortion):
        raise FormatError(f"expected focal_px where there is distortion, found none, of {where}")
    center, size = entry.get("center_px"), entry.get("size")
    if size is not None:
        height, width = (int(n) for n in _numbers(size, (2,), "size", where))
        if min(height, width) < 1:
            raise FormatError(f"expected a size (height, width) above zero, found {size}, of {where}")
        size = (height, width)
    pose = entry.get("camera_from_world")
    return CameraFile(
        name=name,
        pictures=_names(entry["pictures"], "pictures", where),
        focal_px=focal,
        center_px=None if center is None else _numbers(center, (2,), "center_px", where),
        size=size,
        distortion=tuple(distortion.tolist()),
        lens=lens,
        color=None if entry.get("color") is None else _color(entry["color"], where),
        camera_from_world=None
        if pose is None
        else rigid(_numbers(pose, (None, 4, 4) if np.ndim(pose) == 3 else (4, 4), "camera_from_world", where), where),
        depth=_names(entry["depth"], "depth", where) if entry.get("depth") else "",
        depth_unit_m=_positive(entry.get("depth_unit_m", 0.001), "depth_unit_m", where),
    )


def rigid(matrices: Float64[ndarray, "*poses 4 4"], where: str) -> Float64[ndarray, "poses 4 4"]:
    """One or more rigid motions; raises `FormatError` for others."""
    stacked = matrices.reshape(-1, 4, 4)
    turns = stacked[:, :3, :3]
    off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    bad = np.flatnonzero((off > 1e-3) | (np.linalg.det(turns) < 0) | (np.abs(stacked[:, 3] - [0, 0, 0, 1]).max(1) > 1e-6))
    if len(bad):
        raise FormatError(
            f"expected rigid motions (4×4: a rotation without mirroring, a translation, 0 0 0 1), found {stacked[bad[0]].round(4).tolist()} "
            f"as pose {bad[0]} of {where}"
        )
    return stacked


def _color(entry: Any, where: str) -> Color:
    if not isinstance(entry, Mapping) or "matrix" not in entry or entry.get("space", "srgb") not in ("srgb", "linear"):
        raise FormatError(f'expected color as {{"matrix": …, "space": "srgb" or "linear"}}, found {_short(entry)}, of {where}')
    matrix = _numbers(entry["matrix"], (3, None), "color.matrix", where)
    if matrix.shape[1] not in TERMS:
        raise FormatError(f"expected a colour matrix of 3 rows and {sorted(TERMS)} columns, found {matrix.shape[1]} columns, of {where}")
    return Color(matrix, entry.get("space", "srgb") == "linear")


TERMS = {
    3: "r g b",
    4: "r g b 1",
    5: "r g b rgb 1",
    7: "r g b rg rb gb 1",
    8: "r g b rg rb gb rgb 1",
    10: "r g b rg rb gb rr gg bb 1",
    11: "r g b rg rb gb rr gg bb rgb 1",
}
"""Polynomials of a colour correction by how many terms they have (Cheung, Westland, Connah & Ripamonti 2004, table 1; 4 is affine)."""


def _names(value: Any, key: str, where: str) -> str | tuple[str, ...]:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Sequence) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise FormatError(f"expected {key} to be a name or a list of names, found {_short(value)}, of {where}")


def _numbers(value: Any, shape: tuple[int | None, ...], key: str, where: str) -> ndarray:
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise FormatError(f"expected numbers as {key}, found {_short(value)}, of {where}") from error
    fits = array.ndim == len(shape) and all(wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True))
    if not fits or not np.isfinite(array).all():
        wanted = " × ".join("any" if length is None else str(length) for length in shape) or "one"
        raise FormatError(f"expected finite numbers ({wanted}) as {key}, found {_short(value)}, of {where}")
    return array


def _positive(value: Any, key: str, where: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise FormatError(f"expected {key} above zero, found {value!r}, in {where}")
    return float(value)


def _refuse_unknown(found: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(found) - known)
    if unknown:
        raise FormatError(f"expected any of {', '.join(sorted(known))}, found {', '.join(map(repr, unknown))}, in {where}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _located(names: str | tuple[str, ...], folder: Path, target: Path) -> str | list[str]:
    """Names of pictures as a camera file in another folder must give them."""
    if folder.resolve() == target.resolve():
        return names if isinstance(names, str) else list(names)
    located = [str((folder / name).resolve()) for name in ((names,) if isinstance(names, str) else names)]
    return located[0] if isinstance(names, str) else located

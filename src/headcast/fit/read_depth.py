"""A depth map as a surface: neighbouring pixels are joined where they lie on one thing."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from headcast.errors import ConfigError, FormatError, InputError
from headcast.fit.config import FitConfig
from headcast.fit.read_mesh import read_picture
from headcast.fit.scan import Scan
from headcast.heads.regions import components

_JUMP = 0.02
"""Neighbouring pixels whose depths differ by more than this share show different things."""
_MOST_PX = 640
_FEWEST = 500
_LARGE_SHARE = 0.04
_BODY_M = 0.35


def read_depth(path: Path, config: FitConfig) -> Scan:
    """The surface in a depth map, in metres and camera axes (OpenCV).

    Args:
        path: a 16-bit PNG, or an npy of numbers; 0 and NaN are pixels without depth.
        config: its focal length, principal point, unit and colour picture.

    Raises:
        ConfigError: the camera is missing or none.
        FormatError: it is no depth map, or shows next to nothing.
    """
    focal, center = _camera(config)
    depth = _depth(path, config.depth_unit_m)
    height, width = depth.shape
    colors = None if config.texture is None else read_picture(config.texture)
    if colors is not None and abs(colors.shape[1] / colors.shape[0] - width / height) > 0.01:
        raise InputError(
            f"expected a colour picture of the depth map's shape ({width}×{height}), found {colors.shape[1]}×{colors.shape[0]}: {config.texture}"
        )
    center = np.array(center if center is not None else (width / 2, height / 2))
    stride = max(1, int(np.ceil(max(height, width) / _MOST_PX)))
    row, column = (axis.astype(float) for axis in np.mgrid[0:height:stride, 0:width:stride])
    sampled = depth[::stride, ::stride]
    rays = np.stack([(column + 0.5 - center[0]) / focal, (row + 0.5 - center[1]) / focal, np.ones_like(row)], -1)
    points = rays * sampled[..., None]
    faces = _joined(sampled)
    if len(faces) < _FEWEST:
        raise FormatError(f"expected a surface in the depth map, found {len(faces)} places where neighbouring pixels lie on one thing: {path}")
    faces, notes = _foreground(faces, sampled.reshape(-1))
    rows = None
    if colors is not None:
        rows = cv2.resize(colors, (sampled.shape[1], sampled.shape[0]), interpolation=cv2.INTER_AREA).reshape(-1, 3) / 255
    used = np.unique(faces)
    place = np.zeros(points.size // 3, np.int64)
    place[used] = np.arange(len(used))
    return Scan(path.name, points.reshape(-1, 3)[used], place[faces], colors=None if rows is None else rows[used], notes=notes, unit_m=1.0)


def _foreground(faces: Int[ndarray, "faces 3"], depth: Float[ndarray, "pixels"]) -> tuple[Int[ndarray, "kept 3"], tuple[str, ...]]:
    """What is as near as the nearest large thing, a body deep: a room behind a head is no part of it."""
    piece = components(faces, len(depth))[faces[:, 0]]
    counts, middle = np.bincount(piece), depth[faces].mean(1)
    large = np.flatnonzero(counts >= _LARGE_SHARE * len(faces))
    nearest = min(float(np.median(middle[piece == number])) for number in large) if len(large) else float(np.median(middle))
    kept = middle < nearest + _BODY_M
    if kept.all():
        return faces, ()
    return faces[kept], (f"left out what is farther than {nearest + _BODY_M:.2f} m from the camera",)


def _camera(config: FitConfig) -> tuple[float, tuple[float, float] | None]:
    if config.focal_px is None:
        raise ConfigError("a depth map needs its camera: give --focal-px, and --center-px where the principal point is not the middle")
    if not (np.isfinite(config.focal_px) and config.focal_px > 0):
        raise ConfigError(f"expected a focal length above zero, found --focal-px {config.focal_px}")
    return float(config.focal_px), config.center_px


def _depth(path: Path, unit_m: float | None) -> Float[ndarray, "height width"]:
    """Metres; 0 where there is none."""
    if path.suffix.lower() == ".npy":
        try:
            stored = np.load(path, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise FormatError(f"{path} cannot be read as an array ({error}); it was cut short or is another kind of file.") from error
        unit_m = 1.0 if unit_m is None else unit_m
    else:
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if stored is None or stored.dtype != np.uint16 or stored.ndim != 2:
            found = "no picture" if stored is None else f"{stored.dtype} with {1 if stored.ndim == 2 else stored.shape[2]} channels"
            raise FormatError(f"expected a depth map: a PNG of 16 bits with one channel, found {found}: {path}")
        unit_m = 0.001 if unit_m is None else unit_m
    if stored.ndim != 2 or stored.dtype.kind not in "fiu" or min(stored.shape) < 2:
        raise FormatError(f"expected a depth map (height, width) of numbers, found {stored.dtype} of shape {stored.shape}: {path}")
    depth = np.nan_to_num(stored.astype(np.float64), posinf=0.0, neginf=0.0) * unit_m
    return np.maximum(depth, 0.0)


def _joined(depth: Float[ndarray, "height width"]) -> Int[ndarray, "faces 3"]:
    """Two triangles for every four neighbouring pixels on one thing, facing the camera."""
    number = np.arange(depth.size).reshape(depth.shape)
    corners = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1).reshape(-1, 4)
    depths = depth.reshape(-1)[corners]
    same = (depths.min(1) > 0) & (depths.max(1) - depths.min(1) < _JUMP * depths.max(1))
    corners = corners[same]
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])

"""A model of COLMAP (Schönberger and Frahm 2016), as text and as its binary files: a pinhole per camera, a pose per picture, points on the head.

COLMAP's conventions are ours: camera from world, +X right, +Y down, +Z forward, pixel (0, 0) the corner of the image; quaternions are (w, x, y, z).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.errors import FormatError, InputError
from headcast.geometry import Camera, Transform, matrix_from_quaternion, quaternion_from_matrix
from headcast.store import replace_file, write_text

_MODELS = {0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4)}
"""COLMAP's numbers of the cameras without distortion, their names, and how many numbers each has."""
_PINHOLE = 1


@dataclass(frozen=True)
class ColmapModel:
    """A COLMAP model whose cameras have no distortion."""

    cameras: dict[str, Camera]
    """By the picture's name."""
    points: Float32[ndarray, "points 3"]
    colors: UInt8[ndarray, "points 3"]


def write_colmap_text(folder: Path, model: ColmapModel) -> None:
    """Writes `cameras.txt`, `images.txt` and `points3D.txt`; pictures of the same lens share a camera."""
    lenses = _lenses(model)
    cameras = [f"{number} PINHOLE {width} {height} {_numbers(numbers)}\n" for (height, width, *numbers), number in lenses.items()]
    write_text(folder / "cameras.txt", "".join(cameras))
    poses = [
        f"{number} {_numbers(_pose(camera))} {lenses[_lens_key(camera)]} {name}\n\n"
        for number, (name, camera) in enumerate(model.cameras.items(), start=1)
    ]
    write_text(folder / "images.txt", "".join(poses))
    rows = zip(model.points.tolist(), model.colors.tolist(), strict=True)
    points = [f"{number} {_numbers(point)} {' '.join(map(str, color))} 0\n" for number, (point, color) in enumerate(rows, start=1)]
    write_text(folder / "points3D.txt", "".join(points))


def write_colmap_binary(folder: Path, model: ColmapModel) -> None:
    """Writes `cameras.bin`, `images.bin` and `points3D.bin`; pictures of the same lens share a camera."""
    lenses = _lenses(model)
    cameras = [struct.pack("<IiQQ4d", number, _PINHOLE, width, height, *numbers) for (height, width, *numbers), number in lenses.items()]
    poses = [
        struct.pack("<I7dI", number, *_pose(view), lenses[_lens_key(view)]) + name.encode() + b"\0" + struct.pack("<Q", 0)
        for number, (name, view) in enumerate(model.cameras.items(), start=1)
    ]
    points = np.zeros(len(model.points), [("id", "<u8"), ("place", "<f8", 3), ("color", "u1", 3), ("error", "<f8"), ("seen", "<u8")])
    points["id"], points["place"], points["color"] = np.arange(1, len(points) + 1), model.points, model.colors
    contents = {
        "cameras.bin": struct.pack("<Q", len(cameras)) + b"".join(cameras),
        "images.bin": struct.pack("<Q", len(poses)) + b"".join(poses),
        "points3D.bin": struct.pack("<Q", len(points)) + points.tobytes(),
    }
    for name, content in contents.items():
        with replace_file(folder / name) as temporary:
            temporary.write_bytes(content)


def _lens_key(camera: Camera) -> tuple[int | float, ...]:
    """Height, width, focal length and principal point."""
    return (*camera.size, *camera.focal_px.tolist(), *camera.center_px.tolist())


def _lenses(model: ColmapModel) -> dict[tuple[int | float, ...], int]:
    """COLMAP's number of each lens, from one, in the order of the pictures."""
    return {key: number for number, key in enumerate(dict.fromkeys(map(_lens_key, model.cameras.values())), start=1)}


def _pose(camera: Camera) -> list[float]:
    """Quaternion (w, x, y, z) and translation of camera from world."""
    pose = camera.camera_from_world
    return [*quaternion_from_matrix(pose.rotation.double()).tolist(), *pose.translation.tolist()]


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def read_colmap(folder: Path) -> ColmapModel:
    """The model in a folder that holds COLMAP's binary or text files (the binary ones where there are both).

    Raises `InputError` where there is none, `FormatError` where a file is broken or a camera has distortion.
    """
    suffix = next((suffix for suffix in ("bin", "txt") if (folder / f"images.{suffix}").is_file()), None)
    if suffix is None:
        raise InputError(f"expected cameras, images and points3D (.bin or .txt) of COLMAP, found none in {folder}")
    readers = {"bin": (_cameras_of_binary, _poses_of_binary, _points_of_binary), "txt": (_cameras_of_text, _poses_of_text, _points_of_text)}[suffix]
    found = []
    for name, reader in zip(("cameras", "images", "points3D"), readers, strict=True):
        path = folder / f"{name}.{suffix}"
        if not path.is_file():
            raise InputError(f"expected the file {path}, found none")
        try:
            found.append(reader(path))
        except (struct.error, ValueError, IndexError, KeyError) as error:
            raise FormatError(f"expected {name} as COLMAP writes them, without distortion; {error}, in {path}") from error
    lenses, poses, (points, colors) = found
    unknown = sorted({lens for _, _, lens in poses} - set(lenses))
    if unknown:
        raise FormatError(f"expected the cameras {unknown}, found {sorted(lenses)}, in {folder}")
    return ColmapModel({name: Camera(*lenses[lens], pose) for name, pose, lens in poses}, points, colors)


_Lens = tuple[torch.Tensor, torch.Tensor, tuple[int, int]]
_Posed = tuple[str, Transform, int]


def _lens(kind: str, size: tuple[int, int], numbers: Sequence[float]) -> _Lens:
    """Focal length, principal point and size of a camera without distortion."""
    if kind not in (name for name, _ in _MODELS.values()):
        raise ValueError(f"found the camera model {kind!r}")
    fx, fy, cx, cy = (numbers[0], *numbers) if kind == "SIMPLE_PINHOLE" else numbers
    return torch.tensor([fx, fy], dtype=torch.float32), torch.tensor([cx, cy], dtype=torch.float32), size


def _transform(numbers: Sequence[float]) -> Transform:
    quaternion, translation = torch.tensor(numbers[:4], dtype=torch.float64), torch.tensor(numbers[4:7], dtype=torch.float32)
    if not 0.5 < float(quaternion.norm()) < 2:
        raise ValueError(f"found the quaternion {quaternion.tolist()}")
    return Transform(matrix_from_quaternion(quaternion).float(), translation)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _cameras_of_text(path: Path) -> dict[int, _Lens]:
    rows = [line.split() for line in _lines(path) if line.strip()]
    return {int(row[0]): _lens(row[1], (int(row[3]), int(row[2])), [float(number) for number in row[4:]]) for row in rows}


def _poses_of_text(path: Path) -> list[_Posed]:
    """Every other line is a pose; what lies between them are observations, which may be empty."""
    rows = [line.split(maxsplit=9) for line in _lines(path)[::2] if line.strip()]
    return [(row[9], _transform([float(number) for number in row[1:8]]), int(row[8])) for row in rows]


def _points_of_text(path: Path) -> tuple[ndarray, ndarray]:
    rows = [line.split()[1:7] for line in _lines(path) if line.strip()]
    numbers = np.array(rows, np.float64).reshape(-1, 6)
    return numbers[:, :3].astype(np.float32), numbers[:, 3:].astype(np.uint8)


class _Bytes:
    """The bytes of a file, from the first to the last."""

    def __init__(self, path: Path):
        self._content, self._place = path.read_bytes(), 0

    def take(self, kinds: str) -> tuple:
        found = struct.unpack_from(f"<{kinds}", self._content, self._place)
        self._place += struct.calcsize(f"<{kinds}")
        return found

    def skip(self, count: int) -> None:
        if self._place + count > len(self._content):
            raise ValueError(f"the file ends {self._place + count - len(self._content)} bytes early")
        self._place += count

    def word(self) -> str:
        end = self._content.index(b"\0", self._place)
        found = self._content[self._place : end].decode()
        self._place = end + 1
        return found


def _cameras_of_binary(path: Path) -> dict[int, _Lens]:
    content = _Bytes(path)
    found = {}
    for _ in range(content.take("Q")[0]):
        number, kind, width, height = content.take("IiQQ")
        if kind not in _MODELS:
            raise ValueError(f"found the camera model {kind}")
        name, count = _MODELS[kind]
        found[number] = _lens(name, (height, width), content.take(f"{count}d"))
    return found


def _poses_of_binary(path: Path) -> list[_Posed]:
    content = _Bytes(path)
    found = []
    for _ in range(content.take("Q")[0]):
        _, *pose, lens = content.take("I7dI")
        name = content.word()
        content.skip(24 * content.take("Q")[0])
        found.append((name, _transform(pose), lens))
    return found


def _points_of_binary(path: Path) -> tuple[ndarray, ndarray]:
    content = _Bytes(path)
    rows = list(_point_rows(content))
    return np.array([row[:3] for row in rows], np.float32).reshape(-1, 3), np.array([row[3:] for row in rows], np.uint8).reshape(-1, 3)


def _point_rows(content: _Bytes) -> Iterator[tuple]:
    for _ in range(content.take("Q")[0]):
        _, *row, _, seen = content.take("Q3d3BdQ")
        content.skip(8 * seen)
        yield tuple(row)

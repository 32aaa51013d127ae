"""COLMAP's sparse models, text and binary: lenses, poses and names of pictures. The unit of their world is unknown."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.rigs.groups import PicturesAre, grouped
from headcast.capture.rigs.lens import COLMAP_MODELS, Lens, colmap_lens
from headcast.capture.rigs.poses import still
from headcast.errors import FormatError, InputError
from headcast.geometry import matrix_from_quaternion

_MODELS = ("", "sparse/0", "sparse", "colmap/sparse/0")
"""Where a model lies in a project."""
_UNKNOWN = {7: "FOV", 10: "THIN_PRISM_FISHEYE", 11: "RAD_TAN_THIN_PRISM_FISHEYE"}
_MODEL_NAMES = {number: name for name, (number, _) in COLMAP_MODELS.items()} | _UNKNOWN
_PARAMETER_COUNTS = {"FOV": 5, "THIN_PRISM_FISHEYE": 12, "RAD_TAN_THIN_PRISM_FISHEYE": 16}


@dataclass(frozen=True)
class _Picture:
    name: str
    camera_id: int
    camera_from_world: Float64[ndarray, "4 4"]


def is_colmap(path: Path) -> bool:
    return path.is_dir() and _model(path) is not None


def read_colmap(path: Path, pictures_are: PicturesAre = "auto") -> CameraFiles:
    """Cameras of a model, from the project's folder or the model's own; see `grouped` for which pictures are of one camera.

    Raises:
        InputError: pictures are missing, or may be of one camera or of several.
        FormatError: the model is broken or cut short, or has a lens that OpenCV cannot say.
    """
    model = _model(path)
    assert model is not None
    suffix = ".bin" if (model / "cameras.bin").is_file() else ".txt"
    read_lenses, read_pictures = (_binary_lenses, _binary_pictures) if suffix == ".bin" else (_text_lenses, _text_pictures)
    lenses = _parsed(read_lenses, model / f"cameras{suffix}")
    pictures = {picture.name: picture for picture in _parsed(read_pictures, model / f"images{suffix}")}
    if not pictures:
        raise InputError(f"expected a model with pictures, found none, in {model}")
    lost = sorted({picture.camera_id for picture in pictures.values()} - set(lenses))
    if lost:
        raise FormatError(f"expected the cameras of all pictures, found none with the numbers {lost}, in {model}")
    folder = _folder_of_pictures(model, list(pictures))
    cameras = []
    for name, listed in grouped({name: picture.camera_id for name, picture in pictures.items()}, pictures_are, model).items():
        lens = Lens.of_all([lenses[pictures[picture].camera_id] for picture in listed], f"camera {name!r} in {model}")
        poses = still(np.stack([pictures[picture].camera_from_world for picture in listed]))
        cameras.append(CameraFile(name=name, pictures=tuple(listed), camera_from_world=poses, **lens.known()))
    return CameraFiles(folder, tuple(cameras), None)


def _model(path: Path) -> Path | None:
    for place in _MODELS:
        for suffix in (".bin", ".txt"):
            if all((path / place / f"{name}{suffix}").is_file() for name in ("cameras", "images")):
                return path / place
    return None


def _folder_of_pictures(model: Path, names: list[str]) -> Path:
    """The folder `images` beside the model or above it."""
    tried = [place / "images" for place in (model, *model.resolve().parents[:3])]
    for folder in tried:
        if (folder / names[0]).is_file():
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise InputError(f"expected {len(names)} pictures, found nothing at {len(missing)} of them, as {folder / missing[0]}")
            return folder
    raise InputError(f"expected the pictures in a folder 'images' beside the model, found no {names[0]!r} in any of {', '.join(map(str, tried))}")


def _parsed(read, file: Path):
    try:
        return read(file)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise FormatError(f"expected a file of COLMAP, found something that was cut short or edited ({error}): {file}") from error


def _text_lenses(file: Path) -> dict[int, Lens]:
    """Lines of number, model, width, height, parameters."""
    lenses = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            number, model, width, height, *parameters = line.split()
            size = (int(height), int(width))
            lenses[int(number)] = colmap_lens(model, [float(value) for value in parameters], size, f"camera {number} in {file}")
    return lenses


def _text_pictures(file: Path) -> list[_Picture]:
    """Two lines each: number, quaternion wxyz, translation, camera, name; then points, which may be an empty line."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = []
    for line in lines[::2]:
        if line.strip():
            values = line.split(maxsplit=9)
            found.append(_picture([float(value) for value in values[1:8]], int(values[8]), values[9].strip(), file))
    return found


def _binary_lenses(file: Path) -> dict[int, Lens]:
    lenses, read = {}, _Reader(file.read_bytes())
    for _ in range(read("<Q")[0]):
        number, model_number, width, height = read("<iiQQ")
        model = _MODEL_NAMES.get(model_number, f"number {model_number}")
        where = f"camera {number} in {file}"
        count = len(COLMAP_MODELS[model][1].split()) if model in COLMAP_MODELS else _PARAMETER_COUNTS.get(model, 0)
        lenses[number] = colmap_lens(model, list(read(f"<{count}d")), (height, width), where)
    return lenses


def _binary_pictures(file: Path) -> list[_Picture]:
    found, read = [], _Reader(file.read_bytes())
    for _ in range(read("<Q")[0]):
        _, *motion, camera_id = read("<I7dI")
        found.append(_picture(motion, camera_id, read.text(), file))
        read.skip(24 * read("<Q")[0])
    return found


class _Reader:
    """Values one after another."""

    def __init__(self, data: bytes):
        self._data, self._place = data, 0

    def __call__(self, layout: str) -> tuple:
        values = struct.unpack_from(layout, self._data, self._place)
        self._place += struct.calcsize(layout)
        return values

    def text(self) -> str:
        end = self._data.index(b"\0", self._place)
        text = self._data[self._place : end].decode()
        self._place = end + 1
        return text

    def skip(self, count: int) -> None:
        self._place += count
        if self._place > len(self._data):
            raise ValueError("points are missing")


def _picture(motion: list[float], camera_id: int, name: str, file: Path) -> _Picture:
    """From a quaternion wxyz and a translation: camera from world, OpenCV's axes."""
    length = float(np.linalg.norm(motion[:4]))
    if not np.isfinite(motion).all() or not 0.9 < length < 1.1:
        raise FormatError(f"expected a unit quaternion and a translation, found {motion}, of picture {name!r} in {file}")
    pose = np.eye(4)
    pose[:3, :3] = matrix_from_quaternion(torch.tensor(motion[:4], dtype=torch.float64) / length).numpy()
    pose[:3, 3] = motion[4:]
    return _Picture(name, camera_id, pose)

"""Recordings of the Record3D app with depth, lens and the phone's path: `.r3d` (a zip), its folder, or the app's export of EXR and JPG pictures.

An `.r3d` holds `metadata` (JSON), `rgbd/0.jpg`, `0.depth` (32-bit floats in metres, LZFSE) and, of the back camera, `0.conf` (bytes 0 to 2, LZFSE).
The export holds `metadata.json`, `rgb/0.jpg` and `depth/0.exr` (metres).
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray

from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.rigs.lens import Lens
from headcast.capture.rigs.poses import camera_from_world
from headcast.capture.written import an_object, numbers, positive, whole
from headcast.errors import FormatError, InputError, MissingExtraError
from headcast.geometry import matrix_from_quaternion
from headcast.store import About, InputFile, replace_file

KIND = "unpacked record3d"
SCHEMA = 1
DEPTH_UNIT_M = 0.0001
"""Of the unpacked pictures of depth: 16 bits reach 6.5 m, further than the sensors."""
_LEAST_CONFIDENCE = 1
_EXPORTED = "EXR_RGBD"


def is_record3d(path: Path) -> bool:
    return path.suffix.lower() == ".r3d" or (path.is_dir() and (_is_unzipped(path) or _export(path) is not None))


def read_record3d(path: Path) -> CameraFiles:
    """The one camera, with depth, its path and times. An `.r3d` is unpacked once into a folder beside it, `NAME_unpacked`.

    Raises:
        InputError: pictures are missing.
        FormatError: the recording is broken, or says nothing of its lens.
        MissingExtraError: the package that reads LZFSE is not installed.
    """
    export = _export(path) if path.is_dir() else None
    if export is not None:
        metadata = _metadata((export / "metadata.json").read_bytes(), export / "metadata.json")
        return _camera(export, metadata, _numbered(export / "rgb", (".jpg", ".png")), _numbered(export / "depth", (".exr",)), 1.0)
    if not path.exists():
        raise InputError(f"expected a recording of Record3D, found nothing at {path}")
    folder = path.with_name(f"{path.stem}_unpacked")
    metadata = _unpacked(path, folder)
    return _camera(folder, metadata, _numbered(folder / "rgb", (".jpg",)), _numbered(folder / "depth", (".png",)), DEPTH_UNIT_M)


def _is_unzipped(path: Path) -> bool:
    return (path / "metadata").is_file() and (path / "rgbd").is_dir()


def _export(path: Path) -> Path | None:
    for folder in (path, path / _EXPORTED):
        if (folder / "metadata.json").is_file() and (folder / "rgb").is_dir():
            return folder
    return None


def _metadata(text: bytes, where: object) -> dict[str, Any]:
    try:
        return dict(an_object(json.loads(text), "metadata", where))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"expected metadata as JSON, found something else ({error}), in {where}") from error


def _numbered(folder: Path, suffixes: tuple[str, ...]) -> dict[int, str]:
    files = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.stem.isdigit()] if folder.is_dir() else []
    return {int(file.stem): f"{folder.name}/{file.name}" for file in sorted(files, key=lambda file: int(file.stem))}


def _camera(folder: Path, metadata: dict[str, Any], color: dict[int, str], depth: dict[int, str], depth_unit_m: float) -> CameraFiles:
    where = f"the metadata in {folder}"
    if not color:
        raise InputError(f"expected pictures 0.jpg and so on, found none, in {folder}")
    lost = sorted(set(color) ^ set(depth)) if depth else []
    if lost:
        raise InputError(f"expected a picture of colour and one of depth for every frame, found only one of frame {lost[0]}, in {folder}")
    frames = list(color)
    camera = CameraFile(
        name="phone",
        pictures=tuple(color.values()),
        camera_from_world=_poses(metadata, frames, where),
        depth=tuple(depth.values()),
        depth_unit_m=depth_unit_m,
        time_s=_times(metadata, frames, where),
        **_lens(metadata, frames, where).known(),
    )
    fps = positive(metadata["fps"], "fps", where) if "fps" in metadata else None
    return CameraFiles(folder, (camera,), 1.0, fps)


def _rows(metadata: dict[str, Any], key: str, frames: list[int], width: int, where: str) -> Float64[ndarray, "frames width"] | None:
    """Numbers of each frame that has a picture; None where the recording has none of any."""
    if not metadata.get(key):
        return None
    rows = numbers(metadata[key], (None, width), key, where)
    if len(rows) <= frames[-1]:
        raise FormatError(f"expected {key} of all frames up to {frames[-1]}, found {len(rows)}, of {where}")
    return rows[frames]


def _lens(metadata: dict[str, Any], frames: list[int], where: str) -> Lens:
    """Of the pictures of colour. K is listed by columns; where the focus moves, each frame has its own fx, fy, cx, cy."""
    if "w" not in metadata or "h" not in metadata or "K" not in metadata:
        raise FormatError(f"expected K, w and h, found {sorted(metadata)}, of {where}")
    size = whole(metadata["h"], "h", where, 1), whole(metadata["w"], "w", where, 1)
    lens = Lens.from_matrix(numbers(metadata["K"], (9,), "K", where).reshape(3, 3).T, size, where)
    each = _rows(metadata, "perFrameIntrinsicCoeffs", frames, 4, where)
    if each is None:
        return lens
    return Lens.of_all([Lens.from_matrix(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), size, where) for fx, fy, cx, cy in each], where)


def _poses(metadata: dict[str, Any], frames: list[int], where: str) -> Float64[ndarray, "poses 4 4"] | None:
    """From rows of a quaternion xyzw and a position, camera to world, OpenGL's axes (ARKit's); None where the phone did not follow its path."""
    rows = _rows(metadata, "poses", frames, 7, where)
    if rows is None or not np.abs(rows[:, :4]).sum(1).all():
        return None
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    quaternions = rows[:, [3, 0, 1, 2]] / np.linalg.norm(rows[:, :4], axis=1, keepdims=True)
    poses[:, :3, :3] = matrix_from_quaternion(torch.from_numpy(quaternions)).numpy()
    poses[:, :3, 3] = rows[:, 4:]
    return camera_from_world(poses, "opengl", where)


def _times(metadata: dict[str, Any], frames: list[int], where: str) -> Float64[ndarray, "frames"] | None:
    if not metadata.get("frameTimestamps"):
        return None
    times = numbers(metadata["frameTimestamps"], (None,), "frameTimestamps", where)
    if len(times) <= frames[-1] or not (np.diff(times[frames]) > 0).all():
        raise FormatError(f"expected ascending frameTimestamps up to frame {frames[-1]}, found {len(times)} or others, of {where}")
    return times[frames] - times[0]


def _unpacked(path: Path, folder: Path) -> dict[str, Any]:
    """Unpacks pictures of colour and depth, where that was not done, and returns the metadata."""
    root = path if path.is_dir() else zipfile.Path(_zip(path))
    metadata = _metadata((root / "metadata").read_bytes(), path) if (root / "metadata").is_file() else None
    if metadata is None or not (root / "rgbd").is_dir():
        raise FormatError(f"expected metadata and rgbd, found {sorted(child.name for child in root.iterdir())[:8]}, in {path}")
    recording = InputFile.of(path / "metadata" if path.is_dir() else path)
    about = folder / "about.json"
    if about.is_file() and About.load(about, KIND, SCHEMA).inputs["recording"].same_contents(recording):
        return metadata
    if folder.exists() and not about.is_file() and any(child.name not in ("rgb", "depth") for child in folder.iterdir()):
        raise InputError(f"expected to unpack the recording into a folder of its own, found other files there. Move them away: {folder}")
    about.unlink(missing_ok=True)
    members = {file.name: file for file in (root / "rgbd").iterdir()}
    frames = sorted(int(name[:-4]) for name in members if re.fullmatch(r"\d+\.jpg", name))
    for frame in frames:
        _write(folder / "rgb" / f"{frame}.jpg", members[f"{frame}.jpg"].read_bytes())
        if f"{frame}.depth" in members:
            confidence = members[f"{frame}.conf"].read_bytes() if f"{frame}.conf" in members else None
            metres = _depth(members[f"{frame}.depth"].read_bytes(), confidence, metadata, f"frame {frame} of {path}")
            _write(folder / "depth" / f"{frame}.png", cv2.imencode(".png", _stored(metres))[1].tobytes())
    About(KIND, SCHEMA, {"recording": recording}, {"frames": len(frames), "depth_unit_m": DEPTH_UNIT_M}).save(about)
    return metadata


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise FormatError(f"expected a recording of Record3D, found something that is no zip ({error}); it was cut short: {path}") from error


def _write(path: Path, data: bytes) -> None:
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def _depth(packed: bytes, confidence: bytes | None, metadata: dict[str, Any], where: str) -> Float32[ndarray, "height width"]:
    """Metres; 0 where nothing was measured, or without confidence."""
    size = whole(metadata.get("dh"), "dh", where, 1), whole(metadata.get("dw"), "dw", where, 1)
    metres = _plain(packed, size, np.dtype("<f4"), where)
    measured = np.isfinite(metres) & (metres > 0)
    if confidence is not None:
        measured &= _plain(confidence, size, np.dtype("u1"), where) >= _LEAST_CONFIDENCE
    return np.where(measured, metres, np.float32(0)).astype(np.float32)


def _plain(packed: bytes, size: tuple[int, int], kind: np.dtype, where: str) -> ndarray:
    expected = size[0] * size[1] * kind.itemsize
    data = packed if len(packed) == expected else _decompressed(packed, where)
    if len(data) != expected:
        raise FormatError(f"expected {size[1]}×{size[0]} values of depth or confidence, found {len(data)} bytes, in {where}")
    return np.frombuffer(data, kind).reshape(size)


def _decompressed(packed: bytes, where: str) -> bytes:
    try:
        import liblzfse
    except ImportError as error:
        raise MissingExtraError("reading .r3d recordings", "pyliblzfse", "record3d") from error
    try:
        return liblzfse.decompress(packed)
    except liblzfse.error as error:
        raise FormatError(f"expected depth packed by LZFSE, found something else ({error}), in {where}") from error


def _stored(metres: Float32[ndarray, "height width"]) -> ndarray:
    return np.where(metres < DEPTH_UNIT_M * 65535, np.rint(metres / DEPTH_UNIT_M), 0).astype(np.uint16)

"""One camera of a camera file as a recording: its pictures without the lens's distortion, its colours corrected, its depth in metres."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.capture.cameras import TERMS, CameraFile, CameraFiles, Color
from headcast.capture.pictures import PictureSource, natural_key
from headcast.capture.source import PICTURE_SUFFIXES, Source, SourceFrame, SourceMetadata, open_source
from headcast.errors import FormatError, InputError

MARK = "#"
"""What stands between a camera file and the name of a camera: `cameras.json#left`."""


def camera_path(file: Path, name: str) -> Path:
    """The path by which `open_source` knows one camera of a camera file."""
    return Path(f"{file}{MARK}{name}")


def names_camera(path: Path) -> bool:
    """Whether a path names one camera of a camera file."""
    file, mark, _ = str(path).rpartition(MARK)
    return bool(mark) and file.endswith(".json")


class CameraSource:
    """A recording as its camera would have made it without distortion."""

    def __init__(self, path: Path):
        file, _, name = str(path).rpartition(MARK)
        if not Path(file).is_file():
            raise InputError(f"expected a camera file, found nothing at {file}")
        files = CameraFiles.load(Path(file))
        self.path = path
        self.camera: CameraFile = files.camera(name)
        self._base = _pictures(self.camera, files)
        self.files: tuple[Path, ...] = (Path(file), *self._base.files)
        self.size = self._base.size
        self.frame_count = self._base.frame_count
        self.metadata: SourceMetadata = self._base.metadata
        _check_poses(self.camera, self.frame_count)
        self._maps = _undistorting(self.camera, self.size)
        self._table = _ColorTable(self.camera.color) if self.camera.color is not None else None
        self._depth = _depth_files(self.camera, files, self.frame_count)

    @property
    def warnings(self) -> list[str]:
        return self._base.warnings

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames `start` to `stop` (exclusive) in order."""
        return map(self._developed, self._base.frames(start, stop))

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """Frames at ascending indices."""
        return map(self._developed, self._base.select(indices))

    @property
    def has_depth(self) -> bool:
        return bool(self._depth)

    def depth(self, frame_idx: int) -> Float32[ndarray, "height width"]:
        """Depth along the view (m), 0 where none was measured, distortion taken away; raises `InputError` where it cannot be read."""
        path = self._depth[frame_idx]
        stored = np.load(path) if path.suffix == ".npy" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if stored is None or stored.ndim != 2:
            raise InputError(f"expected a picture of depth with one channel, found something else at {path}")
        metres = np.nan_to_num(stored.astype(np.float32) * np.float32(self.camera.depth_unit_m), posinf=0, neginf=0)
        if metres.shape != self.size:
            metres = cv2.resize(metres, self.size[::-1], interpolation=cv2.INTER_NEAREST)
        return metres if self._maps is None else cv2.remap(metres, *self._maps, cv2.INTER_NEAREST)

    def _developed(self, frame: SourceFrame) -> SourceFrame:
        image, alpha = frame.image, frame.alpha
        if self._table is not None:
            image = self._table(image)
        if self._maps is not None:
            image = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
            alpha = None if alpha is None else cv2.remap(alpha, *self._maps, cv2.INTER_LINEAR)
        return frame._replace(image=image, alpha=alpha)


def _pictures(camera: CameraFile, files: CameraFiles) -> Source:
    fps = files.fps or 25.0
    if isinstance(camera.pictures, str):
        return open_source(files.folder / camera.pictures, fps)
    paths = [files.folder / name for name in camera.pictures]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InputError(f"expected {len(paths)} pictures of camera {camera.name!r}, found nothing at {len(missing)} of them, as {missing[0]}")
    return PictureSource(files.folder, "picture folder", [(path, 0) for path in paths], [idx / fps for idx in range(len(paths))], fps)


def _undistorting(camera: CameraFile, size: tuple[int, int]) -> tuple[ndarray, ndarray] | None:
    """Where each pixel of the picture without distortion lies in the recorded one; None without distortion."""
    if not any(camera.distortion):
        return None
    known = camera.calibration(size)
    assert known.focal_px is not None
    matrix = np.diag([*known.focal_px, 1.0])
    matrix[:2, 2] = (size[1] / 2, size[0] / 2) if known.center_px is None else known.center_px
    # OpenCV counts from the middle of the first pixel.
    matrix[:2, 2] -= 0.5
    coefficients = np.array(camera.distortion)
    if camera.lens == "fisheye":
        return cv2.fisheye.initUndistortRectifyMap(matrix, coefficients, np.eye(3), matrix, size[::-1], cv2.CV_16SC2)
    return cv2.initUndistortRectifyMap(matrix, coefficients, None, matrix, size[::-1], cv2.CV_16SC2)


def _check_poses(camera: CameraFile, frame_count: int) -> None:
    found = 1 if camera.camera_from_world is None else len(camera.camera_from_world)
    if found not in (1, frame_count):
        raise InputError(f"expected one pose of camera {camera.name!r}, or one for each of its {frame_count} frames, found {found}")


def _depth_files(camera: CameraFile, files: CameraFiles, frame_count: int) -> list[Path]:
    if not camera.depth:
        return []
    if isinstance(camera.depth, str):
        place = files.folder / camera.depth
        folder, pattern = (place, "*") if place.is_dir() else (place.parent, place.name)
        suffixes = (*PICTURE_SUFFIXES, ".npy", ".exr")
        found = sorted((path for path in folder.glob(pattern) if path.suffix.lower() in suffixes), key=natural_key) if folder.is_dir() else []
    else:
        found = [files.folder / name for name in camera.depth]
        missing = [path for path in found if not path.is_file()]
        if missing:
            raise InputError(f"expected pictures of depth of camera {camera.name!r}, found nothing at {missing[0]}")
    if len(found) != frame_count:
        raise InputError(
            f"expected a picture of depth for each of the {frame_count} frames of camera {camera.name!r}, found {len(found)} as {camera.depth!r:.80}"
        )
    return found


class _ColorTable:
    """A colour correction of 8-bit pictures, looked up in a table of 33³ colours in between (as editors' LUT files do)."""

    _SIDE = 33

    def __init__(self, color: Color):
        grid = np.linspace(0, 1, self._SIDE)
        rgb = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
        if color.linear:
            rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        factors = {"r": rgb[:, 0], "g": rgb[:, 1], "b": rgb[:, 2], "1": np.ones(len(rgb))}
        terms = np.stack([np.prod([factors[letter] for letter in term], axis=0) for term in TERMS[color.matrix.shape[1]].split()], 1)
        corrected = np.clip(terms @ color.matrix.T, 0, 1)
        if color.linear:
            corrected = np.where(corrected <= 0.0031308, 12.92 * corrected, 1.055 * corrected ** (1 / 2.4) - 0.055)
        if not np.isfinite(corrected).all():
            raise FormatError(f"expected a colour correction that gives finite colours, found {color.matrix.tolist()!r:.200}")
        self._filter = _trilinear(corrected.reshape(self._SIDE, self._SIDE, self._SIDE, 3).astype(np.float32))

    def __call__(self, image: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
        return self._filter(image)


def _trilinear(table: Float32[ndarray, "side side side 3"]):
    from PIL import Image, ImageFilter

    # Pillow counts the first axis fastest.
    lut = ImageFilter.Color3DLUT(table.shape[0], table.transpose(2, 1, 0, 3).reshape(-1, 3).ravel().tolist())
    return lambda image: np.asarray(Image.fromarray(image).filter(lut))

"""One camera of a camera file as a recording: its pictures without the lens's distortion, its colours corrected, its depth in metres."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8
from numpy import ndarray

from headcast.capture.cameras import CameraFile, CameraFiles
from headcast.capture.color import ColorTable
from headcast.capture.pictures import PictureSource, natural_key
from headcast.capture.source import PICTURE_SUFFIXES, Source, SourceFrame, SourceMetadata, open_source
from headcast.errors import InputError

MARK = "#"
"""What stands between a camera file and the name of a camera: `cameras.json#left`."""
FOLDER_FPS = 25.0
"""Of pictures where the camera file does not say."""


def camera_path(file: Path, name: str) -> Path:
    """The path by which `open_source` knows one camera of a camera file."""
    return Path(f"{file}{MARK}{name}")


def names_camera(path: Path) -> bool:
    """Whether a path names one camera of a camera file."""
    file, mark, _ = str(path).rpartition(MARK)
    return bool(mark) and file.endswith(".json")


def recorded_frames(camera: CameraFile, files: CameraFiles) -> int:
    """How many pictures a camera recorded, used or not."""
    return _open(camera.pictures, camera, files).frame_count


class CameraSource:
    """A recording as its camera would have made it without distortion."""

    def __init__(self, path: Path, files: CameraFiles | None = None):
        """From a path such as `cameras.json#left`; `files` is what that file says, where it is known already."""
        file, _, name = str(path).rpartition(MARK)
        if files is None:
            if not Path(file).is_file():
                raise InputError(f"expected a camera file, found nothing at {file}")
            files = CameraFiles.load(Path(file))
        camera = files.camera(name)
        self.path = path
        self.camera: CameraFile = camera
        self._base = _open(camera.pictures, camera, files)
        self._used = camera.used(self._base.frame_count)
        self._alpha = _open_alpha(camera, files, self._base.frame_count)
        self._depth = _depth_files(camera, files, self._base.frame_count)
        self.files: tuple[Path, ...] = (Path(file), *self._base.files, *(self._alpha.files if self._alpha else ()))
        self.size = self._base.size
        self.frame_count = len(self._used)
        _check_poses(camera, self.frame_count)
        self.metadata: SourceMetadata = _metadata(camera, self._base, self._used)
        self._lens = _Lens.of(camera, self.size)
        self._table = ColorTable(camera.color) if camera.color is not None else None

    @property
    def warnings(self) -> list[str]:
        return [*self._base.warnings, *(self._alpha.warnings if self._alpha else ())]

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames `start` to `stop` (exclusive) in order."""
        return self.select(range(start, self.frame_count if stop is None else min(stop, self.frame_count)))

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """Frames at ascending indices, each at its time in the whole recording."""
        recorded = [self._used[idx] for idx in indices]
        mattes = iter(self._alpha.select(recorded)) if self._alpha else None
        for frame_idx, frame in zip(indices, self._base.select(recorded), strict=False):
            matte = None if mattes is None else next(mattes, None)
            yield self._developed(frame_idx, frame, matte)

    @property
    def has_depth(self) -> bool:
        return bool(self._depth)

    def depth(self, frame_idx: int) -> Float32[ndarray, "height width"]:
        """Depth along the view (m), 0 where none was measured, distortion taken away; raises `InputError` where it cannot be read."""
        stored = _read_depth(self._depth[self._used[frame_idx]])
        metres = np.maximum(np.nan_to_num(stored.astype(np.float32) * np.float32(self.camera.depth_unit_m), posinf=0, neginf=0), 0)
        if metres.shape != self.size:
            metres = cv2.resize(metres, self.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return metres if self._lens is None else self._lens.nearest(metres)

    def _developed(self, frame_idx: int, frame: SourceFrame, matte: SourceFrame | None) -> SourceFrame:
        image, alpha = frame.image, frame.alpha if matte is None else _opacity(matte, self.size)
        if self._table is not None:
            image = self._table(image)
        if self._lens is not None:
            image = self._lens.smooth(image)
            alpha = None if alpha is None else self._lens.smooth(alpha)
        time_s = frame.time_s if self.camera.time_s is None else float(self.camera.time_s[frame_idx])
        return frame._replace(frame_idx=frame_idx, time_s=time_s, image=image, alpha=alpha)


def _open(listed: str | tuple[str, ...], camera: CameraFile, files: CameraFiles) -> Source:
    fps = files.fps or FOLDER_FPS
    if isinstance(listed, str):
        if names_camera(Path(listed)):
            raise InputError(f"expected a recording as pictures of camera {camera.name!r}, found a camera of a camera file: {listed}")
        return open_source(files.folder / listed, fps)
    paths = _existing(listed, camera, files)
    return PictureSource(files.folder, "picture folder", [(path, 0) for path in paths], [idx / fps for idx in range(len(paths))], fps)


def _existing(listed: Sequence[str], camera: CameraFile, files: CameraFiles) -> list[Path]:
    paths = [files.folder / name for name in listed]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InputError(f"expected {len(paths)} pictures of camera {camera.name!r}, found nothing at {len(missing)} of them, as {missing[0]}")
    return paths


def _metadata(camera: CameraFile, base: Source, used: Sequence[int]) -> SourceMetadata:
    """The recording's, at the rate of the frames that are used."""
    times = camera.time_s
    if times is not None and len(times) != len(used):
        raise InputError(f"expected a time for each of the {len(used)} frames of camera {camera.name!r}, found {len(times)}")
    if len(used) < 2 or base.metadata.fps is None:
        return base.metadata
    span_s = (used[-1] - used[0]) / base.metadata.fps if times is None else float(times[-1] - times[0])
    return replace(base.metadata, fps=(len(used) - 1) / span_s)


def _open_alpha(camera: CameraFile, files: CameraFiles, frame_count: int) -> Source | None:
    if not camera.alpha:
        return None
    alpha = _open(camera.alpha, camera, files)
    if alpha.frame_count != frame_count:
        raise InputError(f"expected a matte for each of the {frame_count} pictures of camera {camera.name!r}, found {alpha.frame_count}")
    return alpha


def _opacity(matte: SourceFrame, size: tuple[int, int]) -> UInt8[ndarray, "height width"]:
    """A matte drawn in grey, or as the opacity of a picture, in the size of the frames."""
    drawn = matte.image[..., 1] if matte.alpha is None else matte.alpha
    smaller = drawn.shape[0] > size[0]
    return drawn if drawn.shape == size else cv2.resize(drawn, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


class _Lens:
    """Where each pixel of the picture without distortion lies in the recorded one."""

    def __init__(self, x_px: Float32[ndarray, "height width"], y_px: Float32[ndarray, "height width"]):
        self._smooth = cv2.convertMaps(x_px, y_px, cv2.CV_16SC2)
        self._nearest = cv2.convertMaps(x_px, y_px, cv2.CV_16SC2, nninterpolation=True)

    @classmethod
    def of(cls, camera: CameraFile, size: tuple[int, int]) -> "_Lens | None":
        """None without distortion."""
        known = camera.calibration(size)
        if not any(camera.distortion):
            return None
        assert known.focal_px is not None
        matrix: Float64[ndarray, "3 3"] = np.diag([*known.focal_px, 1.0])
        matrix[:2, 2] = (size[1] / 2, size[0] / 2) if known.center_px is None else known.center_px
        # OpenCV counts from the middle of the first pixel.
        matrix[:2, 2] -= 0.5
        coefficients = np.array(camera.distortion)
        if camera.lens == "fisheye":
            return cls(*cv2.fisheye.initUndistortRectifyMap(matrix, coefficients, np.eye(3), matrix, size[::-1], cv2.CV_32FC1))
        return cls(*cv2.initUndistortRectifyMap(matrix, coefficients, None, matrix, size[::-1], cv2.CV_32FC1))

    def smooth(self, picture: UInt8[ndarray, "height width ..."]) -> UInt8[ndarray, "height width ..."]:
        return cv2.remap(picture, *self._smooth, cv2.INTER_LINEAR)

    def nearest(self, depth: Float32[ndarray, "height width"]) -> Float32[ndarray, "height width"]:
        """Depths are not mixed."""
        return cv2.remap(depth, *self._nearest, cv2.INTER_NEAREST)


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
        found = _existing(camera.depth, camera, files)
    if len(found) != frame_count:
        raise InputError(
            f"expected depth for each of the {frame_count} pictures of camera {camera.name!r}, found {len(found)} pictures as {camera.depth!r:.80}"
        )
    return found


def _read_depth(path: Path) -> ndarray:
    """Depth as it is stored; of pictures with several channels of floating point, the red one."""
    try:
        if path.suffix == ".npy":
            stored = np.load(path, allow_pickle=False)
        else:
            # OpenCV asks the environment before it reads its first EXR picture.
            os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
            stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, EOFError, cv2.error) as error:
        raise InputError(f"expected a picture of depth, found something that cannot be read ({error}) at {path}") from error
    if stored is not None and stored.ndim == 3 and stored.dtype.kind == "f":
        stored = stored[..., min(2, stored.shape[2] - 1)]
    if stored is None or stored.ndim != 2 or stored.dtype.kind not in "uif":
        raise InputError(f"expected a picture of depth with one channel, found something else at {path}")
    return stored

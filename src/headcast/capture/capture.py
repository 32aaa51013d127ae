"""A prepared recording: where its frames are, which landmarks they show, and where the person is; pictures are decoded on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64, UInt8
from numpy import ndarray

from headcast.capture.chosen import ChosenSource
from headcast.capture.source import Source, open_source
from headcast.errors import ConfigError, FormatError, InputError
from headcast.perceive import MEDIAPIPE, FaceBox, Matte, Window, layout_of
from headcast.store import About, CapturePaths, read_arrays

KIND = "capture"
SCHEMA = 3
"""1 had all frames of the recording, uncut; 2 had MediaPipe's landmarks only."""
ARRAYS = {
    "landmarks_px": ("frames", "landmarks", 2),
    "depth_px": ("frames", "landmarks"),
    "confidence": ("frames", "landmarks"),
    "visibility": ("frames", "landmarks"),
    "found": ("frames",),
    "cuts": ("frames",),
    "damaged": ("frames",),
    "time_s": ("frames",),
    "box": ("frames", 4),
    "matte_window": ("frames", 4),
    "source_frame": ("frames",),
    "layouts": ("layouts",),
}
_SINCE_1 = ("source_frame", "layouts")


@dataclass(frozen=True)
class Capture:
    """What was recorded and what was perceived in it. Pixel positions are those of the upright frames in square pixels."""

    paths: CapturePaths
    source_path: Path
    size: tuple[int, int]
    """Height and width of the upright frames, cut where the capture is cut."""
    source_size: tuple[int, int]
    """Height and width of the recording's own upright frames."""
    crop: Window | None
    """The part of them that the capture is cut to; every pixel position is counted from its upper left corner."""
    fps: float | None
    """Mean frames per second of the capture's frames; None for a single picture."""
    source_fps: float | None
    """Of the recording."""
    focal_hint_px: float | None
    """Focal length in pixels according to the recording's tags, where they say."""
    landmarks_px: Float32[ndarray, "frames landmarks 2"]
    """Zeros where no face was found."""
    depth_px: Float32[ndarray, "frames landmarks"]
    """Rough depth of the landmarks along the view, growing away from the camera, about the middle of the head."""
    confidence: Float32[ndarray, "frames landmarks"]
    """How far each landmark can be trusted, 0 to 1; zeros where no face was found."""
    visibility: Float32[ndarray, "frames landmarks"]
    """0 where the face hides the landmark itself, 1 where it is seen freely."""
    found: Bool[ndarray, "frames"]
    cuts: Bool[ndarray, "frames"]
    """The frame starts a new shot or shows another face than the one followed before; never true for the first frame."""
    damaged: Bool[ndarray, "frames"]
    """The frame could not be decoded and repeats the one before."""
    time_s: Float64[ndarray, "frames"]
    """Seconds since the first frame."""
    box: Float32[ndarray, "frames 4"]
    """Square around the face: centre x, y and side in pixels, roll in radians (0 upright, positive clockwise as seen)."""
    matte_windows: Int32[ndarray, "frames 4"]
    """Left, top, width and height of the part of the frame that the stored matte covers; zeros where there is none."""
    source_frame_idx: Int64[ndarray, "frames"]
    """Which of the recording's frames each one is."""
    layouts: tuple[str, ...] = (MEDIAPIPE,)
    """What the landmarks are, by `headcast.perceive.LAYOUT_NAMES`: the points of one layout after those of another."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def corner_px(self) -> tuple[int, int]:
        """The upper left corner of the capture's frames in the recording's own: (x, y)."""
        return (0, 0) if self.crop is None else (self.crop.left, self.crop.top)

    @property
    def center_px(self) -> tuple[float, float]:
        """The middle of the recording's own frames, where its optical axis is expected: (x, y)."""
        left, top = self.corner_px
        return self.source_size[1] / 2 - left, self.source_size[0] / 2 - top

    def in_source(self, points_px: Float[ndarray, "*n 2"]) -> Float[ndarray, "*n 2"]:
        """Where pixel positions of the capture are in the recording's own frames."""
        return points_px + np.array(self.corner_px, points_px.dtype)

    @property
    def frame_count(self) -> int:
        return len(self.time_s)

    @classmethod
    def open(cls, folder: str | Path, source: str | Path | None = None) -> "Capture":
        """Reads a finished Capture folder. Name `source` where the recording has moved since.

        Raises `InputError` where the folder holds something else, is unfinished or its recording is gone, `FormatError` where it is broken.
        """
        paths = CapturePaths(Path(folder))
        if not paths.about.is_file() and paths.parts.is_dir():
            raise InputError(f"the preparation of this capture was not finished; run the same command with --resume. Folder: {paths.root}")
        about = About.load(paths.about, KIND, SCHEMA)
        arrays = read_arrays(paths.landmarks, ARRAYS, _SINCE_1)
        try:
            size = (int(about.details["size"][0]), int(about.details["size"][1]))
            source_size = tuple(int(n) for n in about.details.get("source_size", size))
            crop = None if about.details.get("crop") is None else Window(*(int(n) for n in about.details["crop"]))
            fps, focal, warnings = about.details["fps"], about.details["focal_hint_px"], tuple(about.details["warnings"])
            source_path = Path(source) if source is not None else Path(about.details["source"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise FormatError(f"expected size, fps, focal_hint_px, warnings and source among the details, found {about.details!r:.200}") from error
        floats = {name: arrays[name].astype(np.float32) for name in ("landmarks_px", "depth_px", "confidence", "visibility", "box")}
        flags = {name: arrays[name].astype(bool) for name in ("found", "cuts", "damaged")}
        times_s, windows = arrays["time_s"].astype(np.float64), arrays["matte_window"].astype(np.int32)
        frame_idx = arrays["source_frame"].astype(np.int64) if "source_frame" in arrays else np.arange(len(times_s))
        timing = {"time_s": times_s, "source_frame_idx": frame_idx}
        return cls(
            paths,
            source_path,
            size,
            source_size,
            crop,
            fps,
            about.details.get("source_fps", fps),
            focal,
            **floats,
            **flags,
            **timing,
            matte_windows=windows,
            layouts=_layouts(arrays, paths),
            warnings=warnings,
        )

    def open_source(self) -> Source:
        """The recording's frames that the capture is of, cut as it is; raises `InputError` where it is gone or its frames have another size."""
        source = open_source(self.source_path, fps=self.source_fps or self.fps or 25.0)
        if source.size != self.source_size:
            raise InputError(
                f"the recording has changed since it was prepared: expected frames of {self.source_size[1]}×{self.source_size[0]}, "
                f"found {source.size[1]}×{source.size[0]}. Prepare it again with --overwrite: {self.source_path}"
            )
        if self.crop is None and np.array_equal(self.source_frame_idx, np.arange(source.frame_count)):
            return source
        return ChosenSource(source, self.source_frame_idx, self.crop)

    def face_box(self, frame_idx: int) -> FaceBox:
        """The square around the face; of side 0 where none was found."""
        x, y, side, roll = self.box[frame_idx].astype(np.float64).tolist()
        return FaceBox(np.array([x, y]), side, roll)

    def frames(
        self, indices: Sequence[int] | Int[ndarray, "chosen"] | None = None
    ) -> Iterator[tuple[int, UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width"]]]:
        """Frame index, sRGB picture and matte, decoded one after another; `indices` must ascend, None means all."""
        wanted = range(self.frame_count) if indices is None else [int(i) for i in indices]
        for frame in self.open_source().select(wanted):
            if frame.frame_idx < self.frame_count:
                yield frame.frame_idx, frame.image, self.matte(frame.frame_idx)

    def matte(self, frame_idx: int) -> UInt8[ndarray, "height width"]:
        """Opacity of the followed person over the whole frame, 0 to 255; 0 outside of the window, and everywhere where no face was found."""
        whole = np.zeros(self.size, np.uint8)
        stored = self.matte_window(frame_idx)
        if stored is not None:
            size = (stored.window.width, stored.window.height)
            stored.window.cut(whole)[:] = (
                cv2.resize(stored.alpha, size, interpolation=cv2.INTER_LINEAR) if stored.alpha.shape[::-1] != size else stored.alpha
            )
        return whole

    def matte_window(self, frame_idx: int) -> Matte | None:
        """The matte as it is stored: a window around the head, at its own size or smaller; None where no face was found."""
        left, top, width, height = (int(n) for n in self.matte_windows[frame_idx])
        if width == 0:
            return None
        path = self.paths.matte(frame_idx)
        alpha = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if alpha is None:
            raise FormatError(
                f"expected the matte of frame {frame_idx}, found nothing readable at {path}. Prepare the recording again with --overwrite."
            )
        return Matte(Window(left, top, width, height), alpha)


def _layouts(arrays: dict[str, ndarray], paths: CapturePaths) -> tuple[str, ...]:
    """What the landmarks are; raises `FormatError` where they are something else."""
    names = tuple(map(str, arrays["layouts"])) if "layouts" in arrays else (MEDIAPIPE,)
    try:
        expected = layout_of(names).count
    except ConfigError as error:
        raise FormatError(f"{error}, as layouts in {paths.landmarks}") from error
    count = arrays["landmarks_px"].shape[1]
    if count != expected:
        raise FormatError(f"expected the {expected} landmarks of {' and '.join(names)}, found {count}, in {paths.landmarks}")
    return names

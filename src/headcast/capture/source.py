"""Where pictures come from: one protocol for videos, picture folders and photos, and the function that opens any of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import UInt8
from numpy import ndarray

from headcast.store import CapturePaths


class SourceFrame(NamedTuple):
    """One decoded picture, upright, in square pixels."""

    frame_idx: int
    time_s: float
    """Seconds since the first frame, from the recording's own time stamps."""
    image: UInt8[ndarray, "height width 3"]
    """sRGB."""
    alpha: UInt8[ndarray, "height width"] | None
    """Opacity, where the recording has any that is not 255 everywhere."""
    damaged: bool = False
    """The frame could not be decoded; `image` repeats the frame before it."""


@dataclass(frozen=True)
class SourceMetadata:
    """What a recording says about itself."""

    kind: str
    """"video", "picture folder" or "picture"."""
    fps: float | None
    """Mean frames per second; None for a single picture."""
    focal_px: float | None
    """Focal length hint in pixels of the upright frame, from EXIF or QuickTime tags."""
    rotation_deg: int
    """Anticlockwise quarter turns (in degrees) applied to the stored pictures to make them upright."""
    mirrored: bool
    """Left and right were swapped after the turn, as the orientation tag asks."""
    pixel_aspect: float
    """Width over height of a stored pixel; pictures with other than 1 are enlarged along their shorter pixel side."""


@runtime_checkable
class Source(Protocol):
    """A recording that decodes nothing until asked. Warnings grow while frames are read."""

    path: Path
    files: tuple[Path, ...]
    """The files it consists of."""
    size: tuple[int, int]
    """Height and width of the upright frames."""
    frame_count: int
    metadata: SourceMetadata
    warnings: list[str]

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames in order. A recording that ends early yields fewer than `frame_count` and adds a warning."""
        ...

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """The frames with these ascending indices, decoding little else."""
        ...


PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
"""Suffixes that are read as pictures; everything else is tried as a video."""


def made_by_headcast(path: str | Path) -> bool:
    """Whether the path is no recording but a folder that Headcast wrote."""
    return CapturePaths(Path(path)).about.is_file()


def open_source(path: str | Path, fps: float = 25.0) -> Source:
    """Opens a recording.

    That is a video, an animated GIF, a photo, a folder of pictures, a pattern such as `folder/color_*.png`, the recording of a Capture folder, or
    one camera of a camera file (`cameras.json#left`).

    `fps` times the pictures of a folder, which have no clock of their own; it is not used elsewhere. Raises `InputError` where
    nothing is found and `FormatError` where the contents are not what their name promises.
    """
    from headcast.capture.camera_source import CameraSource, names_camera
    from headcast.capture.capture import Capture
    from headcast.capture.pictures import PictureSource
    from headcast.capture.video import VideoSource

    path = Path(path)
    if names_camera(path):
        return CameraSource(path)
    if made_by_headcast(path):
        return Capture.open(path).open_source()
    if path.is_dir() or any(sign in path.name for sign in "*?["):
        return PictureSource.from_folder(path, fps)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureSource.from_file(path)
    return VideoSource(path)


def focal_from_film(millimetres: object, size: tuple[int, int]) -> float | None:
    """Focal length in pixels from its equivalent on 35 mm film (CIPA DCG-001: equal diagonal angles); None where the tag says nothing."""
    try:
        value = float(str(millimetres))
    except ValueError:
        return None
    return value / math.hypot(36.0, 24.0) * math.hypot(*size) if math.isfinite(value) and value > 0 else None

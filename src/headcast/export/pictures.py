"""What pictures of a data set show: which frames of a recording, through which lens, before what background; and their files."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8, UInt16
from numpy import ndarray

from headcast.errors import ConfigError, HeadcastError, InputError
from headcast.geometry import Camera
from headcast.store import replace_file
from headcast.track import Track


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a recording go into a data set, and how much of the person."""

    option: ClassVar[str] = ""
    """How the command line names these settings."""

    frames: str = ""
    """Frames to take, as start:stop:step in the recording's numbers; all, if not given. Frames without a face are always left out."""
    cut_neck: bool = True
    """Leave out everything below the neck's lower end: in the masks and, unless the background is the recording, in the pictures."""

    def __post_init__(self) -> None:
        self.named(0)

    def named(self, frame_count: int) -> range:
        """The frames that `frames` names."""
        try:
            start, stop, step = (*(int(part) if part.strip() else None for part in self.frames.split(":")), None, None, None)[:3]
            if self.frames.count(":") > 2 or (self.frames and ":" not in self.frames):
                raise ValueError
            return range(frame_count)[start:stop:step]
        except ValueError as error:
            raise ConfigError(f"frames must look like start:stop:step, as 0:200:2 or 100:, found {self.frames!r}") from error

    def chosen(self, track: Track, found: Bool[ndarray, "frames"]) -> list[int]:
        """The named frames that are solved and in which a face was `found`; raises `InputError` where there is none."""
        frames = [frame for frame in self.named(track.frame_count) if bool(track.valid[frame]) and bool(found[frame])]
        if not frames:
            asked = f"frames {self.frames}" if self.frames else "the frames"
            raise InputError(f"expected a face in some of {asked} of {track.frame_count}, found none. Choose others with --{self.option}.frames.")
        return frames


@dataclass(frozen=True)
class PictureConfig(FrameChoice):
    """What the pictures of a data set show."""

    background: Literal["white", "black", "none", "recording"] = "white"
    """What is behind the person. none: pictures keep their opacity as a fourth channel. recording: what was recorded."""
    scale: float = 1.0
    """Size of the pictures against the recording's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.scale <= 4:
            raise ConfigError(f"scale must be above 0 and at most 4, found {self.scale}")


def check_share(name: str, share: float) -> None:
    """Raises `ConfigError` unless some frames are left beside this share of them."""
    if not 0 <= share < 1:
        raise ConfigError(f"{name} must be at least 0 and below 1, found {share}")


@dataclass(frozen=True)
class Lens:
    """How pictures of the recording become pictures of a data set: scaled and shifted, nothing else."""

    camera: Camera
    """The recording's camera as the written pictures have it, in its first pose."""
    warp: Float[ndarray, "2 3"]
    """Takes recorded pixels to written ones, pixel centres at whole numbers."""

    @classmethod
    def scaled(cls, camera: Camera, scale: float) -> "Lens":
        """The whole picture, larger or smaller."""
        height, width = camera.size
        return cls._of(camera, scale, torch.zeros(2), (max(1, round(height * scale)), max(1, round(width * scale))))

    @classmethod
    def centred(cls, camera: Camera, scale: float) -> "Lens":
        """The whole picture, and as much more beside it as puts the principal point into the middle."""
        height, width = camera.size
        center, scaled = camera.center_px * scale, (height * scale, width * scale)
        size = tuple(2 * ceil(max(float(c), length - float(c)) - 1e-3) for c, length in zip(center.flip(0), scaled, strict=True))
        if all(abs(length - 2 * float(c)) < 1e-3 for c, length in zip(center.flip(0), scaled, strict=True)):
            size = tuple(round(length) for length in scaled)
        return cls._of(camera, scale, torch.tensor([size[1] / 2, size[0] / 2]) - center, (size[0], size[1]))

    @classmethod
    def square(cls, camera: Camera, reach_px: float, side_px: int) -> "Lens":
        """A square about the principal point, `reach_px` of the recording to each side, written with `side_px`."""
        scale = side_px / (2 * reach_px)
        return cls._of(camera, scale, side_px / 2 - camera.center_px * scale, (side_px, side_px))

    @classmethod
    def _of(cls, camera: Camera, scale: float, shift: Float[torch.Tensor, "2"], size: tuple[int, int]) -> "Lens":
        x, y = shift.numpy().astype(np.float64) + 0.5 * scale - 0.5
        written = Camera(camera.focal_px * scale, camera.center_px * scale + shift, size, camera.camera_from_world)
        return cls(written, np.array([[scale, 0, x], [0, scale, y]]))

    def view(self, picture: Float[ndarray, "height width ..."]) -> Float[ndarray, "out_height out_width ..."]:
        """A recorded picture or matte through this lens; black where nothing was recorded."""
        height, width = self.camera.size
        if np.allclose(self.warp, np.eye(2, 3)) and picture.shape[:2] == (height, width):
            return picture
        warp = self.warp
        if warp[0, 0] < 1:  # smaller: area means first, so that nothing flickers
            size = (max(1, round(picture.shape[1] * warp[0, 0])), max(1, round(picture.shape[0] * warp[0, 0])))
            ratio = np.array([picture.shape[1] / size[0], picture.shape[0] / size[1]])
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            own = warp[[0, 1], [0, 1]] * ratio
            shift = warp[:, 2] + (own - warp[[0, 1], [0, 1]]) / 2
            warp = np.array([[own[0], 0, shift[0]], [0, own[1], shift[1]]])
        return cv2.warpAffine(picture, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def write_picture(path: Path, picture: UInt8[ndarray, "height width ..."] | UInt16[ndarray, "height width"]) -> None:
    """Writes a PNG, or for names in .jpg a JPEG of the best quality: grey, RGB, RGBA or 16 bits."""
    order = {4: cv2.COLOR_RGBA2BGRA, 3: cv2.COLOR_RGB2BGR}.get(picture.shape[2] if picture.ndim == 3 else 0)
    shown = picture if order is None else cv2.cvtColor(picture, order)
    settings = [cv2.IMWRITE_JPEG_QUALITY, 100] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 2]
    with replace_file(path) as temporary:
        if not cv2.imwrite(str(temporary), shown, settings):
            raise HeadcastError(f"could not write {path}. Free some disk space or choose another folder.")

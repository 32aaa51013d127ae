"""Pictures of a recording made ready for a data set: frames chosen, seen through another lens, cut at the neck, laid on a background."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8, UInt16
from numpy import ndarray

from headcast.capture import Capture
from headcast.errors import ConfigError, HeadcastError, InputError
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel, ShapedHead
from headcast.solve.step import Step
from headcast.store import replace_file
from headcast.threads import mapped
from headcast.track import Track

_SOFT = 0.015
"""Width of the edge below the neck, as a share of the picture's: standard deviation."""
_COLORS = {"white": 255, "black": 0}


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

    def chosen(self, track: Track) -> list[int]:
        """The named frames that show a face; raises `InputError` where none does."""
        frames = [frame for frame in self.named(track.frame_count) if bool(track.valid[frame])]
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


@dataclass(frozen=True)
class Shot:
    """One frame of a data set."""

    index: int
    """Its number in the data set, from zero without gaps."""
    frame: int
    """Its number in the recording."""
    picture: Float32[ndarray, "height width 3"]
    """As recorded, through the lens; sRGB, 0–255."""
    matte: Float32[ndarray, "height width"]
    """Opacity of the person, 0–1, above and below the neck."""
    camera: Camera
    """Of this picture, in the track's world."""
    above: Float32[ndarray, "height width"] | None
    """1 above the neck's lower end, 0 below, soft between; None where nothing is cut."""
    vertices: Float[torch.Tensor, "vertices 3"]
    """The head in the track's world (m)."""

    @property
    def alpha(self) -> Float32[ndarray, "height width"]:
        """Opacity of what the data set is about."""
        return self.matte if self.above is None else self.matte * self.above

    def composed(self, background: str) -> UInt8[ndarray, "height width channels"]:
        """The picture before a background, as `PictureConfig` names it."""
        if background == "recording":
            return np.rint(self.picture).astype(np.uint8)
        if background == "none":
            return np.rint(np.concatenate([self.picture, 255 * self.alpha[..., None]], -1)).astype(np.uint8)
        behind = np.float32(_COLORS[background])
        return np.rint(behind + (self.picture - behind) * self.alpha[..., None]).astype(np.uint8)

    def mask(self) -> UInt8[ndarray, "height width"]:
        """The opacity as a picture."""
        return np.rint(255 * self.alpha).astype(np.uint8)


@dataclass(frozen=True)
class Shoot:
    """The frames of a data set, through which lens they are seen, and the head in them."""

    track: Track
    head: ShapedHead
    frames: list[int]
    lens: Lens
    rim: ndarray | None
    """The front, left and right vertex of the neck's lower end; None where nothing is cut."""

    @classmethod
    def of(cls, track: Track, model: HeadModel, choice: FrameChoice, lens: Lens) -> "Shoot":
        """Raises `InputError` where no chosen frame shows a face, or the neck is to be cut and the model has none."""
        rim = neck_rim(model, choice.option) if choice.cut_neck else None
        return cls(track, track.head(model), choice.chosen(track), lens, rim)

    def camera(self, frame: int, track_from_world: Transform | None = None) -> Camera:
        """The camera of a written picture, in the track's world or in another."""
        pose = self.track.camera_at(frame).camera_from_world
        return replace(self.lens.camera, camera_from_world=pose if track_from_world is None else pose @ track_from_world)

    def each(self, capture: Capture, write: Callable[[Shot], None]) -> Generator[Step, None, None]:
        """Decodes the frames and hands each to `write`, on all threads; one `Step` per frame."""
        places = {frame: index for index, frame in enumerate(self.frames)}

        def work(item: tuple[int, UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width"]]) -> None:
            frame, picture, matte = item
            write(self._shot(places[frame], frame, picture, matte))

        for done, _ in enumerate(mapped(work, capture.frames(self.frames)), start=1):
            yield Step("export", done, len(self.frames), frame_idx=self.frames[done - 1])

    def _shot(self, index: int, frame: int, picture: UInt8[ndarray, "height width 3"], matte: UInt8[ndarray, "height width"]) -> Shot:
        vertices = self.head.posed(self.track.pose(frame)).vertices
        seen = self.lens.view(matte.astype(np.float32) / 255)
        camera = self.camera(frame)
        above = None if self.rim is None else _above(camera.project(vertices[self.rim]).numpy(), *seen.shape)
        return Shot(index, frame, self.lens.view(picture.astype(np.float32)), seen, camera, above, vertices)


def neck_rim(model: HeadModel, option: str) -> ndarray:
    """The front, left and right vertex of the neck's lower end; raises `InputError` where the model has no neck that ends."""
    rim = np.flatnonzero(model.regions["boundary"].numpy()) if "boundary" in model.regions else np.zeros(0, int)
    if len(rim) < 3:
        raise InputError(f"cutting below the neck needs a model with a neck that ends; {model.name!r} has none. Use --{option}.no-cut-neck.")
    places = model.template.numpy()[rim]
    return rim[[places[:, 2].argmax(), places[:, 0].argmax(), places[:, 0].argmin()]]


def _above(rim: Float[ndarray, "3 2"], height: int, width: int) -> Float32[ndarray, "height width"]:
    """1 above the line through the neck's front, as steep as that from side to side; 0 below; soft between."""
    front, left, right = rim
    along = left - right
    along = along / np.linalg.norm(along) if np.linalg.norm(along) > 1e-3 else np.array([1.0, 0.0])
    up = np.array([along[1], -along[0]]) if along[0] > 0 else np.array([-along[1], along[0]])
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32)[:, None] + 0.5
    distance = (x - front[0]) * up[0] + (y - front[1]) * up[1]
    return (1 / (1 + np.exp(np.clip(-1.702 * distance / (_SOFT * width), -50, 50)))).astype(np.float32)


def write_picture(path: Path, picture: UInt8[ndarray, "height width ..."] | UInt16[ndarray, "height width"]) -> None:
    """Writes a PNG, or for names in .jpg a JPEG of the best quality: grey, RGB, RGBA or 16 bits."""
    order = {4: cv2.COLOR_RGBA2BGRA, 3: cv2.COLOR_RGB2BGR}.get(picture.shape[2] if picture.ndim == 3 else 0)
    shown = picture if order is None else cv2.cvtColor(picture, order)
    settings = [cv2.IMWRITE_JPEG_QUALITY, 100] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 2]
    with replace_file(path) as temporary:
        if not cv2.imwrite(str(temporary), shown, settings):
            raise HeadcastError(f"could not write {path}. Free some disk space or choose another folder.")

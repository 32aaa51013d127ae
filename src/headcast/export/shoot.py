"""What a recording gives to a data set: pictures cut at the neck and laid on a background, camera by camera."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.errors import InputError
from headcast.export.pictures import FrameChoice, Lens
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel, ShapedHead
from headcast.solve.step import Step
from headcast.threads import mapped
from headcast.track import Track

_SOFT = 0.015
"""Width of the edge below the neck, as a share of the picture's: standard deviation."""
_COLORS = {"white": 255, "black": 0}


@dataclass(frozen=True)
class Shot:
    """One frame of a data set."""

    index: int
    """Its number in the data set, from zero without gaps."""
    frame: int
    """Its number in the recording."""
    camera_idx: int
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
    """What one camera gives to a data set: its frames, the lens that they are seen through, and the head in them."""

    track: Track
    head: ShapedHead
    capture: Capture
    camera_idx: int
    timesteps: list[int]
    """Frames of the data set, in the recording's numbers, those included that only other cameras show."""
    frames: list[int]
    """Those of them in which this camera found the face: in others nothing says where the person ends."""
    lens: Lens
    rim: ndarray | None
    """The front, left and right vertex of the neck's lower end; None where nothing is cut."""

    @classmethod
    def of(cls, track: Track, model: HeadModel, choice: FrameChoice, lens: Lens, capture: Capture) -> "Shoot":
        """The first camera's; raises `InputError` where no chosen frame shows a face, or the neck is to be cut and the model has none."""
        rim = neck_rim(model, choice.option) if choice.cut_neck else None
        frames = choice.chosen(track, capture.found)
        return cls(track, track.head(model), capture, 0, frames, frames, lens, rim)

    @classmethod
    def of_all(
        cls, track: Track, model: HeadModel, choice: FrameChoice, lens: Callable[[Camera], Lens], captures: Sequence[Capture]
    ) -> tuple["Shoot", ...]:
        """Every camera's; raises `InputError` where no chosen frame shows a face to any, or the neck is to be cut and the model has none."""
        rim = neck_rim(model, choice.option) if choice.cut_neck else None
        head, timesteps = track.head(model), choice.chosen(track, np.any([capture.found for capture in captures], axis=0))
        seen = [[frame for frame in timesteps if bool(capture.found[frame])] for capture in captures]
        return tuple(cls(track, head, capture, idx, timesteps, seen[idx], lens(track.camera_at(0, idx)), rim) for idx, capture in enumerate(captures))

    @cached_property
    def places(self) -> dict[int, int]:
        """By frame of this camera its number in the data set, from zero."""
        numbers = {frame: index for index, frame in enumerate(self.timesteps)}
        return {frame: numbers[frame] for frame in self.frames}

    def camera(self, frame: int, track_from_world: Transform | None = None) -> Camera:
        """The camera of a written picture, in the track's world or in another."""
        pose = self.track.camera_at(frame, self.camera_idx).camera_from_world
        return replace(self.lens.camera, camera_from_world=pose if track_from_world is None else pose @ track_from_world)

    def each(self, write: Callable[[Shot], None]) -> Generator[Step, None, None]:
        """Decodes the frames and hands each to `write`, on all threads; one `Step` per frame."""

        def work(item: tuple[int, UInt8[ndarray, "height width 3"], UInt8[ndarray, "height width"]]) -> None:
            write(self._shot(*item))

        for done, _ in enumerate(mapped(work, self.capture.frames(self.frames)), start=1):
            yield Step("export", done, len(self.frames), frame_idx=self.frames[done - 1])

    def _shot(self, frame: int, picture: UInt8[ndarray, "height width 3"], matte: UInt8[ndarray, "height width"]) -> Shot:
        vertices = self.head.posed(self.track.pose(frame)).vertices
        seen = self.lens.view(matte.astype(np.float32) / 255)
        camera = self.camera(frame)
        above = None if self.rim is None else _above(camera.project(vertices[self.rim]).numpy(), *seen.shape)
        return Shot(self.places[frame], frame, self.camera_idx, self.lens.view(picture.astype(np.float32)), seen, camera, above, vertices)


def shoot_all(shoots: Sequence[Shoot], write: Callable[[Shot], None]) -> Generator[Step, None, None]:
    """Hands every camera's pictures to `write`, camera after camera; the last step says what cameras did not see."""
    total = sum(len(shoot.frames) for shoot in shoots)
    done = count(1)
    for shoot in shoots:
        if shoot.frames:
            for step in shoot.each(write):
                yield replace(step, done=next(done), total=total)
    unseen = {shoot.track.camera_names[shoot.camera_idx]: len(shoot.timesteps) - len(shoot.frames) for shoot in shoots}
    missing = ", ".join(f"{name} {number}" for name, number in unseen.items() if number)
    if missing:
        message = f"pictures in which a camera found no face are left out, of {len(shoots[0].timesteps)} per camera: {missing}"
        yield Step("export", total, total, message=message)


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

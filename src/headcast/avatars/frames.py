"""The pictures of a finished run that avatars learn from and are judged by, decoded one after another."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.errors import InputError
from headcast.geometry import Camera
from headcast.heads import HeadPose
from headcast.parse import ParseConfig, of_labels, parse_steps, read_parsing
from headcast.perceive import Window
from headcast.solve.step import Step
from headcast.store import About, InputFile
from headcast.track.prefetch import ahead
from headcast.track.run import Run

_PARSING_SCHEMA = 1
_EDGE_PX = 0.7
"""Softness of the edge where clothes are taken away: standard deviation."""
_MARGIN = 0.3
"""Of the head's own extent, around it on every side: hair and neck reach beyond the tracked head."""
_SAMPLES = 60
"""Frames, spread over the clip, that the window around the head is found from."""


@dataclass(frozen=True)
class AvatarFrame:
    """One picture of a run."""

    frame_idx: int
    image: Float32[ndarray, "height width 3"]
    """As recorded; sRGB 0–1."""
    labels: UInt8[ndarray, "height width"]
    """What each pixel shows: numbers of `headcast.parse.LABELS`."""
    person: Float32[ndarray, "height width"]
    """Opacity of all of the person, 0–1."""
    head: Float32[ndarray, "height width"]
    """Opacity of the head with hair and neck, without clothes, 0–1."""
    pose: HeadPose
    camera: Camera
    """Of this picture."""

    def on_white(self, opacity: Float32[ndarray, "height width"]) -> Float32[ndarray, "height width 3"]:
        """What is opaque of the picture, before white; `opacity` is `head` or `person`."""
        return self.image * opacity[..., None] + (1 - opacity[..., None])


@dataclass(frozen=True)
class Footage:
    """The first camera's frames of a run that are tracked and parsed. Holds no pictures."""

    run: Run
    frames: tuple[int, ...]
    """Those that show the tracked face, ascending."""
    window: Window
    """The part of each frame that is given."""
    size: tuple[int, int]
    """Height and width at which it is given."""

    @classmethod
    def of(cls, run: Run, *, around_head: bool = False, largest_px: int | None = None) -> "Footage":
        """The frames of a parsed run.

        Args:
            around_head: only a window that holds the head with hair and neck in all frames; whole frames otherwise.
            largest_px: longer side above which pictures are made smaller.

        Raises:
            InputError: the run has not been parsed, was parsed before it was tracked anew, or has no frame with a tracked face.
        """
        _check_parsing(run)
        capture = run.capture
        usable = np.flatnonzero(run.track.valid.numpy() & (capture.matte_windows[:, 2] > 0))
        if not len(usable):
            raise InputError(f"expected a frame with a tracked head and a matte, found none in {run.paths.root}")
        window = _head_window(run, usable) if around_head else Window(0, 0, capture.size[1], capture.size[0])
        shrink = 1.0 if largest_px is None else min(1.0, largest_px / max(window.width, window.height))
        size = (max(round(window.height * shrink), 1), max(round(window.width * shrink), 1))
        return cls(run, tuple(usable.tolist()), window, size)

    def shots(self, chosen: Sequence[int] | None = None) -> Iterator[AvatarFrame]:
        """The chosen frames (ascending; None means all), made a few ahead in a thread of their own; frames without a tracked face are left out."""
        usable = set(self.frames)
        wanted = self.frames if chosen is None else [frame for frame in chosen if frame in usable]
        return ahead(self._shots(wanted))

    def camera(self, frame_idx: int) -> Camera:
        """Of a given picture, in the run's world."""
        whole = self.run.track.camera_at(frame_idx)
        return whole.cropped(float(self.window.left), float(self.window.top), (self.window.height, self.window.width)).resized(self.size)

    def _shots(self, wanted: Sequence[int]) -> Iterator[AvatarFrame]:
        for frame_idx, picture, matte in self.run.capture.frames(wanted):
            labels = self.window.cut(read_parsing(self.run, frame_idx).labels)
            person = self.window.cut(matte).astype(np.float32) / 255
            head = person * (1 - _clothes(labels, person))
            image = self.window.cut(picture).astype(np.float32) / 255
            names = (
                np.ascontiguousarray(labels) if labels.shape == self.size else cv2.resize(labels, self.size[::-1], interpolation=cv2.INTER_NEAREST)
            )
            image, person, head = (self._sized(values) for values in (image, person, head))
            yield AvatarFrame(frame_idx, image, names, person, head, self.run.track.pose(frame_idx), self.camera(frame_idx))

    def _sized(self, values: Float32[ndarray, "height width *channels"]) -> Float32[ndarray, "out_height out_width *channels"]:
        if values.shape[:2] == self.size:
            return np.ascontiguousarray(values)
        return cv2.resize(values, self.size[::-1], interpolation=cv2.INTER_AREA)


def parsed_steps(run: Run) -> Generator[Step, None, None]:
    """Labels a run that has not been labelled yet."""
    if not run.paths.parsing.about.is_file():
        yield Step("parse", 0, 0, message="labels are made first, and kept for later runs")
        yield from parse_steps(run, ParseConfig(preview=False))


def _check_parsing(run: Run) -> None:
    if not run.paths.parsing.about.is_file():
        raise InputError(f"expected labels of every frame, found none; run: headcast parse {run.paths.root}")
    about = About.load(run.paths.parsing.about, "parsing", _PARSING_SCHEMA)
    known = about.inputs.get("track")
    if known is None or not known.same_contents(InputFile.of(run.paths.track)):
        raise InputError(f"the labels belong to an earlier track of this run; make them again: headcast parse {run.paths.root} --overwrite")


def _head_window(run: Run, usable: ndarray) -> Window:
    """Holds the head in all sampled frames, with a margin, inside of the picture."""
    chosen = torch.from_numpy(usable[np.unique(np.linspace(0, len(usable) - 1, min(_SAMPLES, len(usable))).round().astype(int))])
    vertices = run.track.head(run.model).posed(run.track.pose(chosen)).vertices[:, ::5]
    pixels = torch.cat([run.track.camera_at(int(frame)).project(vertices[k]) for k, frame in enumerate(chosen)])
    low, high = pixels.amin(0), pixels.amax(0)
    reach = _MARGIN * (high - low)
    height, width = run.capture.size
    (left, top), (right, bottom) = (low - reach).floor().int().tolist(), (high + reach).ceil().int().tolist()
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return Window(left, top, max(right - left, 1), max(bottom - top, 1))


def _clothes(labels: UInt8[ndarray, "height width"], person: Float32[ndarray, "height width"]) -> Float32[ndarray, "height width"]:
    """Share of clothes in what a pixel shows of the person; the matte's faint fringe counts as what it surrounds."""
    named = labels > 0
    if not named.any():
        return np.zeros(labels.shape, np.float32)
    _, nearest = cv2.distanceTransformWithLabels((~named).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_patch = np.zeros(nearest.max() + 1, np.uint8)
    of_patch[nearest[named]] = labels[named]
    spread = np.where(named, labels, of_patch[nearest]).astype(np.uint8)
    return cv2.GaussianBlur(of_labels(spread, ("cloth",)).astype(np.float32), (0, 0), _EDGE_PX) * (person > 0)

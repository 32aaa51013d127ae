"""Labels and normals of every frame of a run or a capture, written beside it, with a video to look at."""

import shutil
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.capture.preview import Preview, window_of
from headcast.errors import ConfigError, InputError
from headcast.parse.channels import has_normal, write_labels, write_normals
from headcast.parse.labels import LABELS, NETWORK_ONLY, colored
from headcast.parse.layers import LayerPainter, Layers
from headcast.parse.tracked import LearnConfig, TrackedLabeller, bare, samples
from headcast.parse.view import View
from headcast.perceive import FaceNormals, FaceParser, NamedNetwork
from headcast.solve.step import Step, follow
from headcast.store import About, InputFile, ParsingPaths, half_written, replace_file
from headcast.threads import with_quiet_blas
from headcast.track.detected import mediapipe_points
from headcast.track.prefetch import ahead
from headcast.track.run import Run

KIND = "parsing"
SCHEMA = 1
_QUEUED = 4
"""Frames that may wait to be written."""


@dataclass(frozen=True)
class ParseConfig:
    """How frames are labelled."""

    labels: str | None = None
    """A network that labels instead, as an ONNX file that you bring: bisenet:FILE. It also knows glasses, hats, earrings and necklaces."""
    normals: str | None = None
    """A network that gives normals instead of the tracked head: face_normals:FILE."""
    largest_px: int = 512
    """Longer side at which the window around the head is labelled; larger windows are enlarged afterwards."""
    preview: bool = True
    """Also write preview.mp4: recording, matte, labels, normals."""
    learn: LearnConfig = field(default_factory=LearnConfig)
    """How hair, skin and cloth are told apart."""

    def __post_init__(self) -> None:
        if self.largest_px < 64:
            raise ConfigError(f"largest_px must be at least 64, found {self.largest_px}")
        if self.learn.frames < 1 or not 0 <= self.learn.steadiness <= 1:
            raise ConfigError(f"expected at least one frame to learn from and a steadiness from 0 to 1, found {self.learn}")


@dataclass(frozen=True)
class _Networks:
    """What the user brought, opened and checked."""

    labels: FaceParser | None
    normals: FaceNormals | None

    @classmethod
    def of(cls, config: ParseConfig) -> "_Networks":
        labels = None if config.labels is None else FaceParser(NamedNetwork.of(config.labels, ("bisenet",), "--labels"))
        normals = None if config.normals is None else FaceNormals(NamedNetwork.of(config.normals, ("face_normals",), "--normals"))
        return cls(labels, normals)


@dataclass(frozen=True)
class _Frame:
    """What one frame shows, over the whole of it."""

    labels: UInt8[ndarray, "height width"]
    confidence: Float32[ndarray, "height width"]
    normals: Float32[ndarray, "height width 3"]


def parse(run: Run, config: ParseConfig | None = None, *, overwrite: bool = False, readers: tuple[Callable[[Step], None], ...] = ()) -> ParsingPaths:
    """Labels and normals of a run, without telling how it goes; see `parse_steps`."""
    return follow(parse_steps(run, config, overwrite=overwrite), *readers)


@with_quiet_blas
def parse_steps(run: Run, config: ParseConfig | None = None, *, overwrite: bool = False) -> Generator[Step, None, ParsingPaths]:
    """Labels a run's frames, one `Step` per frame; the generator's value is where the files are.

    Frames that the track does not hold valid are background with confidence 0. `about.json` is written last: without it a folder is the rest
    of a killed attempt and is begun anew.

    Raises:
        InputError: the run has been labelled already and `overwrite` is not set.
        HeadcastError: a network that the settings name cannot be used.
    """
    config = config or ParseConfig()
    capture, paths, networks = run.capture, run.paths.parsing, _Networks.of(config)
    _make_room(paths, overwrite)
    valid = np.flatnonzero(run.track.valid.numpy() & (capture.matte_windows[:, 2] > 0))
    if not len(valid):
        raise InputError(f"expected a frame with a tracked head and a matte, found none in {run.paths.root}")
    painter = LayerPainter(run.track, run.model)
    labeller = None if networks.labels is not None else (yield from _learned(capture, painter, valid, config))
    heads, expected = painter.heads(valid.tolist()), set(valid.tolist())
    writing: deque[Future] = deque()
    with ExitStack() as opened:
        writer = opened.enter_context(ThreadPoolExecutor(1, "write"))
        preview = None
        if config.preview:
            movie = opened.enter_context(replace_file(paths.preview))
            preview = opened.enter_context(Preview(movie, capture.fps, window_of(capture), panels=4))
        for frame in ahead(capture.open_source().frames()):
            idx = frame.frame_idx
            if idx >= capture.frame_count:
                break
            if labeller is not None and (idx not in expected or capture.cuts[idx]):
                labeller.forget()
            parsed = _nothing(capture)
            if idx in expected:
                view = View.of(capture, idx, frame.image, config.largest_px)
                layers = painter.layers(next(heads), view.window, view.size)
                parsed = _labelled(run, idx, frame.image, networks, labeller, layers, view)
            writing.append(writer.submit(_write, paths, idx, parsed))
            if preview is not None:
                preview.add(capture.time_s[idx], _panels(frame.image, capture.matte(idx), parsed))
            if len(writing) > _QUEUED:
                writing.popleft().result()
            yield Step("parse", idx + 1, capture.frame_count, frame_idx=idx)
        for written in writing:
            written.result()
    _finish(run, paths, config)
    return paths


def _learned(capture: Capture, painter: LayerPainter, valid: ndarray, config: ParseConfig) -> Generator[Step, None, TrackedLabeller]:
    """A labeller that knows the clip's colours."""
    chosen = valid[np.unique(np.linspace(0, len(valid) - 1, min(config.learn.frames, len(valid))).round().astype(int))]
    learned = []
    for sample in samples(capture, painter, chosen.tolist(), config.largest_px):
        learned.append(sample)
        yield Step("learn", len(learned), len(chosen))
    return TrackedLabeller(learned, config.learn)


def _labelled(
    run: Run,
    idx: int,
    image: UInt8[ndarray, "height width 3"],
    networks: _Networks,
    labeller: TrackedLabeller | None,
    layers: Layers,
    view: View,
) -> _Frame:
    """A frame with a face, by the networks that there are and the tracked head for the rest."""
    capture = run.capture
    points = mediapipe_points(capture, run.track, run.model, idx)
    if networks.labels is not None:
        labels, confidence = networks.labels(image, capture.face_box(idx), points)
        labels[capture.matte(idx) == 0] = 0
    else:
        own, trust = labeller.label(view, layers)
        labels, confidence = view.whole_labels(own), view.whole(trust)
    if networks.normals is not None:
        normals = networks.normals(image, points) * (labels > 0)[..., None].astype(np.float32)
    else:
        normals = bare(_unit(view.whole(layers.normals)), labels)
    return _Frame(labels, confidence, normals)


def _unit(normals: Float32[ndarray, "height width 3"]) -> Float32[ndarray, "height width 3"]:
    """Of length one again after an enlargement; shorter than half where they ended or turned, and left out there."""
    length = np.sqrt(np.einsum("hwk,hwk->hw", normals, normals))
    return normals * np.where(length > 0.5, 1 / np.maximum(length, 0.5), 0).astype(np.float32)[..., None]


def _nothing(capture: Capture) -> _Frame:
    return _Frame(np.zeros(capture.size, np.uint8), np.zeros(capture.size, np.float32), np.zeros((*capture.size, 3), np.float32))


def _write(paths: ParsingPaths, frame_idx: int, frame: _Frame) -> None:
    write_labels(paths, frame_idx, frame.labels, frame.confidence)
    write_normals(paths, frame_idx, frame.normals)


def _panels(image: UInt8[ndarray, "height width 3"], matte: UInt8[ndarray, "height width"], frame: _Frame) -> list[UInt8[ndarray, "height width 3"]]:
    tinted = cv2.addWeighted(image, 0.45, colored(frame.labels), 0.55, 0)
    person, known = frame.labels > 0, has_normal(frame.normals)
    # Normals are shown as such pictures usually are: red to the right, green upwards, blue towards the viewer.
    shaded, over = np.zeros_like(image), image.copy()
    shaded[known] = (frame.normals[known] * (127, -127, -127) + 128).astype(np.uint8)
    over[person] = tinted[person]
    return [image, np.repeat(matte[..., None], 3, -1), over, shaded]


def _make_room(paths: ParsingPaths, overwrite: bool) -> None:
    if paths.about.is_file() and not overwrite:
        raise InputError(f"the run has labels and normals already; use --overwrite to make them anew: {paths.root}")
    if paths.root.is_dir():
        shutil.rmtree(paths.root)


def _finish(run: Run, paths: ParsingPaths, config: ParseConfig) -> None:
    details = {
        "frames": run.capture.frame_count,
        "size": list(run.capture.size),
        "labels": list(LABELS),
        "never_given": [] if config.labels else list(NETWORK_ONLY),
        "config": asdict(config),
    }
    named = {"labels": config.labels, "normals": config.normals}
    networks = {name: InputFile.of(Path(text.partition(":")[2])) for name, text in named.items() if text is not None}
    About(KIND, SCHEMA, {"track": InputFile.of(run.paths.track), **networks}, details).save(paths.about)
    for leftover in half_written(paths.root):
        leftover.unlink()

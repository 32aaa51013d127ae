"""Compares avatars with a recording, by three protocols that are never mixed: training frames, held-out frames, these with poses found anew.

Every number is of pictures 0–1 and a mean over frames. Three regions are told apart: "head" is the whole picture with head, hair and neck on white;
"shoulders" the whole picture with all of the person on white; "inside" only the pixels that the head covers, on white as well.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray

from headcast.avatars import Avatar, AvatarFrame, Footage, Portrait, Split
from headcast.errors import ConfigError, InputError
from headcast.evaluate.judges import JudgeFiles, Judges
from headcast.evaluate.pictures import inside_mask, l1, l2, ms_ssim, psnr_of, ssim, ssim_map
from headcast.evaluate.refit import Refitter
from headcast.perceive import FaceBox
from headcast.solve.step import Step

Protocol = Literal["reconstruction", "drive", "refit"]
"""reconstruction: frames that trained. drive: frames held out, in the poses of the track. refit: the same frames, the pose of each found anew."""
REGIONS = ("head", "shoulders", "inside")
_WHITE = torch.ones(3)
_HALF = 0.5
"""Opacity from which on a pixel counts as inside."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured."""

    refit: bool = False
    """Also measure held-out frames whose pose is found anew on the very picture: slow, and no measure of how the avatar follows a driver."""
    most_training: int = 200
    """Frames, spread over those that trained, that stand for all of them."""
    every: int = 1
    """Measure every so many held-out frames; with more than 1 there is no measure of flicker."""
    landmarks: bool = True
    """Detect landmarks in recorded and shown pictures."""
    baseline: bool = True
    """Also measure the tracker's own textured head."""
    networks: JudgeFiles = field(default_factory=JudgeFiles)
    """Networks that you bring."""

    def __post_init__(self) -> None:
        if self.every < 1 or self.most_training < 1:
            raise ConfigError(f"every and most_training must be at least 1, found {self.every} and {self.most_training}")


@dataclass(frozen=True)
class AvatarEvaluation:
    """What was measured."""

    means: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]]
    """By avatar, protocol, region and measure; None where a measure cannot be had."""
    frames: Mapping[str, tuple[int, ...]]
    """By protocol: the frames that were measured."""
    psnr_db: Mapping[str, Mapping[str, tuple[float, ...]]]
    """By avatar and protocol: region "head" of every frame."""
    milliseconds: Mapping[str, float]
    """By avatar: median time to render a frame at the recording's size."""

    def as_json(self) -> dict[str, Any]:
        return {
            "frames": {name: list(frames) for name, frames in self.frames.items()},
            "means": {name: {protocol: dict(regions) for protocol, regions in of.items()} for name, of in self.means.items()},
            "psnr_db": {name: {protocol: list(values) for protocol, values in of.items()} for name, of in self.psnr_db.items()},
            "milliseconds_per_frame": dict(self.milliseconds),
        }


@dataclass
class _Tally:
    """Sums over the frames of one avatar and protocol."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    last: tuple[int, Float32[ndarray, "height width 3"], Float32[ndarray, "height width 3"]] | None = None

    def add(self, region: str, measures: Mapping[str, float | None]) -> None:
        for name, value in measures.items():
            self.values.setdefault((region, name), [])
            if value is not None:
                self.values[region, name].append(value)

    def means(self) -> dict[str, dict[str, float | None]]:
        result: dict[str, dict[str, float | None]] = {}
        for (region, name), values in self.values.items():
            result.setdefault(region, {})[name] = float(np.mean(values)) if values else None
        return result


@dataclass(frozen=True)
class Shown:
    """A held-out frame beside what the avatars show of it."""

    frame: AvatarFrame
    portraits: Mapping[str, Portrait]


def protocol_frames(split: Split, config: EvaluationConfig) -> dict[Protocol, tuple[int, ...]]:
    """Which frames each protocol measures."""
    places = np.unique(np.linspace(0, len(split.train) - 1, min(config.most_training, len(split.train))).round().astype(int))
    held_out = split.held_out[:: config.every]
    chosen: dict[Protocol, tuple[int, ...]] = {"reconstruction": tuple(split.train[k] for k in places), "drive": held_out}
    return {**chosen, "refit": held_out} if config.refit else chosen


def evaluate_avatars(
    avatars: Mapping[str, Avatar], footage: Footage, split: Split, config: EvaluationConfig
) -> Generator[Step | Shown, None, AvatarEvaluation]:
    """Measures avatars on the frames of a run; yields a `Step` per frame, and every frame of the protocol "drive" for whoever draws it.

    Raises `InputError` where no usable frame trained or none is held out.
    """
    usable = split.among(footage.frames)
    if not usable.train or not usable.held_out:
        raise InputError(
            f"expected tracked frames both to train and held out, found {len(usable.train)} and {len(usable.held_out)} in {footage.run.paths.root}"
        )
    judges = Judges(config.networks, config.landmarks)
    tallies: dict[tuple[str, str], _Tally] = {}
    seconds: dict[str, list[float]] = {name: [] for name in avatars}
    frames = protocol_frames(usable, config)
    for protocol, chosen in frames.items():
        refitters = {name: Refitter.of(avatar, footage.run.track) for name, avatar in avatars.items()} if protocol == "refit" else {}
        for done, frame in enumerate(footage.shots(chosen), start=1):
            portraits = {}
            for name, avatar in avatars.items():
                pose = refitters[name].pose(frame) if refitters else frame.pose
                began = time.perf_counter()
                portraits[name] = avatar.render(pose, frame.camera)
                seconds[name].append(time.perf_counter() - began)
                _measure(tallies.setdefault((name, protocol), _Tally()), frame, portraits[name], judges, _box(footage, frame))
            if protocol == "drive":
                yield Shown(frame, portraits)
            yield Step(protocol, done, len(chosen), frame_idx=frame.frame_idx)
    return AvatarEvaluation(
        {name: {protocol: tallies[name, protocol].means() for protocol in frames} for name in avatars},
        frames,
        {name: {protocol: tuple(tallies[name, protocol].values["head", "psnr_db"]) for protocol in frames} for name in avatars},
        {name: 1000 * float(np.median(taken)) for name, taken in seconds.items()},
    )


def _box(footage: Footage, frame: AvatarFrame) -> FaceBox:
    """Where the face was found, in the pixels of the given pictures."""
    box = footage.run.capture.face_box(frame.frame_idx)
    scale = footage.size[1] / footage.window.width
    corner = np.array([footage.window.left, footage.window.top], np.float64)
    return FaceBox((box.center_px - corner) * scale, box.side_px * scale, box.roll_rad)


def _measure(tally: _Tally, frame: AvatarFrame, portrait: Portrait, judges: Judges, box: FaceBox) -> None:
    shown = np.ascontiguousarray(portrait.over(_WHITE).clamp(0, 1).numpy(), np.float32)
    recorded = frame.on_white(frame.head)
    judged = judges.judge(recorded, shown, box)
    tally.add("head", {**_whole(recorded, shown), **judged, "flicker": _flicker(tally, frame.frame_idx, recorded, shown)})
    tally.add("shoulders", _whole(frame.on_white(frame.person), shown))
    inside = frame.head > _HALF
    if inside.any():
        a, b = inside_mask(recorded, shown, inside)
        square = l2(a, b)
        tally.add("inside", {"psnr_db": psnr_of(square), "l1": l1(a, b), "l2": square, "ssim": float(ssim_map(recorded, shown)[inside].mean())})


def _whole(recorded: Float32[ndarray, "height width 3"], shown: Float32[ndarray, "height width 3"]) -> dict[str, float | None]:
    square = l2(recorded, shown)
    return {
        "psnr_db": psnr_of(square),
        "l1": l1(recorded, shown),
        "l2": square,
        "ssim": ssim(recorded, shown),
        "ms_ssim": ms_ssim(recorded, shown),
    }


def _flicker(tally: _Tally, frame_idx: int, recorded: Float32[ndarray, "height width 3"], shown: Float32[ndarray, "height width 3"]) -> float | None:
    """Mean absolute difference between how the shown and how the recorded picture changed since the frame before; None without that frame."""
    last, tally.last = tally.last, (frame_idx, recorded, shown)
    if last is None or last[0] != frame_idx - 1:
        return None
    return float(np.abs((shown - last[2]) - (recorded - last[1])).mean())


def outstanding(values: Sequence[float]) -> dict[int, str]:
    """Places of the worst, the middle and the best value, with these words; the last word wins where values are few."""
    order = np.argsort(np.asarray(values))
    return {int(order[len(order) // 2]): "middle", int(order[0]): "worst", int(order[-1]): "best"}

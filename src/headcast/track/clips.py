"""Several clips of one person as one: cameras that never see the same moment, frames one clip after another.

So the person is solved from keyframes of all clips by what solves it for a rig. Identity, offsets and albedo are shared; each clip keeps its own
light, cameras and poses. Every clip's world is its own; only its axes are laid onto those of the first one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from headcast.capture import Calibration, Recorded, RigCapture
from headcast.errors import InputError
from headcast.track.rig import Rig

_PAUSE_S = 10.0
"""Between the end of a clip and the start of the next on their common clock."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Placed:
    """A camera's recording as part of all clips: in the frames of the other clips it sees no face."""

    own: Recorded
    start: int
    total: int
    time_s: Float[np.ndarray, "frames"]

    @property
    def size(self) -> tuple[int, int]:
        return self.own.size

    @property
    def source_size(self) -> tuple[int, int]:
        return self.own.source_size

    @property
    def focal_hint_px(self) -> float | None:
        return self.own.focal_hint_px

    @property
    def center_px(self) -> tuple[float, float]:
        return self.own.center_px

    @property
    def layouts(self) -> tuple[str, ...]:
        return self.own.layouts

    @property
    def frame_count(self) -> int:
        return self.total

    @cached_property
    def landmarks_px(self) -> Float[np.ndarray, "frames landmarks 2"]:
        return self._spread(self.own.landmarks_px)

    @cached_property
    def confidence(self) -> Float[np.ndarray, "frames landmarks"]:
        return self._spread(self.own.confidence)

    @cached_property
    def found(self) -> Bool[np.ndarray, "frames"]:
        return self._spread(self.own.found)

    @cached_property
    def cuts(self) -> Bool[np.ndarray, "frames"]:
        return self._spread(self.own.cuts)

    def frames(self, indices: np.ndarray | None = None) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """As the recording gives them; the indices must be those of its own clip."""
        wanted = None if indices is None else np.asarray(indices) - self.start
        for idx, picture, matte in self.own.frames(wanted):
            yield idx + self.start, picture, matte

    def _spread(self, values: np.ndarray) -> np.ndarray:
        whole = np.zeros((self.total, *values.shape[1:]), values.dtype)
        whole[self.start : self.start + len(values)] = values
        return whole


@dataclass(frozen=True)
class Clips(RigCapture):
    """All cameras of all clips."""

    parts: tuple[RigCapture, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[RigCapture]) -> "Clips":
        counts = [part.frame_count for part in parts]
        starts, total = np.cumsum([0, *counts[:-1]]).tolist(), sum(counts)
        times, last = [], -_PAUSE_S
        for part in parts:
            own = np.asarray(part.main.time_s, np.float64)
            times.append(own - own[0] + last + _PAUSE_S)
            last = float(times[-1][-1])
        clock = np.concatenate(times)
        captures = tuple(_Placed(capture, start, total, clock) for part, start in zip(parts, starts, strict=True) for capture in part.captures)
        depths = [_later(part.depth_of(camera), start) for part, start in zip(parts, starts, strict=True) for camera in range(len(part.captures))]
        calibrations: tuple[Calibration, ...] = tuple(one for part in parts for one in part.calibrations)
        return cls(captures, calibrations, None, tuple(depths) if any(depths) else (), tuple(parts))

    def __post_init__(self) -> None:
        """Each clip was checked by itself; they need not have as many frames or know as much, but show the same landmarks."""
        layouts = {capture.layouts for capture in self.captures}
        if len(layouts) > 1:
            raise InputError(f"expected the same landmarks of all clips, found {' and '.join(', '.join(names) for names in sorted(layouts))}")

    @property
    def ranges(self) -> list[tuple[slice, slice]]:
        """Cameras and frames of each clip."""
        found, camera, frame = [], 0, 0
        for part in self.parts:
            found.append((slice(camera, camera + len(part.captures)), slice(frame, frame + part.frame_count)))
            camera, frame = camera + len(part.captures), frame + part.frame_count
        return found

    @property
    def clip_of_camera(self) -> tuple[int, ...]:
        return tuple(clip for clip, part in enumerate(self.parts) for _ in part.captures)

    @property
    def cameras_at_once(self) -> int:
        return max(part.cameras_at_once for part in self.parts)

    @property
    def sees_height(self) -> bool:
        return any(part.sees_height for part in self.parts)

    @property
    def measured(self) -> bool:
        return any(part.measured for part in self.parts)

    @property
    def moving(self) -> bool:
        return any(part.moving for part in self.parts)

    @property
    def cuts(self) -> np.ndarray:
        """Also where the next clip begins."""
        cuts = np.concatenate([np.array(part.cuts, bool) for part in self.parts])
        cuts[[frames.start for _, frames in self.ranges[1:]]] = True
        return cuts


def parts_of(capture: RigCapture) -> tuple[RigCapture, ...]:
    """The clips, of which there may be only one."""
    return capture.parts if isinstance(capture, Clips) else (capture,)


def _later(depth: Callable[[int], np.ndarray] | None, start: int) -> Callable[[int], np.ndarray] | None:
    return None if depth is None else lambda frame_idx: depth(frame_idx - start)


def rigs_together(rigs: Sequence[Rig], capture: RigCapture) -> Rig:
    """The rigs of all clips as one, in the rig space of the first; the axes of their worlds are taken to be the same."""
    if not isinstance(capture, Clips):
        return rigs[0]
    first = rigs[0]
    moving = any(rig.pose_count > 1 for rig in rigs)
    length = capture.frame_count if moving else 1
    rotations, translations = [], []
    for rig, (_, frames) in zip(rigs, capture.ranges, strict=True):
        turn = rig.world_rotation.T @ first.world_rotation
        shift = rig.world_rotation.T @ (first.world_translation - rig.world_translation)
        # Outside of its own clip a camera's pose means nothing; the first one is as good as any.
        pose = np.zeros(length, int)
        if rig.pose_count > 1:
            pose[frames] = np.arange(rig.pose_count)
        rotations.append((rig.rotation @ turn)[:, pose])
        translations.append((rig.rotation @ shift + rig.translation)[:, pose])
    return Rig(
        np.concatenate([rig.focal_px for rig in rigs]),
        np.concatenate([rig.center_px for rig in rigs]),
        np.concatenate(rotations),
        np.concatenate(translations),
        first.world_rotation,
        first.world_translation,
        free_poses=any(rig.free_poses for rig in rigs),
        clip_of_camera=capture.clip_of_camera,
        known_clips=frozenset(clip for clip, rig in enumerate(rigs) if not rig.free_poses),
    )


def rig_of_clip(rig: Rig, capture: RigCapture, clip: int) -> Rig:
    """One clip's cameras, in the same rig space and world, for the frames of that clip."""
    if not isinstance(capture, Clips):
        return rig
    cameras, frames = capture.ranges[clip]
    poses = frames if rig.pose_count > 1 else slice(None)
    return replace(
        rig,
        focal_px=rig.focal_px[cameras],
        center_px=rig.center_px[cameras],
        rotation=rig.rotation[cameras, poses],
        translation=rig.translation[cameras, poses],
        clip_of_camera=(),
        known_clips=frozenset(),
    )


def values_of_clip(values: Mapping[int, Value], capture: RigCapture, clip: int) -> dict[int, Value]:
    """What belongs to one clip's frames, by its own frame numbers."""
    if not isinstance(capture, Clips):
        return dict(values)
    frames = capture.ranges[clip][1]
    return {idx - frames.start: value for idx, value in values.items() if frames.start <= idx < frames.stop}

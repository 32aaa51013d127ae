"""How the tracker looks at a recording: which frames, through windows of what size, from which cameras."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from headcast.capture import Recorded, RigCapture
from headcast.errors import InputError
from headcast.track.config import TrackConfig
from headcast.track.covering import Coverings, bared
from headcast.track.frame import ROBUST
from headcast.track.keyframes import choose_keyframes
from headcast.track.marks import Marks
from headcast.track.observation import Moment, Observation, observe
from headcast.track.prefetch import ahead
from headcast.track.sequence import Clock

_COARSEST_PX = 32
"""Side below which a picture of a head says nothing any more."""
_PAINTED_VIEWS = 32
"""Views, spread over the clip, that the texture is painted from once all frames are tracked."""
_KEY_VIEWS = 48
"""Most views of all keyframes together, where there are several cameras; a step of the person takes time and memory for each."""
_LEAST_KEYFRAMES = 3


@dataclass(frozen=True)
class Clip:
    """A recording as the tracker sees it."""

    rig: RigCapture
    seen: Bool[np.ndarray, "cameras frames"]
    """Where each camera sees the head."""
    source_side_px: tuple[int, ...]
    """Side of the window around the head in each camera's pictures."""
    side_px: int
    """Of the working picture."""
    clock: Clock
    hidden: Coverings = field(default_factory=dict)
    """What covers the face and is left out of all moments."""

    @property
    def count(self) -> int:
        """Frames that show a face."""
        return int(self.usable.sum())

    @cached_property
    def usable(self) -> Bool[np.ndarray, "frames"]:
        return self.seen.any(0)

    @classmethod
    def of(cls, rig: RigCapture, config: TrackConfig) -> "Clip":
        """The clip, as large as its heads are.

        Raises:
            InputError: no frame of any camera shows a face.
        """
        if not rig.found.any():
            raise InputError(f"expected a face in at least one of the {rig.frame_count} frames, found none. Is the head visible and large enough?")
        sides = tuple(_source_side(capture) for capture in rig.captures)
        side = min(max(sides), config.side_px)
        clock = Clock(np.asarray(rig.main.time_s, np.float64), np.asarray(rig.cuts, bool))
        seen = np.array([capture.found for capture in rig.captures], bool)
        return cls(rig, seen, sides, max(side // 4 * 4, 32), clock)

    def keyframes(self, count: int) -> Int[np.ndarray, "keyframes"]:
        """Frames that show the most of the person, seen by the camera that finds the face most surely; of several clips, of each its share."""
        clips = np.array(self.rig.clip_of_camera)
        each = -(-count // (clips.max() + 1))
        return np.concatenate([self._keyframes(np.flatnonzero(clips == clip), each) for clip in range(clips.max() + 1)])

    def _keyframes(self, cameras: Int[np.ndarray, "cameras"], count: int) -> Int[np.ndarray, "keyframes"]:
        trust = [float((self.rig.captures[camera].confidence * self.seen[camera][:, None]).sum()) for camera in cameras]
        best = cameras[np.argmax(trust)]
        capture = self.rig.captures[best]
        wanted = count if len(cameras) == 1 else max(min(count, _KEY_VIEWS // len(cameras)), _LEAST_KEYFRAMES)
        return choose_keyframes(capture.landmarks_px, capture.confidence, self.seen[best], wanted, eyes=Marks.of(capture.layouts).eyes)

    def spread(self) -> list[Moment]:
        """Frames spread evenly over the clip: keyframes show what is rare, these what is usual."""
        usable = np.flatnonzero(self.usable)
        count = max(_PAINTED_VIEWS // self.rig.cameras_at_once, 4)
        return list(self.moments(usable[np.unique(np.linspace(0, len(usable) - 1, min(count, len(usable))).round().astype(int))]))

    def moments(self, chosen: Int[np.ndarray, "chosen"] | None) -> Iterator[Moment]:
        """The chosen frames (all that show a face, for None), made a few ahead in a thread of their own."""
        return ahead(bared(self._moments(np.flatnonzero(self.usable) if chosen is None else np.asarray(chosen)), self.hidden))

    def _moments(self, chosen: Int[np.ndarray, "chosen"]) -> Iterator[Moment]:
        cameras = [self._views(camera, chosen) for camera in range(len(self.rig.captures))]
        waiting = [next(views, None) for views in cameras]
        for frame_idx in chosen.tolist():
            seen = []
            for camera, views in enumerate(cameras):
                view = waiting[camera]
                if view is not None and view.frame_idx == frame_idx:
                    seen.append(view)
                    waiting[camera] = next(views, None)
            if seen:
                yield Moment(frame_idx, tuple(seen))

    def _views(self, camera: int, chosen: Int[np.ndarray, "chosen"]) -> Iterator[Observation]:
        capture, depth = self.rig.captures[camera], self.rig.depth_of(camera)
        marks = Marks.of(capture.layouts)
        levels = int(np.clip(np.log2(self.side_px / _COARSEST_PX) + 1, 1, len(ROBUST)))
        for frame_idx, rgb, matte in capture.frames(chosen[self.seen[camera][chosen]]):
            points, confidence = capture.landmarks_px[frame_idx], capture.confidence[frame_idx]
            measured = None if depth is None else depth(frame_idx)
            yield observe(
                frame_idx, rgb, matte, points, confidence, self.source_side_px[camera], self.side_px, levels, camera, measured, marks.outline(points)
            )  # fmt: skip


def _source_side(capture: Recorded) -> int:
    landmarks = Marks.of(capture.layouts).outline(capture.landmarks_px[np.asarray(capture.found, bool)])
    if not len(landmarks):
        return 32
    size = (landmarks.max(1) - landmarks.min(1)).max(1)
    return max(int(np.ceil(np.percentile(size, 95) * 1.3 / 4)) * 4, 32)

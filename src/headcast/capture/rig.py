"""Recordings of several cameras, or of one whose lens or path is known: captures with what is known of each camera."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.errors import InputError
from headcast.geometry import Transform


@runtime_checkable
class Recorded(Protocol):
    """What the tracker asks of a recording: a `Capture`, or anything else that has these, with the same meanings."""

    size: tuple[int, int]
    source_size: tuple[int, int]
    focal_hint_px: float | None
    layouts: tuple[str, ...]
    landmarks_px: ndarray
    confidence: ndarray
    found: ndarray
    cuts: ndarray
    time_s: ndarray

    @property
    def frame_count(self) -> int: ...

    @property
    def center_px(self) -> tuple[float, float]: ...

    def frames(self, indices: ndarray | None = None) -> Iterator[tuple[int, ndarray, ndarray]]: ...


@dataclass(frozen=True)
class Calibration:
    """What is known of a camera. Pixels are those of the upright pictures, distortion taken away."""

    name: str = "camera"
    focal_px: Float64[ndarray, "2"] | None = None
    """Horizontal and vertical; solved where it is None."""
    center_px: Float64[ndarray, "2"] | None = None
    """Principal point; the middle of the picture where it is None."""
    camera_from_world: Transform | None = None
    """Metres, or units of `RigCapture.unit_m`: one pose of a camera that stands still, or one per frame; solved where it is None."""


@dataclass(frozen=True)
class RigCapture:
    """One or several captures of the same moments."""

    captures: tuple[Recorded, ...]
    calibrations: tuple[Calibration, ...]
    unit_m: float | None = 1.0
    """Metres per unit of the cameras' positions; None where nobody knows it, and the head says it."""
    depths: tuple[Callable[[int], ndarray] | None, ...] = ()
    """Per camera what gives a frame's measured depth (m along the view, 0 where there is none); empty where none measures any."""

    @classmethod
    def single(cls, capture: Recorded) -> "RigCapture":
        """One camera of which nothing is known but what its recording says."""
        return cls((capture,), (Calibration(),))

    def __post_init__(self) -> None:
        names, counts = [one.name for one in self.calibrations], [capture.frame_count for capture in self.captures]
        if len(set(counts)) > 1:
            found = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
            raise InputError(f"expected recordings of as many frames from all cameras, found {found}. Cut them to the same moments first")
        layouts = {capture.layouts for capture in self.captures}
        if len(layouts) > 1:
            raise InputError(f"expected the same landmarks from all cameras, found {' and '.join(', '.join(names) for names in sorted(layouts))}")
        for one in self.calibrations:
            poses = 1 if one.camera_from_world is None else len(one.camera_from_world.translation)
            if poses not in (1, self.frame_count):
                raise InputError(f"expected one pose of camera {one.name!r}, or one for each of the {self.frame_count} frames, found {poses}")
        known = [one.camera_from_world is not None for one in self.calibrations]
        if any(known) and not all(known):
            missing = ", ".join(repr(one.name) for one in self.calibrations if one.camera_from_world is None)
            raise InputError(f"expected the poses of all cameras or of none, found none of {missing}")

    def depth_of(self, camera: int) -> Callable[[int], ndarray] | None:
        return self.depths[camera] if self.depths else None

    @property
    def main(self) -> Recorded:
        """The first camera's."""
        return self.captures[0]

    @property
    def frame_count(self) -> int:
        return self.main.frame_count

    @property
    def posed(self) -> bool:
        """Whether the cameras' poses are known."""
        return self.calibrations[0].camera_from_world is not None

    @property
    def sees_height(self) -> bool:
        """Whether several cameras or measured depth can see how far skin stands out."""
        return len(self.captures) > 1 or bool(self.depths)

    @property
    def moving(self) -> bool:
        """Whether any camera has a pose for each frame."""
        return any(one.camera_from_world is not None and len(one.camera_from_world.translation) > 1 for one in self.calibrations)

    @property
    def cameras_at_once(self) -> int:
        """How many cameras record one moment."""
        return len(self.captures)

    @property
    def clip_of_camera(self) -> tuple[int, ...]:
        """Which clip each camera belongs to, of several clips of one person."""
        return (0,) * len(self.captures)

    @property
    def measured(self) -> bool:
        """Whether cameras at known places, or depth, tell how large the head is."""
        return bool(self.depths) or (self.posed and self.unit_m is not None and (len(self.captures) > 1 or self.moving))

    @property
    def found(self) -> np.ndarray:
        """Frames in which at least one camera sees the face."""
        return np.any([capture.found for capture in self.captures], axis=0)

    @property
    def cuts(self) -> np.ndarray:
        """Frames that start a new shot in all cameras that see the face before and after."""
        return np.all([capture.cuts | ~capture.found for capture in self.captures], axis=0) & np.any([c.cuts for c in self.captures], axis=0)

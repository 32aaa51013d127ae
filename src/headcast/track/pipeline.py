"""The whole of tracking: a Capture and a head model in, a Track out."""

import resource
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from headcast.capture import Capture
from headcast.errors import InputError
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel
from headcast.solve import Step
from headcast.threads import Errand, mapped, meanwhile, with_quiet_blas
from headcast.track.appearance import Texels, paint
from headcast.track.config import TrackConfig
from headcast.track.evidence import independent_share
from headcast.track.frame import ROBUST, WORLD_FROM_CAMERA
from headcast.track.given import Given
from headcast.track.keyframes import choose_keyframes
from headcast.track.light import AMBIENT
from headcast.track.observation import Observation, observe
from headcast.track.person import Person, TrackedModel, interocular
from headcast.track.person_by_colours import coarse_to_fine, skin_texels, solve_by_colours
from headcast.track.person_fit import Keyframes, SharedPrior, solve_by_landmarks
from headcast.track.photometric import GAMMA
from headcast.track.points import FrameState
from headcast.track.prefetch import ahead
from headcast.track.quality import FrameQuality, measure_frame
from headcast.track.sequence import Clock, linearise, smooth, track_forward
from headcast.track.track import Track

_FULL_INFORMATION_PX = 256
"""Side of the picture in which `TrackConfig.color_information` holds."""
_MEASURED_LATER = 4
"""Frames whose quality may be measured beside the next ones; each holds its pictures until then."""
_TYPICAL_SHARE = 0.06
"""Share of independent pixels (`track.evidence`) that `TrackConfig.color_information` was chosen for."""
_LEAST_EVIDENCE, _MOST_EVIDENCE = 0.5, 4.0
"""How far what is measured may change it."""
_PAINTED_FRAMES = 32
"""Frames, spread over the clip, that the texture is painted from once all are tracked."""
_COARSEST_PX = 32
"""Side below which a picture of a head says nothing any more."""


@dataclass(frozen=True)
class TrackResult:
    """A track, the person's texture and how the work went."""

    track: Track
    albedo: Float[np.ndarray, "height width 3"] | None
    """Linear albedo in the model's atlas; None without a photometric term."""
    albedo_certainty: Float[np.ndarray, "height width"] | None
    """0 where no frame showed the texel, up to 1."""
    keyframes: tuple[int, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time per stage."""
    peak_memory_mb: float = 0.0


def track_capture(capture: Capture, model: HeadModel, config: TrackConfig) -> TrackResult:
    """Tracks a head through a recording, without telling how it goes; see `track_steps`."""
    steps = track_steps(capture, model, config)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@with_quiet_blas
def track_steps(capture: Capture, model: HeadModel, config: TrackConfig) -> Generator[Step, None, TrackResult]:
    """Tracks a head, one `Step` per unit of work; the generator's value is the result.

    Raises:
        InputError: no frame shows a face.
    """
    clip = _Clip.of(capture, config)
    config = replace(config, color_information=config.color_information * min(1.0, clip.side_px / _FULL_INFORMATION_PX) ** 2)
    watch = _Watch()
    person = _first_person(capture, model, config)
    prior = _shared_prior(capture, person, config)

    yield Step("person", 0, config.rounds, message="finding out who it is")
    key_idx = choose_keyframes(capture.landmarks_px, capture.confidence, clip.usable, config.keyframes)
    keyframes = solve_by_landmarks(person, list(clip.observations(key_idx)), prior, config)
    texels = Texels.of(person.tracked.surface, config.texture_px)
    if config.photometric:
        steps = config.rounds if config.mode == "full" else -(-config.rounds // 3)
        for step, better in solve_by_colours(
            keyframes, texels, prior, config, coarse_to_fine(len(keyframes.observations[0].levels), steps, keyframes, clip.side_px)
        ):
            keyframes = better
            yield step
        times = float(np.clip(independent_share(keyframes) / _TYPICAL_SHARE, _LEAST_EVIDENCE, _MOST_EVIDENCE))
        config = replace(config, color_information=config.color_information * times)
    watch.stage("person")

    refined = config.mode == "full" and config.photometric
    states: dict[int, FrameState] = {}
    quality: dict[int, FrameQuality] = {}
    measuring: deque[tuple[int, Errand[FrameQuality]]] = deque()
    for step, observation, state in track_forward(keyframes.person, clip.observations, clip.clock, config, clip.count):
        states[observation.frame_idx] = state
        if not refined:
            measuring.append((observation.frame_idx, meanwhile(measure_frame, keyframes.person, observation, state)))
        if len(measuring) > _MEASURED_LATER:
            idx, errand = measuring.popleft()
            quality[idx] = errand.result()
        yield step
    quality.update((idx, errand.result()) for idx, errand in measuring)
    watch.stage("frames")

    if refined:
        before = keyframes.person
        keyframes = replace_states(keyframes, states)
        again = coarse_to_fine(1, config.rounds * 3 // 2, keyframes, clip.side_px)
        for step, better in solve_by_colours(keyframes, texels, prior, config, again, "person again"):
            keyframes = better
            yield step
        watch.stage("person again")
        spread, skin = _all_over(clip), skin_texels(keyframes.person, texels)
        for turn, (steps, whose) in enumerate((((2, 2), before), ((1,), None)), start=1):
            fits = {}
            for step, idx, fit in linearise(keyframes.person, clip.observations, states, config, steps, f"refine {turn}", whose):
                fits[idx] = fit
                yield step
            states = smooth(keyframes.person, fits, clip.clock, config) if config.temporal else {i: f.state for i, f in fits.items()}
            seen = [states[observation.frame_idx] for observation in spread]
            # The light stays what the keyframes say: frames from all over the clip show less turning, and light that turning does not show runs off.
            lit = keyframes.person.changed(fixed=keyframes.person.fixed | {"light"})
            painted = paint(lit, texels, spread, seen, config.sigmas.color, skin)
            keyframes = replace(keyframes, person=painted.changed(fixed=keyframes.person.fixed))
        watch.stage("refine")

        person, found = keyframes.person, states

        def measured(observation: Observation) -> tuple[int, FrameQuality]:
            return observation.frame_idx, measure_frame(person, observation, found[observation.frame_idx])

        for done, (idx, one) in enumerate(mapped(measured, clip.observations(None)), start=1):
            quality[idx] = one
            yield Step("measure", done, clip.count, asdict(quality[idx]), frame_idx=idx)
        watch.stage("measure")
    track = _assemble(capture, keyframes, states, quality, config)
    texture = keyframes.person.texture
    return TrackResult(
        track=track,
        albedo=None if texture is None else np.clip(texture[..., :3], 0, None) ** GAMMA,
        albedo_certainty=None if texture is None else texture[..., 3],
        keyframes=tuple(int(i) for i in key_idx),
        seconds=dict(watch.seconds),
        peak_memory_mb=_peak_memory_mb(),
    )


def _all_over(clip: "_Clip") -> list[Observation]:
    """Observations spread evenly over the clip: keyframes show what is rare, these what is usual."""
    usable = np.flatnonzero(clip.usable)
    return list(clip.observations(usable[np.unique(np.linspace(0, len(usable) - 1, min(_PAINTED_FRAMES, len(usable))).round().astype(int))]))


def replace_states(keyframes: Keyframes, states: Mapping[int, FrameState]) -> Keyframes:
    """The keyframes as the pass over all frames left them."""
    return Keyframes(keyframes.person, keyframes.observations, tuple(states[o.frame_idx] for o in keyframes.observations), keyframes.log_focal_sigma)


@dataclass(frozen=True)
class _Clip:
    """How the tracker looks at a capture: which frames, and through windows of what size."""

    capture: Capture
    usable: np.ndarray
    source_side_px: int
    side_px: int
    clock: Clock

    @property
    def count(self) -> int:
        return int(self.usable.sum())

    @classmethod
    def of(cls, capture: Capture, config: TrackConfig) -> "_Clip":
        usable = np.asarray(capture.found, bool)
        if not usable.any():
            raise InputError(
                f"expected a face in at least one of the {capture.frame_count} frames, found none. Is the head visible and large enough?"
            )
        landmarks = capture.landmarks_px[usable]
        size = (landmarks.max(1) - landmarks.min(1)).max(1)
        source_side = max(int(np.ceil(np.percentile(size, 95) * 1.3 / 4)) * 4, 32)
        side = min(source_side, config.side_px)
        return cls(
            capture, usable, source_side, max(side // 4 * 4, 32), Clock(np.asarray(capture.time_s, np.float64), np.asarray(capture.cuts, bool))
        )

    def observations(self, chosen: Int[np.ndarray, "chosen"] | None) -> Iterator[Observation]:
        """Observations of the chosen frames, made a few ahead in a thread of their own."""
        return ahead(self._observed(chosen))

    def _observed(self, chosen: Int[np.ndarray, "chosen"] | None) -> Iterator[Observation]:
        capture = self.capture
        levels = int(np.clip(np.log2(self.side_px / _COARSEST_PX) + 1, 1, len(ROBUST)))
        wanted = np.flatnonzero(self.usable) if chosen is None else chosen
        for frame_idx, rgb, matte in capture.frames(wanted):
            points, confidence = capture.landmarks_px[frame_idx], capture.confidence[frame_idx]
            yield observe(frame_idx, rgb, matte, points, confidence, self.source_side_px, self.side_px, levels)


class _Watch:
    """Adds up wall time per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def _first_person(capture: Capture, model: HeadModel, config: TrackConfig) -> Person:
    """The model's mean head, with what the user gave."""
    given = Given.of(config, model)
    height, width = capture.size
    tracked = TrackedModel.of(model, config.sigmas)
    unknown = Person(
        tracked=tracked,
        identity=np.zeros(model.identity_count),
        focal_px=np.full(2, capture.focal_hint_px or 1.4 * max(height, width)),
        center_px=np.array([width / 2, height / 2]),
        light=AMBIENT,
        landmark_offsets=np.zeros((len(tracked.landmark_sigma), 3), np.float32),
    )
    return unknown.changed(**{name: getattr(given, name) for name in given.fixed}, fixed=given.fixed)


def _shared_prior(capture: Capture, person: Person, config: TrackConfig) -> SharedPrior:
    sigma = config.sigmas.log_focal_hint if capture.focal_hint_px else config.sigmas.log_focal
    return SharedPrior(float(np.log(person.focal_px.mean())), 1e-6 if "focal_px" in person.fixed else sigma, "identity" in person.fixed)


def _assemble(
    capture: Capture, keyframes: Keyframes, states: Mapping[int, FrameState], quality: Mapping[int, FrameQuality], config: TrackConfig
) -> Track:
    """The Track: frames without a face are filled from their neighbours and stay marked."""
    person, model = keyframes.person, keyframes.person.tracked.model
    count = capture.frame_count
    valid = np.array([idx in states for idx in range(count)])
    known = np.flatnonzero(valid)
    filled = known[np.abs(known[None] - np.arange(count)[:, None]).argmin(1)]

    def over_frames(value, missing=0.0) -> torch.Tensor:
        return torch.tensor([value(idx) if idx in quality else missing for idx in range(count)], dtype=torch.float32)

    rotation = np.stack([WORLD_FROM_CAMERA @ states[idx].rotation for idx in filled])
    translation = np.stack([WORLD_FROM_CAMERA @ states[idx].translation for idx in filled])
    camera = Camera(
        torch.from_numpy(person.focal_px.astype(np.float32)),
        torch.from_numpy(person.center_px.astype(np.float32)),
        tuple(capture.size),
        Transform(torch.from_numpy(WORLD_FROM_CAMERA.T.astype(np.float32)), torch.zeros(3)),
    )
    eyes = interocular(np.asarray(capture.landmarks_px))
    return Track(
        model_name=model.name,
        identity=torch.from_numpy(person.identity.astype(np.float32)),
        expression=torch.from_numpy(np.stack([states[idx].expression for idx in filled]).astype(np.float32)),
        expression_names=model.expression_names,
        joint_rotations=torch.from_numpy(np.stack([states[idx].joint_rotations for idx in filled]).astype(np.float32)),
        joint_names=model.joint_names,
        world_from_head=Transform(torch.from_numpy(rotation.astype(np.float32)), torch.from_numpy(translation.astype(np.float32))),
        camera=camera,
        focal_sigma_px=0.0 if "focal_px" in person.fixed else float(keyframes.log_focal_sigma * person.focal_px.mean()),
        time_s=torch.from_numpy(np.asarray(capture.time_s, np.float32)),
        valid=torch.from_numpy(valid),
        light=torch.from_numpy(person.light.astype(np.float32)),
        landmark_offsets=torch.from_numpy(person.landmark_offsets.astype(np.float32)),
        landmark_error_px=over_frames(lambda idx: quality[idx].landmark_error_px),
        interocular_px=over_frames(lambda idx: float(eyes[idx])),
        psnr_db=over_frames(lambda idx: quality[idx].psnr_db),
        silhouette_iou=over_frames(lambda idx: quality[idx].silhouette_iou),
    )


def _peak_memory_mb() -> float:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024

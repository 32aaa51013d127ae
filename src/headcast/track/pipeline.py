"""The whole of tracking: one or several captures and a head model in, a Track out."""

import resource
import sys
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float

from headcast.capture import Recorded, RigCapture
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel
from headcast.solve import Step
from headcast.threads import Errand, mapped, meanwhile, with_quiet_blas
from headcast.track.appearance import Texels, paint
from headcast.track.calibrate import known_rig, rig_from_heads
from headcast.track.clip import Clip
from headcast.track.clips import Clips, parts_of, rig_of_clip, rigs_together, values_of_clip
from headcast.track.config import TrackConfig
from headcast.track.consensus import agreeing
from headcast.track.evidence import independent_share
from headcast.track.given import Given
from headcast.track.light import AMBIENT
from headcast.track.observation import Moment
from headcast.track.offsets import solve_offsets
from headcast.track.person import Person, TrackedModel, interocular
from headcast.track.person_by_colours import coarse_to_fine, skin_texels, solve_by_colours
from headcast.track.person_fit import Keyframes, SharedPrior, solve_by_landmarks
from headcast.track.photometric import GAMMA
from headcast.track.points import FrameState
from headcast.track.quality import FrameQuality, measure_frame
from headcast.track.rig import Rig
from headcast.track.sequence import linearise, smooth, track_forward
from headcast.track.sight import all_sights
from headcast.track.track import Track

_FULL_INFORMATION_PX = 256
"""Side of the picture in which `TrackConfig.color_information` holds."""
Result = TypeVar("Result")
_MEASURED_LATER = 4
"""Frames whose quality may be measured beside the next ones; each holds its pictures until then."""
_TYPICAL_SHARE = 0.06
"""Share of independent pixels (`track.evidence`) that `TrackConfig.color_information` was chosen for."""
_LEAST_EVIDENCE, _MOST_EVIDENCE = 0.5, 4.0
"""How far what is measured may change it."""


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


def track_capture(capture: Recorded | RigCapture, model: HeadModel, config: TrackConfig) -> TrackResult:
    """Tracks a head through a recording, without telling how it goes; see `track_steps`."""
    return _finished(track_steps(capture, model, config))


def track_captures(clips: Sequence[Recorded | RigCapture], model: HeadModel, config: TrackConfig) -> tuple[TrackResult, ...]:
    """Tracks one person through several clips, without telling how it goes; see `track_clips_steps`."""
    return _finished(track_clips_steps(clips, model, config))


def _finished(steps: Generator[Step, None, Result]) -> Result:
    """A generator's value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def track_steps(capture: Recorded | RigCapture, model: HeadModel, config: TrackConfig) -> Generator[Step, None, TrackResult]:
    """Tracks a head, one `Step` per unit of work; the generator's value is the result.

    Raises:
        InputError: no frame shows a face; or the cameras of a rig do not agree with what they see.
    """
    return (yield from track_clips_steps((capture,), model, config))[0]


@with_quiet_blas
def track_clips_steps(
    clips: Sequence[Recorded | RigCapture], model: HeadModel, config: TrackConfig
) -> Generator[Step, None, tuple[TrackResult, ...]]:
    """The same for several clips of one person, who is solved from all of them; the generator's value has a result for each."""
    rigs = [one if isinstance(one, RigCapture) else RigCapture.single(one) for one in clips]
    rig = rigs[0] if len(rigs) == 1 else Clips.of(rigs)
    clip = Clip.of(rig, config)
    config = replace(config, color_information=config.color_information * min(1.0, clip.side_px / _FULL_INFORMATION_PX) ** 2)
    watch = _Watch()
    person = _first_person(rig, model, config)

    yield Step("person", 0, config.rounds, message="finding out who it is")
    person, clip = _placed_cameras(person, clip, config)
    key_idx = clip.keyframes(config.keyframes)
    moments = list(clip.moments(key_idx))
    prior = _shared_prior(rig, person, config)
    keyframes = solve_by_landmarks(person, moments, prior, config)
    texels = Texels.of(person.tracked.surface, config.texture_px)
    if config.photometric:
        steps = config.rounds if config.mode == "full" else -(-config.rounds // 3)
        for step, better in solve_by_colours(
            keyframes, texels, prior, config, coarse_to_fine(len(moments[0].views[0].levels), steps, keyframes, clip.side_px)
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
    for step, moment, state in track_forward(keyframes.person, clip.moments, clip.clock, config, clip.count):
        states[moment.frame_idx] = state
        if not refined:
            measuring.append((moment.frame_idx, meanwhile(measure_frame, keyframes.person, moment, state)))
        if len(measuring) > _MEASURED_LATER:
            idx, errand = measuring.popleft()
            quality[idx] = errand.result()
        yield step
    quality.update((idx, errand.result()) for idx, errand in measuring)
    watch.stage("frames")

    if refined:
        before = keyframes.person
        keyframes = replace(keyframes, states=tuple(states[moment.frame_idx] for moment in keyframes.moments))
        again = coarse_to_fine(1, config.rounds * 3 // 2, keyframes, clip.side_px)
        for step, better in solve_by_colours(keyframes, texels, prior, config, again, "person again"):
            keyframes = better
            yield step
        spread, skin = clip.spread(), skin_texels(keyframes.person, texels)
        if config.offsets == "on" or (config.offsets == "auto" and (rig.cameras_at_once > 1 or rig.depths)):
            yield Step("offsets", 0, 1, message="what the skin adds to the identity")
            keyframes = replace(keyframes, person=solve_offsets(keyframes, texels, skin, config))
        watch.stage("person again")
        for turn, (steps, whose) in enumerate((((2, 2), before), ((1,), None)), start=1):
            fits = {}
            for step, idx, fit in linearise(keyframes.person, clip.moments, states, config, steps, f"refine {turn}", whose):
                fits[idx] = fit
                yield step
            states = smooth(keyframes.person, fits, clip.clock, config) if config.temporal else {i: f.state for i, f in fits.items()}
            # The light stays what the keyframes say: frames from all over the clip show less turning, and light that turning does not show runs off.
            lit = keyframes.person.changed(fixed=keyframes.person.fixed | {"light"})
            seen = all_sights(lit, spread, [states[moment.frame_idx] for moment in spread])
            painted = paint(lit, texels, seen, config.sigmas.color, skin)
            keyframes = replace(keyframes, person=painted.changed(fixed=keyframes.person.fixed))
        watch.stage("refine")

        person, found = keyframes.person, states

        def measured(moment: Moment) -> tuple[int, FrameQuality]:
            return moment.frame_idx, measure_frame(person, moment, found[moment.frame_idx])

        for done, (idx, one) in enumerate(mapped(measured, clip.moments(None)), start=1):
            quality[idx] = one
            yield Step("measure", done, clip.count, quality[idx].numbers, frame_idx=idx)
        watch.stage("measure")
    texture = keyframes.person.texture
    chosen = {int(idx): int(idx) for idx in key_idx}
    return tuple(
        TrackResult(
            track=_assemble(part, _of_clip(keyframes, rig, number), values_of_clip(states, rig, number), _quality_of_clip(quality, rig, number)),
            albedo=None if texture is None else np.clip(texture[..., :3], 0, None) ** GAMMA,
            albedo_certainty=None if texture is None else texture[..., 3],
            keyframes=tuple(values_of_clip(chosen, rig, number)),
            seconds=dict(watch.seconds),
            peak_memory_mb=_peak_memory_mb(),
        )
        for number, part in enumerate(parts_of(rig))
    )


def _placed_cameras(person: Person, clip: Clip, config: TrackConfig) -> tuple[Person, Clip]:
    """With cameras where the head itself says that they stand, and without views that show something else."""
    if person.rig.camera_count == 1 and person.rig.pose_count == 1:
        return person, clip
    given, rigs, seen = Given.of(config, person.tracked.model), [], np.zeros_like(clip.seen)
    for number, part in enumerate(parts_of(clip.rig)):
        cameras, frames = clip.rig.ranges[number] if isinstance(clip.rig, Clips) else (slice(None), slice(None))
        rig, own = _first_rig(part, given), Clip.of(part, config)
        shown = own.seen
        if rig.camera_count > 1 or rig.pose_count > 1:
            alone = person.changed(rig=rig, camera=0, camera_pose=0)
            rig = rig_from_heads(alone, list(own.moments(own.keyframes(config.keyframes))), part)
            shown = agreeing(alone.changed(rig=rig), part)
        rigs.append(rig)
        seen[cameras, frames] = shown
    return person.changed(rig=rigs_together(rigs, clip.rig)), replace(clip, seen=seen)


def _quality_of_clip(quality: Mapping[int, FrameQuality], capture: RigCapture, number: int) -> dict[int, FrameQuality]:
    """Of one clip's frames, by its own frame and camera numbers."""
    first = capture.clip_of_camera.index(number)
    own = values_of_clip(quality, capture, number)
    return {idx: replace(one, gains={camera - first: gain for camera, gain in one.gains.items()}) for idx, one in own.items()}


def _of_clip(keyframes: Keyframes, capture: RigCapture, number: int) -> Keyframes:
    """The person as one clip has it; the clip's cameras, their light and what is known of the first one's focal length."""
    person = keyframes.person
    first = capture.clip_of_camera.index(number)
    light = person.all_lights[number]
    alone = person.changed(rig=rig_of_clip(person.rig, capture, number), light=light, lights=None)
    return replace(keyframes, person=alone, log_focal_sigma=keyframes.log_focal_sigma[first:])


class _Watch:
    """Adds up wall time per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def _first_person(capture: RigCapture, model: HeadModel, config: TrackConfig) -> Person:
    """The model's mean head, with what the user gave."""
    given = Given.of(config, model)
    rig = rigs_together([_first_rig(part, given) for part in parts_of(capture)], capture)
    tracked = TrackedModel.of(model, config.sigmas)
    gains = config.gains == "on" or (config.gains == "auto" and (capture.cameras_at_once > 1 or capture.moving))
    unknown = Person(
        tracked=tracked,
        identity=np.zeros(model.identity_count),
        rig=rig,
        light=AMBIENT,
        landmark_offsets=np.zeros((len(tracked.landmark_sigma), 3), np.float32),
        gain_sigma=config.sigmas.log_gain if gains else None,
    )
    values = {name: getattr(given, name) for name in given.fixed - {"focal_px", "center_px"}}
    said = frozenset() if config.light == "auto" else {"light_follows"}
    known = unknown.changed(**values, light_follows=config.light == "camera", fixed=given.fixed | said)
    return known.lit(np.tile(known.light, (len(parts_of(capture)), 1, 1)))


def _first_rig(capture: RigCapture, given: Given) -> Rig:
    """The rig as far as it is known, with what the user gave."""
    rig = known_rig(capture)
    if given.focal_px is not None:
        rig = replace(rig, focal_px=np.tile(given.focal_px, (rig.camera_count, 1)))
    if given.center_px is not None:
        rig = replace(rig, center_px=np.tile(given.center_px, (rig.camera_count, 1)))
    return rig


def _shared_prior(capture: RigCapture, person: Person, config: TrackConfig) -> SharedPrior:
    sigmas = config.sigmas
    widths = []
    for one, calibration in zip(capture.captures, capture.calibrations, strict=True):
        known = calibration.focal_px is not None or "focal_px" in person.fixed
        widths.append(1e-6 if known else sigmas.log_focal_hint if one.focal_hint_px else sigmas.log_focal)
    size = sigmas.log_size_measured if capture.measured else sigmas.log_size
    return SharedPrior(np.log(person.rig.focal_px.mean(1)), np.array(widths), size, "identity" in person.fixed)


def _assemble(capture: RigCapture, keyframes: Keyframes, states: Mapping[int, FrameState], quality: Mapping[int, FrameQuality]) -> Track:
    """The Track: frames without a face are filled from their neighbours and stay marked."""
    person, model = keyframes.person, keyframes.person.tracked.model
    count, rig = capture.frame_count, person.rig
    valid = np.array([idx in states for idx in range(count)])
    known = np.flatnonzero(valid)
    filled = known[np.abs(known[None] - np.arange(count)[:, None]).argmin(1)]

    def over_frames(value, missing=0.0) -> torch.Tensor:
        return torch.tensor([value(idx) if idx in quality else missing for idx in range(count)], dtype=torch.float32)

    rotation = np.stack([rig.world_rotation @ states[idx].rotation for idx in filled])
    translation = np.stack([rig.world_rotation @ states[idx].translation + rig.world_translation for idx in filled])
    eyes = np.max([interocular(np.asarray(one.landmarks_px)) for one in capture.captures], axis=0)
    fixed = "focal_px" in person.fixed or capture.calibrations[0].focal_px is not None
    return Track(
        model_name=model.name,
        identity=torch.from_numpy(person.identity.astype(np.float32)),
        expression=torch.from_numpy(np.stack([states[idx].expression for idx in filled]).astype(np.float32)),
        expression_names=model.expression_names,
        joint_rotations=torch.from_numpy(np.stack([states[idx].joint_rotations for idx in filled]).astype(np.float32)),
        joint_names=model.joint_names,
        world_from_head=Transform(torch.from_numpy(rotation.astype(np.float32)), torch.from_numpy(translation.astype(np.float32))),
        cameras=tuple(_camera(rig, camera, one.size) for camera, one in enumerate(capture.captures)),
        camera_names=tuple(one.name for one in capture.calibrations),
        focal_sigma_px=0.0 if fixed else float(keyframes.log_focal_sigma[0] * person.rig.focal_px[0].mean()),
        time_s=torch.from_numpy(np.asarray(capture.main.time_s, np.float32)),
        valid=torch.from_numpy(valid),
        light=torch.from_numpy(person.light.astype(np.float32)),
        landmark_offsets=torch.from_numpy(person.landmark_offsets.astype(np.float32)),
        landmark_error_px=over_frames(lambda idx: quality[idx].landmark_error_px),
        interocular_px=over_frames(lambda idx: float(eyes[idx])),
        psnr_db=over_frames(lambda idx: quality[idx].psnr_db),
        silhouette_iou=over_frames(lambda idx: quality[idx].silhouette_iou),
        offsets=None if person.offsets is None else torch.from_numpy(person.offsets),
        light_follows=person.light_follows,
        gains=None if person.gain_sigma is None or person.texture is None else torch.from_numpy(_gains(capture, quality)),
    )


def _gains(capture: RigCapture, quality: Mapping[int, FrameQuality]) -> Float[np.ndarray, "cameras frames 3"]:
    """Gains of all views; one where a camera sees no face."""
    gains = np.ones((len(capture.captures), capture.frame_count, 3), np.float32)
    for frame_idx, one in quality.items():
        for camera, gain in one.gains.items():
            gains[camera, frame_idx] = gain
    return gains


def _camera(rig: Rig, camera: int, size: tuple[int, int]) -> Camera:
    """A camera of the rig in world space; with a batch of poses where it moves."""
    rotation = rig.rotation[camera] @ rig.world_rotation.T
    translation = rig.translation[camera] - rotation @ rig.world_translation
    moves = bool(np.abs(rotation - rotation[:1]).max() > 0 or np.abs(translation - translation[:1]).max() > 0)
    chosen = slice(None) if moves else 0
    poses = Transform(torch.from_numpy(rotation[chosen].astype(np.float32)), torch.from_numpy(translation[chosen].astype(np.float32)))
    batch = (len(rotation),) if moves else ()
    focal, center = (torch.from_numpy(value[camera].astype(np.float32)).expand(*batch, 2) for value in (rig.focal_px, rig.center_px))
    return Camera(focal, center, (int(size[0]), int(size[1])), poses)


def _peak_memory_mb() -> float:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024

"""The whole of tracking: one or several captures and a head model in, a Track out."""

import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float

from headcast.capture import Recorded, RigCapture
from headcast.errors import ConfigError
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel
from headcast.solve import Step
from headcast.threads import Errand, mapped, meanwhile, with_quiet_blas
from headcast.track.appearance import Texels
from headcast.track.calibrate import known_rig, rig_from_heads
from headcast.track.clip import Clip
from headcast.track.clips import Clips, parts_of, rig_of_clip, rigs_together, values_of_clip
from headcast.track.config import TrackConfig
from headcast.track.consensus import agreeing
from headcast.track.covering import find_coverings
from headcast.track.given import Given
from headcast.track.light import AMBIENT
from headcast.track.observation import Moment
from headcast.track.person import Person, TrackedModel, interocular
from headcast.track.person_by_colours import skin_texels
from headcast.track.person_fit import SharedPrior
from headcast.track.photometric import GAMMA
from headcast.track.points import FrameState
from headcast.track.quality import FrameQuality, measure_frame
from headcast.track.rig import Rig
from headcast.track.scene import Scene
from headcast.track.sequence import carried_over
from headcast.track.stage_steps import Material, Steps, by_colours, by_landmarks, dynamic, offsets, sequential, texture, together
from headcast.track.stages import EVERYTHING, Stage, StageName, check_continued, check_order
from headcast.track.track import Track

_FULL_INFORMATION_PX = 256
"""Side of the picture in which `TrackConfig.color_information` holds."""
Result = TypeVar("Result")
_MEASURED_LATER = 4
"""Frames whose quality may be measured beside the next ones; each holds its pictures until then."""
_WORK: dict[StageName, Callable[[Stage, Scene, Material], Steps]] = {
    "landmarks": by_landmarks,
    "rigid": by_landmarks,
    "all": by_colours,
    "texture": texture,
    "offsets": offsets,
    "sequential": sequential,
    "global": together,
    "dynamic": dynamic,
}


@dataclass(frozen=True)
class TrackResult:
    """A track, the person's texture and how the work went."""

    track: Track
    albedo: Float[np.ndarray, "height width 3"] | None
    """Linear albedo in the model's atlas; None without a photometric term."""
    albedo_certainty: Float[np.ndarray, "height width"] | None
    """0 where no frame showed the texel, up to 1."""
    keyframes: tuple[int, ...]
    stages: tuple[str, ...]
    """Those it is the result of, as `Stage.spec`."""
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


def track_steps(
    capture: Recorded | RigCapture, model: HeadModel, config: TrackConfig, checkpoint: Path | None = None
) -> Generator[Step, None, TrackResult]:
    """Tracks a head, stage by stage, one `Step` per unit of work; the generator's value is the result.

    The step behind each stage, and some within long ones, carry the `Scene` that the work could go on from.

    Args:
        checkpoint: Where such a scene was saved, to go on from it.

    Raises:
        InputError: no frame shows a face; or the cameras of a rig do not agree with what they see.
        ConfigError: the stages make no sense for this clip, or do not go on from those of the checkpoint.
        FormatError: the checkpoint is broken or of another clip.
    """
    return (yield from track_clips_steps((capture,), model, config, checkpoint))[0]


@with_quiet_blas
def track_clips_steps(
    clips: Sequence[Recorded | RigCapture], model: HeadModel, config: TrackConfig, checkpoint: Path | None = None
) -> Generator[Step, None, tuple[TrackResult, ...]]:
    """The same for several clips of one person, who is solved from all of them; the generator's value has a result for each.

    Only a single clip's work can go on from a checkpoint.
    """
    rigs = [one if isinstance(one, RigCapture) else RigCapture.single(one) for one in clips]
    rig = rigs[0] if len(rigs) == 1 else Clips.of(rigs)
    clip = Clip.of(rig, config)
    config = replace(config, color_information=config.color_information * min(1.0, clip.side_px / _FULL_INFORMATION_PX) ** 2)
    start, stages = _first_person(rig, model, config), config.stage_list(rig.sees_height)
    check_order(stages, config.photometric, start.texture is not None)
    if not config.photometric and not rig.depths and any(stage.name == "offsets" for stage in stages):
        raise ConfigError("stage 'offsets' needs colours or measured depth to see the skin by, found neither: leave out --no-photometric")
    if checkpoint is None:
        scene = _first_scene(clip, start, config)
    else:
        scene = Scene.load(checkpoint, start, rig.frame_count)
        check_continued(scene.begun, [stage.spec for stage in stages])
    clip = replace(clip, seen=scene.seen)
    texels = Texels.of(start.tracked.surface, config.texture_px)
    material = Material(clip, scene.keyframe_idx, _shared_prior(rig, start, config), config, texels, skin_texels(start, texels))
    looks = config.occlusions != "off" and config.photometric
    watch, measuring = _Watch(), _Measuring(scene.person, looks)
    for stage in stages[len(scene.stages) :]:
        if config.occlusions == "leave-out" and looks and scene.states and stage.name != "sequential" and not material.searched:
            material = _bared(scene, material)
        held = replace(scene, person=scene.person.changed(fixed=start.fixed | (EVERYTHING - stage.free)))
        if stage.name == "sequential" and stage is stages[-1]:
            measuring = _Measuring(scene.person, looks)
            work = sequential(stage, held, material, measuring.begin)
        else:
            work = _WORK[stage.name](stage, held, material)
        scene, last = yield from _relayed(work)
        scene = replace(scene, person=scene.person.changed(fixed=start.fixed), stages=(*scene.stages, stage.spec), under_way="", times=0)
        watch.stage(stage.label)
        yield Step(last.stage, last.total, last.total, checkpoint=scene)
    states, quality = yield from _measured(scene, material, measuring.results())
    watch.stage("measure")
    texture = scene.person.texture
    chosen = {int(idx): int(idx) for idx in scene.keyframe_idx}
    return tuple(
        TrackResult(
            track=_assemble(part, _of_clip(scene, rig, number), values_of_clip(states, rig, number), _quality_of_clip(quality, rig, number), config),
            albedo=None if texture is None else np.clip(texture[..., :3], 0, None) ** GAMMA,
            albedo_certainty=None if texture is None else texture[..., 3],
            keyframes=tuple(values_of_clip(chosen, rig, number)),
            stages=scene.stages,
            seconds=dict(watch.seconds),
            peak_memory_mb=_peak_memory_mb(),
        )
        for number, part in enumerate(parts_of(rig))
    )


def _relayed(work: Steps) -> Generator[Step, None, tuple[Scene, Step]]:
    """The steps of a stage; its scene, and the last of its steps."""
    while True:
        try:
            last = next(work)
        except StopIteration as end:
            return end.value, last
        yield last


def _first_scene(clip: Clip, person: Person, config: TrackConfig) -> Scene:
    """The scene before anything is solved: of several cameras, where the head itself says that they stand."""
    person, clip = _placed_cameras(person, clip, config)
    return Scene(person, clip.seen, clip.keyframes(config.keyframes))


def _bared(scene: Scene, material: Material) -> Material:
    """The material without what covers the face, as far as the frames that were followed show it."""
    whose = scene.person if scene.before is None else scene.before.changed(texture=scene.person.texture, color_sigma=scene.person.color_sigma)
    hidden = {} if whose.texture is None else find_coverings(whose, material.clip.moments, scene.states)
    return replace(material, clip=replace(material.clip, hidden=hidden), searched=True)


class _Measuring:
    """Measures frames beside the work that solves the next ones."""

    def __init__(self, person: Person, coverings: bool) -> None:
        self._person, self._coverings = person, coverings
        self._waiting: deque[tuple[int, Errand[FrameQuality]]] = deque()
        self._done: dict[int, FrameQuality] = {}

    def begin(self, moment: Moment, state: FrameState) -> None:
        self._waiting.append((moment.frame_idx, meanwhile(measure_frame, self._person, moment, state, self._coverings)))
        if len(self._waiting) > _MEASURED_LATER:
            self._take()

    def results(self) -> dict[int, FrameQuality]:
        """Of all frames that were begun."""
        while self._waiting:
            self._take()
        return self._done

    def _take(self) -> None:
        idx, errand = self._waiting.popleft()
        self._done[idx] = errand.result()


def _measured(
    scene: Scene, material: Material, known: Mapping[int, FrameQuality]
) -> Generator[Step, None, tuple[Mapping[int, FrameState], Mapping[int, FrameQuality]]]:
    """States and quality of the frames of the track: of the keyframes alone where no others were followed.

    Frames that were followed before the person changed are carried over, their landmarks staying where they were in the pictures.
    """
    person, config = scene.person, material.config_for(scene)
    clip, looks = replace(material.clip, hidden={}), config.occlusions != "off" and config.photometric
    states = dict(scene.states or zip(scene.keyframe_idx.tolist(), scene.keyframe_states, strict=True))
    quality = dict(known)
    missing = np.array([idx for idx in sorted(states) if idx not in quality], np.int64)

    def measured(moment: Moment) -> tuple[int, FrameState, FrameQuality]:
        state = states[moment.frame_idx]
        if scene.before is not None:
            state = carried_over(scene.before, person, moment, state, config)
        return moment.frame_idx, state, measure_frame(person, moment, state, looks)

    for done, (idx, state, one) in enumerate(mapped(measured, clip.moments(missing)), start=1):
        states[idx], quality[idx] = state, one
        yield Step("measure", done, len(missing), one.numbers, frame_idx=idx)
    return states, quality


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
    cameras = slice(capture.clip_of_camera.index(number), capture.clip_of_camera.index(number) + capture.clip_of_camera.count(number))

    def by_own_numbers(one: FrameQuality) -> FrameQuality:
        return replace(one, covered=one.covered[cameras], gains={camera - cameras.start: gain for camera, gain in one.gains.items()})

    return {idx: by_own_numbers(one) for idx, one in values_of_clip(quality, capture, number).items()}


def _of_clip(scene: Scene, capture: RigCapture, number: int) -> Scene:
    """The scene with the person as one clip has it: that clip's cameras, light and motion of the skin."""
    person = scene.person
    moving = person.moving
    if moving is not None and isinstance(capture, Clips):
        moving = replace(moving, weights=moving.weights[capture.ranges[number][1]])
    own = person.changed(rig=rig_of_clip(person.rig, capture, number), light=person.all_lights[number], lights=None, moving=moving)
    return replace(scene, person=own)


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
    tracked = TrackedModel.of(model, config.sigmas, capture.main.layouts, config.regions)
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
    if given.landmark_offsets is not None:
        values["landmark_offsets"] = tracked.marks.from_mediapipe(given.landmark_offsets)
    said = frozenset() if config.light == "auto" else {"light_follows"}
    known = unknown.changed(**values, light_follows=config.light == "camera", fixed=given.fixed | frozenset(config.hold) | said)
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
    return SharedPrior(np.log(person.rig.focal_px.mean(1)), np.array(widths), size)


def _assemble(capture: RigCapture, scene: Scene, states: Mapping[int, FrameState], quality: Mapping[int, FrameQuality], config: TrackConfig) -> Track:
    """The Track: frames without a face are filled from their neighbours and stay marked."""
    person, model = scene.person, scene.person.tracked.model
    count, rig = capture.frame_count, person.rig
    valid = np.array([idx in states for idx in range(count)])
    known = np.flatnonzero(valid)
    filled = known[np.abs(known[None] - np.arange(count)[:, None]).argmin(1)]

    def over_frames(value, missing=0.0) -> torch.Tensor:
        return torch.tensor([value(idx) if idx in quality else missing for idx in range(count)], dtype=torch.float32)

    rotation = np.stack([rig.world_rotation @ states[idx].rotation for idx in filled])
    translation = np.stack([rig.world_rotation @ states[idx].translation + rig.world_translation for idx in filled])
    eyes = np.max([interocular(np.asarray(one.landmarks_px), person.tracked.marks.eyes) for one in capture.captures], axis=0)
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
        focal_sigma_px=float(_log_focal_sigma(capture, scene, config) * person.rig.focal_px[0].mean()),
        time_s=torch.from_numpy(np.asarray(capture.main.time_s, np.float32)),
        valid=torch.from_numpy(valid),
        light=torch.from_numpy(person.light.astype(np.float32)),
        landmark_offsets=torch.from_numpy(person.tracked.marks.of_mediapipe(person.landmark_offsets).astype(np.float32)),
        landmark_error_px=over_frames(lambda idx: quality[idx].landmark_error_px),
        interocular_px=over_frames(lambda idx: float(eyes[idx])),
        psnr_db=over_frames(lambda idx: quality[idx].psnr_db),
        silhouette_iou=over_frames(lambda idx: quality[idx].silhouette_iou),
        covered=_covered(quality, count, rig.camera_count) if person.texture is not None and config.occlusions != "off" else None,
        offsets=None if person.offsets is None else torch.from_numpy(person.offsets),
        dynamic_modes=None if person.moving is None else torch.from_numpy(person.moving.modes),
        dynamic_weights=None if person.moving is None else torch.from_numpy(person.moving.weights[filled]),
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


def _log_focal_sigma(capture: RigCapture, scene: Scene, config: TrackConfig) -> float:
    """How well the first camera's focal length is known: 0 where it was given, as guesses are where it was held."""
    if capture.calibrations[0].focal_px is not None or Given.of(config, scene.person.tracked.model).focal_px is not None:
        return 0.0
    if "focal_px" in scene.person.fixed:
        return config.sigmas.log_focal_hint if capture.main.focal_hint_px else config.sigmas.log_focal
    return scene.log_focal_sigma


def _covered(quality: Mapping[int, FrameQuality], count: int, cameras: int) -> torch.Tensor:
    """By frame and camera; nothing where no face is seen."""
    return torch.tensor([quality[idx].covered if idx in quality else (0.0,) * cameras for idx in range(count)], dtype=torch.float32)


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

"""What each stage of a track does: a scene in, a better one out, one `Step` per unit of work."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from headcast.solve import Step
from headcast.track.appearance import Texels, paint
from headcast.track.clip import Clip
from headcast.track.config import TrackConfig
from headcast.track.evidence import independent_share
from headcast.track.moving_heights import solve_moving_skin
from headcast.track.observation import Moment
from headcast.track.offsets import solve_offsets
from headcast.track.person import Person
from headcast.track.person_by_colours import coarse_to_fine, painted, solve_by_colours
from headcast.track.person_fit import Keyframes, SharedPrior, descend, pose_from_landmarks
from headcast.track.points import FrameState
from headcast.track.scene import Scene
from headcast.track.sequence import linearise, smooth, track_forward
from headcast.track.sight import all_sights
from headcast.track.stages import Stage

Steps = Generator[Step, None, Scene]

_TYPICAL_SHARE = 0.06
"""Share of independent pixels (`track.evidence`) that `TrackConfig.color_information` was chosen for."""
_LEAST_EVIDENCE, _MOST_EVIDENCE = 0.5, 4.0
"""How far what is measured may change it."""
_PART_FRAMES = 100
"""Frames between two points from which following them can go on."""


@dataclass(frozen=True)
class Material:
    """What stages work on, and none of them changes."""

    clip: Clip
    keyframe_idx: np.ndarray
    prior: SharedPrior
    config: TrackConfig
    texels: Texels
    skin: Bool[np.ndarray, "texels"]
    """Which of them light is solved on."""
    searched: bool = False
    """Whether what covers the face was looked for; the clip hides it."""

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """The keyframes'."""
        return tuple(self.clip.moments(self.keyframe_idx))

    @cached_property
    def spread(self) -> tuple[Moment, ...]:
        """Frames spread evenly over the clip."""
        return tuple(self.clip.spread())

    def config_for(self, scene: Scene) -> TrackConfig:
        """The settings, with colours counting as much as the clip's own say."""
        evidence = 1.0 if scene.evidence is None else scene.evidence
        return replace(self.config, color_information=self.config.color_information * evidence)

    def keyframes(self, scene: Scene) -> Keyframes:
        """The scene's keyframes; where landmarks first put the neutral head, before the first stage."""
        states = scene.keyframe_states or tuple(pose_from_landmarks(scene.person, moment) for moment in self.moments)
        return Keyframes(scene.person, self.moments, states, scene.log_focal_sigma)


def by_landmarks(stage: Stage, scene: Scene, material: Material) -> Steps:
    """Stages `landmarks` and `rigid`: the keyframes' poses, and what else of them and the person is free, from landmarks alone."""
    yield Step(stage.label, 0, stage.times, message="" if scene.stages else "finding out who it is")
    keyframes = material.keyframes(scene)
    for done, (better, terms) in enumerate(descend(keyframes, material.prior, material.config, stage.times), start=1):
        keyframes = better
        yield Step(stage.label, done, stage.times, terms)
    return replace(scene.reshaped(keyframes.person, keyframes.states), log_focal_sigma=keyframes.log_focal_sigma)


def by_colours(stage: Stage, scene: Scene, material: Material) -> Steps:
    """Stage `all`: person, texture, light and keyframes so that pictures agree. The first one also measures how much colours know."""
    keyframes, config = material.keyframes(scene), material.config_for(scene)
    levels = min(stage.levels, len(keyframes.moments[0].views[0].levels))
    rounds = coarse_to_fine(levels, stage.times, keyframes, material.clip.side_px)
    for step, better in solve_by_colours(keyframes, material.texels, material.prior, config, rounds, stage.label):
        keyframes = better
        yield step
    scene = scene.reshaped(keyframes.person, keyframes.states)
    if scene.evidence is not None:
        return scene
    return replace(scene, evidence=float(np.clip(independent_share(keyframes) / _TYPICAL_SHARE, _LEAST_EVIDENCE, _MOST_EVIDENCE)))


def texture(stage: Stage, scene: Scene, material: Material) -> Steps:
    """Stage `texture`: light and albedo as the keyframes show them; once frames were followed, the albedo as all of the clip does."""
    keyframes = material.keyframes(scene)
    for done in range(stage.times):
        keyframes = painted(keyframes, material.texels, material.config, material.skin)
        yield Step(stage.label, done + 1, stage.times)
    scene = replace(scene, person=keyframes.person)
    return replace(scene, person=_painted_all_over(scene, material)) if scene.states else scene


def offsets(stage: Stage, scene: Scene, material: Material) -> Steps:
    """Stage `offsets`: what the skin adds to the identity."""
    yield Step(stage.label, 0, 1, message="what the skin adds to the identity")
    keyframes = material.keyframes(scene)
    person = solve_offsets(keyframes, material.texels, material.skin, material.config_for(scene), stage.times)
    yield Step(stage.label, 1, 1)
    return scene.reshaped(person, keyframes.states)


def sequential(stage: Stage, scene: Scene, material: Material, look: Callable[[Moment, FrameState], None] | None = None) -> Steps:
    """Stage `sequential`: frame after frame. `look` is shown each one as it is solved."""
    clip, person = material.clip, scene.person
    states = dict(scene.states) if scene.under_way else {}
    frames = np.flatnonzero(clip.usable)
    for step, moment, state in track_forward(person, clip.moments, frames, clip.clock, material.config_for(scene), stage.label, dict(states)):
        states[moment.frame_idx] = state
        if look is not None:
            look(moment, state)
        part = None
        if len(states) % _PART_FRAMES == 0 and len(states) < len(frames):
            part = replace(scene, states=dict(states), before=None, under_way=stage.spec, times=len(states))
        yield replace(step, checkpoint=part)
    return scene.followed(states)


def together(stage: Stage, scene: Scene, material: Material) -> Steps:
    """Stage `global`: all frames by themselves and along time, and the texture as they show it, again and again."""
    clip, config = material.clip, material.config_for(scene)
    for epoch in range(scene.times, stage.times):
        fits = {}
        steps = (1,) if epoch else (2, 2)
        for step, idx, fit in linearise(scene.person, clip.moments, scene.states, config, steps, stage.parts[epoch], scene.before):
            fits[idx] = fit
            yield step
        states = smooth(scene.person, fits, clip.clock, config) if config.temporal else {idx: fit.state for idx, fit in fits.items()}
        scene = scene.followed(states)
        if config.photometric:
            scene = replace(scene, person=_painted_all_over(scene, material))
        if epoch + 1 < stage.times:
            yield Step(stage.parts[epoch], clip.count, clip.count, checkpoint=replace(scene, under_way=stage.spec, times=epoch + 1))
    return scene


def dynamic(stage: Stage, scene: Scene, material: Material) -> Steps:
    """Stage `dynamic`: what the skin does in each frame, and the frames again: what it does was put down to expressions before."""
    clip, config = material.clip, material.config_for(scene)
    for epoch in range(stage.times):
        person = yield from solve_moving_skin(scene.person, clip.moments, scene.states, clip.clock, config, stage.label)
        scene = replace(scene, person=person)
        fits = {}
        for step, idx, fit in linearise(person, clip.moments, scene.states, config, (1,), f"{stage.label} epoch {epoch + 1}"):
            fits[idx] = fit
            yield step
        scene = scene.followed(smooth(person, fits, clip.clock, config) if config.temporal else {idx: fit.state for idx, fit in fits.items()})
        scene = replace(scene, person=_painted_all_over(scene, material))
    return scene


def _painted_all_over(scene: Scene, material: Material) -> Person:
    """The person with the albedo that frames all over the clip show, in the light that the keyframes say."""
    person = scene.person
    lit = person.changed(fixed=person.fixed | {"light"})
    seen = all_sights(lit, material.spread, [scene.states[moment.frame_idx] for moment in material.spread])
    return paint(lit, material.texels, seen, material.config.sigmas.color, material.skin).changed(fixed=person.fixed)

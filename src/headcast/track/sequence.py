"""Passes over the frames of a clip in order: each frame from the one before, and all frames together along time."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from headcast.solve import Step, solve_chain
from headcast.threads import mapped
from headcast.track.config import Motion, TrackConfig
from headcast.track.frame import FrameFit, difference, fit_frame, fit_landmarks, landmark_residuals, state_vector
from headcast.track.hold import held_in_frames
from headcast.track.observation import Moment, Observation
from headcast.track.person import Person, Prior, interocular
from headcast.track.person_fit import pose_from_landmarks
from headcast.track.points import FrameState, Unknowns
from headcast.track.sight import sights
from headcast.track.stages import POSE

Moments = Callable[[Int[np.ndarray, "chosen"] | None], Iterator[Moment]]
"""Gives the chosen frames (all with a face, for None) in order of time."""


@dataclass(frozen=True)
class Clock:
    """When frames were taken and where the recording was cut."""

    time_s: Float[np.ndarray, "frames"]
    cuts: Bool[np.ndarray, "frames"]
    """True where a frame does not continue the one before."""

    def continues(self, before: int, after: int, longest_gap_s: float = 0.5) -> bool:
        """Whether two frames show one motion: no cut and no long gap between them."""
        return not self.cuts[before + 1 : after + 1].any() and self.time_s[after] - self.time_s[before] <= longest_gap_s

    def gap(self, before: int, after: int) -> float:
        return max(float(self.time_s[after] - self.time_s[before]), 1e-3)


def link_precision(unknowns: Unknowns, motion: Motion, joint_names: tuple[str, ...], gap_s: float) -> Float[np.ndarray, "unknowns"]:
    """How strongly a frame's unknowns hold to those of a frame `gap_s` before: a random walk."""
    sigma = np.empty(unknowns.count)
    sigma[:3] = np.radians(motion.rotation_deg)
    sigma[3:6] = motion.translation
    speeds = {"neck": motion.neck_deg, "jaw": motion.jaw_deg}
    sigma[unknowns.angles] = [np.radians(speeds.get(joint_names[j], motion.eye_deg)) for j in unknowns.joint_idx]
    sigma[unknowns.expression] = motion.expression
    return 1 / (sigma**2 * gap_s)


def first_state(person: Person, moment: Moment, config: TrackConfig) -> FrameState:
    """A frame from nothing but its landmarks."""
    return fit_landmarks(person, moment, pose_from_landmarks(person, moment), config, steps=8).state


def landmark_error(person: Person, moment: Moment, state: FrameState) -> float:
    """Mean landmark error as a share of the distance between the outer eye corners."""
    errors = []
    for sight in sights(person, moment, state):
        residual = landmark_residuals(sight.person, sight.state, sight.observation)
        errors.append(
            float(np.linalg.norm(residual, axis=1).mean()) / max(float(interocular(sight.observation.landmarks, person.tracked.marks.eyes)), 1.0)
        )
    return float(np.mean(errors))


def _residuals(person: Person, moment: Moment, state: FrameState) -> dict[int, Float[np.ndarray, "landmarks 2"]]:
    """Detected less projected landmarks (source px) in each camera."""
    return {sight.person.camera: landmark_residuals(sight.person, sight.state, sight.observation) for sight in sights(person, moment, state)}


def _without(moment: Moment, bias: Mapping[int, Float[np.ndarray, "landmarks 2"]]) -> Moment:
    """The moment with landmarks taken back by what they had wrong before."""

    def mended(view: Observation) -> Observation:
        if view.camera not in bias:
            return view
        return replace(view, landmarks=(view.landmarks - bias[view.camera]).astype(view.landmarks.dtype))

    return replace(moment, views=tuple(mended(view) for view in moment.views))


def track_forward(
    person: Person,
    moments: Moments,
    frames: Int[np.ndarray, "frames"],
    clock: Clock,
    config: TrackConfig,
    stage: str,
    begun: Mapping[int, FrameState],
) -> Iterator[tuple[Step, Moment, FrameState]]:
    """Solves frame after frame, each from the one before; after a cut, a gap or a bad fit, from its landmarks.

    Args:
        frames: All that show a face.
        begun: The first of them, as an interrupted run left them; it goes on behind.
    """
    unknowns, names = person.tracked.unknowns, person.tracked.model.joint_names
    last: tuple[int, FrameState] | None = None
    bias: dict[int, np.ndarray] = {}
    by_colours = compares_colours(person, config)
    first = max(len(begun) - 1, 0)
    for done, moment in enumerate(moments(frames[first:]), start=first + 1):
        idx = moment.frame_idx
        if idx in begun:  # the last one that is done is looked at again, for what its landmarks have wrong
            last = (idx, begun[idx])
            bias = _residuals(person, moment, begun[idx]) if by_colours else {}
            continue
        pull = None
        fresh = last is None or not clock.continues(last[0], idx)
        if not fresh:
            # Landmarks say how the head moved since the frame before, whatever they have wrong in both.
            moved = _without(moment, bias)
            fit = fit_landmarks(person, moved, _placed_where_held(person, moment, last[1]), config, steps=1)
            state = fit.state
            fresh = landmark_error(person, moved, state) > 0.08
            if config.temporal and not fresh:
                pull = (last[1], link_precision(unknowns, config.motion, names, clock.gap(last[0], idx)))
        if fresh:
            state = first_state(person, moment, config)
        if by_colours:
            fit = fit_frame(person, moment, state, config, steps=(4, 4, 4) if fresh else (2, 1), pull=pull)
        elif pull is None:
            fit = fit_landmarks(person, moment, state, config, steps=3)
        last = (idx, fit.state)
        if by_colours:
            bias = _residuals(person, moment, fit.state)
        yield Step(stage, done, len(frames), _terms(fit), frame_idx=idx), moment, fit.state


def compares_colours(person: Person, config: TrackConfig) -> bool:
    """Whether frames are solved by colours too: where these are wanted, and there is a texture to compare with."""
    return config.photometric and person.texture is not None


def _terms(fit: FrameFit) -> dict[str, float]:
    """Numbers of a frame that are worth a curve."""
    return {"inliers": fit.inlier_share, **fit.equations.terms}


def _placed_where_held(person: Person, moment: Moment, state: FrameState) -> FrameState:
    """The state, with a rotation or translation that is held where the frame's own landmarks first put the neutral head."""
    held = person.fixed & POSE
    if not held:
        return state
    first = pose_from_landmarks(person, moment)
    return replace(state, **{name: getattr(first, name) for name in held})


def carried_over(before: Person, after: Person, moment: Moment, state: FrameState, config: TrackConfig) -> FrameState:
    """A frame's state for a person who was refined: all landmarks stay where they were in the pictures."""
    there = _without(moment, _residuals(before, moment, state))
    return fit_landmarks(after.changed(landmark_offsets=before.landmark_offsets), there, state, config, steps=3).state


def linearise(
    person: Person,
    moments: Moments,
    states: Mapping[int, FrameState],
    config: TrackConfig,
    steps: tuple[int, ...],
    stage: str,
    before: Person | None = None,
) -> Iterator[tuple[Step, int, FrameFit]]:
    """Takes every frame a few steps on by itself and gives its equations where it got to.

    Args:
        steps: Per level of the pictures, finest first.
        before: Whom the states belong to, where the person has changed since.
    """

    def fitted(moment: Moment) -> tuple[int, FrameFit]:
        state = states[moment.frame_idx]
        if before is not None:
            state = carried_over(before, person, moment, state, config)
        if not compares_colours(person, config):
            return moment.frame_idx, fit_landmarks(person, moment, state, config, steps=sum(steps))
        return moment.frame_idx, fit_frame(person, moment, state, config, steps=steps)

    for done, (idx, fit) in enumerate(mapped(fitted, moments(None)), start=1):
        yield Step(stage, done, len(states), _terms(fit), frame_idx=idx), idx, fit


def smooth(person: Person, fits: Mapping[int, FrameFit], clock: Clock, config: TrackConfig) -> dict[int, FrameState]:
    """All frames together: each one's equations and the temporal terms between neighbours, as one block-tridiagonal system."""
    unknowns, prior, names = person.tracked.unknowns, person.tracked.prior, person.tracked.model.joint_names
    order = sorted(fits)
    starts = {idx: fits[idx].linearised_at for idx in order}
    positions = {idx: state_vector(starts[idx], unknowns) for idx in order}
    links, gaps = [], []
    held = held_in_frames(person)
    free = np.ones(unknowns.count) if held is None else (~held).astype(float)
    for before, after in itertools.pairwise(order):
        linked = clock.continues(before, after)
        links.append(free * link_precision(unknowns, config.motion, names, clock.gap(before, after)) if linked else np.zeros(unknowns.count))
        gaps.append(difference(starts[before], starts[after], unknowns))
    # Bounds: what is pushed against one stays there; what a solve takes beyond one is put on it and the rest solved again.
    solvable = {idx: fits[idx].equations.holding(held) for idx in order}
    fixed = {idx: _pushed_out(solvable[idx].right, positions[idx], prior) for idx in order}
    for _ in range(5):
        matrices, rights = [], []
        for idx in order:
            equations, bound = solvable[idx], fixed[idx]
            scale = np.diag(equations.matrix) + 1e-6
            stiff = np.where(bound != 0, 1e6 * scale, 0)
            target = np.where(bound < 0, prior.lower, np.where(bound > 0, prior.upper, 0)) - positions[idx]
            matrices.append(equations.matrix + np.diag(1e-3 * scale + stiff))
            rights.append(equations.right + np.where(bound != 0, stiff * target, 0))
        steps = dict(zip(order, solve_chain(matrices, rights, links, gaps), strict=True))
        beyond = 0
        for idx in order:
            after = positions[idx] + steps[idx]
            new = np.where(after < prior.lower - 1e-4, -1, np.where(after > prior.upper + 1e-4, 1, 0)) * (fixed[idx] == 0)
            fixed[idx] = fixed[idx] + new
            beyond += int(np.abs(new).sum())
        if beyond == 0:
            break
    clipped = {idx: np.clip(steps[idx], prior.lower - positions[idx], prior.upper - positions[idx]) for idx in order}
    return {idx: starts[idx].moved(clipped[idx], unknowns) for idx in order}


def _pushed_out(right: Float[np.ndarray, "unknowns"], position: Float[np.ndarray, "unknowns"], prior: Prior) -> Int[np.ndarray, "unknowns"]:
    """−1 or 1 for unknowns at their lower or upper bound that their equations push further, 0 for the others."""
    return np.where((position <= prior.lower + 1e-6) & (right < 0), -1, np.where((position >= prior.upper - 1e-6) & (right > 0), 1, 0))

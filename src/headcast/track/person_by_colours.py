"""Who it is, by colours: texture and light are painted, everything moves so that the pictures agree, and again, coarse to fine."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool

from headcast.geometry import angle_between, nearest_rotation
from headcast.solve import Step
from headcast.track.appearance import Texels, paint
from headcast.track.config import TrackConfig
from headcast.track.frame import ROBUST, landmark_residuals
from headcast.track.joint import Round, joint_colour_step
from headcast.track.person import Person, interocular
from headcast.track.person_fit import Keyframes, SharedPrior
from headcast.track.points import move_points
from headcast.track.sight import all_sights

_STILL_DEG, _TURNING_DEG = 8.0, 20.0
"""Spread of the keyframes' orientations up to which a head counts as still, and from which on as turning."""
_WORTH_STILL, _WORTH_TURNING = 8.0, 0.5
"""How many frames' worth of landmarks counts beside colours in either case."""
_FULL_WORTH_PX = 256
"""Side of the working picture in which that holds; in smaller ones colours know less, and landmarks count more in proportion."""
_WORTH_COARSEST = 2.0
"""The least on the coarsest level, where colours are blurred."""


def coarse_to_fine(levels: int, steps: int, keyframes: Keyframes, side_px: int) -> list[Round]:
    """`steps` joint steps on each level of the pictures, the coarsest first; what does not fit is given up late.

    Detectors make the same mistakes in all frames. Where a head turns, parallax knows better, and their landmarks count as half a frame's; where it
    hardly turns, colours say nothing of its depth, and they count as eight frames'.

    Args:
        side_px: Of the working picture on its finest level.
    """
    between = np.clip((np.degrees(turning(keyframes)) - _STILL_DEG) / (_TURNING_DEG - _STILL_DEG), 0, 1)
    smallness = max(1.0, _FULL_WORTH_PX / side_px)
    worth = float(_WORTH_STILL ** (1 - between) * _WORTH_TURNING**between) * smallness
    worths = (worth, worth, max(worth, _WORTH_COARSEST))
    return [Round(level, worths[level], ROBUST[level]) for level in reversed(range(levels)) for _ in range(steps)]


def turning(keyframes: Keyframes) -> float:
    """Root mean square angle (rad) of the heads about their mean orientation, as the cameras see them: cameras around a still head count too."""
    seen = all_sights(keyframes.person, keyframes.moments, keyframes.states)
    rotations = torch.from_numpy(np.stack([sight.state.rotation for sight in seen]))
    return float(angle_between(nearest_rotation(rotations.mean(0)).expand_as(rotations), rotations).square().mean().sqrt())


def solve_by_colours(
    keyframes: Keyframes, texels: Texels, prior: SharedPrior, config: TrackConfig, rounds: Sequence[Round], stage: str
) -> Iterator[tuple[Step, Keyframes]]:
    """Yields the keyframes after every round."""
    skin = skin_texels(keyframes.person, texels)
    for done, how in enumerate(rounds, start=1):
        keyframes, terms = joint_colour_step(painted(keyframes, texels, config, skin), prior, config, how)
        yield Step(stage, done, len(rounds), terms), keyframes
    keyframes = painted(keyframes, texels, config, skin)
    yield Step(stage, len(rounds), len(rounds)), replace(keyframes, person=learn_landmark_offsets(keyframes, config))


def painted(keyframes: Keyframes, texels: Texels, config: TrackConfig, skin: Bool[np.ndarray, "texels"]) -> Keyframes:
    """The keyframes with light and albedo as they show them."""
    seen = all_sights(keyframes.person, keyframes.moments, keyframes.states)
    return replace(keyframes, person=paint(keyframes.person, texels, seen, config.sigmas.color, skin))


def skin_texels(person: Person, texels: Texels) -> Bool[np.ndarray, "texels"]:
    """Texels of plain skin, which light is solved on."""
    regions, surface = person.tracked.model.regions, person.tracked.surface
    vertex = regions["face"].numpy().copy()
    for name in ("lips", "eyelids", "eyeballs", "scalp", "mouth_interior", "neck", "ears"):
        if name in regions:
            vertex &= ~regions[name].numpy()
    return vertex[surface.vertex_idx][surface.faces].all(1)[texels.face]


def learn_landmark_offsets(keyframes: Keyframes, config: TrackConfig) -> Person:
    """The person with landmark offsets that explain what repeats in the residuals, held back by their prior.

    Each residual is taken back to the head at its landmark's depth; only what lies across the line of sight can be known.
    """
    person = keyframes.person
    if "landmark_offsets" in person.fixed:
        return person
    count = len(person.landmark_offsets)
    matrix = np.tile(np.eye(3) / config.sigmas.landmark_offset**2, (count, 1, 1))
    right = np.zeros((count, 3))
    basis = person.tracked.landmarks
    plain = person.changed(landmark_offsets=np.zeros_like(person.landmark_offsets))
    for sight in all_sights(plain, keyframes.moments, keyframes.states):
        own, state, observation = sight.person, sight.state, sight.observation
        residual = landmark_residuals(own, state, observation)
        sigma = 0.5 * config.sigmas.landmark * max(float(interocular(observation.landmarks, own.tracked.marks.eyes)), 1.0)
        weight = observation.confidence / sigma**2
        motion = move_points(basis, own.landmark_rest, own.skeleton, own.tracked.unknowns, state, own.focal_px, own.center_px)
        rows = motion.derivatives().rest_jacobian.astype(np.float64)
        matrix += np.einsum("lra,lrb,l->lab", rows, rows, weight)
        right += np.einsum("lra,lr,l->la", rows, residual, weight)
    offsets = np.linalg.solve(matrix, right[..., None])[..., 0]
    return person.changed(landmark_offsets=offsets.astype(np.float32))

"""Who it is, by landmarks: identity, focal length and the keyframes' poses together."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from headcast.solve import solve_arrow
from headcast.track.config import TrackConfig
from headcast.track.equations import Equations, added, summed
from headcast.track.frame import landmark_equations, prior_equations, state_vector, step_frame
from headcast.track.hold import held_in_frames, held_of_all
from headcast.track.observation import Moment
from headcast.track.person import Person
from headcast.track.points import FrameState
from headcast.track.sight import sights

_LOOSE = 1e-6
"""Precision of what nothing is known of beforehand: the poses of cameras that are solved (1/rad², 1/m²)."""


@dataclass(frozen=True)
class Keyframes:
    """A person and the frames that were solved with it."""

    person: Person
    moments: tuple[Moment, ...]
    states: tuple[FrameState, ...]
    log_focal_sigma: float = 0.0
    """Of the first camera."""


def pose_from_landmarks(person: Person, moment: Moment) -> FrameState:
    """A first pose of the neutral head, as the camera has it that sees the face best."""
    best = max(moment.views, key=lambda view: float(view.confidence.sum()))
    seen = pose_in_camera(person.through(best.camera, moment.frame_idx), best.landmarks)
    return person.rig.placed(seen, best.camera, moment.frame_idx)


def pose_in_camera(person: Person, landmarks: Float[np.ndarray, "landmarks 2"]) -> FrameState:
    """The neutral head's pose in a camera's space by perspective-n-point (Terzakis & Lourakis 2020, as OpenCV has it)."""
    matrix = np.diag([*person.focal_px, 1.0])
    matrix[:2, 2] = person.center_px
    points = person.landmark_rest[person.tracked.marks.rigid].astype(np.float64)
    pixels = landmarks[person.tracked.marks.rigid].astype(np.float64)
    found, turn, shift = cv2.solvePnP(points, pixels, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
    rotation = cv2.Rodrigues(turn)[0] if found else np.diag([1.0, -1.0, -1.0])
    translation = shift[:, 0] if found else np.array([0, 0, 1.0])
    if translation[2] <= 0:  # the mirrored solution behind the camera
        rotation, translation = np.diag([1.0, -1.0, -1.0]), np.array([0, 0, 1.0])
    model = person.tracked.model
    return FrameState(rotation, translation, np.zeros((model.joint_count, 3)), np.zeros(model.expression_count))


def _at_bound(person: Person, state: FrameState, right: Float[np.ndarray, "unknowns"]) -> Bool[np.ndarray, "unknowns"]:
    """Unknowns that sit at a bound and are pushed against it."""
    prior = person.tracked.prior
    position = state_vector(state, person.tracked.unknowns)
    return ((position <= prior.lower + 1e-6) & (right < 0)) | ((position >= prior.upper - 1e-6) & (right > 0))


def repeated_share(view_count: int, independent: int = 4) -> float:
    """Share of each view's evidence that counts where many speak of the same unknowns: most errors repeat from one to the next."""
    return min(1.0, independent / view_count)


def _bounded(person: Person, state: FrameState, step: np.ndarray, given: np.ndarray) -> np.ndarray:
    """What is given of a frame's step, with what goes beyond a bound added."""
    prior, position = person.tracked.prior, state_vector(state, person.tracked.unknowns)
    low, high = prior.lower - position, prior.upper - position
    return np.where(step < low - 1e-6, low, np.where(step > high + 1e-6, high, given))


@dataclass(frozen=True)
class SharedPrior:
    """What is known of the shared unknowns: identity has unit variance, each camera's focal length a guess."""

    log_focal: Float[np.ndarray, "cameras"]
    log_focal_sigma: Float[np.ndarray, "cameras"]
    log_size: float
    """How well the head's size is known beforehand."""

    def equations(self, person: Person) -> Equations:
        count, cameras = len(person.identity), person.rig.camera_count
        size = count + person.rig.unknown_count
        precision, away = np.full(size, _LOOSE), np.zeros(size)
        precision[:count] = 1.0
        away[:count] = person.identity
        precision[count : count + cameras] = 1 / np.maximum(self.log_focal_sigma, 1e-6) ** 2
        away[count : count + cameras] = np.log(person.rig.focal_px.mean(1)) - self.log_focal
        known = Equations(np.diag(precision), -precision * away, {"prior": 0.5 * float(precision @ away**2)})
        return known + _size_equations(person, self.log_size)


def _size_equations(person: Person, sigma: float) -> Equations:
    """Holds the size of the face at the mean's, to first order.

    A smaller head farther away looks the same and has smaller deviations from the mean: without this the prior would make all heads small.
    """
    template = person.tracked.landmarks.template.astype(np.float64)
    away = template - template.mean(0)
    row = np.zeros(len(person.identity) + person.rig.unknown_count)
    row[: len(person.identity)] = np.einsum("lc,lci->i", away, person.tracked.landmarks.identity_basis) / (away**2).sum()
    size = float(row[: len(person.identity)] @ person.identity)
    return Equations(np.outer(row, row) / sigma**2, -row * size / sigma**2, {"prior": 0.5 * (size / sigma) ** 2})


def joint_step(keyframes: Keyframes, prior: SharedPrior, config: TrackConfig, damping: float) -> tuple[Keyframes, dict[str, float]]:
    """One damped Gauss–Newton step of all keyframes and the shared unknowns together, and what each term cost before it."""
    person, unknowns = keyframes.person, keyframes.person.tracked.unknowns
    own = unknowns.count
    blocks, fixed = [], []
    terms: dict[str, float] = {}
    held, held_shared = held_in_frames(person), held_of_all(person)
    share = repeated_share(sum(len(moment.views) for moment in keyframes.moments))
    for moment, state in zip(keyframes.moments, keyframes.states, strict=True):
        total = summed(
            landmark_equations(sight.person, sight.state, sight.observation, config, shared=True, scale=share).spread(sight.turned)
            for sight in sights(person, moment, state)
        )
        terms = added(terms, total.terms)
        if held_shared is not None:
            total = total.holding(np.concatenate([np.zeros(own, bool), held_shared]))
        matrix, right = total.matrix, total.right
        rest = prior_equations(person, state)
        matrix[:own, :own] += rest.matrix
        right[:own] += rest.right
        terms = added(terms, rest.terms)
        matrix[np.arange(own), np.arange(own)] += 1e-6 * np.diag(matrix)[:own] + 1e-9
        blocks.append((matrix, right))
        stays = _at_bound(person, state, right[:own])
        fixed.append(np.where(stays if held is None else stays | held, 0.0, np.nan))
    known = prior.equations(person).holding(held_shared)
    terms = added(terms, known.terms)
    damped = known.matrix + np.diag(damping * np.diag(known.matrix))
    for _ in range(3):  # what a solution takes beyond a bound is put on it, and the rest solved again
        solved = solve_arrow(blocks, own, damped, known.right, fixed)
        fixed = [_bounded(person, state, step, given) for state, step, given in zip(keyframes.states, solved.blocks, fixed, strict=True)]
    shared, identity_count = solved.shared.copy(), len(person.identity)
    identity, cameras = shared[:identity_count], shared[identity_count:]
    focal = cameras[: person.rig.camera_count]
    focal[:] = np.clip(focal, -0.2, 0.2)
    length = np.abs(identity).max(initial=0)
    if length > 1.5:
        identity *= 1.5 / length
    changed = person.changed(identity=person.identity + identity, rig=person.rig.moved(cameras))
    # Given the shared step, each frame takes its own best one within the bounds.
    states = tuple(
        step_frame(person, state, Equations(matrix[:own, :own], right[:own] - matrix[:own, own:] @ shared), damping=0.0)[0]
        for state, (matrix, right) in zip(keyframes.states, blocks, strict=True)
    )
    return Keyframes(changed, keyframes.moments, states, float(np.sqrt(solved.shared_covariance[identity_count, identity_count]))), terms


def descend(keyframes: Keyframes, prior: SharedPrior, config: TrackConfig, steps: int) -> Iterator[tuple[Keyframes, dict[str, float]]]:
    """Levenberg–Marquardt: steps that turn out to have raised the cost are taken back and tried again with more damping of the shared unknowns.

    Yields the keyframes after each step, and what each term cost before it.
    """
    best, best_cost, damping = keyframes, np.inf, 1.0
    trial = keyframes
    for _ in range(steps):
        after, terms = joint_step(trial, prior, config, damping)
        cost = sum(terms.values())
        if cost <= best_cost:
            settled = best_cost - cost < 1e-3 * cost
            best, best_cost, damping = trial, cost, damping / 4
            trial = after
        else:
            settled = False
            damping = max(damping, 0.1) * 10
            trial, _ = joint_step(best, prior, config, damping)
        yield trial, terms
        if settled:
            break

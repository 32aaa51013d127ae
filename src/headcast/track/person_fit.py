"""Who it is: identity, focal length, light and texture from keyframes, first by landmarks, then by colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float

from headcast.solve import Step, solve_arrow
from headcast.track.appearance import Texels, paint
from headcast.track.config import TrackConfig
from headcast.track.frame import (
    Equations,
    colour_equations,
    colour_sums,
    landmark_equations,
    prior_equations,
    state_vector,
    step_frame,
    view_of,
)
from headcast.track.observation import Observation
from headcast.track.person import Person, interocular
from headcast.track.points import FrameState, move_points


@dataclass(frozen=True)
class Keyframes:
    """A person and the frames that were solved with it."""

    person: Person
    observations: tuple[Observation, ...]
    states: tuple[FrameState, ...]
    log_focal_sigma: float = 0.0


def pose_from_landmarks(person: Person, observation: Observation) -> FrameState:
    """A first pose of the neutral head by perspective-n-point (Terzakis & Lourakis 2020, as OpenCV has it)."""
    matrix = np.diag([*person.focal_px, 1.0])
    matrix[:2, 2] = person.center_px
    points = person.landmark_rest[:468].astype(np.float64)
    pixels = observation.landmarks[:468].astype(np.float64)
    found, turn, shift = cv2.solvePnP(points, pixels, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
    rotation = cv2.Rodrigues(turn)[0] if found else np.diag([1.0, -1.0, -1.0])
    translation = shift[:, 0] if found else np.array([0, 0, 1.0])
    if translation[2] <= 0:  # the mirrored solution behind the camera
        rotation, translation = np.diag([1.0, -1.0, -1.0]), np.array([0, 0, 1.0])
    model = person.tracked.model
    return FrameState(rotation, translation, np.zeros((model.joint_count, 3)), np.zeros(model.expression_count))


def _held(person: Person, state: FrameState, right: Float[np.ndarray, "unknowns"]) -> Bool[np.ndarray, "unknowns"]:
    """Unknowns that sit at a bound and are pushed against it."""
    prior = person.tracked.prior
    position = state_vector(state, person.tracked.unknowns)
    return ((position <= prior.lower + 1e-6) & (right < 0)) | ((position >= prior.upper - 1e-6) & (right > 0))


def repeated_share(frame_count: int, independent: int = 4) -> float:
    """Share of each frame's evidence that counts where many frames speak of the same unknowns: most errors repeat from frame to frame."""
    return min(1.0, independent / frame_count)


def _bounded(person: Person, state: FrameState, step: np.ndarray, given: np.ndarray) -> np.ndarray:
    """What is given of a frame's step, with what goes beyond a bound added."""
    prior, position = person.tracked.prior, state_vector(state, person.tracked.unknowns)
    low, high = prior.lower - position, prior.upper - position
    return np.where(step < low - 1e-6, low, np.where(step > high + 1e-6, high, given))


@dataclass(frozen=True)
class SharedPrior:
    """What is known of the shared unknowns: identity has unit variance, the focal length a guess; fixed ones do not move."""

    log_focal: float
    log_focal_sigma: float
    fixed_identity: bool = False

    def equations(self, person: Person) -> Equations:
        count = len(person.identity)
        precision = np.full(count + 1, 1e12 if self.fixed_identity else 1.0)
        precision[-1] = 1 / max(self.log_focal_sigma, 1e-6) ** 2
        away = np.append(np.zeros(count) if self.fixed_identity else person.identity, np.log(person.focal_px.mean()) - self.log_focal)
        return Equations(np.diag(precision), -precision * away, 0.5 * float(precision @ away**2))


def joint_step(
    keyframes: Keyframes, prior: SharedPrior, config: TrackConfig, level: int | None, landmark_scale: float, damping: float
) -> tuple[Keyframes, float]:
    """One damped Gauss–Newton step of all keyframes and the shared unknowns together, and the cost before it.

    Args:
        level: Of the pictures; None compares landmarks alone.
        landmark_scale: Share of the landmarks' evidence that counts: their errors repeat from frame to frame.
    """
    person, unknowns = keyframes.person, keyframes.person.tracked.unknowns
    own = unknowns.count
    blocks, fixed = [], []
    cost = 0.0
    for observation, state in zip(keyframes.observations, keyframes.states, strict=True):
        total, _ = landmark_equations(person, state, observation, config, shared=True, scale=landmark_scale)
        if level is not None:
            picture = observation.levels[level]
            view = view_of(person, state, picture.window)
            total = total + colour_equations(
                person, view, picture, colour_sums(person, view, picture, config), config, shared=True, scale=repeated_share(len(keyframes.states))
            )
        matrix, right = total.matrix, total.right
        rest = prior_equations(person, state)
        matrix[:own, :own] += rest.matrix
        right[:own] += rest.right
        cost += total.cost + rest.cost
        matrix[np.arange(own), np.arange(own)] += 1e-6 * np.diag(matrix)[:own] + 1e-9
        blocks.append((matrix, right))
        fixed.append(np.where(_held(person, state, right[:own]), 0.0, np.nan))
    known = prior.equations(person)
    cost += known.cost
    damped = known.matrix + np.diag(damping * np.diag(known.matrix))
    for _ in range(3):  # what a solution takes beyond a bound is put on it, and the rest solved again
        solved = solve_arrow(blocks, own, damped, known.right, fixed)
        fixed = [_bounded(person, state, step, given) for state, step, given in zip(keyframes.states, solved.blocks, fixed, strict=True)]
    shared = solved.shared.copy()
    shared[-1] = np.clip(shared[-1], -0.2, 0.2)
    length = np.abs(shared[:-1]).max(initial=0)
    if length > 1.5:
        shared[:-1] *= 1.5 / length
    changed = person.changed(identity=person.identity + shared[:-1], focal_px=person.focal_px * np.exp(shared[-1]))
    # Given the shared step, each frame takes its own best one within the bounds.
    states = tuple(
        step_frame(person, state, Equations(matrix[:own, :own], right[:own] - matrix[:own, own:] @ shared), damping=0.0)
        for state, (matrix, right) in zip(keyframes.states, blocks, strict=True)
    )
    return Keyframes(changed, keyframes.observations, states, float(np.sqrt(solved.shared_covariance[-1, -1]))), cost


def descend(keyframes: Keyframes, prior: SharedPrior, config: TrackConfig, level: int | None, steps: int) -> Keyframes:
    """Levenberg–Marquardt: steps that turn out to have raised the cost are taken back and tried again with more damping of the shared unknowns."""
    scale = repeated_share(len(keyframes.states))
    best, best_cost, damping = keyframes, np.inf, 1.0
    trial = keyframes
    for _ in range(steps):
        after, cost = joint_step(trial, prior, config, level, scale, damping)
        if cost <= best_cost:
            settled = best_cost - cost < 1e-3 * cost
            best, best_cost, damping = trial, cost, damping / 4
            trial = after
            if settled:
                break
        else:
            damping = max(damping, 0.1) * 10
            trial, _ = joint_step(best, prior, config, level, scale, damping)
    return trial


def solve_by_landmarks(person: Person, observations: Sequence[Observation], prior: SharedPrior, config: TrackConfig, steps: int = 15) -> Keyframes:
    """Identity, focal length and the keyframes' poses from landmarks alone."""
    states = tuple(pose_from_landmarks(person, observation) for observation in observations)
    keyframes = Keyframes(person, tuple(observations), states)
    return descend(keyframes, prior, config, None, steps)


def solve_by_colours(
    keyframes: Keyframes, texels: Texels, prior: SharedPrior, config: TrackConfig, steps: int = 3
) -> Iterator[tuple[Step, Keyframes]]:
    """Paints texture and light, then moves everything so that the pictures agree, in turn, coarse to fine."""
    skin = skin_texels(keyframes.person, texels)
    level_count = len(keyframes.observations[0].levels)
    for turn in range(config.rounds):
        person = paint(keyframes.person, texels, list(keyframes.observations), list(keyframes.states), config.sigmas.color, skin)
        keyframes = replace(keyframes, person=person)
        level = max(level_count - 1 - turn, 0)
        keyframes = descend(keyframes, prior, config, level, steps)
        keyframes = replace(keyframes, person=learn_landmark_offsets(keyframes, config))
        yield Step("person", turn + 1, config.rounds), keyframes
    person = paint(keyframes.person, texels, list(keyframes.observations), list(keyframes.states), config.sigmas.color, skin)
    yield Step("person", config.rounds, config.rounds), replace(keyframes, person=person)


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
    for observation, state in zip(keyframes.observations, keyframes.states, strict=True):
        _, residual = landmark_equations(plain, state, observation, config, shared=False)
        sigma = 0.5 * config.sigmas.landmark * max(float(interocular(observation.landmarks)), 1.0)
        weight = observation.confidence / sigma**2
        motion = move_points(basis, plain.landmark_rest, plain.skeleton, plain.tracked.unknowns, state, plain.focal_px, plain.center_px)
        rows = motion.rest_jacobian.astype(np.float64)
        matrix += np.einsum("lra,lrb,l->lab", rows, rows, weight)
        right += np.einsum("lra,lr,l->la", rows, residual, weight)
    offsets = np.linalg.solve(matrix, right[..., None])[..., 0]
    return person.changed(landmark_offsets=_without_similarity(plain.landmark_rest, offsets).astype(np.float32))


def _without_similarity(points: Float[np.ndarray, "n 3"], offsets: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Offsets less the part that turning, shifting or scaling the whole head would explain: pose and size are not theirs to decide."""
    centred = (points - points.mean(0)).astype(np.float64)
    turns = np.stack([np.cross(np.broadcast_to(axis, centred.shape), centred) for axis in np.eye(3)], -1)
    shifts = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    rows = np.concatenate([turns, shifts, centred[..., None]], -1).reshape(-1, 7)
    solution = np.linalg.lstsq(rows, offsets.reshape(-1), rcond=None)[0]
    return offsets - (rows @ solution).reshape(-1, 3)

"""One frame's pose and expression by Gauss–Newton on colours and landmarks, and the normal equations that joint solves build on."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from headcast.compiled import compiled
from headcast.solve import solve_box
from headcast.track.config import TrackConfig
from headcast.track.depth import depth_equations
from headcast.track.equations import Equations, summed
from headcast.track.gain import exposed_view
from headcast.track.hold import held_in_frames
from headcast.track.observation import Moment, Observation, Picture
from headcast.track.person import Person, interocular
from headcast.track.photometric import PhotometricSums, compare_colours, touched_vertices, weighted_rows
from headcast.track.points import Derivatives, FrameState, Motion, move_points
from headcast.track.sight import Sight, sights
from headcast.track.view import View

ROBUST = (0.15, 0.03, 0.005)
"""How soon colours count as outliers, finest level first: what is still out of place must not be taken for a hand (Blake & Zisserman 1987)."""

_SLACK_PX = 0.2
"""Residuals that are no surprise, in pixels' worth of gradient: places are not known better than that."""

_SURPRISING_OPENING = 0.25
"""Share of an eye's opening by which detector and model may differ before closed and open lids are both tried."""
_SETTLED = 8.0
"""A step that gains less (in units of half a squared standard deviation) is the last on its level: the next would gain a fraction of that."""


def colour_sums(person: Person, view: View, picture: Picture, robust: float = ROBUST[0], slack_px: float = _SLACK_PX) -> PhotometricSums:
    """Compares a rendered frame with the picture."""
    assert person.texture is not None
    return compare_colours(
        person.tracked.surface, view.face, view.barycentric, picture.image, picture.gradient, picture.matte * view.inner,
        view.shading, person.texture, person.color_sigma, robust, slack_px,
    )  # fmt: skip


def landmark_weights(person: Person, observation: Observation, config: TrackConfig, px_per_metre: float) -> Float[np.ndarray, "landmarks"]:
    """Information of each landmark, 1/px² of the source: detector noise, definition and confidence."""
    marks = person.tracked.marks
    sigma = config.sigmas.landmark * marks.noise * max(float(interocular(observation.landmarks, marks.eyes)), 0.06 * px_per_metre)
    definition = np.minimum(person.tracked.landmark_sigma, 0.01) * px_per_metre
    return observation.confidence / (sigma**2 + definition**2)


def _faced(person: Person, state: FrameState, motion: Motion) -> Float[np.ndarray, "landmarks"]:
    """1 for landmarks that face the camera, less towards the outline of the head, where detectors guess; never nothing."""
    normals = person.tracked.landmark_normals @ state.rotation.T
    sight = motion.camera_points / np.linalg.norm(motion.camera_points, axis=1, keepdims=True)
    return np.clip(-(normals * sight).sum(1) / 0.5, 0.05, 1)


def _landmark_motion(person: Person, state: FrameState) -> Motion:
    return move_points(
        person.tracked.landmarks, person.landmark_rest, person.skeleton, person.tracked.unknowns, state, person.focal_px, person.center_px
    )


def landmark_residuals(person: Person, state: FrameState, observation: Observation) -> Float[np.ndarray, "landmarks 2"]:
    """Detected less projected landmarks (source px)."""
    return (observation.landmarks - _landmark_motion(person, state).pixels).astype(np.float64)


def landmark_equations(
    person: Person, state: FrameState, observation: Observation, config: TrackConfig, shared: bool, scale: float = 1.0, relative: float | None = None
) -> Equations:
    """Equations of the landmark term.

    With `shared` the unknowns go on with identity coefficients and the logarithm of the focal length. `scale` is the share of the evidence of
    single landmarks that counts, `relative` that of openings and irises (the same, where it is not said): detectors put whole parts of a face
    in the wrong place, but know how far a mouth is open.
    """
    motion = _landmark_motion(person, state)
    moves = motion.derivatives()
    jacobian = with_shared(moves, motion.pixels - person.center_px, person.tracked.landmarks.identity_basis) if shared else moves.jacobian
    residual = (observation.landmarks - motion.pixels).astype(np.float64)
    px_per_metre = float(person.focal_px.mean() / state.translation[2])
    faced = _faced(person, state, motion)
    information = landmark_weights(person, observation, config, px_per_metre) * faced
    scaled = 1 + 0.25 * information * (residual**2).sum(1)
    weight = scale * information / scaled**2
    marks = person.tracked.marks
    mark, first, second = marks.relative.T
    sigma = config.sigmas.relative * marks.relative_noise * max(float(interocular(observation.landmarks, marks.eyes)), 0.06 * px_per_metre)
    difference = residual[mark] - (residual[first] + residual[second]) / 2
    trust = (observation.confidence * faced)[marks.relative].min(1) / sigma**2
    scaled_relative = 1 + 0.01 * trust * (difference**2).sum(1)
    weight_relative = (scale if relative is None else relative) * trust / scaled_relative**2
    root = np.sqrt(np.concatenate([weight, weight_relative])).astype(np.float32)[:, None]
    rows = np.concatenate([jacobian, jacobian[mark] - 0.5 * (jacobian[first] + jacobian[second])]) * root[..., None]
    right = (np.concatenate([residual, difference]) * root).astype(np.float32)
    rows = rows.reshape(-1, rows.shape[2])
    cost = 0.5 * float((residual**2).sum(1) @ (weight * scaled) + (difference**2).sum(1) @ (weight_relative * scaled_relative))
    return Equations((rows.T @ rows).astype(np.float64), (rows.T @ right.reshape(-1)).astype(np.float64), {"landmarks": cost})


def with_shared(
    moves: Derivatives, from_center: Float[np.ndarray, "points 2"], identity_basis: Float[np.ndarray, "points 3 identity"]
) -> Float[np.ndarray, "points 2 unknowns"]:
    """The Jacobian with columns for identity and log focal length after those of the frame; `from_center` are the pixels less the principal point."""
    own, identity = moves.jacobian.shape[2], identity_basis.shape[2]
    jacobian = np.empty((len(moves.jacobian), 2, own + identity + 1), np.float32)
    jacobian[:, :, :own] = moves.jacobian
    _chain_identity(moves.rest_jacobian, identity_basis, jacobian, own, identity)
    jacobian[:, :, -1] = from_center
    return jacobian


@compiled("f4[:,:,::1], f4[:,:,::1], f4[:,:,::1], i8, i8", fastmath=True)
def _chain_identity(rest_jacobian, identity_basis, jacobian, first, count):
    for n in range(len(jacobian)):
        for r in range(2):
            a, b, c = rest_jacobian[n, r, 0], rest_jacobian[n, r, 1], rest_jacobian[n, r, 2]
            for i in range(count):
                jacobian[n, r, first + i] = a * identity_basis[n, 0, i] + b * identity_basis[n, 1, i] + c * identity_basis[n, 2, i]


def colour_equations(person: Person, view: View, sums: PhotometricSums, config: TrackConfig) -> Equations:
    """Equations of the colour term, weighted by how much of a pixel's evidence counts."""
    surface = person.tracked.surface
    active = touched_vertices(surface, sums)
    matrix, right = weighted_rows(surface, sums, active, view.motion.derivatives(active).jacobian).equations()
    share = config.color_information
    return Equations(share * matrix, share * right, {"photometric": share * float(sums.cost.sum())})


def prior_equations(person: Person, state: FrameState) -> Equations:
    """The prior on joints and expression about rest."""
    prior, unknowns = person.tracked.prior, person.tracked.unknowns
    position = state_vector(state, unknowns)
    cost = 0.5 * float(prior.precision @ position**2) + float(prior.slope @ position)
    return Equations(np.diag(prior.precision), -prior.precision * position - prior.slope, {"prior": cost})


def state_vector(state: FrameState, unknowns) -> Float[np.ndarray, "unknowns"]:
    """Position of the unknowns that have an origin: joint angles and expression; zeros for the head's pose."""
    vector = np.zeros(unknowns.count)
    vector[unknowns.angles] = state.joint_rotations[unknowns.joint_idx, unknowns.joint_axis]
    vector[unknowns.expression] = state.expression
    return vector


def towards(state: FrameState, other: FrameState, unknowns, precision: Float[np.ndarray, "unknowns"]) -> Equations:
    """A Gaussian pull towards another state."""
    return Equations(np.diag(precision), precision * difference(state, other, unknowns))


def difference(state: FrameState, other: FrameState, unknowns) -> Float[np.ndarray, "unknowns"]:
    """The step that takes `state` to `other` (rotation to first order)."""
    step = state_vector(other, unknowns) - state_vector(state, unknowns)
    turn = other.rotation @ state.rotation.T
    step[:3] = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    step[3:6] = other.translation - state.translation
    return step


def step_frame(person: Person, state: FrameState, equations: Equations, damping: float = 1e-3) -> tuple[FrameState, float]:
    """The state after solving the equations within the bounds of the expressions, and by how much the cost should fall.

    The head's turn is limited to 12° a step; what the person holds stays.
    """
    prior, unknowns = person.tracked.prior, person.tracked.unknowns
    equations = equations.holding(held_in_frames(person))
    position = state_vector(state, unknowns)
    matrix = equations.matrix + np.diag(damping * np.diag(equations.matrix) + 1e-9)
    change = solve_box(matrix, equations.right, prior.lower - position, prior.upper - position)
    turn = np.linalg.norm(change[:3])
    if turn > 0.2:
        change[:3] *= 0.2 / turn
    gain = float(change @ equations.right - 0.5 * change @ equations.matrix @ change)
    return state.moved(change, unknowns), gain


@dataclass(frozen=True)
class FrameFit:
    """A solved frame."""

    state: FrameState
    equations: Equations
    """At the last linearisation, temporal terms left out."""
    linearised_at: FrameState
    inlier_share: float = 1.0
    """Share of the colour evidence that the robust weights kept."""


def with_lids_tried(person: Person, moment: Moment, state: FrameState, config: TrackConfig) -> FrameState:
    """The state with each eye open or closed, whichever costs less, where the detector sees another opening than the state has.

    Lids close within two frames, and by small steps no colour leads there: while a lid is on its way, its pixels look like nothing that was painted.
    """
    names = person.tracked.model.expression_names
    blinks = [names.index(name) for name in person.tracked.marks.eyelids if name in names]
    if not blinks or "expression" in person.fixed or not any(_opening_surprises(sight) for sight in sights(person, moment, state)):
        return state
    choices = [state.expression[blinks], *(np.array(choice, float) for choice in itertools.product((0, 1), repeat=len(blinks)))]
    states = []
    for choice in choices:
        expression = state.expression.copy()
        expression[blinks] = choice
        states.append(replace(state, expression=expression))
    return min(states, key=lambda tried: _frame_cost(person, moment, tried, config))


def _opening_surprises(sight: Sight) -> bool:
    modelled = _landmark_motion(sight.person, sight.state).pixels
    for upper, lower in (lids.T for lids in sight.person.tracked.marks.eyelids.values()):
        seen, expected = (float(np.linalg.norm(points[upper] - points[lower], axis=1).mean()) for points in (sight.observation.landmarks, modelled))
        if abs(seen - expected) > _SURPRISING_OPENING * max(seen, expected):
            return True
    return False


def _frame_cost(person: Person, moment: Moment, state: FrameState, config: TrackConfig) -> float:
    """What a state costs, colours compared on the second finest level."""
    total = prior_equations(person, state).cost
    for sight in sights(person, moment, state):
        seen, observation = sight.person, sight.observation
        level = min(1, len(observation.levels) - 1)
        picture = observation.levels[level]
        colours = colour_sums(seen, exposed_view(seen, sight.state, picture), picture, ROBUST[level])
        points = landmark_equations(seen, sight.state, observation, config, shared=False, scale=config.landmark_share, relative=1.0)
        total += config.color_information * float(colours.cost.sum()) + points.cost
    return total


def fit_landmarks(person: Person, moment: Moment, state: FrameState, config: TrackConfig, steps: int) -> FrameFit:
    """Pose and expression from landmarks alone, in one step or more."""
    for _ in range(steps):
        total = prior_equations(person, state) + summed(
            landmark_equations(sight.person, sight.state, sight.observation, config, shared=False).turned(sight.turned)
            for sight in sights(person, moment, state)
        )
        linearised_at = state
        state, _ = step_frame(person, state, total)
    return FrameFit(state, total, linearised_at)


def fit_frame(
    person: Person,
    moment: Moment,
    state: FrameState,
    config: TrackConfig,
    steps: tuple[int, ...],
    pull: tuple[FrameState, Float[np.ndarray, "unknowns"]] | None = None,
) -> FrameFit:
    """Pose and expression of a frame.

    Args:
        steps: Most Gauss–Newton steps per level, finest first; the coarsest level is solved first. Levels that the pictures lack are left out.
        pull: A state to stay near, and how strongly (precision per unknown).
    """
    unknowns = person.tracked.unknowns
    state = with_lids_tried(person, moment, state, config)
    levels = max(len(view.levels) for view in moment.views)
    for level in reversed(range(min(len(steps), levels))):
        for _ in range(steps[level]):
            data, seen = _data_equations(person, moment, state, config, level)
            own = data + prior_equations(person, state)
            linearised_at = state
            total = own if pull is None else own + towards(state, pull[0], unknowns, pull[1])
            state, gain = step_frame(person, state, total)
            if gain < _SETTLED:
                break
    possible = float(sum(sums.pixels @ person.tracked.surface.face_weight for sums in seen)) / (3 * person.color_sigma**2)
    weight = sum(float(sums.weight.sum()) for sums in seen)
    return FrameFit(state, own, linearised_at, weight / max(possible, 1e-9))


def _data_equations(person: Person, moment: Moment, state: FrameState, config: TrackConfig, level: int) -> tuple[Equations, list[PhotometricSums]]:
    """What all views say on a level of their pictures (or on the coarsest they have), and the comparison of colours in each."""
    parts, seen = [], []
    for sight in sights(person, moment, state):
        own, observation = sight.person, sight.observation
        at = min(level, len(observation.levels) - 1)
        picture = observation.levels[at]
        view = exposed_view(own, sight.state, picture)
        sums = colour_sums(own, view, picture, ROBUST[at])
        data = colour_equations(own, view, sums, config)
        data += landmark_equations(own, sight.state, observation, config, shared=False, scale=config.landmark_share, relative=1.0)
        if picture.depth is not None:
            data += depth_equations(own, view, picture, config.sigmas.depth, config.depth_share, shared=False)
        parts.append(data.turned(sight.turned))
        seen.append(sums)
    return summed(parts), seen

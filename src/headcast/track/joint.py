"""All keyframes and the person in one system of equations, with what the texture could explain by sliding over the skin taken out.

A texture painted from badly placed keyframes agrees with them and holds them where they are. So before a step the equations are freed of it:
around each vertex the texture may shift along the skin, these shifts are eliminated (variable projection, Golub & Pereyra 1973), and what remains
is how the keyframes disagree with each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve

from headcast.threads import mapped, meanwhile
from headcast.track.config import TrackConfig
from headcast.track.depth import depth_equations
from headcast.track.equations import added
from headcast.track.frame import colour_sums, landmark_equations, prior_equations, state_vector, with_shared
from headcast.track.gain import exposed_view
from headcast.track.hold import held_in_frames, held_of_all
from headcast.track.person import Person
from headcast.track.person_fit import Keyframes, SharedPrior
from headcast.track.photometric import touched_vertices, vertex_tensors, weighted_rows
from headcast.track.points import FrameState
from headcast.track.sight import Sight, sights
from headcast.track.surface import across, surface_normals

_SLACK_PX = 0.4
"""Residuals that are no surprise, in pixels' worth of gradient: keyframes are farther out of place than a frame that follows another."""
_LEAST_STIFFNESS = 1e-9
"""Vertices that hold their texture less than this, of the most that any does, are not seen: dividing by it would leave no digit."""
_LONGEST_STEP = 1.5
"""Standard deviations of identity in a step."""
_LARGEST_TURN = 0.2
"""Turn of a head in a step (rad)."""
_LARGEST_ZOOM = 0.2
"""Change of the focal length's logarithm in a step."""


@dataclass(frozen=True)
class Round:
    """How one joint step weighs what it sees."""

    level: int
    """Of the pictures, 0 the finest."""
    landmarks: float
    """How many views' landmarks count as independent, of all views of all frames together."""
    robust: float
    """How soon colours count as outliers, see `headcast.track.photometric`."""


def tangents(person: Person) -> Float[np.ndarray, "vertices 3 2"]:
    """Two unit vectors across the normal of every vertex of the surface, at rest."""
    surface = person.tracked.surface
    normals = surface_normals(person.rest, surface.faces, surface.incident_start, surface.incident_face)
    return across(normals)


@dataclass
class _System:
    """The normal equations of all unknowns (frames', then the shared ones) and of the texture's shifts, of one frame or summed."""

    matrix: Float[np.ndarray, "n n"]
    right: Float[np.ndarray, "n"]
    coupling: Float[np.ndarray, "vertices 2 n"]
    stiffness: Float[np.ndarray, "vertices 2 2"]
    pull: Float[np.ndarray, "vertices 2"]
    terms: Mapping[str, float] = field(default_factory=dict)
    """What each costs where the step is zero."""

    def without_sliding(self) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n"]]:
        """The equations with the shifts eliminated (a Schur complement, 2×2 by 2×2)."""
        trace = np.trace(self.stiffness, axis1=1, axis2=2)
        seen = np.flatnonzero(trace > _LEAST_STIFFNESS * trace.max(initial=0))
        if not len(seen):
            return self.matrix, self.right
        inverse = np.linalg.inv(self.stiffness[seen] + 1e-3 * trace[seen, None, None] * np.eye(2))
        coupling = self.coupling[seen]
        root = np.linalg.cholesky(inverse).astype(np.float32)
        whitened = np.matmul(root.transpose(0, 2, 1), coupling).reshape(2 * len(seen), -1)
        shifted = np.matmul(inverse, self.pull[seen, :, None])[..., 0].astype(np.float32)
        half = whitened[: len(seen)]
        first = meanwhile(np.matmul, half.T, half)
        second = whitened[len(seen) :].T @ whitened[len(seen) :]
        return self.matrix - first.result() - second, self.right - coupling.reshape(2 * len(seen), -1).T @ shifted.reshape(-1)


def joint_colour_step(keyframes: Keyframes, prior: SharedPrior, config: TrackConfig, how: Round) -> tuple[Keyframes, dict[str, float]]:
    """One Gauss–Newton step of all keyframes and the shared unknowns together, within the bounds of the expressions.

    Also says what each term cost before it.
    """
    person = keyframes.person
    own, count = person.tracked.unknowns.count, len(keyframes.states)
    system = _assembled(keyframes, config, how)
    matrix, right = system.without_sliding()
    shared = slice(count * own, None)
    known = prior.equations(person)
    matrix[shared, shared] += known.matrix
    right[shared] += known.right
    positions = np.stack([state_vector(state, person.tracked.unknowns) for state in keyframes.states])
    low, high = np.full(len(right), -np.inf), np.full(len(right), np.inf)
    low[: shared.start] = (person.tracked.prior.lower - positions).reshape(-1)
    high[: shared.start] = (person.tracked.prior.upper - positions).reshape(-1)
    frame, rest = held_in_frames(person), held_of_all(person)
    held = np.zeros(len(right), bool)
    if frame is not None:
        held[: shared.start] = np.tile(frame, count)
    if rest is not None:
        held[shared] = rest
    step = _solved(matrix, right, low, high, held)
    return _moved(keyframes, _shortened(step, person, count)), added(system.terms, known.terms)


def _assembled(keyframes: Keyframes, config: TrackConfig, how: Round) -> _System:
    person = keyframes.person
    own, count = person.tracked.unknowns.count, len(keyframes.states)
    views = sum(len(moment.views) for moment in keyframes.moments)
    size = count * own + len(person.identity) + person.rig.unknown_count
    vertices = len(person.rest)
    system = _System(
        np.zeros((size, size)), np.zeros(size), np.zeros((vertices, 2, size), np.float32), np.zeros((vertices, 2, 2)), np.zeros((vertices, 2))
    )
    skin = tangents(person)

    def part_of(one: tuple[int, Sight]) -> tuple[int, Int[np.ndarray, "active"], _System]:
        return one[0], *_view_system(one[1], config, skin, how, how.landmarks / views)

    shared = slice(count * own, size)
    for place, state in enumerate(keyframes.states):
        mine, rest = slice(place * own, (place + 1) * own), prior_equations(person, state)
        system.matrix[mine, mine] += rest.matrix
        system.right[mine] += rest.right
        system.terms = added(system.terms, rest.terms)
    pairs = enumerate(zip(keyframes.moments, keyframes.states, strict=True))
    seen = ((place, sight) for place, (moment, state) in pairs for sight in sights(person, moment, state))
    for place, active, part in mapped(part_of, seen):
        mine = slice(place * own, (place + 1) * own)
        for rows, of_part in ((mine, slice(own)), (shared, slice(own, None))):
            system.matrix[rows, mine] += part.matrix[of_part, :own]
            system.matrix[rows, shared] += part.matrix[of_part, own:]
            system.right[rows] += part.right[of_part]
        system.coupling[active, :, mine] += part.coupling[:, :, :own]
        system.coupling[active, :, shared] += part.coupling[:, :, own:]
        system.stiffness[active] += part.stiffness
        system.pull[active] += part.pull
        system.terms = added(system.terms, part.terms)
    return system


def _view_system(
    sight: Sight, config: TrackConfig, skin: Float[np.ndarray, "vertices 3 2"], how: Round, landmark_share: float
) -> tuple[Int[np.ndarray, "active"], _System]:
    """One view's equations, its frame's unknowns first, and the vertices that its shifts belong to."""
    person, state, turned = sight.person, sight.state, sight.turned
    surface, share = person.tracked.surface, config.color_information
    points = landmark_equations(person, state, sight.observation, config, shared=True, scale=landmark_share, relative=1.0).spread(turned)
    picture = sight.observation.levels[min(how.level, len(sight.observation.levels) - 1)]
    view = exposed_view(person, state, picture)
    sums = colour_sums(person, view, picture, how.robust, _SLACK_PX)
    active = touched_vertices(surface, sums)
    moves = view.motion.derivatives(active)
    from_center = view.motion.pixels[active] - picture.window.center(person.center_px)
    rows = turned.of_clip(with_shared(moves, from_center, surface.basis.identity_basis[active]))
    colours = weighted_rows(surface, sums, active, rows)
    matrix, right = colours.equations()
    matrix, right = share * matrix + points.matrix, share * right + points.right
    terms = added(points.terms, {"photometric": share * float(sums.cost.sum())})
    if picture.depth is not None:
        measured = depth_equations(person, view, picture, config.sigmas.depth, config.depth_share, shared=True).spread(turned)
        matrix, right, terms = matrix + measured.matrix, right + measured.right, added(terms, measured.terms)
    # How a vertex's pixel moves when the texture slides there: where the skin itself would go.
    slide = np.matmul(moves.rest_jacobian, skin[active]).astype(np.float32)
    xx, xy, yy = vertex_tensors(surface, sums)[active].T
    tensor = np.stack([xx, xy, xy, yy], -1).reshape(-1, 2, 2)
    back = slide.transpose(0, 2, 1)
    stiffness = share * np.matmul(np.matmul(back, tensor), slide)
    pull = -share * np.matmul(back, colours.pulls[..., None])[..., 0]
    return active, _System(matrix, right, share * np.matmul(back, colours.weighted), stiffness, pull, terms)


def _solved(
    matrix: Float[np.ndarray, "n n"],
    right: Float[np.ndarray, "n"],
    low: Float[np.ndarray, "n"],
    high: Float[np.ndarray, "n"],
    held: Bool[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """The step within its bounds, zero where it is held: what goes beyond a bound is put on it and the rest solved again."""
    given = np.where(held | ((low >= -1e-6) & (right < 0)) | ((high <= 1e-6) & (right > 0)), 0.0, np.nan)
    for _ in range(4):
        free = np.isnan(given)
        step = np.where(free, 0.0, given)
        step[free] = _damped(matrix[np.ix_(free, free)], right[free] - matrix[np.ix_(free, ~free)] @ given[~free])
        beyond = free & ((step < low - 1e-6) | (step > high + 1e-6))
        if not beyond.any():
            break
        given = np.where(beyond, np.clip(step, low, high), given)
    return np.clip(step, low, high)


def _damped(matrix: Float[np.ndarray, "n n"], right: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The solution, damped as little as the rounding of the eliminated texture allows (Levenberg 1944)."""
    diagonal, damping = np.diag(matrix), 1e-6
    while True:
        try:
            return cho_solve(cho_factor(matrix + np.diag(damping * diagonal + 1e-9), lower=True), right)
        except np.linalg.LinAlgError:  # rounding has taken more than was there
            damping *= 10
            if damping > 1:
                raise


def _shortened(step: Float[np.ndarray, "n"], person: Person, count: int) -> Float[np.ndarray, "n"]:
    """The step, scaled down where it would leave what a linearisation can be trusted with."""
    own, rig = person.tracked.unknowns.count, person.rig
    identity, cameras = np.split(step[count * own :], [len(person.identity)])
    zooms, poses = np.split(cameras, [rig.camera_count])
    turns = np.concatenate([step[: count * own].reshape(count, own)[:, :3], poses.reshape(-1, 6)[:, :3]])
    turn = np.linalg.norm(turns, axis=1).max()
    largest = max(np.abs(identity).max(initial=0) / _LONGEST_STEP, np.abs(zooms).max() / _LARGEST_ZOOM, turn / _LARGEST_TURN, 1.0)
    return step / largest


def _moved(keyframes: Keyframes, step: Float[np.ndarray, "n"]) -> Keyframes:
    person, unknowns = keyframes.person, keyframes.person.tracked.unknowns
    count = len(keyframes.states)
    identity, cameras = np.split(step[count * unknowns.count :], [len(person.identity)])
    changes = step[: count * unknowns.count].reshape(count, unknowns.count)
    states: tuple[FrameState, ...] = tuple(state.moved(change, unknowns) for state, change in zip(keyframes.states, changes, strict=True))
    changed = person.changed(identity=person.identity + identity, rig=person.rig.moved(cameras))
    return replace(keyframes, person=changed, states=states)

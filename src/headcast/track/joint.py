"""All keyframes and the person in one system of equations, with what the texture could explain by sliding over the skin taken out.

A texture painted from badly placed keyframes agrees with them and holds them where they are. So before a step the equations are freed of it:
each patch of the surface may shift its texture along the skin, these shifts are eliminated (variable projection, Golub & Pereyra 1973), and what
remains is how the keyframes disagree with each other.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from headcast.threads import mapped
from headcast.track.config import TrackConfig
from headcast.track.frame import colour_sums, landmark_equations, prior_equations, state_vector, view_of, with_shared
from headcast.track.observation import Observation
from headcast.track.person import Person
from headcast.track.person_fit import Keyframes, SharedPrior
from headcast.track.photometric import touched_vertices, vertex_tensors, weighted_rows
from headcast.track.points import FrameState
from headcast.track.surface import Surface, surface_normals

_PATCH_M = 0.005
"""Side of a patch."""
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
    """How many frames' landmarks count as independent, of all frames together."""
    robust: float
    """How soon colours count as outliers, see `headcast.track.photometric`."""


@dataclass(frozen=True)
class Patches:
    """Small pieces of the surface, each with a plane in which its texture may slide."""

    of_vertex: Int[np.ndarray, "vertices"]
    count: int

    @classmethod
    def of(cls, surface: Surface) -> "Patches":
        """Cubes of the template's space."""
        cells = np.floor(surface.basis.template / _PATCH_M).astype(np.int64)
        _, of_vertex = np.unique(cells, axis=0, return_inverse=True)
        of_vertex = of_vertex.reshape(-1)
        return cls(of_vertex, int(of_vertex.max()) + 1)

    def tangents(self, person: Person) -> Float[np.ndarray, "vertices 3 2"]:
        """Two unit vectors across each patch's mean normal, at rest, for every vertex of the patch."""
        surface = person.tracked.surface
        normals = surface_normals(person.rest, surface.faces, surface.incident_start, surface.incident_face)
        mean = np.stack([np.bincount(self.of_vertex, normals[:, axis], self.count) for axis in range(3)], 1)
        mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
        helper = np.where(np.abs(mean[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
        first = np.cross(mean, helper)
        first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
        return np.stack([first, np.cross(mean, first)], -1)[self.of_vertex]


@dataclass
class _System:
    """The normal equations of all unknowns (frames', then the shared ones) and of the texture's shifts, of one frame or summed."""

    matrix: Float[np.ndarray, "n n"]
    right: Float[np.ndarray, "n"]
    coupling: Float[np.ndarray, "two_patches n"]
    stiffness: Float[np.ndarray, "patches 2 2"]
    pull: Float[np.ndarray, "patches 2"]

    def without_sliding(self) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n"]]:
        """The equations with the shifts eliminated (a Schur complement, 2×2 by 2×2)."""
        trace = np.trace(self.stiffness, axis1=1, axis2=2)
        seen = np.flatnonzero(trace > 0)
        if not len(seen):
            return self.matrix, self.right
        inverse = np.linalg.inv(self.stiffness[seen] + 1e-3 * trace[seen, None, None] * np.eye(2))
        coupling = self.coupling.reshape(len(trace), 2, -1)[seen]
        root = np.linalg.cholesky(inverse).astype(np.float32)
        whitened = np.matmul(root.transpose(0, 2, 1), coupling).reshape(2 * len(seen), -1)
        shifted = np.matmul(inverse, self.pull[seen, :, None])[..., 0].astype(np.float32)
        return self.matrix - whitened.T @ whitened, self.right - coupling.reshape(2 * len(seen), -1).T @ shifted.reshape(-1)


def joint_colour_step(keyframes: Keyframes, prior: SharedPrior, config: TrackConfig, patches: Patches, how: Round) -> Keyframes:
    """One Gauss–Newton step of all keyframes and the shared unknowns together, within the bounds of the expressions."""
    person = keyframes.person
    own, count = person.tracked.unknowns.count, len(keyframes.states)
    system = _assembled(keyframes, config, patches, how)
    matrix, right = system.without_sliding()
    shared = slice(count * own, None)
    known = prior.equations(person, config)
    matrix[shared, shared] += known.matrix
    right[shared] += known.right
    positions = np.stack([state_vector(state, person.tracked.unknowns) for state in keyframes.states])
    low, high = np.full(len(right), -np.inf), np.full(len(right), np.inf)
    low[: shared.start] = (person.tracked.prior.lower - positions).reshape(-1)
    high[: shared.start] = (person.tracked.prior.upper - positions).reshape(-1)
    return _moved(keyframes, _shortened(_solved(matrix, right, low, high), own, count))


def _assembled(keyframes: Keyframes, config: TrackConfig, patches: Patches, how: Round) -> _System:
    person = keyframes.person
    own, count = person.tracked.unknowns.count, len(keyframes.states)
    size = count * own + len(person.identity) + 1
    system = _System(
        np.zeros((size, size)), np.zeros(size), np.zeros((2 * patches.count, size), np.float32),
        np.zeros((patches.count, 2, 2)), np.zeros((patches.count, 2)),
    )  # fmt: skip
    tangents = patches.tangents(person)

    def part_of(pair: tuple[Observation, FrameState]) -> _System:
        return _frame_system(person, *pair, config, patches, tangents, how, how.landmarks / count)

    shared = slice(count * own, size)
    for place, part in enumerate(mapped(part_of, zip(keyframes.observations, keyframes.states, strict=True))):
        mine = slice(place * own, (place + 1) * own)
        for rows, of_part in ((mine, slice(own)), (shared, slice(own, None))):
            system.matrix[rows, mine] += part.matrix[of_part, :own]
            system.matrix[rows, shared] += part.matrix[of_part, own:]
            system.right[rows] += part.right[of_part]
        system.coupling[:, mine] += part.coupling[:, :own]
        system.coupling[:, shared] += part.coupling[:, own:]
        system.stiffness += part.stiffness
        system.pull += part.pull
    return system


def _frame_system(
    person: Person, observation: Observation, state: FrameState, config: TrackConfig, patches: Patches,
    tangents: Float[np.ndarray, "vertices 3 2"], how: Round, landmark_share: float,
) -> _System:  # fmt: skip
    """One keyframe's equations; its own unknowns first."""
    surface, own, share = person.tracked.surface, person.tracked.unknowns.count, config.color_information
    points = landmark_equations(person, state, observation, config, shared=True, scale=landmark_share, relative=1.0)
    rest = prior_equations(person, state)
    picture = observation.levels[how.level]
    view = view_of(person, state, picture.window)
    sums = colour_sums(person, view, picture, how.robust)
    active = touched_vertices(surface, sums)
    moves = view.motion.derivatives(active)
    from_center = view.motion.pixels[active] - picture.window.center(person.center_px)
    colours = weighted_rows(surface, sums, active, with_shared(moves, from_center, surface.basis.identity_basis[active]))
    matrix, right = colours.equations()
    matrix, right = share * matrix + points.matrix, share * right + points.right
    matrix[:own, :own] += rest.matrix
    right[:own] += rest.right
    # How a vertex's pixel moves when the texture slides there: where the skin itself would go.
    slide = np.matmul(moves.rest_jacobian, tangents[active])
    patch = patches.of_vertex[active]
    xx, xy, yy = vertex_tensors(surface, sums)[active].T
    tensor = np.stack([xx, xy, xy, yy], -1).reshape(-1, 2, 2)
    stiffness, pull = np.zeros((patches.count, 2, 2)), np.zeros((patches.count, 2))
    np.add.at(stiffness, patch, share * np.einsum("vij,vik,vkl->vjl", slide, tensor, slide))
    np.add.at(pull, patch, -share * np.einsum("vij,vi->vj", slide, colours.pulls))
    coupling = share * (_gathering(slide, patch, patches.count) @ colours.weighted.reshape(2 * len(active), -1))
    return _System(matrix, right, coupling, stiffness, pull)


def _gathering(slide: Float[np.ndarray, "active 2 2"], patch: Int[np.ndarray, "active"], count: int) -> csr_matrix:
    """The matrix that turns rows of vertices' pixels into rows of patches' shifts."""
    vertex = np.arange(len(patch))
    rows = np.broadcast_to((2 * patch[:, None] + np.arange(2))[:, None, :], slide.shape)
    columns = np.broadcast_to((2 * vertex[:, None] + np.arange(2))[:, :, None], slide.shape)
    return csr_matrix((slide.reshape(-1).astype(np.float32), (rows.reshape(-1), columns.reshape(-1))), (2 * count, 2 * len(patch)))


def _solved(
    matrix: Float[np.ndarray, "n n"], right: Float[np.ndarray, "n"], low: Float[np.ndarray, "n"], high: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """The step within its bounds: what goes beyond one is put on it and the rest solved again."""
    given = np.where(((low >= -1e-6) & (right < 0)) | ((high <= 1e-6) & (right > 0)), 0.0, np.nan)
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


def _shortened(step: Float[np.ndarray, "n"], own: int, count: int) -> Float[np.ndarray, "n"]:
    """The step, scaled down where it would leave what a linearisation can be trusted with."""
    shared = step[count * own :]
    turn = np.linalg.norm(step[: count * own].reshape(count, own)[:, :3], axis=1).max()
    largest = max(np.abs(shared[:-1]).max(initial=0) / _LONGEST_STEP, abs(shared[-1]) / _LARGEST_ZOOM, turn / _LARGEST_TURN, 1.0)
    return step / largest


def _moved(keyframes: Keyframes, step: Float[np.ndarray, "n"]) -> Keyframes:
    person, unknowns = keyframes.person, keyframes.person.tracked.unknowns
    count = len(keyframes.states)
    shared = step[count * unknowns.count :]
    changes = step[: count * unknowns.count].reshape(count, unknowns.count)
    states: tuple[FrameState, ...] = tuple(state.moved(change, unknowns) for state, change in zip(keyframes.states, changes, strict=True))
    changed = person.changed(identity=person.identity + shared[:-1], focal_px=person.focal_px * np.exp(shared[-1]))
    return replace(keyframes, person=changed, states=states)

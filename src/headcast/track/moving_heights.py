"""Heights of the skin in every frame beyond shapes and expressions, of all frames in one sparse system.

A frame says of heights what keyframes say of offsets (`headcast.track.offsets`), against the texture of the whole clip. Skin also slides where no
expression takes it: each vertex may do so in each frame, which is eliminated before frames are put together. Heights are believed to be small, smooth
over the skin, and to come and go no faster than `Motion.offset`.
"""

import itertools
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float
from scipy.sparse.linalg import cg

from headcast.geometry import vertex_normals
from headcast.heads import HeadModel
from headcast.solve import Step
from headcast.threads import mapped
from headcast.track.config import TrackConfig
from headcast.track.frame import ROBUST
from headcast.track.moving_skin import MovingSkin
from headcast.track.observation import Moment
from headcast.track.offsets import belief, local_frames, view_evidence
from headcast.track.person import Person
from headcast.track.points import FrameState
from headcast.track.sequence import Clock, Moments
from headcast.track.sight import sights

_STILL = ("eyeballs", "teeth", "tongue", "mouth_interior", "neck", "scalp", "ears", "boundary")
"""Parts that do not move by themselves."""
_SLIDE_MM = 0.5
"""How far a frame's skin may slide at a vertex by itself."""
_TIMES_BEND = 3.0
"""How much more skin that moves is expected to bend than a person's own shape: folds come and go."""
_ROUNDS = (ROBUST[2], ROBUST[1], ROBUST[0])
"""How soon colours count as outliers in each step: late at first, when what is looked for has not been found."""


@dataclass(frozen=True)
class _Skin:
    """The vertices whose heights are solved, and what is believed of them."""

    chosen: Bool[np.ndarray, "vertices"]
    """Of the model."""
    normals: Float[np.ndarray, "vertices 3"]
    """At rest, of the model's vertices."""
    frames: Float[np.ndarray, "surface 3 3"]
    """Normal and two directions across it, of the surface's vertices."""
    belief: sp.csr_matrix
    """Precision of the chosen heights in a frame, those around them being still."""

    @classmethod
    def of(cls, person: Person, config: TrackConfig) -> "_Skin":
        model = person.tracked.model
        rest = model.shaped(torch.from_numpy(person.identity).float(), None if person.offsets is None else torch.from_numpy(person.offsets))
        normals = vertex_normals(rest.vertices, model.faces).double().numpy()
        chosen = _skin_of(model)
        expected = belief(model, config.sigmas.dynamic_offset, _TIMES_BEND)[chosen][:, chosen]
        return cls(chosen, normals, local_frames(normals)[person.tracked.surface.vertex_idx], expected)


def _skin_of(model: HeadModel) -> Bool[np.ndarray, "vertices"]:
    """The skin of the face."""
    chosen = model.regions["face"].numpy().copy()
    for name in _STILL:
        if name in model.regions:
            chosen &= ~model.regions[name].numpy()
    return chosen


def solve_moving_skin(
    person: Person, moments: Moments, states: Mapping[int, FrameState], clock: Clock, config: TrackConfig, stage: str = "dynamic"
) -> Generator[Step, None, Person]:
    """The person with skin that moves, from where it was before; states and texture stay as they are."""
    skin, order, total = _Skin.of(person, config), sorted(states), len(_ROUNDS) * len(states)
    place = {idx: k for k, idx in enumerate(order)}
    heights = _heights(person, skin, order)
    for turn, robust in enumerate(_ROUNDS):

        def seen(moment: Moment, person: Person = person, robust: float = robust) -> tuple[int, sp.csr_matrix, Float[np.ndarray, "moving"]]:
            return moment.frame_idx, *_frame_evidence(person, moment, states[moment.frame_idx], skin, config, robust)

        matrices: list[sp.csr_matrix] = [skin.belief] * len(order)
        rights = np.zeros_like(heights)
        for done, (idx, matrix, right) in enumerate(mapped(seen, moments(None)), start=1):
            matrices[place[idx]], rights[place[idx]] = matrix, right
            yield Step(stage, turn * len(order) + done, total, frame_idx=idx)
        heights = heights + _solved(heights, matrices, rights, skin, _links(order, clock, config))
        everywhere = np.zeros((len(clock.time_s), heights.shape[1]))
        everywhere[order] = heights
        person = person.changed(moving=MovingSkin.of(everywhere, skin.chosen, skin.normals))
    return person


def _heights(person: Person, skin: _Skin, order: list[int]) -> Float[np.ndarray, "frames moving"]:
    """Those that were found before, if any."""
    if person.moving is None:
        return np.zeros((len(order), int(skin.chosen.sum())))
    along = (person.moving.modes[:, skin.chosen] * skin.normals[skin.chosen]).sum(-1)
    return person.moving.weights[order].astype(np.float64) @ along


def _frame_evidence(
    person: Person, moment: Moment, state: FrameState, skin: _Skin, config: TrackConfig, robust: float
) -> tuple[sp.csr_matrix, Float[np.ndarray, "moving"]]:
    """Normal equations of a frame's heights with its slides eliminated.

    All that a vertex's slide costs is taken to meet that vertex alone (the rows of the slides' matrix are summed): it can only be stiffer then than
    it is, so that what is left for the heights stays positive.
    """
    first, *rest = [view_evidence(sight, skin.frames, config, robust) for sight in sights(person, moment, state)]
    evidence = sum(rest, start=first)
    surface, size = person.tracked.surface, len(skin.chosen)
    matrix = evidence.matrix(surface.faces, surface.vertex_idx, size)
    right = np.zeros((size, 3))
    right[surface.vertex_idx] = evidence.right
    heights = 3 * np.flatnonzero(skin.chosen)
    slides = (heights[:, None] + [1, 2]).reshape(-1)
    coupling = matrix[slides][:, heights]
    inverse = _lumped_inverse(matrix[slides][:, slides])
    whole = matrix[heights][:, heights] - coupling.T @ inverse @ coupling
    pulled = right.reshape(-1)[heights] - coupling.T @ (inverse @ right.reshape(-1)[slides])
    return whole.tocsr(), pulled


def _lumped_inverse(stiffness: sp.csr_matrix) -> sp.bsr_matrix:
    """Inverse of the slides' stiffness, 2×2 per vertex, with what ties neighbours put on each of them."""
    count = stiffness.shape[0] // 2
    both = sp.csr_matrix(np.tile(np.eye(2), (count, 1)))
    own = (stiffness @ both).toarray().reshape(count, 2, 2) if count else np.zeros((0, 2, 2))
    own = 0.5 * (own + own.transpose(0, 2, 1)) + np.eye(2) / (_SLIDE_MM * 1e-3) ** 2
    return sp.bsr_matrix((np.linalg.inv(own), np.arange(count), np.arange(count + 1)), shape=stiffness.shape)


def _links(order: list[int], clock: Clock, config: TrackConfig) -> Float[np.ndarray, "gaps"]:
    """How strongly each frame's heights hold to those of the next (1/m²): a random walk, nothing across cuts."""
    sigma = config.motion.offset
    pairs = itertools.pairwise(order)
    return np.array([1 / (sigma**2 * clock.gap(a, b)) if config.temporal and clock.continues(a, b) else 0.0 for a, b in pairs])


def _solved(
    heights: Float[np.ndarray, "frames moving"],
    matrices: list[sp.csr_matrix],
    rights: Float[np.ndarray, "frames moving"],
    skin: _Skin,
    links: Float[np.ndarray, "gaps"],
) -> Float[np.ndarray, "frames moving"]:
    """The step of all heights together, by conjugate gradients (Hestenes & Stiefel 1952)."""
    whole = sp.block_diag([matrix + skin.belief for matrix in matrices], format="csr")
    walk = sp.diags_array([-np.ones(len(links)), np.ones(len(links))], offsets=[0, 1], shape=(len(links), len(heights)))
    chain = walk.T @ sp.diags_array(links) @ walk
    whole = whole + sp.kron(chain, sp.eye_array(heights.shape[1]), format="csr")
    believed = (skin.belief @ heights.T).T + chain @ heights
    scale = sp.diags_array(1 / whole.diagonal())
    step, _ = cg(whole, (rights - believed).ravel(), rtol=1e-4, maxiter=500, M=scale)
    return step.reshape(heights.shape)

"""What a person's skin adds to the identity: offsets of the rest head along its normals, from all views of the keyframes in one sparse system.

Texture can explain any shift along the skin, so colours speak only of the height of the skin, by how views from different sides disagree: every
vertex gets two more unknowns for the sliding of its texture, which are solved with the heights and then forgotten (as `headcast.track.joint` does for
the identity). Measured depth speaks of the height directly. What neither sees is decided by a belief in small, smooth offsets.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu

from headcast.geometry import edges_of, vertex_normals
from headcast.heads import HeadModel
from headcast.threads import mapped
from headcast.track.appearance import Texels, paint
from headcast.track.config import TrackConfig
from headcast.track.depth import depth_residuals
from headcast.track.frame import ROBUST, colour_sums
from headcast.track.gain import exposed_view
from headcast.track.person import Person
from headcast.track.person_fit import Keyframes
from headcast.track.sight import Sight, all_sights
from headcast.track.surface import across

_PAIRS = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
"""Which of a face's six structure tensors belongs to a pair of corners."""
_SLACK_PX = 0.4
"""Residuals that are no surprise, in pixels' worth of gradient, as in the joint steps."""
_BEND_MM = {"eyelids": 0.05, "lips": 0.1, "nose": 0.2, "ears": 0.4, "neck": 0.4}
"""How far a vertex is expected to stand out of the middle of its neighbours (mm), where it is not that of plain skin; later entries win."""
_BEND_SKIN_MM = 0.3
_RIGID = ("eyeballs", "teeth", "tongue", "mouth_interior")
"""Parts that have no offsets of their own."""
_RIGID_MM = 0.01
_SLIDE_MM = 1.0
"""How far texture may slide (mm); only so that no vertex is without any belief."""


@dataclass(frozen=True)
class Evidence:
    """Normal equations over heights and slides of the surface's vertices: along the normal and two directions across it, metres at rest."""

    face_blocks: Float[np.ndarray, "faces 3 3 3 3"]
    """Per face, corner, other corner: 3×3."""
    vertex_blocks: Float[np.ndarray, "vertices 3 3"]
    right: Float[np.ndarray, "vertices 3"]

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(self.face_blocks + other.face_blocks, self.vertex_blocks + other.vertex_blocks, self.right + other.right)

    def matrix(self, faces: Int[np.ndarray, "faces 3"], vertex_idx: Int[np.ndarray, "vertices"], size: int) -> sp.csr_matrix:
        """The same between heights and slides of all of the model's vertices."""
        known = np.flatnonzero(self.face_blocks.any((1, 2, 3, 4)))
        blocks = self.face_blocks[known].astype(np.float64)
        place = 3 * vertex_idx[faces[known]][..., None] + np.arange(3)
        rows = np.broadcast_to(place[:, :, None, :, None], blocks.shape)
        columns = np.broadcast_to(place[:, None, :, None, :], blocks.shape)
        own = 3 * vertex_idx[:, None] + np.arange(3)
        shape = self.vertex_blocks.shape
        data = np.concatenate([blocks.ravel(), self.vertex_blocks.ravel()])
        index = (
            np.concatenate([rows.ravel(), np.broadcast_to(own[:, :, None], shape).ravel()]),
            np.concatenate([columns.ravel(), np.broadcast_to(own[:, None, :], shape).ravel()]),
        )
        return sp.csr_matrix((data, index), shape=(3 * size, 3 * size))


def solve_offsets(keyframes: Keyframes, texels: Texels, skin: np.ndarray, config: TrackConfig, rounds: int = 4) -> Person:
    """The person with offsets, light and albedo painted anew before each step; the keyframes' states stay as they are."""
    person = keyframes.person
    normals = _normals(person)
    frames = local_frames(normals)[person.tracked.surface.vertex_idx]
    for _ in range(rounds):
        seen = all_sights(person, keyframes.moments, keyframes.states)
        if config.photometric:
            person = paint(person, texels, seen, config.sigmas.color, skin)
            seen = all_sights(person, keyframes.moments, keyframes.states)
        first, *rest = mapped(lambda sight: view_evidence(sight, frames, config), seen)
        person = person.changed(offsets=_solved(person, normals, sum(rest, start=first), config))
    return person


def _normals(person: Person) -> Float[np.ndarray, "vertices 3"]:
    """Of the person's head at rest without offsets."""
    model = person.tracked.model
    return vertex_normals(model.shaped(torch.from_numpy(person.identity).float()).vertices, model.faces).double().numpy()


def view_evidence(sight: Sight, frames: Float[np.ndarray, "vertices 3 3"], config: TrackConfig, robust: float = ROBUST[0]) -> Evidence:
    """What a view says of offsets.

    Args:
        frames: Of the surface's vertices, from `local_frames`.
        robust: How soon colours count as outliers, see `headcast.track.photometric`.
    """
    person, surface = sight.person, sight.person.tracked.surface
    count = len(surface.vertex_idx)
    picture = sight.observation.levels[0]
    view = exposed_view(person, sight.state, picture)
    face_blocks = np.zeros((len(surface.faces), 3, 3, 3, 3), np.float32)
    vertex_blocks, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    if config.photometric:
        share = config.color_information
        sums = colour_sums(person, view, picture, robust, _SLACK_PX)
        shown = np.flatnonzero(sums.weight > 0)
        moves = np.matmul(view.motion.derivatives().rest_jacobian, frames.transpose(0, 2, 1).astype(np.float32))
        rows = moves[surface.faces[shown]]
        for i in range(3):
            for j in range(3):
                xx, xy, yy = sums.tensors[shown, _PAIRS[i][j]].T
                tensor = np.stack([xx, xy, xy, yy], -1).reshape(-1, 2, 2)
                face_blocks[shown, i, j] = share * np.matmul(rows[:, i].transpose(0, 2, 1), np.matmul(tensor, rows[:, j]))
            pulled = -share * np.einsum("fra,fr->fa", rows[:, i], sums.pulls[shown, i])
            np.add.at(right, surface.faces[shown, i], pulled)
    if picture.depth is not None:
        chosen, residual, _ = depth_residuals(person, view, picture)
        sigma = config.sigmas.depth
        scaled = 1 + 0.1 * (residual / sigma) ** 2
        weight = config.depth_share * surface.vertex_weight[chosen] / (sigma**2 * scaled**2)
        rows = np.einsum("na,nab->nb", view.normals[chosen], view.motion.point_derivatives(chosen).rest_jacobian).astype(np.float64)
        rows = np.einsum("nb,nkb->nk", rows, frames[chosen])
        vertex_blocks[chosen] += weight[:, None, None] * rows[:, :, None] * rows[:, None, :]
        right[chosen] += (weight * residual)[:, None] * rows
    return Evidence(face_blocks, vertex_blocks, right)


def _solved(person: Person, normals: Float[np.ndarray, "vertices 3"], evidence: Evidence, config: TrackConfig) -> Float[np.ndarray, "vertices 3"]:
    """Offsets of all of the model's vertices, the head's back included, after one step."""
    model, surface = person.tracked.model, person.tracked.surface
    size = len(model.template)
    matrix = evidence.matrix(surface.faces, surface.vertex_idx, size)
    right = np.zeros(3 * size)
    right.reshape(size, 3)[surface.vertex_idx] = evidence.right
    expected = belief(model, config.sigmas.offset)
    heights = np.zeros(size) if person.offsets is None else (person.offsets * normals).sum(1)
    # Unknowns: per vertex its change of height and two slides of its texture.
    first = sp.csr_matrix((np.ones(size), (np.arange(size), 3 * np.arange(size))), shape=(size, 3 * size))
    slides = np.tile([0.0, 1.0, 1.0], size) / (_SLIDE_MM * 1e-3) ** 2
    system = (matrix + first.T @ expected @ first + sp.diags(slides)).tocsc()
    step = splu(system).solve(right - first.T @ (expected @ heights))
    return ((heights + step[::3])[:, None] * normals).astype(np.float32)


def local_frames(normals: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "vertices 3 3"]:
    """Rows: the normal and two directions across it."""
    return np.concatenate([normals[:, None], across(normals).transpose(0, 2, 1)], 1)


def belief(model: HeadModel, sigma: float, times_bend: float = 1.0) -> sp.csr_matrix:
    """Precision of heights: small, and near the middle of those around; a uniform Laplacian, stiff where skin is thin and shapes are fine."""
    size = len(model.template)
    a, b = edges_of(model.faces).numpy().T
    adjacency = sp.csr_matrix((np.ones(2 * len(a)), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(size, size))
    degree = np.maximum(np.asarray(adjacency.sum(1))[:, 0], 1)
    laplacian = sp.eye(size) - sp.diags(1 / degree) @ adjacency
    bend, small = np.full(size, _BEND_SKIN_MM * 1e-3), np.full(size, sigma)
    for name, width in _BEND_MM.items():
        if name in model.regions:
            bend[model.regions[name].numpy()] = width * 1e-3
    for name in _RIGID:
        if name in model.regions:
            small[model.regions[name].numpy()] = _RIGID_MM * 1e-3
    bend *= times_bend
    return (laplacian.T @ sp.diags(1 / bend**2) @ laplacian + sp.diags(1 / small**2)).tocsr()

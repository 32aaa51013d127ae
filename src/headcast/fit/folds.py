"""Lids and lips, where skin lies on skin: offsets must not push it through itself."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_matrix, identity

from headcast.fit.target import Target
from headcast.geometry.intersections import intersecting_faces

FOLDS = ("lips", "eyelids")
_STILL = ("eyeballs", "teeth", "tongue")
_SOFTENINGS = 12
_PUSHES = 15
_DEEPEST_M = 0.003
"""A vertex farther behind a face is not pushed through it: it lies on the other side of the lip."""
_STEP_M = 0.0003
_FARTHEST_M = 0.0015
"""Pushes that would move a vertex farther than this are given up."""
_APART_M = 5e-5
_UNTANGLINGS = 10
_PULL = 0.5
"""How far crossing vertices go towards the middle of their neighbours at once, as a share."""
_FARTHEST_UNTANGLED_M = 0.002


def still_vertices(target: Target) -> Bool[ndarray, "vertices"]:
    """What moves as one piece with its joint, and keeps its place."""
    return np.logical_or.reduce([target.model.regions[name].numpy() for name in _STILL])


def fold_faces(target: Target, name: str) -> Int[ndarray, "faces 3"]:
    """Faces of the outer skin on and at the rim of lips or eyelids."""
    faces = target.faces[target.visible]
    return faces[target.regions[name][faces].any(1)]


def crossings(target: Target, vertices: Float[ndarray, "vertices 3"]) -> dict[str, int]:
    """How many pairs of faces run through each other, for lips and eyelids."""
    return {name: len(intersecting_faces(vertices, fold_faces(target, name))) for name in FOLDS}


def unfolded(
    target: Target, start: Float[ndarray, "vertices 3"], offsets: Float[ndarray, "vertices 3"], laplacian: csr_matrix
) -> Float[ndarray, "vertices 3"]:
    """Offsets with which lids and lips run through themselves nowhere where the model's own shape does not, and not at all or less where it does.

    Args:
        start: the head without offsets (m).
        laplacian: each vertex less the mean of its neighbours.
    """
    mean = (identity(len(start)) - laplacian).tocsr()
    still = still_vertices(target)
    for name in FOLDS:
        faces = fold_faces(target, name)
        offsets = _softened(start, offsets, faces, mean)
        offsets = _pushed(start, offsets, faces, mean, still)
        offsets = _untangled(start, offsets, faces, mean, still)
    return offsets


def _softened(start: ndarray, offsets: ndarray, faces: ndarray, mean: csr_matrix) -> Float[ndarray, "vertices 3"]:
    """Around each crossing that offsets made, their mean over the neighbours in a circle that grows, and at last less and less of it."""
    allowed = {tuple(pair) for pair in intersecting_faces(start, faces)}
    offsets = offsets.copy()
    for attempt in range(_SOFTENINGS):
        crossed = [pair for pair in intersecting_faces(start + offsets, faces) if tuple(pair) not in allowed]
        if not crossed:
            break
        chosen = np.zeros(len(start), bool)
        chosen[faces[np.array(crossed)].reshape(-1)] = True
        for _ in range(1 + attempt // 2):
            chosen |= (mean @ chosen.astype(float)) > 0
        softened = offsets
        for _ in range(10):
            softened = np.where(chosen[:, None], mean @ softened, softened)
        offsets = np.where(chosen[:, None], softened * (1.0 if attempt < _SOFTENINGS // 3 else 0.6), offsets)
    return offsets


def _pushed(start: ndarray, offsets: ndarray, faces: ndarray, mean: csr_matrix, still: ndarray) -> Float[ndarray, "vertices 3"]:
    """Crossing faces pushed apart along their normals, little by little; the best of all steps."""
    vertices = start + offsets
    best, fewest = vertices, len(intersecting_faces(vertices, faces))
    for _ in range(_PUSHES):
        pairs = intersecting_faces(vertices, faces)
        if len(pairs) < fewest:
            best, fewest = vertices, len(pairs)
        if not len(pairs):
            break
        push, touched = _push(vertices, faces, pairs)
        for _ in range(2):
            push = np.where(touched[:, None], 0.5 * push + 0.5 * (mean @ push), 0.7 * (mean @ push))
        vertices = vertices + np.where(still[:, None], 0.0, push)
        if np.linalg.norm(vertices - start - offsets, axis=1).max() > _FARTHEST_M:
            break
    return best - start


def _untangled(start: ndarray, offsets: ndarray, faces: ndarray, mean: csr_matrix, still: ndarray) -> Float[ndarray, "vertices 3"]:
    """What no push parts, as the corner of a lid that the model's own blink folds: pulled flat between its neighbours, then pushed again.

    The best of all steps that move no vertex far.
    """
    vertices = start + offsets
    best, fewest = vertices, len(intersecting_faces(vertices, faces))
    for _ in range(_UNTANGLINGS):
        pairs = intersecting_faces(vertices, faces)
        if not len(pairs):
            break
        crossing = np.zeros(len(vertices), bool)
        crossing[faces[pairs].reshape(-1)] = True
        pulled = np.where((crossing & ~still)[:, None], (1 - _PULL) * vertices + _PULL * (mean @ vertices), vertices)
        vertices = pulled + _pushed(pulled, np.zeros_like(pulled), faces, mean, still)
        if np.linalg.norm(vertices - start - offsets, axis=1).max() > _FARTHEST_UNTANGLED_M:
            break
        left = len(intersecting_faces(vertices, faces))
        if left < fewest:
            best, fewest = vertices, left
    return best - start


def _push(vertices: ndarray, faces: ndarray, pairs: Int[ndarray, "pairs 2"]) -> tuple[Float[ndarray, "vertices 3"], Bool[ndarray, "vertices"]]:
    """Half of the way that vertices of crossing faces lie behind each other goes to each side."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    push, count = np.zeros_like(vertices), np.zeros(len(vertices))
    for one, other in (pairs.T, pairs[:, ::-1].T):
        for corner in faces[one].T:
            behind = ((vertices[corner] - corners[other, 0]) * normals[other]).sum(1)
            inside = (behind < 0) & (behind > -_DEEPEST_M)
            way = 0.5 * (_APART_M - behind[inside])[:, None] * normals[other[inside]]
            np.add.at(push, corner[inside], way)
            np.add.at(count, corner[inside], 1)
            for opposite in faces[other[inside]].T:
                np.add.at(push, opposite, -way)
                np.add.at(count, opposite, 1)
    push /= np.maximum(count, 1)[:, None]
    length = np.linalg.norm(push, axis=1, keepdims=True)
    return push * np.minimum(1.0, _STEP_M / np.maximum(length, 1e-12)), count > 0

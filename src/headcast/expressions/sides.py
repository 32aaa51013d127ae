"""Which points of a face are above and which below an opening: upper and lower lip touch, but no path on the skin between them is short."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from headcast.heads import HeadModel

_LIPS = (191, 80, 81, 82, 13, 312, 311, 310, 415), (95, 88, 178, 87, 14, 317, 402, 318, 324)
_LEFT_LIDS = (466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)
_RIGHT_LIDS = (246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)
_OUTER_LIPS = (185, 40, 39, 37, 0, 267, 269, 270, 409), (146, 91, 181, 84, 17, 314, 405, 321, 375)
RIMS = (_LIPS, _LEFT_LIDS, _RIGHT_LIDS)
"""Mouth, left eye and right eye of the person: MediaPipe's landmarks along the upper and the lower rim, opposite ones in the same place."""
OPENINGS = (tuple(inner + outer for inner, outer in zip(_LIPS, _OUTER_LIPS)), _LEFT_LIDS, _RIGHT_LIDS)
"""All landmarks above and below each, corners left out."""
_NEAR_M = 0.022
"""Along the skin; farther from an opening its sides do not matter."""
_SURE_M = 0.003
"""A point belongs to a side if the way to the other is longer by this."""
NOT_SKIN = ("eyeballs", "mouth_interior", "teeth", "tongue", "eye_sockets")


def skin_faces(model: HeadModel) -> Int[ndarray, "skin"]:
    """Numbers of the faces of the outer skin."""
    other = np.zeros(len(model.template), bool)
    for name in NOT_SKIN:
        if name in model.regions:
            other |= model.regions[name].numpy()
    return np.flatnonzero(~other[model.faces.numpy()].any(1))


def sides(model: HeadModel) -> Int[ndarray, "vertices 3"]:
    """For mouth, left and right eye: 1 above, −1 below, 0 where a vertex is far from the opening or beside its corners.

    The model must have the landmark set "mediapipe_478".
    """
    faces = model.faces.numpy()[skin_faces(model)]
    vertices = model.template.numpy().astype(np.float64)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.sort(edges, 1), axis=0)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = csr_array((np.maximum(length, 1e-9), (edges[:, 0], edges[:, 1])), shape=(len(vertices),) * 2)
    landmarks = model.landmarks["mediapipe_478"]
    corners = model.faces[landmarks.faces].numpy()
    held = landmarks.barycentric.numpy() > 0.05
    result = np.zeros((len(vertices), len(OPENINGS)), np.int64)
    for column, opening in enumerate(OPENINGS):
        above, below = (_ways(graph, corners[list(part)][held[list(part)]]) for part in opening)
        near = np.minimum(above, below) < _NEAR_M
        result[near, column] = np.sign(below - above)[near] * (np.abs(below - above) > _SURE_M)[near]
    return result


def _ways(graph: csr_array, starts: Int[ndarray, "starts"]) -> Float[ndarray, "vertices"]:
    """Length of the way along edges to the nearest start (m); three times `_NEAR_M` where it is longer than that."""
    limit = 3 * _NEAR_M
    return np.minimum(dijkstra(graph, directed=False, indices=np.unique(starts), min_only=True, limit=limit), limit)


def may_meet(point_sides: Int[ndarray, "3"], face_sides: Int[ndarray, "faces 3 3"]) -> Bool[ndarray, "faces"]:
    """Faces none of whose corners lies on the other side of an opening than the point."""
    return (face_sides * point_sides >= 0).all((1, 2))


def opposite_points(model: HeadModel, vertices: Int[ndarray, "points"], own_sides: Int[ndarray, "points 3"]) -> Int[ndarray, "pairs 2"]:
    """Pairs of the given vertices that face each other across the rims of mouth and eyes; the upper one first."""
    marks = model.landmarks["mediapipe_478"].points(model.template, model.faces).numpy()
    places = model.template.numpy()[vertices]
    pairs = []
    for column, rims in enumerate(RIMS):
        members = [np.flatnonzero(own_sides[:, column] == side) for side in (1, -1)]
        if all(len(some) for some in members):
            nearest = [some[cKDTree(places[some]).query(marks[list(rim)])[1]] for some, rim in zip(members, rims)]
            pairs.append(np.stack(nearest, 1))
    return np.concatenate([*pairs, np.zeros((0, 2), np.int64)])

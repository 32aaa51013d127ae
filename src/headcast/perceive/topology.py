"""How the 478 landmarks hang together: triangles, neighbours and left–right partners, derived from MediaPipe's published mesh edges."""

from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int32
from numpy import ndarray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import spsolve
from scipy.spatial.distance import cdist

MESH_COUNT = 468
IRIS_CENTERS = (468, 473)
"""Of the subject's right and left eye; the four ring points follow each."""
RIGHT_EYE = (33, 133, 159, 145)
"""Outer corner, inner corner, middle of the upper lid, middle of the lower lid, of the subject's right eye."""
LEFT_EYE = (263, 362, 386, 374)
FOREHEAD, CHIN = 10, 152
_MIDLINE_EDGE = (10, 151)


@cache
def triangles() -> Int32[ndarray, "852 3"]:
    """The faces of the mesh, counter-clockwise as seen from in front of the face; eyes and mouth are holes, irises have none."""
    from headcast.perceive.graphs import quiet_start

    with quiet_start():
        from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION
    linked: dict[int, set[int]] = {}
    for start, end in FACEMESH_TESSELATION:
        linked.setdefault(start, set()).add(end)
        linked.setdefault(end, set()).add(start)
    loops = {tuple(sorted((a, b, c))) for a, ends in linked.items() for b in ends for c in ends & linked[b]}
    shared = Counter(edge for loop in loops for edge in combinations(loop, 2))
    # Three edges that close a loop around other triangles are no face; each of them then lies in three loops.
    faces = [loop for loop in loops if not all(shared[edge] > 2 for edge in combinations(loop, 2))]
    return np.array(sorted(_wound_alike(faces)), np.int32)


def _wound_alike(faces: list[tuple[int, ...]]) -> list[tuple[int, int, int]]:
    """Turns the faces so that neighbours pass their shared edge in opposite directions, starting where the midline edge runs down
    the forehead with the subject's left (the higher number) to its left-hand side as seen from in front."""
    around: dict[frozenset, list[int]] = {}
    for a, b, c in faces:
        for edge, opposite in (((a, b), c), ((b, c), a), ((a, c), b)):
            around.setdefault(frozenset(edge), []).append(opposite)
    start, end = _MIDLINE_EDGE
    waiting = [(start, end, max(around[frozenset(_MIDLINE_EDGE)]))]
    wound: dict[frozenset, tuple[int, int, int]] = {}
    while waiting:
        a, b, c = waiting.pop()
        if frozenset((a, b, c)) in wound:
            continue
        wound[frozenset((a, b, c))] = (a, b, c)
        for start, end, opposite in ((b, a, c), (c, b, a), (a, c, b)):
            waiting += [(start, end, other) for other in around[frozenset((start, end))] if other != opposite]
    return list(wound.values())


@cache
def mirrored() -> Int32[ndarray, "478"]:
    """For each landmark the one on the other side of the face; those of the midline are their own partners.

    The mesh is drawn flat with its rim on a circle (Tutte 1963, "How to draw a graph"), and each point is paired with the one
    nearest to its mirror image; the diagonals of the mesh are not quite symmetric, so the drawing is not quite either.
    """
    flat = _drawn_flat()
    other_side = flat * (-1, 1)
    table = np.arange(478, dtype=np.int32)
    _, table[:MESH_COUNT] = linear_sum_assignment(cdist(flat, other_side))
    right, left = IRIS_CENTERS
    for offset, other in enumerate((0, 3, 2, 1, 4)):
        table[right + offset], table[left + other] = left + other, right + offset
    return table


def _drawn_flat() -> Float[ndarray, "468 2"]:
    """Every inner point at the mean of its neighbours, the rim on the unit circle with the top of the forehead at (0, 1)."""
    edges = neighbours()
    edges = edges[(edges[:, 0] != edges[:, 1]) & (edges < MESH_COUNT).all(axis=1)]
    rim = _rim()
    angles = 2 * np.pi * np.arange(len(rim)) / len(rim)
    inner = np.setdiff1d(np.arange(MESH_COUNT), rim)
    weights = csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(MESH_COUNT, MESH_COUNT))
    laplacian = (diags_array(weights.sum(axis=1)) - weights).tocsr()
    flat = np.zeros((MESH_COUNT, 2))
    flat[rim] = np.column_stack([np.sin(angles), np.cos(angles)])
    flat[inner] = spsolve(laplacian[inner][:, inner].tocsc(), -(laplacian[inner][:, rim] @ flat[rim]))
    return flat


def _rim() -> list[int]:
    """The outline of the face, from the top of the forehead once around."""
    passed = {edge for a, b, c in triangles().tolist() for edge in ((a, b), (b, c), (c, a))}
    following = {a: b for a, b in passed if (b, a) not in passed}
    rim = [FOREHEAD]
    while following[rim[-1]] != FOREHEAD:
        rim.append(following[rim[-1]])
    return rim


@cache
def neighbours() -> Int32[ndarray, "edges 2"]:
    """Pairs of landmarks joined by an edge, both ways round, plus each iris point with its centre and each landmark with itself."""
    faces = triangles()
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    irises = np.array([(center, center + ring) for center in IRIS_CENTERS for ring in range(1, 5)], np.int32)
    own = np.repeat(np.arange(478, dtype=np.int32)[:, None], 2, 1)
    return np.unique(np.concatenate([pairs, pairs[:, ::-1], irises, irises[:, ::-1], own]), axis=0)

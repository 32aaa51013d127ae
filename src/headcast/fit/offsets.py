"""What a head model's shapes leave over: every vertex of the skin moves onto the scan, its neighbours held alike by a sparse Laplacian."""

from collections.abc import Generator

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.sparse import coo_matrix, csr_matrix, diags, identity, kron
from scipy.sparse.linalg import splu

from headcast.fit.config import FitConfig
from headcast.fit.folds import still_vertices, unfolded
from headcast.fit.scan import Samples
from headcast.fit.target import HeadState, Target
from headcast.geometry import edges_of
from headcast.solve import Step

_ROUNDS = 6
_MOST_POINTS = 24_000
_REACH_M = (0.010, 0.6, 0.004)
"""Start, factor per round and end of the distance beyond which a point of the scan is something else."""
_FACING = 0.5
_SMOOTH = (30.0, 0.45, 1.0)
"""Start, factor per round and end of the stiffness: first the whole surface follows, then its details."""
_STIFFNESS = {"lips": 2.0, "eyelids": 2.0, "ears": 3.0, "scalp": 4.0, "neck": 6.0}
"""Stiffness of regions beside the face's."""
_TETHER = 0.003
"""Pull of every vertex to where the model's shapes put it, so that what the scan does not show stays."""


def solve_offsets(target: Target, state: HeadState, scan: Samples, config: FitConfig) -> Generator[Step, None, Float[ndarray, "vertices 3"]]:
    """Offsets of the posed head (m, head space).

    Correspondences and a linear solve alternate: Σ ρ (nᵀ(Σ bₖ(vₖ + dₖ) − x))² + stiffness · |L d|² + tether · |d|², with x points of the
    scan, n the scan's normals there, and b the place on the model that is nearest (as non-rigid ICP does, Amberg et al. 2007). Last, places where
    the skin of lids and lips would run through itself are smoothed until it does not.
    """
    start = target.vertices(state)
    moved = scan.moved(state.head_from_scan)
    near = np.flatnonzero(np.isfinite(target.nearest(start, moved.points, 0.02, exact=False).distance) & ~moved.rim)
    chosen = moved[np.random.default_rng(0).choice(near, min(_MOST_POINTS, len(near)), replace=False)]
    laplacian, still = vertex_laplacian(target), still_vertices(target)
    stiffness = _vertex_stiffness(target) * config.stiffness
    offsets = np.zeros_like(start)
    for number in range(_ROUNDS):
        reach = max(_REACH_M[0] * _REACH_M[1] ** number, _REACH_M[2])
        smooth = max(_SMOOTH[0] * _SMOOTH[1] ** number, _SMOOTH[2])
        offsets, away = _solved(target, start, offsets, chosen, laplacian, smooth * stiffness, still, reach)
        yield Step("offsets", number + 1, _ROUNDS, {"distance_mm": 1e3 * away})
    return unfolded(target, start, offsets, laplacian)


def _vertex_stiffness(target: Target) -> Float[ndarray, "vertices"]:
    result = np.ones(len(target.model.template))
    for name, factor in _STIFFNESS.items():
        result[target.regions[name]] = factor
    hidden = np.ones(len(result), bool)
    hidden[target.faces[target.visible]] = False
    result[hidden] = 2.0
    return result


def vertex_laplacian(target: Target) -> csr_matrix:
    """Each vertex less the mean of its neighbours, divided by a typical edge: rows without unit times offsets in metres."""
    count = len(target.model.template)
    edges = edges_of(target.model.faces).numpy()
    ends = np.concatenate([edges, edges[:, ::-1]])
    adjacency = coo_matrix((np.ones(len(ends)), ends.T), shape=(count, count)).tocsr()
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    return (identity(count) - diags(1 / degree) @ adjacency).tocsr()


def _solved(
    target: Target, start: ndarray, offsets: ndarray, scan: Samples, laplacian: csr_matrix, stiffness: ndarray, still: ndarray, reach: float
) -> tuple[Float[ndarray, "vertices 3"], float]:
    """New offsets, and the median distance that the points had before."""
    found = target.nearest(start + offsets, scan.points, 3 * reach, exact=False)
    agrees = found.inside & (found.distance < 2 * reach) & ((scan.normals * found.normals).sum(1) > _FACING)
    distance = np.where(agrees, found.distance, 0.0)
    weight = agrees / (1 + (distance / reach) ** 2) ** 2
    used = np.flatnonzero(weight > 1e-3)
    corners, barycentric, normals = found.corners[used], found.barycentric[used], scan.normals[used]
    # Dense samples count as one per vertex, whatever their number.
    weight = weight[used] * len(start) / max(len(scan), 1)
    values = (barycentric[..., None] * normals[:, None]).reshape(-1)
    columns = (3 * corners[..., None] + np.arange(3)).reshape(-1)
    rows = csr_matrix((values, columns, 9 * np.arange(len(used) + 1)), shape=(len(used), start.size))
    wanted = ((scan.points[used] - (start[corners] * barycentric[..., None]).sum(1)) * normals).sum(1)
    smooth = kron(laplacian.T @ diags(stiffness) @ laplacian, identity(3))
    tether = diags(np.repeat(np.where(still, 1e6, _TETHER), 3))
    matrix = (rows.T @ diags(weight) @ rows + smooth + tether).tocsc()
    solved = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0).solve(rows.T @ (weight * wanted))
    return solved.reshape(start.shape), float(np.median(found.distance[used])) if len(used) else float("nan")

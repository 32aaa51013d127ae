"""How far each landmark can be trusted: whether the face hides it from the camera, and whether two looks at it agree."""

import numba
import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from headcast.perceive.topology import IRIS_CENTERS, LEFT_EYE, MESH_COUNT, RIGHT_EYE, neighbours, triangles

_GRAZING_COS = (-0.05, 0.35)
"""Cosine of the angle between surface normal and view where a point starts to be visible, and where it fully is."""
_HIDDEN_BY = 0.04
"""How much nearer, as a share of the face's size, a surface must be to hide a point."""
_CELLS = 24
_OPEN_RATIO = (0.06, 0.16)
"""Lid gap over eye width where an iris starts to be visible, and where it fully is."""
_TRUSTED = 0.022
"""Scale of the distance of two looks, as a share of the face's size: three to four times what is usual on a clear face."""
_TRUSTED_PX = 0.6
"""The same in pixels of the picture, for faces so small that this is more."""


def self_visibility(points: Float32[ndarray, "478 3"]) -> Float32[ndarray, "478"]:
    """0 where the landmark lies on a side that faces away or behind another part of the face, 1 where it is seen freely.

    `points` are x, y, z in one unit with z growing away from the camera, the view taken as parallel. A point counts as seen where its
    surface normal faces the camera and no triangle of the mesh that does not contain it lies in front.
    """
    faces = triangles()
    mesh = points[:MESH_COUNT].astype(np.float64)
    normals = np.cross(mesh[faces[:, 1]] - mesh[faces[:, 0]], mesh[faces[:, 2]] - mesh[faces[:, 0]])
    at_points = np.zeros_like(mesh)
    for corner in range(3):
        np.add.at(at_points, faces[:, corner], normals)
    facing = -at_points[:, 2] / np.maximum(np.linalg.norm(at_points, axis=1), 1e-9)
    size = np.ptp(mesh[:, :2], axis=0).max()
    seen = np.empty(len(points), np.float32)
    seen[:MESH_COUNT] = _ramp(facing, _GRAZING_COS) * (1 - _hidden(mesh, faces, _HIDDEN_BY * size))
    for center, eye in zip(IRIS_CENTERS, (RIGHT_EYE, LEFT_EYE)):
        outer, inner, upper, lower = eye
        gap = np.linalg.norm(mesh[upper] - mesh[lower]) / max(np.linalg.norm(mesh[outer] - mesh[inner]), 1e-9)
        seen[center : center + 5] = seen[list(eye)].mean() * _ramp(gap, _OPEN_RATIO)
    return seen


def disagreement(first: Float[ndarray, "478 2"], second: Float[ndarray, "478 2"]) -> Float[ndarray, "478"]:
    """Distance of two detections of each landmark, averaged with its neighbours' on the mesh."""
    return _smoothed(_smoothed(np.linalg.norm(first - second, axis=1)))


def agreement(distance_px: Float[ndarray, "478"], face_px: float) -> Float[ndarray, "478"]:
    """Confidence 0 to 1 from how far two detections lie apart in a face of this size, both in pixels of the picture.

    It is the weight that a Geman–McClure estimator (1985) gives to that residual: 0.87 usually, 0.5 at 1.4 % of the face, 0.1 at 3.2 %.
    """
    return 1 / (1 + (distance_px / max(_TRUSTED * face_px, _TRUSTED_PX)) ** 2) ** 2


def _smoothed(values: Float[ndarray, "478"]) -> Float[ndarray, "478"]:
    pairs = neighbours()
    return np.bincount(pairs[:, 0], values[pairs[:, 1]]) / np.bincount(pairs[:, 0])


def _ramp(value, bounds: tuple[float, float]):
    low, high = bounds
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


@numba.njit(cache=True)
def _hidden(points, faces, margin):
    """1 where some triangle (of `faces`, 852×3) covers one of the points (468×3) and is nearer by more than `margin`, else 0.

    Points are sorted into cells first. Compiled functions carry no annotations: run-time checkers cannot wrap them.
    """
    first, order, low, cell = _cells(points)
    hidden = np.zeros(len(points))
    for face in range(len(faces)):
        a, b, c = points[faces[face, 0]], points[faces[face, 1]], points[faces[face, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        columns = [int((x - low[0]) / cell) for x in (min(a[0], b[0], c[0]), max(a[0], b[0], c[0]))]
        rows = [int((y - low[1]) / cell) for y in (min(a[1], b[1], c[1]), max(a[1], b[1], c[1]))]
        for row in range(rows[0], rows[1] + 1):
            for place in range(first[row * _CELLS + columns[0]], first[row * _CELLS + columns[1] + 1]):
                i = order[place]
                x, y = points[i, 0], points[i, 1]
                weight_b = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
                weight_c = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
                if weight_b < 0 or weight_c < 0 or weight_b + weight_c > 1:
                    continue
                # A triangle that has the point as its corner is at the point's own depth there and never hides it.
                if a[2] + weight_b * (b[2] - a[2]) + weight_c * (c[2] - a[2]) < points[i, 2] - margin:
                    hidden[i] = 1
    return hidden


@numba.njit(cache=True)
def _cells(points):
    """Points in the order of a grid of square cells: where each cell starts, the order, the grid's corner and its cell size."""
    low = np.array([points[:, 0].min(), points[:, 1].min()])
    cell = max(points[:, 0].max() - low[0], points[:, 1].max() - low[1]) * 1.0001 / _CELLS + 1e-9
    at = np.empty(len(points), np.int64)
    first = np.zeros(_CELLS * _CELLS + 1, np.int64)
    for i in range(len(points)):
        at[i] = int((points[i, 1] - low[1]) / cell) * _CELLS + int((points[i, 0] - low[0]) / cell)
        first[at[i] + 1] += 1
    return np.cumsum(first), np.argsort(at), low, cell

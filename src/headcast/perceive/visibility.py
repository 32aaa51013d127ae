"""How far each landmark can be trusted: whether the face hides it from the camera, and whether two looks at it agree."""

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from headcast.compiled import compiled
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


def _hidden(points: Float[ndarray, "468 3"], faces: Int[ndarray, "852 3"], margin: float) -> Float[ndarray, "468"]:
    """1 where some triangle covers one of the points and is nearer by more than `margin`, else 0."""
    low = points[:, :2].min(0)
    cell = (points[:, :2].max(0) - low).max() * 1.0001 / _CELLS + 1e-9
    column, row = ((points[:, :2] - low) / cell).astype(int).T
    first = np.cumsum(np.bincount(row * _CELLS + column + 1, minlength=_CELLS * _CELLS + 1))
    hidden = np.zeros(len(points))
    _mark_hidden(points, faces, margin, first, np.argsort(row * _CELLS + column, kind="stable"), low, cell, hidden)
    return hidden


@compiled("f8[:,::1], i4[:,::1], f8, i8[::1], i8[::1], f8[::1], f8, f8[::1]")
def _mark_hidden(points, faces, margin, first, order, low, cell, hidden):
    """Points lie in `order` by cells of a square grid that begins at `low`; those of a cell start at its entry in `first`.

    Compiled functions carry no annotations: run-time checkers cannot wrap them.
    """
    for face in range(len(faces)):
        ax, ay, az = points[faces[face, 0], 0], points[faces[face, 0], 1], points[faces[face, 0], 2]
        bx, by, bz = points[faces[face, 1], 0], points[faces[face, 1], 1], points[faces[face, 1], 2]
        cx, cy, cz = points[faces[face, 2], 0], points[faces[face, 2], 1], points[faces[face, 2], 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        left, right = int((min(ax, bx, cx) - low[0]) / cell), int((max(ax, bx, cx) - low[0]) / cell)
        top, bottom = int((min(ay, by, cy) - low[1]) / cell), int((max(ay, by, cy) - low[1]) / cell)
        for row in range(top, bottom + 1):
            for place in range(first[row * _CELLS + left], first[row * _CELLS + right + 1]):
                i = order[place]
                x, y = points[i, 0], points[i, 1]
                weight_b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                weight_c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                if weight_b < 0 or weight_c < 0 or weight_b + weight_c > 1:
                    continue
                # A triangle that has the point as its corner is at the point's own depth there and never hides it.
                if az + weight_b * (bz - az) + weight_c * (cz - az) < points[i, 2] - margin:
                    hidden[i] = 1

"""How far a fitted head lies from its scan, in millimetres: per region, both ways, and by landmarks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial import cKDTree

from headcast.fit.scan import Samples
from headcast.fit.sides import FoundFace
from headcast.fit.target import HeadState, Target

_REACH_M = 0.015
"""What is farther apart is something else: hair, clothes, holes."""
_FACING = 0.4
_NEAREST = 3.0
"""A vertex is measured where a point of the scan lies beside it, within this many times the distance between points."""


@dataclass(frozen=True)
class Distances:
    """Of one region."""

    mean_mm: float
    median_mm: float
    p95_mm: float
    count: int

    @classmethod
    def of(cls, millimetres: Float[ndarray, "n"]) -> "Distances | None":
        """None where there is nothing to measure."""
        if not len(millimetres):
            return None
        return cls(float(millimetres.mean()), float(np.median(millimetres)), float(np.percentile(millimetres, 95)), len(millimetres))


@dataclass(frozen=True)
class FitErrors:
    """All distances are in the head's millimetres."""

    scan_to_head: Mapping[str, Distances | None]
    """From points of the scan to the head's surface, by the head's region."""
    head_to_scan: Mapping[str, Distances | None]
    """From the head's vertices to the scan's surface."""
    landmarks: Distances | None
    per_vertex_mm: Float[ndarray, "vertices"]
    """From each vertex to the scan, positive outside of it; NaN where the scan shows nothing there."""

    def values(self) -> dict[str, Any]:
        """What report.json holds."""
        sides = {"scan_to_head": self.scan_to_head, "head_to_scan": self.head_to_scan}
        regions = {side: {name: _plain(found) for name, found in table.items()} for side, table in sides.items()}
        return {**regions, "landmarks": _plain(self.landmarks)}


def _plain(found: Distances | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def measured(target: Target, vertices: Float[ndarray, "vertices 3"], state: HeadState, scan: Samples, face: FoundFace) -> FitErrors:
    """Compares a head with points of its scan's outer surface, which must not be those that it was fitted to."""
    moved = scan.moved(state.head_from_scan)
    found = target.nearest(vertices, moved.points, _REACH_M)
    counted = found.inside & np.isfinite(found.distance) & ((moved.normals * found.normals).sum(1) > _FACING)
    regions = target.region_of(found)
    there = {name: Distances.of(1e3 * found.distance[counted & mask]) for name, mask in regions.items()}
    away = _vertices_to_scan(target, vertices, moved)
    known = np.isfinite(away)
    back = {name: Distances.of(1e3 * np.abs(away[known & mask])) for name, mask in target.regions.items()}
    marks = (vertices[target.landmark_corners] * target.landmarks.barycentric.double().numpy()[..., None]).sum(1)
    seen = np.isfinite(face.spread)
    misses = np.linalg.norm(state.head_from_scan.points(np.nan_to_num(face.points)) - marks, axis=1)
    return FitErrors(there, back, Distances.of(1e3 * misses[seen]), 1e3 * away)


def _vertices_to_scan(target: Target, vertices: ndarray, scan: Samples) -> Float[ndarray, "vertices"]:
    """Signed distance (m) of each skin vertex along the scan's normal; NaN where the scan has no point beside it that faces the same way."""
    skin = np.zeros(len(vertices), bool)
    skin[target.faces[target.visible]] = True
    if not len(scan):
        return np.full(len(vertices), np.nan)
    tree = cKDTree(scan.points)
    gap = float(np.median(tree.query(scan.points[:: max(1, len(scan) // 2000)], k=5)[0][:, -1]))
    distance, nearest = tree.query(vertices, distance_upper_bound=_REACH_M)
    met = skin & np.isfinite(distance)
    nearest = np.where(met, nearest, 0)
    shift, normals = vertices - scan.points[nearest], scan.normals[nearest]
    along = (shift * normals).sum(1)
    aside = np.linalg.norm(shift - along[:, None] * normals, axis=1)
    facing = (normals * target.normals(vertices)).sum(1) > _FACING
    return np.where(met & facing & (aside < _NEAREST * gap), along, np.nan)

"""How far a face lies from a measured point cloud or a scan: similarity alignment, robust distance in millimetres."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from headcast.errors import InputError
from headcast.evaluate.alignment import Pairs, align_to_planes
from headcast.geometry import Similarity, vertex_normals
from headcast.geometry.closest import ClosestPointQuery

_KEPT_SHARE = 0.85
"""Share of the nearest pairs that an alignment step uses: a cloud shows more than the face and less than all of it."""
_STEPS = 40


@dataclass(frozen=True)
class CloudError:
    """Distances between a face and a cloud, in the cloud's unit of metres."""

    median_mm: float
    """Of the cloud's points near the face to the face's surface."""
    p90_mm: float
    coverage: float
    """Share of the face's vertices that have a point of the cloud within 5 mm."""
    cloud_from_mesh: Similarity
    distances_mm: Float[np.ndarray, "points"]
    """Of the points that were measured."""


def compare_with_cloud(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    region: Bool[np.ndarray, "vertices"],
    cloud: Float[np.ndarray, "points 3"],
    start: Similarity,
    reach_mm: float = 15.0,
) -> CloudError:
    """Lays a mesh onto a cloud by trimmed iterated closest points (Chetverikov et al. 2002) with scale and measures what is left.

    The region decides what counts: each of its vertices looks for the nearest point of the cloud to align, and the points of the cloud that
    then lie within `reach_mm` of the region's surface, and not beyond its rim, are measured against that surface.

    Args:
        vertices, faces: the mesh.
        region: vertices of the face.
        cloud: measured points (m).
        start: cloud from mesh, right to a few centimetres and about 20 degrees.
        reach_mm: farther points of the cloud are something else: hair, background, shoulders.

    Raises:
        InputError: cloud and mesh do not meet.
    """
    inner = region[faces].all(1)
    if len(cloud) < 100 or not inner.any():
        raise InputError(f"expected a cloud of at least 100 points and a region with faces, found {len(cloud)} points and {int(inner.sum())} faces")
    tree = cKDTree(cloud)
    chosen = vertices[region].astype(np.float64)
    normals = vertex_normals(torch.from_numpy(vertices.astype(np.float64)), torch.from_numpy(faces.astype(np.int64))).numpy()[region]

    def pairs_at(cloud_from_mesh: Similarity) -> Pairs:
        moved = cloud_from_mesh.points(chosen)
        distance, nearest = tree.query(moved)
        kept = distance <= np.quantile(distance, _KEPT_SHARE)
        return Pairs(moved[kept], cloud[nearest[kept]], normals[kept] @ cloud_from_mesh.rotation.T)

    current = align_to_planes(pairs_at, start, _STEPS)
    surface = ClosestPointQuery(current.points(vertices.astype(np.float64)), faces[inner])
    low, high = current.points(chosen).min(0) - reach_mm / 1e3, current.points(chosen).max(0) + reach_mm / 1e3
    near = cloud[((cloud > low) & (cloud < high)).all(1)]
    if len(near) < 50:
        raise InputError(f"expected the cloud to surround the aligned face, found {len(near)} of {len(cloud)} points near it; is the start right?")
    found = surface(near)
    # A nearest point on the rim belongs to something beyond the region.
    on_rim = _touches_rim(faces[inner], found.faces, found.barycentric)
    measured = (found.distance < reach_mm / 1e3) & ~on_rim
    if measured.sum() < 50:
        raise InputError(f"expected points of the cloud within {reach_mm} mm of the aligned face, found {int(measured.sum())}; is the start right?")
    millimetres = found.distance[measured] * 1e3
    gaps, _ = tree.query(current.points(chosen))
    return CloudError(
        median_mm=float(np.median(millimetres)),
        p90_mm=float(np.percentile(millimetres, 90)),
        coverage=float((gaps < 5e-3).mean()),
        cloud_from_mesh=current,
        distances_mm=millimetres,
    )


def _touches_rim(faces: np.ndarray, face: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """Whether a nearest point lies on an edge that belongs to one face only."""
    edges = np.sort(np.stack([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]], 1), axis=2)
    _, inverse, counts = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True, return_counts=True)
    rim = (counts[inverse.reshape(-1)] == 1).reshape(-1, 3)
    return ((barycentric < 1e-9) & rim[face]).any(1)

"""The outer surface of a scan's head as oriented points: what can be seen from outside, facing where it is seen from."""

from dataclasses import replace

import numpy as np
from numpy import ndarray
from scipy.spatial import cKDTree

from headcast.errors import InputError
from headcast.fit.looks import ALL_SIDES, Looker, camera_towards
from headcast.fit.scan import Samples, Scan, plane_normals, samples_of_mesh
from headcast.geometry import Similarity
from headcast.threads import mapped

_AROUND_M = 0.22
"""Radius about the head's middle in which points are used: beyond are shoulders and backgrounds."""
_MIDDLE_M = np.array([0.0, -0.02, -0.07])
_SLACK_M = 0.003
_PICTURE_PX = 420
_FEWEST = 300
_NEIGHBOURS = 16
_SOLID = 0.4
"""Opacity of a 3D Gaussian above which it is taken for a point of the surface."""


def outer_samples(scan: Scan, head_from_scan: Similarity, count: int) -> Samples:
    """Up to `count` points of the head's outer surface, in the scan's space.

    What lies inside (teeth, eyeballs behind lids, the back of a face) is left out, and normals point outward whatever the file says.

    Raises:
        InputError: the scan has next to nothing around the face.
    """
    rng = np.random.default_rng(0)
    near = cropped(scan.moved(head_from_scan))
    samples = samples_of_mesh(near, 2 * count, rng) if near.is_mesh else _samples_of_cloud(near, 2 * count, rng)
    looker, votes, seen = Looker(near.without_colors()), np.zeros(len(samples)), np.zeros(len(samples), bool)
    cameras = [camera_towards(_MIDDLE_M, direction, None, 2.2 * _AROUND_M, _PICTURE_PX, 1.5) for direction in ALL_SIDES]
    for direction, look in zip(ALL_SIDES, mapped(looker, cameras)):
        towards = samples.normals @ direction
        here = look.sees(samples.points, _SLACK_M) & (np.abs(towards) > 0.2)
        seen |= here
        votes += here * towards
    outer = samples[seen]
    if len(outer) < _FEWEST:
        raise InputError(f"expected the surface of a head around the face that was found, found {len(outer)} points of it on {scan.name!r}")
    outer = replace(outer, normals=outer.normals * np.where(votes[seen] < 0, -1.0, 1.0)[:, None])
    chosen = rng.choice(len(outer), min(count, len(outer)), replace=False)
    return outer[chosen].moved(head_from_scan.inverse())


def cropped(scan: Scan) -> Scan:
    """What lies around the head of a scan in head space."""
    inside = np.linalg.norm(scan.vertices - _MIDDLE_M, axis=1) < _AROUND_M
    if scan.faces is None:
        return scan.chosen(inside)
    kept = inside[scan.faces].any(1)
    return replace(scan, faces=scan.faces[kept], uv=None if scan.uv is None else scan.uv[kept])


def _samples_of_cloud(scan: Scan, count: int, rng: np.random.Generator) -> Samples:
    """Points of a cloud that have company, with the normals of the planes through their neighbours where the file has none."""
    if scan.opacity is not None:
        scan = scan.chosen(scan.opacity > _SOLID)
    tree = cKDTree(scan.vertices)
    chosen = rng.choice(len(scan.vertices), min(count, len(scan.vertices)), replace=False)
    distance, neighbours = tree.query(scan.vertices[chosen], k=min(_NEIGHBOURS, len(scan.vertices)), workers=-1)
    crowded = distance[:, -1] < 4 * np.median(distance[:, -1])
    chosen, neighbours = chosen[crowded], neighbours[crowded]
    around = scan.vertices[neighbours]
    middle = around.mean(1)
    points, normals = scan.vertices[chosen], plane_normals(around) if scan.normals is None else scan.normals[chosen]
    # Noise across the surface is averaged away over the neighbours.
    points = points + ((middle - points) * normals).sum(1, keepdims=True) * normals
    return Samples(points, normals, rim_of_cloud(points, normals, middle, distance[crowded][:, -1]))


def rim_of_cloud(points: ndarray, normals: ndarray, middle: ndarray, radius: ndarray) -> ndarray:
    """Points whose neighbours all lie to one side: the middle of theirs is far from them."""
    return np.linalg.norm(middle - points, axis=1) > 0.35 * radius

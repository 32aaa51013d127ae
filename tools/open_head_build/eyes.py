"""Eyeballs: spheres of anatomical size in place of the oversized ones of the base mesh, and eye sockets that hug them.

The base mesh has eyeballs of 33 mm diameter, which makes gaze angles a quarter too small. Ours have the diameter of real ones, sit
inside the old ones behind the same lids, and turn about their centres.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

RADIUS_M = 0.0132
"""Of an eyeball of the mean head; real ones measure 12–12.5 mm, and the lids of the base mesh are made for larger ones."""
CENTRE_SHIFT_M = np.array([0.0, -0.0020, 0.0026])
"""From the centre of the base mesh's eyeball to ours: forwards, so that the front stays behind the lids, and to the middle of the opening."""
IRIS_RADIUS_M = 0.0059
PUPIL_RADIUS_M = 0.0022
_RING_ANGLES_DEG = (18.0, 0.0, 32.0, 42.0, 54.0, 68.0, 84.0, 104.0, 130.0)
"""Polar angles of the rings behind the pupil's; zero stands for the rim of the iris."""
_SEGMENTS = 16


@dataclass(frozen=True)
class Eyeball:
    """A sphere around the origin that looks along +Z, in units of its radius."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    uv: Float[np.ndarray, "uvs 2"]
    """Polar map around the pupil: the distance from (0, 0) is the polar angle divided by π. The back pole appears once per segment."""
    uv_faces: Int[np.ndarray, "faces 3"]
    mirror: Int[np.ndarray, "vertices"]
    """Counterpart under a change of the sign of x."""


def eyeball() -> Eyeball:
    """A sphere of rings, with a ring along the rim of the pupil and one along the rim of the iris."""
    pupil, iris = np.arcsin(PUPIL_RADIUS_M / RADIUS_M), np.arcsin(IRIS_RADIUS_M / RADIUS_M)
    polar = np.array([pupil] + [np.deg2rad(angle) if angle else iris for angle in _RING_ANGLES_DEG])
    around = 2 * np.pi * np.arange(_SEGMENTS) / _SEGMENTS
    rings = np.stack(
        [np.sin(polar)[:, None] * np.cos(around), np.sin(polar)[:, None] * np.sin(around), np.cos(polar)[:, None] * np.ones_like(around)], -1
    )
    vertices = np.concatenate([[[0.0, 0, 1]], rings.reshape(-1, 3), [[0.0, 0, -1]]])
    faces = _ring_faces(len(polar))
    apart = (np.arange(_SEGMENTS) + 0.5) * 2 * np.pi / _SEGMENTS
    turned = np.concatenate([np.arctan2(vertices[:-1, 1], vertices[:-1, 0]), apart])
    radius = np.concatenate([np.arccos(np.clip(vertices[:-1, 2], -1, 1)) / np.pi, np.ones(_SEGMENTS)])
    uv_faces = faces.copy()
    uv_faces[faces == len(vertices) - 1] += np.arange(_SEGMENTS)
    uv = np.stack([radius * np.cos(turned), radius * np.sin(turned)], -1)
    return Eyeball(vertices, faces, uv, uv_faces, _ring_mirror(len(polar)))


def _ring_faces(rings: int) -> Int[np.ndarray, "faces 3"]:
    faces = []
    for k in range(_SEGMENTS):
        after = (k + 1) % _SEGMENTS
        faces.append((0, 1 + k, 1 + after))
        for ring in range(rings - 1):
            a, b = 1 + ring * _SEGMENTS + k, 1 + ring * _SEGMENTS + after
            c, d = a + _SEGMENTS, b + _SEGMENTS
            faces += [(a, c, d), (a, d, b)]
        last = 1 + (rings - 1) * _SEGMENTS
        faces.append((last + k, 1 + rings * _SEGMENTS, last + after))
    return np.array(faces)


def _ring_mirror(rings: int) -> Int[np.ndarray, "vertices"]:
    other = (_SEGMENTS // 2 - np.arange(_SEGMENTS)) % _SEGMENTS
    inner = (1 + _SEGMENTS * np.arange(rings)[:, None] + other).ravel()
    return np.concatenate([[0], inner, [1 + _SEGMENTS * rings]])


def fitted_spheres(points: Float[np.ndarray, "people n 3"]) -> tuple[Float[np.ndarray, "people 3"], Float[np.ndarray, "people"]]:
    """Centre and radius of the sphere nearest to each set of points, by linear least squares on |p|² = 2 p·c + (r² − |c|²)."""
    ones = np.ones((*points.shape[:2], 1))
    system = np.concatenate([2 * points, ones], -1)
    solution = np.linalg.solve(np.einsum("pni,pnj->pij", system, system), np.einsum("pni,pn->pi", system, (points**2).sum(-1))[..., None])[..., 0]
    return solution[:, :3], np.sqrt(solution[:, 3] + (solution[:, :3] ** 2).sum(-1))


def hugged(
    socket: Float[np.ndarray, "people n 3"], centre: Float[np.ndarray, "people 3"], radius: Float[np.ndarray, "people"], gap_m: float = 0.0004
) -> Float[np.ndarray, "people n 3"]:
    """The vertices of a socket moved along the line to the eyeball's centre until they lie `gap_m` outside it."""
    away = socket - centre[:, None]
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    return centre[:, None] + away / distance * (radius[:, None, None] + gap_m)

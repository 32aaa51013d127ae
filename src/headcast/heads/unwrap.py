"""A texture layout for meshes that come without one.

It is serviceable, not beautiful: the largest part is unrolled from a cylinder, every other part lies as a disc in a row below it.
"""

import numpy as np
from jaxtyping import Float, Int

from headcast.heads.regions import components

_ROW_HEIGHT = 0.2
"""Height of the row of small parts."""
_MARGIN = 0.01


def unwrapped(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> tuple[Float[np.ndarray, "uvs 2"], Int[np.ndarray, "faces 3"]]:
    """Texture positions (0–1, lower left corner first) and their faces.

    Positions 0 to `len(vertices) − 1` belong to the vertices; those behind them repeat vertices at the seam, which lies at the back of the head.
    """
    part = components(faces, len(vertices))
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    uv = np.full((len(vertices), 2), 0.5)
    uv[part == 0] = _cylinder(vertices[part == 0])
    small = [k for k in range(1, part.max() + 1) if used[part == k].all()]
    cell = 1.0 / max(len(small), 1)
    for idx, k in enumerate(small):
        size = min(cell, _ROW_HEIGHT) - 2 * _MARGIN * min(cell, _ROW_HEIGHT) / _ROW_HEIGHT
        corner = np.array([(idx + 0.5) * cell, _ROW_HEIGHT / 2]) - size / 2
        uv[part == k] = corner + _disc(vertices[part == k]) * size
    return _cut_at_seam(uv, faces, part == 0)


def _cylinder(vertices: np.ndarray) -> np.ndarray:
    """Angle about the vertical axis and height; u leaves room on the right for the seam's second copy."""
    centre = (vertices.min(0) + vertices.max(0)) / 2
    turn = np.arctan2(vertices[:, 0] - centre[0], vertices[:, 2] - centre[2]) / (2 * np.pi) + 0.5
    height = (vertices[:, 1] - vertices[:, 1].min()) / max(np.ptp(vertices[:, 1]), 1e-12)
    return np.stack([0.01 + 0.9 * turn, _ROW_HEIGHT + _MARGIN + (1 - _ROW_HEIGHT - 2 * _MARGIN) * height], 1)


def _disc(vertices: np.ndarray) -> np.ndarray:
    """Azimuthal map about +Z: the front of the part in the middle of the disc, its back at the rim (0–1)."""
    direction = vertices - (vertices.min(0) + vertices.max(0)) / 2
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    angle = np.arccos(np.clip(direction[:, 2], -1, 1)) / np.pi
    radius = np.maximum(np.linalg.norm(direction[:, :2], axis=1, keepdims=True), 1e-12)
    return 0.5 + 0.5 * angle[:, None] * direction[:, :2] / radius


def _cut_at_seam(uv: np.ndarray, faces: np.ndarray, rolled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces that reach around the seam get copies of their left corners, moved one turn to the right.

    A face near the seam has its three corners within a small angle, so a wide span of u can only mean the other way round. A face whose copy
    would leave the picture (it spans more than a tenth of the turn) is clamped to the picture's right edge.
    """
    span = uv[faces, 0]
    crossing = rolled[faces].all(1) & (np.ptp(span, axis=1) > 0.45)
    uv_faces = faces.copy()
    left = crossing[:, None] & (span < 0.46)
    moved, inverse = np.unique(faces[left], return_inverse=True)
    copies = uv[moved] + [0.9, 0.0]
    uv_faces[left] = len(uv) + inverse
    return np.concatenate([uv, np.minimum(copies, [1.0, 1.0])]), uv_faces

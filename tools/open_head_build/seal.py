"""Lips of the mean head that just touch: averaging people leaves a slit of a few tenths of a millimetre."""

import numpy as np
from jaxtyping import Bool, Float, Int

from open_head_build.rig import laplacian

OVERLAP_M = 0.0003
_REACH_M = 0.0030


def sealed_lips(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    mouth: Bool[np.ndarray, "vertices"],
    seam: Bool[np.ndarray, "vertices"],
) -> Float[np.ndarray, "vertices 3"]:
    """The head with its lips moved together along the seam until they overlap by `OVERLAP_M`.

    Args:
        vertices: symmetric neutral head in head space (m).
        faces: its triangles.
        mouth: vertices of the lips and of the mouth's inner surface, the only ones that move.
        seam: those of them near the line where the lips meet.
    """
    upper, lower = _lips(vertices, faces, seam)
    above, below = _samples(vertices, faces, upper), _samples(vertices, faces, lower)
    columns = np.linspace(-0.026, 0.026, 53)
    slit = np.array([_slit(above, below, x) for x in columns])
    known = np.isfinite(slit[:, 0])
    columns, slit = columns[known], slit[known]
    close_by = np.clip(slit[:, 0] + OVERLAP_M, 0, None)
    close_by = np.convolve(np.pad(close_by, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    x = np.abs(vertices[:, 0])
    amount = np.interp(x, columns, (close_by + close_by[::-1]) / 2, right=0.0)
    centre = np.stack([vertices[:, 0], np.interp(x, columns, slit[:, 1]), np.interp(x, columns, slit[:, 2])], -1)
    reach = np.exp(-((vertices - centre) ** 2).sum(1) / (2 * _REACH_M**2))
    side = _side(vertices, faces, mouth, upper, lower)
    result = vertices.copy()
    result[:, 1] -= np.where(mouth, side * amount * reach / 2, 0.0)
    return result


def _lips(vertices: np.ndarray, faces: np.ndarray, seam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lip vertices that look down (upper lip) and up (lower lip)."""
    corner = vertices[faces]
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]))
    up = normals[:, 1] / np.linalg.norm(normals, axis=1)
    return np.flatnonzero(seam & (up < -0.3)), np.flatnonzero(seam & (up > 0.3))


def _samples(vertices: np.ndarray, faces: np.ndarray, members: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """Points on the faces around these vertices, a few tenths of a millimetre from one another."""
    steps = 8
    grid = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    return (grid @ vertices[faces[np.isin(faces, members).sum(1) >= 2]]).reshape(-1, 3)


def _slit(upper: np.ndarray, lower: np.ndarray, x: float) -> tuple[float, float, float]:
    """The narrowest gap (m, negative where the lips overlap) near a vertical plane, and the height and depth of its middle."""
    above, below = upper[np.abs(upper[:, 0] - x) < 0.0006], lower[np.abs(lower[:, 0] - x) < 0.0006]
    if len(above) == 0 or len(below) == 0:
        return np.nan, np.nan, np.nan
    gap = above[:, None, 1] - below[None, :, 1] + 2 * np.clip(np.abs(above[:, None, 2] - below[None, :, 2]) - 0.0005, 0, None)
    a, b = np.unravel_index(gap.argmin(), gap.shape)
    return above[a, 1] - below[b, 1], (above[a, 1] + below[b, 1]) / 2, (above[a, 2] + below[b, 2]) / 2


def _side(vertices: np.ndarray, faces: np.ndarray, mouth: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """+1 on what belongs to the upper lip, −1 on the lower, by spreading the two along the surface until they meet."""
    system = laplacian(faces, len(vertices))
    side = np.zeros(len(vertices))
    for _ in range(60):
        side[upper], side[lower] = 1.0, -1.0
        side = np.where(mouth, side - 0.5 * (system @ side) / np.maximum(system.diagonal(), 1), 0.0)
    side[upper], side[lower] = 1.0, -1.0
    return np.tanh(3 * side)

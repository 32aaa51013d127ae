"""Paints a tracked head into pictures, fast enough to follow a camera: a shaded or textured surface over a background, and dots."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8
from numba import njit, prange
from numpy import ndarray

from headcast.heads import HeadModel
from headcast.render import rasterize_arrays

_CLAY = (0.80, 0.74, 0.70)
_TINTS = {
    "lips": (0.85, 0.50, 0.48),
    "mouth_interior": (0.45, 0.16, 0.16),
    "tongue": (0.80, 0.40, 0.42),
    "teeth": (0.97, 0.96, 0.92),
    "eyeballs": (0.98, 0.98, 0.98),
    "irises": (0.16, 0.33, 0.55),
}
"""Colours of regions, sRGB, so that gaze and mouth can be read from an untextured head; later ones win."""

_SRGB = np.clip(
    255 * np.where(np.linspace(0, 1, 4097) <= 0.0031308, 12.92 * np.linspace(0, 1, 4097), 1.055 * np.linspace(0, 1, 4097) ** (1 / 2.4) - 0.055),
    0,
    255,
).astype(np.float32)
"""sRGB bytes of linear values 0 to 1, in 4096 steps."""


@dataclass(frozen=True)
class Paintable:
    """What of a head model is needed to paint it, as arrays."""

    faces: Int32[ndarray, "faces 3"]
    uv: Float32[ndarray, "faces 3 2"]
    tint: Float32[ndarray, "vertices 3"]
    """Linear colour of each vertex where there is no texture."""

    @classmethod
    def of(cls, model: HeadModel) -> "Paintable":
        tint = np.tile(np.array(_CLAY, np.float32), (len(model.template), 1))
        for name, color in _TINTS.items():
            if name in model.regions:
                tint[model.regions[name].numpy()] = color
        return cls(model.faces.numpy().astype(np.int32), model.uv[model.uv_faces].numpy().astype(np.float32), tint**2.2)


def paint_surface(
    picture: UInt8[ndarray, "height width 3"],
    positions: Float32[ndarray, "vertices 3"],
    light: Float32[ndarray, "vertices 3"],
    paintable: Paintable,
    albedo: Float32[ndarray, "side side 3"] | None = None,
    opacity: float = 1.0,
) -> None:
    """Paints a head over a picture, in place.

    Args:
        positions: (x_px, y_px, depth_m) of the vertices in the picture.
        light: linear shading of the vertices; colour = albedo (or the model's tints, without one) · light.
        albedo: linear texture in the model's atlas, or None.
        opacity: 1 hides what is behind.
    """
    face, weights, _ = rasterize_arrays(positions, paintable.faces, *picture.shape[:2])
    if albedo is None:
        _paint_vertices(picture, face, weights, paintable.faces, light * paintable.tint, np.float32(opacity), _SRGB)
    else:
        _paint_texture(picture, face, weights, paintable.faces, light, paintable.uv, albedo, np.float32(opacity), _SRGB)


def paint_dots(picture: UInt8[ndarray, "height width 3"], points: Float[ndarray, "dots 2"], color: tuple[int, int, int], size_px: int = 2) -> None:
    """Square dots centred on positions in pixels, in place; those outside of the picture are left out."""
    corner = np.round(points - size_px / 2).astype(int)
    for down in range(size_px):
        for right in range(size_px):
            x, y = corner[:, 0] + right, corner[:, 1] + down
            inside = (x >= 0) & (y >= 0) & (x < picture.shape[1]) & (y < picture.shape[0])
            picture[y[inside], x[inside]] = color


@njit(parallel=True, fastmath=True, cache=True)
def _paint_vertices(picture, face, weights, faces, colors, opacity, srgb):
    for y in prange(picture.shape[0]):
        for x in range(picture.shape[1]):
            f = face[y, x]
            if f < 0:
                continue
            for k in range(3):
                value = np.float32(0.0)
                for corner in range(3):
                    value += weights[y, x, corner] * colors[faces[f, corner], k]
                shown = srgb[int(min(max(value, np.float32(0.0)), np.float32(1.0)) * np.float32(4096.0))]
                picture[y, x, k] = np.uint8(picture[y, x, k] + opacity * (shown - picture[y, x, k]))


@njit(parallel=True, fastmath=True, cache=True)
def _paint_texture(picture, face, weights, faces, light, uv, albedo, opacity, srgb):
    rows, columns = albedo.shape[0], albedo.shape[1]
    for y in prange(picture.shape[0]):
        for x in range(picture.shape[1]):
            f = face[y, x]
            if f < 0:
                continue
            u, v = np.float32(0.0), np.float32(0.0)
            for corner in range(3):
                u += weights[y, x, corner] * uv[f, corner, 0]
                v += weights[y, x, corner] * uv[f, corner, 1]
            # The albedo's first row is at v = 1; texel centres lie at halves.
            column = min(max(u * columns - np.float32(0.5), np.float32(0.0)), np.float32(columns - 1.001))
            row = min(max((1 - v) * rows - np.float32(0.5), np.float32(0.0)), np.float32(rows - 1.001))
            i, j = int(row), int(column)
            down, right = row - i, column - j
            for k in range(3):
                upper = albedo[i, j, k] + right * (albedo[i, j + 1, k] - albedo[i, j, k])
                lower = albedo[i + 1, j, k] + right * (albedo[i + 1, j + 1, k] - albedo[i + 1, j, k])
                value = upper + down * (lower - upper)
                shade = np.float32(0.0)
                for corner in range(3):
                    shade += weights[y, x, corner] * light[faces[f, corner], k]
                shown = srgb[int(min(max(value * shade, np.float32(0.0)), np.float32(1.0)) * np.float32(4096.0))]
                picture[y, x, k] = np.uint8(picture[y, x, k] + opacity * (shown - picture[y, x, k]))

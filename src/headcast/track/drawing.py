"""Paints heads for the overlay, fast enough to follow a camera. One small kernel, because every kernel costs the first run its compilation:
a plainly coloured head is a textured one whose texture is white."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, UInt8
from numpy import ndarray

from headcast.compiled import compiled
from headcast.heads import HeadModel
from headcast.render import srgb_from_linear

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

_SRGB = (255 * srgb_from_linear(torch.linspace(0, 1, 4097))).numpy().astype(np.float32)
"""sRGB bytes of linear values 0 to 1, in 4096 steps."""


def region_colors(model: HeadModel) -> Float32[ndarray, "vertices 3"]:
    """A plain colour (sRGB 0–1) for each vertex, by region."""
    colors = np.tile(np.array(_CLAY, np.float32), (len(model.template), 1))
    for name, color in _TINTS.items():
        if name in model.regions:
            colors[model.regions[name].numpy()] = color
    return colors


@dataclass(frozen=True)
class Surface:
    """A head model's faces and what is printed on them, as arrays that are ready to paint."""

    faces: Int32[ndarray, "faces 3"]
    uv: Float32[ndarray, "faces 3 2"]
    albedo: Float32[ndarray, "texture_height texture_width 3"]
    """Linear."""

    @classmethod
    def textured(cls, model: HeadModel, albedo: Float[ndarray, "texture_height texture_width 3"]) -> "Surface":
        uv = model.uv[model.uv_faces].numpy()
        return cls(model.faces.numpy().astype(np.int32), uv.astype(np.float32), np.ascontiguousarray(albedo, np.float32))

    @classmethod
    def white(cls, model: HeadModel) -> "Surface":
        """Shows the light that falls on it."""
        return cls.textured(model, np.ones((2, 2, 3)))


def paint_faces(
    picture: UInt8[ndarray, "height width 3"],
    face: Int32[ndarray, "height width"],
    weights: Float32[ndarray, "height width 3"],
    light: Float32[ndarray, "vertices 3"],
    surface: Surface,
    opacity: float = 1.0,
) -> None:
    """Paints a head that was rasterised already (see `rasterize_arrays`) over a picture, in place; other threads may work meanwhile.

    Args:
        light: linear, at the vertices; colour = albedo · light.
        opacity: 1 hides what is behind.
    """
    _paint(picture, face, weights, surface.faces, light, surface.uv, surface.albedo, _SRGB, np.float32(opacity))


def headlight(normals_in_camera: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 1"]:
    """Linear shading by a lamp above the camera's right and a little light from everywhere."""
    facing = normals_in_camera @ np.array([0.35, -0.4, -0.85], np.float32)
    return (0.05 + 0.8 * np.maximum(facing, 0) ** 1.4)[:, None]


def paint_dots(picture: UInt8[ndarray, "height width 3"], points: Float[ndarray, "dots 2"], color: tuple[int, int, int], size_px: int = 2) -> None:
    """Square dots centred on positions in pixels, in place; those outside of the picture are left out."""
    corner = np.round(points - size_px / 2).astype(int)
    for down in range(size_px):
        for right in range(size_px):
            x, y = corner[:, 0] + right, corner[:, 1] + down
            inside = (x >= 0) & (y >= 0) & (x < picture.shape[1]) & (y < picture.shape[0])
            picture[y[inside], x[inside]] = color


@compiled("u1[:,:,:], i4[:,::1], f4[:,:,::1], i4[:,::1], f4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[::1], f4")
def _paint(picture, face, weights, faces, light, uv, albedo, srgb, opacity):
    rows, columns = albedo.shape[0], albedo.shape[1]
    for y in range(picture.shape[0]):
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
                shade = np.float32(0.0)
                for corner in range(3):
                    shade += weights[y, x, corner] * light[faces[f, corner], k]
                value = (upper + down * (lower - upper)) * shade
                shown = srgb[int(min(max(value, np.float32(0.0)), np.float32(1.0)) * np.float32(4096.0) + np.float32(0.5))]
                picture[y, x, k] = np.uint8(picture[y, x, k] + opacity * (shown - picture[y, x, k]) + np.float32(0.5))

"""What surrounds a synthetic head: the camera, the light, the wall behind it."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from headcast.evaluate.synth.noise import fractal_noise
from headcast.geometry import Camera, Transform
from headcast.render import sh_basis

_HEAD_HEIGHT_M = 0.24


def random_camera(size: tuple[int, int], fill: float, rng: np.random.Generator) -> tuple[Camera, float]:
    """A camera at the world's origin that looks along −Z, and how far from it (m) a head fills that share of the image's height.

    The focal length is 0.9–2.2 times the longer side, from a laptop's camera to a portrait lens.
    """
    height, width = size
    focal_px = max(height, width) * float(np.exp(rng.uniform(np.log(0.9), np.log(2.2))))
    camera = Camera.looking_along_minus_z(focal_px, size)
    return camera, focal_px * _HEAD_HEIGHT_M / (fill * height)


def around(first: Camera, count: int, arc_deg: float, distance_m: float) -> tuple[Camera, ...]:
    """The camera and others like it on an arc around a head that is so far in front of it, by turns above and below, all looking at the head."""
    target = torch.tensor([0.0, 0.0, -distance_m])
    cameras = [first]
    for k in range(1, count):
        side = (k + 1) // 2 * (1 if k % 2 else -1)
        azimuth = np.radians(arc_deg * side / count)
        height = np.radians((0.0, 14.0, -10.0)[k % 3])
        away = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
        right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
        rotation = torch.from_numpy(np.stack([right, -np.cross(away, right), -away])).float()
        place = target + distance_m * torch.from_numpy(away).float()
        cameras.append(replace(first, camera_from_world=Transform(rotation, -rotation @ place)))
    return tuple(cameras)


def random_light(strength: float, rng: np.random.Generator) -> Float[torch.Tensor, "9 3"]:
    """Coloured light as spherical harmonics in world space: a soft surrounding, a main lamp from the front half and up to two more.

    Args:
        strength: share of the lamps; 0 is even light from everywhere.
    """
    total = np.zeros((9, 3))
    total[0] = (1 - 0.75 * strength) * _lamp_color(rng)
    lamps = int(rng.integers(1, 4))
    for number in range(lamps):
        spread = 1.1 if number == 0 else 2.2
        azimuth, height = rng.uniform(-spread, spread), rng.uniform(-0.3, 1.0)
        direction = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
        total += strength * rng.uniform(0.3, 1.0) * (1.0 if number == 0 else 0.6) * lamp(direction, _lamp_color(rng))
    towards_camera = sh_basis(torch.from_numpy(_front_normals())).numpy() @ total
    return torch.from_numpy(total * rng.uniform(0.75, 1.05) / np.percentile(towards_camera, 95)).float()


def lamp(direction: Float[np.ndarray, "3"], color: Float[np.ndarray, "3"]) -> Float[np.ndarray, "9 3"]:
    """A far lamp's shading of a matt surface, up to second order (Ramamoorthi & Hanrahan 2001, eq. 12 with A = 1, 2/3, 1/4, per unit of light).

    The order of the polynomials is that of `Track.light`: 1, y, z, x, xy, yz, 3z²−1, xz, x²−y².
    """
    x, y, z = direction
    shares = [1 / 4, y / 2, z / 2, x / 2, 15 / 16 * x * y, 15 / 16 * y * z, 5 / 64 * (3 * z * z - 1), 15 / 16 * x * z, 15 / 64 * (x * x - y * y)]
    return np.outer(shares, color)


def random_background(kind: str, size: tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, "height width 3"]:
    """A still background, linear: "plain" (a shaded wall), "noise" (blurred clutter) or "room" (edges, shelves and pictures)."""
    height, width = size
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    points = np.stack([columns.ravel(), rows.ravel()], 1)
    base = _paint(rng)
    shade = 1 + rng.uniform(-0.5, 0.5) * (columns - 0.5) + rng.uniform(-0.5, 0.5) * (rows - 0.5)
    picture = base * shade[..., None] * np.exp(0.03 * fractal_noise(points, (0.02, 0.006), (1.0, 0.7), rng).reshape(height, width, 1))
    if kind == "noise":
        for channel in range(3):
            picture[..., channel] *= np.exp(0.5 * fractal_noise(points, (0.5, 0.22, 0.1, 0.05), (1.0, 0.8, 0.5, 0.3), rng).reshape(height, width))
    if kind == "room":
        for _ in range(14):
            box = picture[_random_box(height, width, rng)]
            box[:] = _paint(rng) * (0.9 + 0.2 * rng.random((*box.shape[:2], 1)))
    return np.clip(picture, 0.0, 1.0).astype(np.float32)


def _paint(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """The colour of a wall or a thing: mostly dull."""
    return np.exp(rng.uniform(np.log(0.04), np.log(0.6))) * np.exp(0.25 * rng.standard_normal(3))


def _random_box(height: int, width: int, rng: np.random.Generator) -> tuple[slice, slice]:
    top, left = int(rng.uniform(-0.1, 0.95) * height), int(rng.uniform(-0.1, 0.95) * width)
    bottom, right = top + int(rng.uniform(0.04, 0.4) * height), left + int(rng.uniform(0.04, 0.3) * width)
    return slice(max(top, 0), max(bottom, 1)), slice(max(left, 0), max(right, 1))


def _lamp_color(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Between candle light and shade, of mean one."""
    warmth = rng.uniform(-1, 1)
    color = np.array([1 + 0.16 * warmth, 1.0 + 0.02 * rng.standard_normal(), 1 - 0.20 * warmth])
    return color / color.mean()


def _front_normals() -> Float[np.ndarray, "n 3"]:
    """Directions spread over the half of the sphere that looks at the camera."""
    turn, rise = np.meshgrid(np.linspace(-1.2, 1.2, 13), np.linspace(-0.9, 0.9, 9))
    return np.stack([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)], -1).reshape(-1, 3)

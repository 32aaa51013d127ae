"""What a camera sees of a scan: a picture for the landmark network, and the depth behind each pixel."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from numpy import ndarray

from headcast.fit.kernels import draw_splats
from headcast.fit.scan import Scan
from headcast.geometry import Camera, Transform, vertex_normals
from headcast.render import image_positions, rasterize_arrays

_BACKGROUND = (0.55, 0.57, 0.60)
_LAMP = np.array([0.25, -0.45, -0.86])
"""Towards the light in camera axes: from above and a little from one side, as photographs are lit."""
_CLOSED = 1.5
"""Diameter of a drawn point over the distance between points, so that surfaces are closed."""
_UPRIGHT = 0.999
ALL_SIDES = [np.array(d) / np.linalg.norm(d) for d in sorted(product((-1, 0, 1), repeat=3), key=lambda d: np.abs(d).sum()) if any(d)]
"""Towards the faces, edges and corners of a cube: no direction is farther than 28° from one of these."""


@dataclass(frozen=True)
class Look:
    """One view of a scan."""

    camera: Camera
    picture: UInt8[ndarray, "height width 3"]
    depth: Float32[ndarray, "height width"]
    """Along the camera's axis; 0 where there is nothing."""

    def points_at(self, pixels: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]:
        """Where the surface lies behind these pixels, in the scan's space, and the cosine of its slant to the view (0 where there is nothing)."""
        height, width = self.depth.shape
        column, row = (np.clip(np.floor(pixels[:, axis]).astype(int), 1, size - 2) for axis, size in ((0, width), (1, height)))
        depth = self.depth[row, column].astype(np.float64)
        inside = self._rays(pixels) * depth[:, None]
        there = depth > 0
        here, right, below = (self._rays(pixels + shift) * self.depth[row + shift[1], column + shift[0]][:, None] for shift in _CROSS)
        normal = np.cross(right - here, below - here)
        cosine = np.abs((normal * here).sum(1)) / np.maximum(np.linalg.norm(normal, axis=1) * np.linalg.norm(here, axis=1), 1e-12)
        world = self.camera.camera_from_world.inverse().points(torch.from_numpy(inside).to(self.camera.focal_px.dtype))
        return world.numpy().astype(np.float64), np.where(there, cosine, 0.0)

    def sees(self, points: Float[ndarray, "n 3"], slack: float) -> Bool[ndarray, "n"]:
        """Whether points lie in the picture and no farther than `slack` behind what is seen there."""
        x, y, z = image_positions(torch.from_numpy(points.astype(np.float32)), self.camera).numpy().T
        height, width = self.depth.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z > 0)
        column, row = (np.where(inside, value, 0).astype(int) for value in (x, y))
        front = self.depth[row, column]
        return inside & (front > 0) & (z < front + slack)

    def _rays(self, pixels: Float[ndarray, "n 2"]) -> Float[ndarray, "n 3"]:
        flat = (pixels - self.camera.center_px.numpy()) / self.camera.focal_px.numpy()
        return np.concatenate([flat, np.ones((len(flat), 1))], 1)


_CROSS = (np.array([0, 0]), np.array([1, 0]), np.array([0, 1]))


class Looker:
    """Draws one scan from many sides. Lengths are those of the scan's space and should be about metres: what is nearer than 1 cm is not drawn."""

    def __init__(self, scan: Scan):
        self.scan = scan
        if scan.faces is not None:
            vertices, faces = torch.from_numpy(scan.vertices.astype(np.float32)), torch.from_numpy(scan.faces.astype(np.int64))
            self._normals = vertex_normals(vertices, faces).numpy()
        elif scan.covariance is None:
            # Solid discs that reach the next points.
            self._variance = (_CLOSED * spacing(scan.vertices) / 2) ** 2

    def __call__(self, camera: Camera) -> Look:
        return self._mesh(camera) if self.scan.is_mesh else self._cloud(camera)

    def _mesh(self, camera: Camera) -> Look:
        scan = self.scan
        assert scan.faces is not None
        positions = image_positions(torch.from_numpy(scan.vertices.astype(np.float32)), camera).numpy()
        face, weights, depth = rasterize_arrays(positions, scan.faces.astype(np.int32), *camera.size, cull=False)
        covered = face >= 0
        where, barycentric = face[covered], weights[covered].astype(np.float64)
        normal = (self._normals[scan.faces[where]] * barycentric[..., None]).sum(1)
        lit = scan.color_at(where, barycentric) * _shading(normal, camera, scan.coloured)[:, None]
        picture = np.empty((*camera.size, 3))
        picture[:] = _BACKGROUND
        picture[covered] = lit
        return Look(camera, _bytes(picture), depth)

    def _cloud(self, camera: Camera) -> Look:
        scan = self.scan
        inside = camera.camera_from_world.points(torch.from_numpy(scan.vertices.astype(np.float32))).numpy()
        order = np.argsort(inside[:, 2], kind="stable")
        order = order[inside[order, 2] > 0.01]
        x, y, z = inside[order].T
        focal = camera.focal_px.numpy()
        centers = np.stack([x / z * focal[0], y / z * focal[1]], 1) + camera.center_px.numpy()
        slope = np.zeros((len(order), 2, 3), np.float32)
        slope[:, 0, 0], slope[:, 0, 2], slope[:, 1, 1], slope[:, 1, 2] = focal[0] / z, -focal[0] * x / z**2, focal[1] / z, -focal[1] * y / z**2
        if scan.covariance is None:
            flat, opacity = np.float32(self._variance) * slope @ slope.transpose(0, 2, 1), np.ones(len(order), np.float32)
        else:
            slope = slope @ camera.camera_from_world.rotation.numpy()
            flat = slope @ scan.covariance[order] @ slope.transpose(0, 2, 1)
            opacity = np.ones(len(order), np.float32) if scan.opacity is None else scan.opacity[order]
        xx, xy, yy = flat[:, 0, 0] + 0.1, flat[:, 0, 1], flat[:, 1, 1] + 0.1
        det = xx * yy - xy * xy
        spreads = np.ascontiguousarray(np.stack([yy / det, -xy / det, xx / det], 1), np.float32)
        colors = scan.color_of_points()[order]
        if scan.normals is not None:
            colors = colors * _shading(scan.normals[order], camera, scan.coloured)[:, None]
        picture = np.zeros((*camera.size, 3), np.float32)
        depth, left = np.zeros(camera.size, np.float32), np.ones(camera.size, np.float32)
        draw_splats(
            np.ascontiguousarray(centers, np.float32), spreads, opacity, np.ascontiguousarray(colors, np.float32),
            np.ascontiguousarray(z, np.float32), picture, depth, left,
        )  # fmt: skip
        return Look(camera, _bytes(picture + left[..., None] * np.array(_BACKGROUND)), depth)


def spacing(points: Float[ndarray, "n 3"]) -> float:
    """Typical distance of a point to its fourth neighbour."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    few = points if len(points) <= 2000 else points[rng.choice(len(points), 2000, replace=False)]
    distance, _ = cKDTree(points).query(few, k=min(5, len(points)))
    return float(max(np.median(distance[:, -1]), 1e-9))


def camera_towards(
    middle: Float[ndarray, "3"], direction: Float[ndarray, "3"], up: Float[ndarray, "3"] | None, extent: float, size_px: int, distance: float
) -> Camera:
    """A camera at `middle + distance · direction` (a unit vector) that looks at the middle and shows `extent` around it from edge to edge.

    Up is +Y where it is not given, and +Z for directions along Y.
    """
    forward = -direction
    if up is None:
        up = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < _UPRIGHT else np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    place = middle - distance * forward
    focal = size_px * distance / extent
    return Camera(
        torch.full((2,), float(focal)), torch.full((2,), size_px / 2), (size_px, size_px),
        Transform(torch.from_numpy(rotation).float(), torch.from_numpy(-rotation @ place).float()),
    )  # fmt: skip


def _shading(normals: Float[ndarray, "n 3"], camera: Camera, coloured: bool) -> Float[ndarray, "n"]:
    """Light on a surface whose sides may be mixed up: that side counts which the camera sees."""
    inside = normals @ camera.camera_from_world.rotation.numpy().T.astype(np.float64)
    inside = np.where(inside[:, 2:] > 0, -inside, inside)
    lamp = np.clip(inside @ (_LAMP / np.linalg.norm(_LAMP)), 0, None)
    return 0.85 + 0.15 * lamp if coloured else 0.35 + 0.65 * lamp


def _bytes(picture: Float[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)

"""Landmarks of a mesh in space: rendered from many sides, detected in every picture, and taken back along the rays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from headcast.errors import InputError
from headcast.geometry import Camera, Mesh, Transform, vertex_normals
from headcast.perceive.faces import FaceFinder
from headcast.perceive.follow import FaceFollower, FollowConfig
from headcast.perceive.mesh import Detector, MediapipeMesh
from headcast.render import rasterize, render_head


@dataclass(frozen=True)
class ViewsConfig:
    """From where a mesh is looked at."""

    yaw_deg: tuple[float, ...] = (-40, -30, -20, -10, 0, 10, 20, 30, 40)
    pitch_deg: tuple[float, ...] = (-20, -10, 0, 10, 20)
    size_px: int = 512
    face_share: float = 0.55
    """Larger extent of the face over the side of the picture."""
    distance_m: float = 0.9
    grazing_cos: float = 0.3
    """A view counts for a landmark where its line of sight meets the surface more steeply than this cosine to its normal."""


@dataclass(frozen=True)
class FoundLandmarks:
    """Where the views put the landmarks of a mesh."""

    points: Float[ndarray, "478 3"]
    """Geometric median of the views, in the mesh's space; near the surface but not exactly on it."""
    spread_m: Float[ndarray, "478"]
    """Median distance of the single views' positions from it."""
    views: int
    """In which a face was found."""


def landmarks_in_space(
    mesh: Mesh,
    colors: Float[Tensor, "*albedo_shape 3"],
    uv: Float[Tensor, "uvs 2"] | None = None,
    uv_faces: Int[Tensor, "faces 3"] | None = None,
    framed: tuple[Float[ndarray, "3"], float] | None = None,
    detector: Detector | None = None,
    config: ViewsConfig | None = None,
) -> FoundLandmarks:
    """The 478 landmarks of any upright face mesh in metres that looks along +Z, a scan for example.

    Args:
        mesh: float32, without batch axes.
        colors: linear, a texture (height, width, 3) with `uv` and `uv_faces`, or one colour per vertex.
        framed: middle of the face and its larger extent (m); the whole mesh by default.
        detector: MediaPipe's network by default.
        config: the views.

    Raises:
        InputError: the detector saw no face in most of the views.
    """
    config = config or ViewsConfig()
    follower = FaceFollower(detector or MediapipeMesh(), FaceFinder(), FollowConfig(second_look_every=1))
    cameras = view_cameras(extent_of(mesh.vertices) if framed is None else framed, config)
    views = [_seen_from(mesh, camera, colors, (uv, uv_faces), follower, config) for camera in cameras]
    views = [view for view in views if view is not None]
    if len(views) < len(cameras) / 2:
        raise InputError(
            f"expected a face in most of {len(cameras)} pictures of the mesh, found one in {len(views)}. Give it better colours or frame it."
        )
    points, weights = (np.stack(values) for values in zip(*views))
    decided = geometric_median(points, weights)
    return FoundLandmarks(decided, weighted_median(np.linalg.norm(points - decided, axis=2), weights), len(views))


def view_cameras(framed: tuple[Float[ndarray, "3"], float], config: ViewsConfig) -> Sequence[Camera]:
    """A camera for every yaw and pitch, around a point, that shows `extent` metres as the configured share of the picture."""
    centre, extent = framed
    focal = config.face_share * config.size_px * config.distance_m / extent
    still = Camera.looking_along_minus_z(focal, (config.size_px, config.size_px))
    cameras = []
    for yaw in np.deg2rad(config.yaw_deg):
        for pitch in np.deg2rad(config.pitch_deg):
            turn = Transform.from_axis_angle(torch.tensor([pitch, 0.0, 0.0]).float(), torch.tensor([0.0, 0.0, -config.distance_m]))
            turn = turn @ Transform.from_axis_angle(torch.tensor([0.0, yaw, 0.0]).float(), torch.zeros(3))
            to_centre = Transform(torch.eye(3), torch.from_numpy(-centre).float())
            cameras.append(replace(still, camera_from_world=still.camera_from_world @ turn @ to_centre))
    return cameras


def extent_of(points: Float[Tensor, "n 3"]) -> tuple[Float[ndarray, "3"], float]:
    """Middle of the points, and the larger of their width and height (m)."""
    low, high = points.double().numpy().min(0), points.double().numpy().max(0)
    return (low + high) / 2, float((high - low)[:2].max())


def _seen_from(
    mesh: Mesh, camera: Camera, colors: Tensor, texture: tuple, follower: FaceFollower, config: ViewsConfig
) -> tuple[Float[ndarray, "478 3"], Float[ndarray, "478"]] | None:
    """Where this view puts the landmarks on the mesh and how far each can be trusted (0 where not at all), or None without a face."""
    light = torch.zeros(9, 3)
    light[:4] = torch.tensor([0.75, 0.12, 0.35, 0.0])[:, None]
    background = torch.tensor([0.55, 0.57, 0.60])
    picture = render_head(mesh, camera, colors, light, *texture, background=background, samples=2).color
    follower.state = type(follower.state)()
    sighting = follower.step((picture.clamp(0, 1) * 255).round().byte().numpy(), 0.0)
    if sighting.landmarks is None:
        return None
    fine = camera.resized((4 * camera.size[0], 4 * camera.size[1]))
    seen = rasterize(mesh, fine)
    column, row = np.clip(np.floor(4 * sighting.landmarks.points_px).astype(int), 0, fine.size[0] - 1).T
    face, barycentric = seen.face[row, column].long(), seen.barycentric[row, column]
    corners = mesh.vertices[mesh.faces[face.clamp_min(0)]]
    points = (corners * barycentric[..., None]).sum(1)
    normals = vertex_normals(mesh.vertices, mesh.faces)[mesh.faces[face.clamp_min(0)]]
    normals = torch.nn.functional.normalize((normals * barycentric[..., None]).sum(1), dim=-1)
    eye = camera.camera_from_world.inverse().translation
    cosine = (normals * torch.nn.functional.normalize(eye - points, dim=-1)).sum(-1)
    trusted = (face >= 0) & (cosine > config.grazing_cos)
    return points.numpy().astype(np.float64), sighting.landmarks.confidence * (trusted * cosine).numpy()


def geometric_median(points: Float[ndarray, "views n 3"], weights: Float[ndarray, "views n"]) -> Float[ndarray, "n 3"]:
    """The points with the smallest weighted sum of distances to the views' points (Weiszfeld 1937)."""
    shares = weights + 1e-9
    median = (points * shares[..., None]).sum(0) / shares.sum(0)[:, None]
    for _ in range(100):
        pull = shares / np.maximum(np.linalg.norm(points - median, axis=2), 1e-5)
        median = (points * pull[..., None]).sum(0) / pull.sum(0)[:, None]
    return median


def weighted_median(values: Float[ndarray, "views n"], weights: Float[ndarray, "views n"]) -> Float[ndarray, "n"]:
    """The value of each column that half of the weight lies below."""
    order = np.argsort(values, axis=0)
    total = np.cumsum(np.take_along_axis(weights + 1e-9, order, 0), 0)
    middle = (total < total[-1] / 2).sum(0)
    return np.take_along_axis(values, order, 0)[middle, np.arange(values.shape[1])]

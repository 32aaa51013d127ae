"""Where a detector's landmarks lie on a head model: found by rendering it from many sides, detecting, and going back along the rays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from headcast.errors import InputError
from headcast.geometry import Camera, Mesh, Transform, vertex_normals
from headcast.geometry.closest import ClosestPointQuery
from headcast.heads import HeadModel, LandmarkSet
from headcast.perceive.faces import FaceFinder
from headcast.perceive.follow import FaceFollower, FollowConfig
from headcast.perceive.mesh import LANDMARK_COUNT, Detector, MediapipeMesh
from headcast.perceive.topology import IRIS_CENTERS, MESH_COUNT, mirrored
from headcast.render import rasterize, render_head

NOT_SKIN = ("eyeballs", "mouth_interior", "teeth", "tongue", "eye_sockets")
"""Regions that carry no landmark but the irises' (the last is no standard region; the open head has it)."""
_JAW = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
"""Outline of the face from beside the subject's right eye down to the chin."""
_BROW = (70, 63, 105, 66, 107)
_BRIDGE = (168, 6, 197, 195, 5, 4)
_NOSTRILS = (98, 97, 2, 326, 327)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)


@dataclass(frozen=True)
class EmbeddingConfig:
    """From where the model is looked at."""

    yaw_deg: tuple[float, ...] = (-40, -30, -20, -10, 0, 10, 20, 30, 40)
    pitch_deg: tuple[float, ...] = (-20, -10, 0, 10, 20)
    size_px: int = 512
    face_share: float = 0.55
    """Larger extent of the face over the side of the picture."""
    distance_m: float = 0.9
    grazing_cos: float = 0.3
    """A view counts for a landmark where its line of sight meets the surface more steeply than this cosine to its normal."""


@dataclass(frozen=True)
class EmbeddingReport:
    """How well the views agreed."""

    views: int
    """In which a face was found."""
    spread_m: Float[ndarray, "478"]
    """Median distance of each landmark's positions in single views from the one decided on."""
    asymmetry_m: float
    """Median distance of the landmarks from their mirrored partners, before they were made symmetric."""
    off_surface_m: float
    """Median distance by which the decided positions had to be moved to lie on the surface."""

    @property
    def median_spread_m(self) -> float:
        return float(np.median(self.spread_m))


def embed_landmarks(
    model: HeadModel,
    albedo: Float[Tensor, "height width 3"] | None = None,
    detector: Detector | None = None,
    config: EmbeddingConfig | None = None,
) -> tuple[dict[str, LandmarkSet], EmbeddingReport]:
    """Landmark sets "mediapipe_478", "ibug_68" and "ibug_70" (68, the subject's right iris, the left) of any head model.

    Each landmark is the geometric median of where the views put it, weighted by the detector's confidence; on models with a mirror
    map the two sides are averaged. Irises lie on the eyeballs where the model has any, all other landmarks on the skin.

    Args:
        model: neutral head in metres, +Y up, +Z out of the face. Regions, where it has them, give it colours.
        albedo: linear texture; more lifelike than the regions' colours.
        detector: MediaPipe's network by default.
        config: the views.

    Raises:
        InputError: the detector saw no face in most of the views.
    """
    config = config or EmbeddingConfig()
    colors = region_colors(model) if albedo is None else albedo
    texture = (None, None) if albedo is None else (model.uv, model.uv_faces)
    follower = FaceFollower(detector or MediapipeMesh(), FaceFinder(), FollowConfig(second_look_every=1))
    cameras = view_cameras(_framed(model), config)
    mesh = Mesh(model.template.float(), model.faces)
    views = [_seen_from(mesh, camera, colors, texture, follower, config) for camera in cameras]
    views = [view for view in views if view is not None]
    if len(views) < len(cameras) / 2:
        raise InputError(f"expected a face in most of {len(cameras)} pictures of the head model {model.name!r}, found one in {len(views)}")
    points, weights = (np.stack(values) for values in zip(*views))
    decided = _geometric_median(points, weights)
    spread = _weighted_median(np.linalg.norm(points - decided, axis=2), weights)
    reflected = decided[mirrored()] * [-1, 1, 1]
    asymmetry = float(np.median(np.linalg.norm(decided - reflected, axis=1)))
    if model.mirror is not None:
        decided = (decided + reflected) / 2
    surface = _Surface(model)
    dense, off = surface.landmarks(decided, spread)
    sets = {"mediapipe_478": dense} | _sparse_sets(dense.points(model.template.double(), model.faces).numpy(), spread, surface)
    return sets, EmbeddingReport(len(views), spread, asymmetry, off)


def view_cameras(framed: tuple[Float[ndarray, "3"], float], config: EmbeddingConfig) -> Sequence[Camera]:
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


def region_colors(model: HeadModel) -> Float[Tensor, "vertices 3"]:
    """A plausible linear colour for every vertex, from the regions that the model has."""
    colors = torch.tensor([0.50, 0.30, 0.22]).repeat(len(model.template), 1)
    for name, color in (
        ("scalp", (0.10, 0.06, 0.04)),
        ("lips", (0.40, 0.13, 0.12)),
        ("brows", (0.06, 0.035, 0.025)),
        ("eye_sockets", (0.35, 0.15, 0.13)),
        ("mouth_interior", (0.10, 0.02, 0.02)),
        ("eyeballs", (0.75, 0.73, 0.70)),
        ("irises", (0.05, 0.03, 0.02)),
    ):
        if name in model.regions:
            colors[model.regions[name]] = torch.tensor(color)
    return colors


def _framed(model: HeadModel) -> tuple[Float[ndarray, "3"], float]:
    """Middle and larger extent (m) of what has to be in the picture: the face, or the whole model where it does not name one."""
    named = "face" in model.regions and bool(model.regions["face"].any())
    points = (model.template[model.regions["face"]] if named else model.template).numpy().astype(np.float64)
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, float((high - low)[:2].max())


def _seen_from(
    mesh: Mesh, camera: Camera, colors: Tensor, texture: tuple, follower: FaceFollower, config: EmbeddingConfig
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


def _geometric_median(points: Float[ndarray, "views n 3"], weights: Float[ndarray, "views n"]) -> Float[ndarray, "n 3"]:
    """The points with the smallest weighted sum of distances to the views' points (Weiszfeld 1937)."""
    shares = weights + 1e-9
    median = (points * shares[..., None]).sum(0) / shares.sum(0)[:, None]
    for _ in range(100):
        pull = shares / np.maximum(np.linalg.norm(points - median, axis=2), 1e-5)
        median = (points * pull[..., None]).sum(0) / pull.sum(0)[:, None]
    return median


def _weighted_median(values: Float[ndarray, "views n"], weights: Float[ndarray, "views n"]) -> Float[ndarray, "n"]:
    order = np.argsort(values, axis=0)
    total = np.cumsum(np.take_along_axis(weights + 1e-9, order, 0), 0)
    middle = (total < total[-1] / 2).sum(0)
    return np.take_along_axis(values, order, 0)[middle, np.arange(values.shape[1])]


class _Surface:
    """The parts of the neutral head on which landmarks may lie."""

    def __init__(self, model: HeadModel):
        self._vertices = model.template.numpy().astype(np.float64)
        self._faces = model.faces.numpy()
        other = np.zeros(len(self._vertices), bool)
        for name in NOT_SKIN:
            if name in model.regions:
                other |= model.regions[name].numpy()
        self._skin = self._search(~other[self._faces].any(1))
        balls = model.regions["eyeballs"].numpy()[self._faces].all(1) if "eyeballs" in model.regions else np.zeros(len(self._faces), bool)
        self._eyes = self._search(balls) if balls.any() else self._skin

    def landmarks(
        self, points: Float[ndarray, "n 3"], spread: Float[ndarray, "n"], irises: Sequence[int] = range(MESH_COUNT, LANDMARK_COUNT)
    ) -> tuple[LandmarkSet, float]:
        """The nearest places to the points, those numbered `irises` on the eyeballs; and the median distance to them."""
        on_eyes = np.isin(np.arange(len(points)), list(irises))
        faces, barycentric, off = np.zeros(len(points), np.int64), np.zeros((len(points), 3)), np.zeros(len(points))
        for chosen, (query, members) in ((~on_eyes, self._skin), (on_eyes, self._eyes)):
            found = query(points[chosen])
            faces[chosen], barycentric[chosen], off[chosen] = members[found.faces], found.barycentric, found.distance
        sigma = torch.from_numpy(spread / _MEDIAN_OF_LENGTH).float()
        return LandmarkSet(torch.from_numpy(faces), torch.from_numpy(barycentric).float(), sigma), float(np.median(off))

    def _search(self, chosen: Bool[ndarray, "faces"]) -> tuple[ClosestPointQuery, Int[ndarray, "chosen"]]:
        members = np.flatnonzero(chosen)
        return ClosestPointQuery(self._vertices, self._faces[members]), members


_MEDIAN_OF_LENGTH = 1.538
"""Median length of a vector of three normal variables with standard deviation one."""


def _sparse_sets(dense: Float[ndarray, "478 3"], spread: Float[ndarray, "478"], surface: _Surface) -> dict[str, LandmarkSet]:
    """The iBUG points: most are one of the 478; the outline and the bridge of the nose are spaced evenly along theirs."""
    jaw = [_evenly(dense, spread, path, 9) for path in (_JAW, tuple(mirrored()[list(_JAW)]))]
    bridge = _evenly(dense, spread, _BRIDGE, 4)
    single = [*_BROW, *mirrored()[list(_BROW)][::-1]], [*_NOSTRILS, *_EYES, *_LIPS]
    points = np.concatenate([jaw[0][0], jaw[1][0][-2::-1], dense[single[0]], bridge[0], dense[single[1]], dense[list(IRIS_CENTERS)]])
    spreads = np.concatenate([jaw[0][1], jaw[1][1][-2::-1], spread[single[0]], bridge[1], spread[single[1]], spread[list(IRIS_CENTERS)]])
    full, _ = surface.landmarks(points, spreads, irises=(68, 69))
    return {"ibug_68": LandmarkSet(full.faces[:68], full.barycentric[:68], full.sigma[:68]), "ibug_70": full}


def _evenly(dense: ndarray, spread: ndarray, path: Sequence[int], count: int) -> tuple[Float[ndarray, "count 3"], Float[ndarray, "count"]]:
    """Points at equal steps along a path of landmarks, and how much they spread."""
    line = dense[list(path)]
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count)
    points = np.stack([np.interp(at, length, line[:, axis]) for axis in range(3)], -1)
    return points, np.interp(at, length, spread[list(path)])

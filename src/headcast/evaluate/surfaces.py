"""How far a tracked face lies from the true one: vertex to vertex for one mesh, point to surface for two."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from headcast.evaluate.alignment import Surface, align_to_surfaces, distances_to_surfaces
from headcast.evaluate.truth import Truth
from headcast.geometry import Similarity, Transform
from headcast.heads import HeadModel
from headcast.track import Track

_POINTS_PER_FRAME = 400
_SURFACE_FRAMES = 40
"""Frames for which surfaces are compared; building a search tree for each takes a while."""
_AROUND_M = 0.03
_NO_SURFACE = ("eyeballs", "mouth_interior", "teeth", "tongue")
"""Regions that are not the face's skin."""


@dataclass(frozen=True)
class SurfaceError:
    """Distances of visible points of the true face from the tracked one, after one similarity for the clip."""

    median_mm: float
    p90_mm: float
    head_median_mm: float
    """Where both clips are first seen from their own skull."""
    scale: float
    per_frame_mm: Float[np.ndarray, "frames"]
    """Median of every frame; NaN where not measured."""


def surface_error(
    track: Track, model: HeadModel, truth: Truth, skull: Transform, landmarks: Float[np.ndarray, "frames 478 3"], same: bool
) -> SurfaceError:
    """Measures all valid frames of a clip with one mesh, or an even choice of `_SURFACE_FRAMES` of them with two.

    Args:
        skull: world from skull of the track.
        landmarks: of the track, world space; the start of the alignment where the meshes differ.
        same: track and truth have one mesh.
    """
    frames = np.flatnonzero(track.valid.numpy())
    if not same:
        frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(_SURFACE_FRAMES, len(frames))).astype(int))]
    rng = np.random.default_rng(0)
    chosen = [_choice(np.flatnonzero(truth.visible[frame] & truth.face_region), rng) for frame in frames]
    frames, chosen = [int(frame) for frame, some in zip(frames, chosen) if len(some)], [some for some in chosen if len(some)]
    measure = _vertex_distances if same else _surface_distances
    world, scale = measure(track, model, truth, frames, chosen, landmarks, None)
    head, _ = measure(track, model, truth, frames, chosen, landmarks, (truth.world_from_skull, skull))
    per_frame = np.full(truth.frame_count, np.nan)
    per_frame[frames] = [np.median(some) * 1e3 for some in world]
    everything = np.concatenate(world) * 1e3
    return SurfaceError(
        median_mm=float(np.median(everything)),
        p90_mm=float(np.percentile(everything, 90)),
        head_median_mm=float(np.median(np.concatenate(head)) * 1e3),
        scale=scale,
        per_frame_mm=per_frame,
    )


_Skulls = tuple[Transform, Transform] | None
"""True and tracked world-from-skull, to compare as seen from the skull; None to compare in the world."""


def _vertex_distances(
    track: Track, model: HeadModel, truth: Truth, frames: list[int], chosen: list[np.ndarray], _landmarks: np.ndarray, skulls: _Skulls
) -> tuple[list[np.ndarray], float]:
    posed = _tracked_vertices(track, model, frames)
    found = [_seen_from(skulls, 1, frame, vertices[some]) for frame, some, vertices in zip(frames, chosen, posed)]
    true = [_seen_from(skulls, 0, frame, truth.vertices[frame, some]) for frame, some in zip(frames, chosen)]
    similarity = Similarity.of_points(np.concatenate(found), np.concatenate(true))
    return [np.linalg.norm(similarity.points(a) - b, axis=1) for a, b in zip(found, true)], similarity.scale


def _surface_distances(
    track: Track, model: HeadModel, truth: Truth, frames: list[int], chosen: list[np.ndarray], landmarks: np.ndarray, skulls: _Skulls
) -> tuple[list[np.ndarray], float]:
    faces = _face_and_around(model)
    posed = _tracked_vertices(track, model, frames)
    surfaces = [Surface(_seen_from(skulls, 1, frame, vertices), faces) for frame, vertices in zip(frames, posed)]
    points = [_seen_from(skulls, 0, frame, truth.vertices[frame, some]) for frame, some in zip(frames, chosen)]
    start = Similarity.of_points(
        np.concatenate([_seen_from(skulls, 1, frame, landmarks[frame]) for frame in frames]),
        np.concatenate([_seen_from(skulls, 0, frame, truth.landmarks[frame]) for frame in frames]),
    )
    few = slice(None, None, max(1, len(frames) // 12))
    similarity = align_to_surfaces([some[::2] for some in points[few]], surfaces[few], start)
    return distances_to_surfaces(points, surfaces, similarity), similarity.scale


def _face_and_around(model: HeadModel) -> np.ndarray:
    """Faces of the skin on the face or near it: another model's idea of where a face ends is a little different."""
    other = np.logical_or.reduce([model.regions[name].numpy() for name in _NO_SURFACE])
    template = model.template.numpy()
    distance, _ = cKDTree(template[model.regions["face"].numpy() & ~other]).query(template, distance_upper_bound=_AROUND_M)
    wanted = np.isfinite(distance) & ~other
    faces = model.faces.numpy()
    return faces[wanted[faces].all(1)]


def _tracked_vertices(track: Track, model: HeadModel, frames: list[int]) -> list[np.ndarray]:
    head = track.head(model)
    return [head.posed(track.pose(frame)).vertices.double().numpy() for frame in frames]


def _seen_from(skulls: _Skulls, which: int, frame: int, points: np.ndarray) -> np.ndarray:
    """World points as they are, or seen from the true (0) or tracked (1) skull."""
    if skulls is None:
        return points.astype(np.float64)
    rotation, translation = skulls[which].rotation[frame].double().numpy(), skulls[which].translation[frame].double().numpy()
    return (points - translation) @ rotation


def _choice(vertices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return vertices if len(vertices) <= _POINTS_PER_FRAME else np.sort(rng.choice(vertices, _POINTS_PER_FRAME, replace=False))

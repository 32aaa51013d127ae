"""Compares a track with the truth: pose, landmarks, surface, focal length, expression curves, gaze, blinks, calm."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from headcast.errors import InputError
from headcast.evaluate.curves import correlation, expression_correlations, lid_apertures
from headcast.evaluate.surfaces import SurfaceError, surface_error
from headcast.evaluate.truth import Truth, skull_and_gaze
from headcast.geometry import Similarity, Transform, axis_angle_from_matrix, nearest_rotation
from headcast.heads import HeadModel
from headcast.track import Track


@dataclass(frozen=True)
class TrackEvaluation:
    """How far a track is from the truth. Medians are over frames that are valid; of points, over all points of all those frames."""

    same_model: bool
    """Whether track and truth use one mesh; otherwise surfaces are compared instead of vertices."""
    frames: int
    valid_frames: int
    rotation_deg: float | None
    """Median angle between the skull's orientations; None for another model, whose rest pose may be tilted."""
    rotation_relative_deg: float
    """The same after the clip's mean difference of orientation is taken away."""
    landmarks_px: float
    """Median over frames of the mean distance of visible landmarks in the image."""
    surface_mm: float
    """Median distance of visible face points after one similarity alignment of the whole clip in world space."""
    surface_p90_mm: float
    head_surface_mm: float
    """The same where skull motion is taken away first: the error of shape and expression alone."""
    scale: float
    """Of that alignment: how many times larger the truth is. One camera cannot know it."""
    focal_error_percent: float
    expression_correlation: dict[str, float]
    """Pearson correlation of every expression that moves enough in the truth."""
    gaze_deg: float
    """Median angle between the eyes' directions, seen from the skull."""
    blink_correlation: float
    """Correlation of the lids' opening, both eyes."""
    blinks_found: tuple[int, int]
    """Closed-eye moments of the truth that the track closes too, and all of them."""
    jitter_rotation_deg: float
    """Median size of the second difference in time of the rotation error."""
    jitter_landmarks_px: float
    per_frame: dict[str, tuple[float, ...]]
    """rotation_deg (relative where the models differ), landmarks_px and surface_mm of every frame; NaN where the frame is not valid."""

    @property
    def worst_expression(self) -> tuple[str, float] | None:
        """The expression with the lowest correlation; eyeLook expressions are judged by `gaze_deg` instead, the eye joints can do their work."""
        judged = {name: value for name, value in self.expression_correlation.items() if not name.startswith("eyeLook")}
        return min(judged.items(), key=lambda item: item[1]) if judged else None

    def as_json(self) -> dict[str, Any]:
        """The same values for a JSON file: NaN becomes None."""

        def plain(value: Any) -> Any:
            if isinstance(value, float):
                return value if np.isfinite(value) else None
            if isinstance(value, dict):
                return {name: plain(item) for name, item in value.items()}
            return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

        return plain(asdict(self))


def evaluate_track(track: Track, model: HeadModel, truth: Truth) -> TrackEvaluation:
    """Measures a track of a synthetic clip.

    Args:
        track: of the clip's frames, all of them.
        model: the head model of the track.
        truth: of the clip.

    Raises:
        InputError: the track has another number of frames or no valid one.
    """
    if track.frame_count != truth.frame_count:
        raise InputError(f"expected a track of the truth's {truth.frame_count} frames, found {track.frame_count}")
    valid = track.valid.numpy().astype(bool)
    if not valid.any():
        raise InputError(f"expected a track with valid frames, found none in {track.frame_count}")
    same = len(model.template) == truth.vertices.shape[1] and np.array_equal(model.faces.numpy(), truth.faces)
    skull, gaze = skull_and_gaze(model, track.identity, track.pose())
    difference = _rotation_difference(truth.world_from_skull, skull)
    mean = nearest_rotation(difference[valid].mean(0))
    relative = axis_angle_from_matrix(mean.T @ difference)
    absolute = np.rad2deg(axis_angle_from_matrix(difference).norm(dim=-1).numpy())
    relative_deg = np.rad2deg(relative.norm(dim=-1).numpy())
    # The truth's landmarks are the model's; a person's own offsets say where the detector would see them.
    landmarks = replace(track, landmark_offsets=torch.zeros_like(track.landmark_offsets)).landmarks(model).numpy()
    landmark_errors = _landmark_errors(track, landmarks, truth)
    surface = surface_error(track, model, truth, skull, landmarks, same)
    channels = expression_correlations(track, truth, valid)
    ours, theirs = lid_apertures(landmarks), lid_apertures(truth.landmarks)
    focal = float(track.camera.focal_px.mean() / truth.camera.focal_px.mean())
    return TrackEvaluation(
        same_model=same,
        frames=track.frame_count,
        valid_frames=int(valid.sum()),
        rotation_deg=float(np.median(absolute[valid])) if same else None,
        rotation_relative_deg=float(np.median(relative_deg[valid])),
        landmarks_px=float(np.median(landmark_errors[valid])),
        surface_mm=surface.median_mm,
        surface_p90_mm=surface.p90_mm,
        head_surface_mm=surface.head_median_mm,
        scale=surface.scale,
        focal_error_percent=abs(focal - 1) * 100,
        expression_correlation=channels,
        gaze_deg=_gaze_error_deg(gaze.numpy()[valid], truth.gaze[valid], same),
        blink_correlation=correlation(ours[valid].mean(1), theirs[valid].mean(1)),
        blinks_found=_blinks_found(ours.mean(1), theirs.mean(1), valid),
        jitter_rotation_deg=float(np.rad2deg(_jitter(relative.numpy(), valid))),
        jitter_landmarks_px=_landmark_jitter(track, landmarks, truth, valid),
        per_frame=_per_frame(valid, absolute if same else relative_deg, landmark_errors, surface),
    )


def _rotation_difference(truth: Transform, found: Transform) -> Float[torch.Tensor, "frames 3 3"]:
    """Found orientation seen from the true one: the same in every frame where two models only rest differently."""
    return (truth.rotation.transpose(-1, -2) @ found.rotation).double()


def _landmark_offsets(track: Track, landmarks: np.ndarray, truth: Truth) -> Float[np.ndarray, "frames 478 2"]:
    """Found minus true landmark in the image (px)."""
    found = track.camera.project(torch.from_numpy(landmarks))
    return (found - truth.camera.project(torch.from_numpy(truth.landmarks))).numpy()


def _landmark_errors(track: Track, landmarks: np.ndarray, truth: Truth) -> Float[np.ndarray, "frames"]:
    distance = np.linalg.norm(_landmark_offsets(track, landmarks, truth), axis=-1)
    seen = truth.landmarks_visible
    return (distance * seen).sum(1) / np.maximum(seen.sum(1), 1)


def _gaze_error_deg(found: np.ndarray, true: np.ndarray, same: bool) -> float:
    """Median angle between gaze directions; for another model after the mean difference of each eye is taken away."""
    if not same:
        found = found - np.median(found - true, axis=0)
        found = found / np.linalg.norm(found, axis=-1, keepdims=True)
    cosine = np.clip((found * true).sum(-1), -1, 1)
    return float(np.rad2deg(np.median(np.arccos(cosine))))


def _blinks_found(ours: np.ndarray, theirs: np.ndarray, valid: np.ndarray) -> tuple[int, int]:
    """A blink is a run of frames whose opening is below two fifths of the clip's upper quartile; it is found where the track goes below too."""
    closed_truth = (theirs < 0.4 * np.percentile(theirs, 75)) & valid
    closed_track = ours < 0.4 * np.percentile(ours[valid], 75)
    starts = np.flatnonzero(np.diff(np.concatenate([[0], closed_truth.astype(int)])) == 1)
    ends = np.flatnonzero(np.diff(np.concatenate([closed_truth.astype(int), [0]])) == -1)
    return sum(bool(closed_track[start : end + 1].any()) for start, end in zip(starts, ends)), len(starts)


def _second_difference(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Of every three valid frames in a row."""
    together = valid[:-2] & valid[1:-1] & valid[2:]
    return (values[:-2] - 2 * values[1:-1] + values[2:])[together]


def _jitter(values: np.ndarray, valid: np.ndarray) -> float:
    change = _second_difference(values, valid)
    return float(np.median(np.linalg.norm(change, axis=-1))) if len(change) else 0.0


def _landmark_jitter(track: Track, landmarks: np.ndarray, truth: Truth, valid: np.ndarray) -> float:
    return _jitter(_landmark_offsets(track, landmarks, truth).mean(1), valid)


def _per_frame(valid: np.ndarray, rotation: np.ndarray, landmarks: np.ndarray, surface: SurfaceError) -> dict[str, tuple[float, ...]]:
    found = {"rotation_deg": rotation, "landmarks_px": landmarks, "surface_mm": surface.per_frame_mm}
    return {name: tuple(float(value) for value in np.where(valid, values, np.nan)) for name, values in found.items()}


__all__ = ["Similarity", "TrackEvaluation", "evaluate_track"]

"""What a report says of a track, as numbers: agreement, steadiness, focal length, and warnings that name frames."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from headcast.capture import Capture
from headcast.geometry import angle_between, axis_angle_from_matrix, matrix_from_axis_angle
from headcast.store import frame_spans
from headcast.track.track import Track

_FAR_LANDMARKS = 0.04
"""Landmark error, as a share of the distance between the outer eye corners, above which a frame is named."""
_POOR_PSNR_DB = 26.0
_JUMP_DEG = 10.0
"""Turn away from the middle of the neighbouring frames above which a frame is named."""
_MUCH_COVERED = 0.02
"""Share of the face that something covers, above which a frame is named."""
_SMALL_FACE_PX = 40.0
_WEAK_FOCAL = 0.1


@dataclass(frozen=True)
class Summary:
    """Middle and tail of a number that every valid frame has."""

    median: float
    mean: float
    worst_tenth: float
    """The value that the worst tenth of the frames reaches."""

    @classmethod
    def of(cls, values: Float[ndarray, "n"], worse: str) -> "Summary | None":
        """`worse` is "high" or "low"; None where there is nothing to summarise."""
        if not len(values):
            return None
        return cls(float(np.median(values)), float(values.mean()), float(np.percentile(values, 90 if worse == "high" else 10)))


@dataclass(frozen=True)
class Warned:
    """Something a person should look at."""

    message: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class Statistics:
    """Quality of a track; a Summary is None where no frame has the number."""

    landmark_error_px: Summary | None
    landmark_error_percent: Summary | None
    """Of the distance between the outer eye corners."""
    psnr_db: Summary | None
    silhouette_iou: Summary | None
    jitter: dict[str, float]
    """Root mean square distance of a frame from the middle of its two neighbours, per channel; the unit is in the name."""
    focal_px: float
    focal_sigma_px: float
    warnings: tuple[Warned, ...]

    @property
    def focal_confidence(self) -> str:
        share = self.focal_sigma_px / self.focal_px
        if self.focal_sigma_px == 0:
            return "given"
        return "well determined" if share < 0.03 else "fairly determined" if share < _WEAK_FOCAL else "weakly determined"


def statistics(track: Track, capture: Capture) -> Statistics:
    """Numbers and warnings of a track and the capture it was made from."""
    valid = track.valid.numpy()
    error_px, eyes_px = track.landmark_error_px.numpy()[valid], track.interocular_px.numpy()[valid]
    psnr, iou = track.psnr_db.numpy()[valid], track.silhouette_iou.numpy()[valid]
    return Statistics(
        landmark_error_px=Summary.of(error_px, "high"),
        landmark_error_percent=Summary.of(100 * error_px / np.maximum(eyes_px, 1e-6), "high"),
        psnr_db=Summary.of(psnr[psnr > 0], "low"),
        silhouette_iou=Summary.of(iou[iou > 0], "low"),
        jitter=jitter(track, capture.cuts),
        focal_px=float(track.camera.focal_px.mean()),
        focal_sigma_px=track.focal_sigma_px,
        warnings=tuple(_warnings(track, capture)),
    )


def jitter(track: Track, cuts: Bool[ndarray, "frames"]) -> dict[str, float]:
    """Steadiness of each channel over frames whose two neighbours are valid and of the same shot; empty for clips too short."""
    middle = _middles(track.valid.numpy(), cuts)
    if not middle.any():
        return {}
    named: dict[str, Float[ndarray, "n"]] = {
        "rotation_deg": np.degrees(_rotation_excess(track))[middle],
        "translation_mm": 1000 * _excess(track.world_from_head.translation.numpy())[middle],
        "expression": _excess(track.expression.numpy(), mean=True)[middle],
    }
    for joint, name in enumerate(track.joint_names):
        named[f"{name}_deg"] = np.degrees(_excess(track.joint_rotations[:, joint].numpy()))[middle]
    return {name: float(np.sqrt((values**2).mean())) for name, values in named.items()}


def angles_deg(track: Track) -> Float[ndarray, "frames 3"]:
    """Yaw (to the subject's left), pitch (down) and roll of the head against facing the camera, in degrees."""
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    turn = (facing @ track.cameras[0].camera_from_world.rotation @ track.world_from_head.rotation).double().numpy()
    yaw = np.arctan2(turn[:, 0, 2], turn[:, 2, 2])
    pitch = np.arcsin(np.clip(-turn[:, 1, 2], -1, 1))
    roll = np.arctan2(turn[:, 1, 0], turn[:, 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], 1))


def _middles(valid: Bool[ndarray, "frames"], cuts: Bool[ndarray, "frames"]) -> Bool[ndarray, "frames"]:
    """Frames with a valid frame of the same shot on either side."""
    middle = np.zeros(len(valid), bool)
    middle[1:-1] = valid[:-2] & valid[1:-1] & valid[2:] & ~cuts[1:-1] & ~cuts[2:]
    return middle


def _excess(values: Float[ndarray, "frames channels"], mean: bool = False) -> Float[ndarray, "frames"]:
    """Distance of each frame from the middle of its neighbours; of many channels, per channel where `mean`."""
    away = np.zeros(len(values))
    if len(values) > 2:
        difference = values[1:-1] - (values[:-2] + values[2:]) / 2
        away[1:-1] = np.sqrt((difference**2).mean(1) if mean else (difference**2).sum(1))
    return away


def _rotation_excess(track: Track) -> Float[ndarray, "frames"]:
    """The same for the head's rotation (rad)."""
    rotation = track.world_from_head.rotation.double()
    away = np.zeros(len(rotation))
    if len(rotation) > 2:
        before, after = rotation[:-2], rotation[2:]
        half_way = before @ matrix_from_axis_angle(axis_angle_from_matrix(before.transpose(-1, -2) @ after) / 2)
        away[1:-1] = angle_between(half_way, rotation[1:-1]).numpy()
    return away


def _warnings(track: Track, capture: Capture) -> list[Warned]:
    valid = track.valid.numpy()
    eyes = track.interocular_px.numpy()
    share = np.where(valid, track.landmark_error_px.numpy() / np.maximum(eyes, 1e-6), 0)
    psnr = track.psnr_db.numpy()
    covered = np.zeros(len(valid)) if track.covered is None else track.covered.numpy().max(1)
    jumps = np.degrees(_rotation_excess(track)) * _middles(valid, capture.cuts)
    named = [Warned(message) for message in capture.warnings]
    for flags, message in (
        (share > _FAR_LANDMARKS, f"landmarks further than {_FAR_LANDMARKS:.0%} of the eye distance from where they were detected"),
        ((psnr > 0) & (psnr < _POOR_PSNR_DB), f"the rendered face differs from the picture (below {_POOR_PSNR_DB:.0f} dB)"),
        (covered > _MUCH_COVERED, "something covers a part of the face, or the head is badly placed"),
        (jumps > _JUMP_DEG, f"the head jumps by more than {_JUMP_DEG:.0f}°"),
    ):
        if flags.any():
            named.append(Warned(f"{message}: frames {frame_spans(flags)}", tuple(int(i) for i in np.flatnonzero(flags))))
    if valid.any() and np.median(eyes[valid]) < _SMALL_FACE_PX:
        named.append(Warned(f"the face is small: {np.median(eyes[valid]):.0f} px between the outer eye corners; expect less detail"))
    if track.focal_sigma_px > _WEAK_FOCAL * float(track.camera.focal_px.mean()):
        named.append(Warned("the clip says little about the focal length; give it with --focal-px if you know it, or turn the head more"))
    return named

"""`report.json` and `report.html`: how well a clip was tracked, how long it took, and what a person should look at."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

import headcast
from headcast.capture import Capture
from headcast.store import RunPaths, write_json, write_text
from headcast.track.report_page import page
from headcast.track.statistics import Statistics, statistics
from headcast.track.track import Track

SCHEMA = 1


@dataclass(frozen=True)
class Work:
    """How a track was made."""

    mode: str
    seconds: Mapping[str, float]
    """Wall time per stage, in order."""
    peak_memory_mb: float
    keyframes: tuple[int, ...]
    """Frames that the person was solved from."""
    stages: tuple[str, ...]
    """Those it is the result of, in order, each with how often it went round."""
    cores: int

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())


def sample_frames(track: Track, found: Statistics, most: int = 6) -> dict[int, str]:
    """Frames worth a picture in the report, and why: some spread over the clip, the worst ones, and those that warnings name."""
    shown = np.flatnonzero(track.valid.numpy())
    reasons: dict[int, str] = {0: ""} if track.frame_count == 1 else {}
    if len(shown) and track.frame_count > 1:
        spread = shown[np.linspace(0, len(shown) - 1, min(3, len(shown))).round().astype(int)]
        reasons |= {int(frame): "one of three spread over the clip" for frame in spread}
        worst = int(shown[track.landmark_error_px.numpy()[shown].argmax()])
        reasons[worst] = "largest landmark error"
        psnr = track.psnr_db.numpy()[shown]
        if (psnr > 0).any():
            unlike = int(shown[np.where(psnr > 0, psnr, np.inf).argmin()])
            reasons[unlike] = "largest landmark error, and least like the picture" if unlike == worst else "least like the picture"
    for warned in found.warnings:
        for frame in warned.frames[:1]:
            reasons.setdefault(frame, warned.message.split(":")[0])
    return dict(sorted(list(reasons.items())[:most]))


def write_report(
    track: Track, capture: Capture, work: Work, samples: Mapping[int, UInt8[ndarray, "height width 3"]], paths: RunPaths
) -> Mapping[str, Any]:
    """Writes both files and returns what `report.json` holds. `samples` are pictures of frames, as the overlay has them."""
    found = statistics(track, capture)
    summary = report_values(track, capture, work, found)
    write_json(paths.report_json, summary)
    reasons = sample_frames(track, found)
    pictures = {frame: (reasons.get(frame, ""), picture) for frame, picture in sorted(samples.items())}
    write_text(paths.report_html, page(track, capture, found, summary, pictures, has_overlay=paths.overlay.is_file()))
    return summary


def report_values(track: Track, capture: Capture, work: Work, found: Statistics) -> dict[str, Any]:
    """Everything that `report.json` holds; docs/formats.md says what each field means."""
    total = work.total_seconds
    return {
        "schema": SCHEMA,
        "headcast": headcast.__version__,
        "source": str(capture.source_path),
        "image_size": list(capture.size),
        "fps": capture.fps,
        "model": track.model_name,
        "mode": work.mode,
        "frames": track.frame_count,
        "valid_frames": int(track.valid.sum()),
        "landmark_error_px": _plain(found.landmark_error_px),
        "landmark_error_percent_of_interocular": _plain(found.landmark_error_percent),
        "psnr_db": _plain(found.psnr_db),
        "silhouette_iou": _plain(found.silhouette_iou),
        "jitter": found.jitter,
        "focal_px": found.focal_px,
        "focal_sigma_px": found.focal_sigma_px,
        "focal_confidence": found.focal_confidence,
        "keyframes": list(work.keyframes),
        "stages": list(work.stages),
        "seconds": dict(work.seconds),
        "total_seconds": total,
        "frames_per_second": track.frame_count / total if total > 0 else None,
        "peak_memory_mb": work.peak_memory_mb,
        "cores": work.cores,
        "warnings": [{"message": warned.message, "frames": list(warned.frames)} for warned in found.warnings],
    }


def _plain(summary: Any) -> dict[str, float] | None:
    return None if summary is None else asdict(summary)

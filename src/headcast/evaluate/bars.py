"""The measures of a track on a synthetic clip beside the numbers they are meant to reach."""

from dataclasses import dataclass

from headcast.evaluate.tracks import TrackEvaluation


@dataclass(frozen=True)
class Bar:
    """A measure and, where there is one, its limit."""

    measure: str
    found: float
    limit: float | None = None
    at_least: bool = False
    """The limit is a lower one."""

    @property
    def met(self) -> bool | None:
        """Whether the measure is on the right side; None without a limit."""
        if self.limit is None:
            return None
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def bars_of(evaluation: TrackEvaluation) -> tuple[Bar, ...]:
    """All measures of a track; the limits differ for a head that is not the tracker's own."""
    same = evaluation.same_model
    bars = [Bar("valid frames", float(evaluation.valid_frames), float(evaluation.frames), at_least=True)]
    if evaluation.rotation_deg is not None:
        bars.append(Bar("rotation, median (deg)", evaluation.rotation_deg, 0.5))
    bars += [
        Bar("rotation off its own mean, median (deg)", evaluation.rotation_relative_deg, None if same else 1.0),
        Bar("landmarks, median (px)", evaluation.landmarks_px, 1.0 if same else None),
        Bar("visible face, median (mm)", evaluation.surface_mm, 0.9),
        Bar("visible face, 90 % below (mm)", evaluation.surface_p90_mm),
        Bar("visible face seen from the skull, median (mm)", evaluation.head_surface_mm),
    ]
    if evaluation.worst_expression is not None:
        name, value = evaluation.worst_expression
        bars.append(Bar(f"lowest correlation of a large expression ({name})", value, 0.9 if same else None, at_least=True))
    found, all_blinks = evaluation.blinks_found
    return (
        *bars,
        Bar("focal length error (%)", evaluation.focal_error_percent),
        Bar("scale of the alignment", evaluation.scale),
        Bar("gaze, median (deg)", evaluation.gaze_deg),
        Bar("opening of the lids, correlation", evaluation.blink_correlation),
        Bar(f"blinks found of {all_blinks}", float(found)),
        Bar("rotation jitter, median (deg)", evaluation.jitter_rotation_deg),
        Bar("landmark jitter, median (px)", evaluation.jitter_landmarks_px),
    )

"""Measures and protocols: tracks against synthetic truth, faces against measured clouds."""

from headcast.evaluate.clouds import CloudError, compare_with_cloud
from headcast.evaluate.tracks import TrackEvaluation, evaluate_track
from headcast.evaluate.truth import Truth

__all__ = ["CloudError", "TrackEvaluation", "Truth", "compare_with_cloud", "evaluate_track"]

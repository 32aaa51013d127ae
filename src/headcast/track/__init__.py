"""Photometric tracking of a head through a recording."""

from headcast.track.config import TrackConfig
from headcast.track.pipeline import TrackResult, track_capture, track_captures, track_clips_steps, track_steps
from headcast.track.track import Track

__all__ = ["Track", "TrackConfig", "TrackResult", "track_capture", "track_captures", "track_clips_steps", "track_steps"]

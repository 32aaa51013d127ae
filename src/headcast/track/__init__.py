"""Photometric tracking of a head through a recording."""

from headcast.track.track import Track

__all__ = ["Track"]

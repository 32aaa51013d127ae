"""The vertices of a track, a few frames at a time: what every mesh format writes."""

from collections.abc import Iterator

from jaxtyping import Float32
from numpy import ndarray

from headcast.heads import HeadModel
from headcast.track import Track


def posed_vertices(track: Track, model: HeadModel, chunk: int = 32) -> Iterator[tuple[int, Float32[ndarray, "frames vertices 3"]]]:
    """(first frame, world positions in metres) of up to `chunk` frames at a time, so that memory does not grow with the clip."""
    head = track.head(model)
    for first in range(0, track.frame_count, chunk):
        yield first, head.posed(track.pose(slice(first, first + chunk))).vertices.numpy()

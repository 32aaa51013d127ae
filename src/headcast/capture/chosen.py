"""Some frames of a recording, and a part of its pictures, as a recording of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from headcast.capture.source import Source, SourceFrame
from headcast.errors import ConfigError
from headcast.perceive import Window


class ChosenSource:
    """The frames `frame_idx` of another source, each with its own time, cut to a window; numbered and timed from the first one chosen."""

    def __init__(self, source: Source, frame_idx: Int[ndarray, "chosen"], window: Window | None = None):
        self.path, self.files = source.path, source.files
        self.frame_count = len(frame_idx)
        self.size = source.size if window is None else (window.height, window.width)
        self.metadata = replace(source.metadata, fps=_rate(source.metadata.fps, frame_idx))
        self._source, self._frame_idx, self._window = source, np.asarray(frame_idx), window
        self._begin_s: float | None = None

    @property
    def warnings(self) -> list[str]:
        return self._source.warnings

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[SourceFrame]:
        """Frames `start` to `stop` (exclusive) in order."""
        return self.select(range(start, self.frame_count if stop is None else min(stop, self.frame_count)))

    def select(self, indices: Sequence[int]) -> Iterator[SourceFrame]:
        """The frames with these ascending indices among the chosen ones."""
        if not len(indices):
            return
        begin_s = self._begin()
        place = {int(self._frame_idx[idx]): int(idx) for idx in indices}
        for frame in self._source.select([int(self._frame_idx[idx]) for idx in indices]):
            image, alpha = frame.image, frame.alpha
            if self._window is not None:
                image = np.ascontiguousarray(self._window.cut(image))
                alpha = None if alpha is None else np.ascontiguousarray(self._window.cut(alpha))
            yield SourceFrame(place[frame.frame_idx], frame.time_s - begin_s, image, alpha, frame.damaged)

    def _begin(self) -> float:
        """When the first chosen frame comes, in seconds since the source's first."""
        if self._begin_s is None:
            first = next(iter(self._source.select([int(self._frame_idx[0])])), None) if self._frame_idx[0] > 0 else None
            self._begin_s = 0.0 if first is None else first.time_s
        return self._begin_s


def choose_frames(count: int, fps: float | None, every: int, wanted_fps: float | None, span: str | None) -> Int[ndarray, "chosen"]:
    """Indices of the frames to take out of `count`.

    Args:
        every: take one frame out of so many.
        wanted_fps: take the frames nearest to this even rate, by the recording's mean rate; not with `every`.
        span: "A:B", frames A to B (exclusive); either may be missing, and negative ones count from the end.

    Raises:
        ConfigError: the settings contradict each other or choose nothing.
    """
    first, end = _span(span, count)
    if every < 1:
        raise ConfigError(f"--every expects a whole number from 1, found {every}")
    if wanted_fps is None:
        return np.arange(first, end, every)
    if every != 1:
        raise ConfigError(f"expected --every or --fps, found both: {every} and {wanted_fps}")
    if not 0 < wanted_fps <= (fps or 0):
        raise ConfigError(f"--fps expects a rate above 0 and at most that of the recording, {fps or 'a single picture'}; found {wanted_fps}")
    steps = np.arange(int((end - first - 1) * wanted_fps / fps + 1e-6) + 1)
    return np.unique(np.minimum(first + np.round(steps * fps / wanted_fps).astype(int), end - 1))


def _span(text: str | None, count: int) -> tuple[int, int]:
    if text is None:
        return 0, count
    try:
        first, end = (int(part) if part.strip() else None for part in text.split(":"))
    except ValueError:
        raise ConfigError(f"--frames expects A:B, such as 100:250, 100: or :250; found {text!r}") from None
    low, high, _ = slice(first, end).indices(count)
    if low >= high:
        raise ConfigError(f"--frames {text!r} chooses none of the recording's {count} frames")
    return low, high


def _rate(fps: float | None, frame_idx: Int[ndarray, "chosen"]) -> float | None:
    """Mean frames per second of the chosen ones."""
    if fps is None or len(frame_idx) < 2:
        return fps
    return fps * (len(frame_idx) - 1) / int(frame_idx[-1] - frame_idx[0])

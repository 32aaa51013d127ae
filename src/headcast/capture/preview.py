"""Videos of channels side by side: the part of the frames that shows the person, one panel per channel."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture.capture import Capture
from headcast.capture.movie import Movie
from headcast.perceive import Window

_PANEL_PX = 320
"""Height of a panel; smaller windows are shown as they are."""


def window_of(capture: Capture) -> Window:
    """The smallest window that holds every matte of the clip; the whole frame where there is none."""
    shown = capture.matte_windows[capture.matte_windows[:, 2] > 0]
    if not len(shown):
        return Window(0, 0, capture.size[1], capture.size[0])
    left, top = shown[:, :2].min(0).tolist()
    right, bottom = (shown[:, :2] + shown[:, 2:]).max(0).tolist()
    return Window(left, top, right - left, bottom - top)


class Preview:
    """A video of several panels; use it as a context."""

    def __init__(self, path: Path, fps: float | None, window: Window, panels: int):
        shrink = min(1.0, _PANEL_PX / window.height)
        # Encoders want even sizes.
        self._panel = max(round(window.width * shrink / 2), 1) * 2, max(round(window.height * shrink / 2), 1) * 2
        self._window = window
        self._movie = Movie(path, fps, (self._panel[1], self._panel[0] * panels))

    def add(self, time_s: float, pictures: Sequence[UInt8[ndarray, "height width 3"]]) -> None:
        """One frame from as many whole frames as there are panels."""
        shown = [cv2.resize(self._window.cut(picture), self._panel, interpolation=cv2.INTER_AREA) for picture in pictures]
        self._movie.add(np.ascontiguousarray(np.hstack(shown)), float(time_s))

    def __enter__(self) -> "Preview":
        self._movie.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._movie.__exit__(*reason)

"""Small pictures of a recording's frames, in any order, cheap when asked for in order."""

from collections.abc import Iterator

import cv2
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture import Capture, SourceFrame


class FramePictures:
    """Frames of a recording at viewer size. Going forward decodes one frame each; a jump starts again from there."""

    def __init__(self, capture: Capture, longest_px: int = 360):
        self._source = capture.open_source()
        height, width = capture.size
        shrink = min(1.0, longest_px / max(height, width))
        self._size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        self._coming: Iterator[SourceFrame] = iter(())
        self._next = -1
        self._last: tuple[int, UInt8[ndarray, "height width 3"]] | None = None

    def __getitem__(self, frame_idx: int) -> UInt8[ndarray, "height width 3"] | None:
        """None where the recording ends earlier."""
        if self._last is not None and self._last[0] == frame_idx:
            return self._last[1]
        if frame_idx != self._next:
            self._coming = self._source.frames(frame_idx)
        frame = next(self._coming, None)
        self._next = frame_idx + 1
        if frame is None:
            return None
        picture = cv2.resize(frame.image, self._size, interpolation=cv2.INTER_AREA)
        self._last = (frame_idx, picture)
        return picture

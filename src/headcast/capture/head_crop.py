"""Where the head is in a whole clip: the window that `--crop` cuts all frames to."""

from collections.abc import Generator

import numpy as np

from headcast.capture.source import Source
from headcast.errors import InputError
from headcast.perceive import FaceBox, FaceFinder, Window
from headcast.solve.step import Step

_LOOKS = 24
"""Frames, spread over the clip, that the head is looked for in."""
_REACH = 2.2
"""Side of what is kept around each face over the side of its box: more than a matte's window, because the head moves between the looks."""


def head_window(source: Source) -> Generator[Step, None, Window]:
    """The window around the head of all frames, of even size; one `Step` per look.

    Raises `InputError` where no face is found.
    """
    looks = np.unique(np.linspace(0, source.frame_count - 1, min(_LOOKS, source.frame_count)).round().astype(int)).tolist()
    finder, windows, last = FaceFinder(), [], None
    for done, frame in enumerate(source.select(looks), start=1):
        faces = finder.find(frame.image)
        if faces:
            last = max(faces, key=lambda face: face.side_px if last is None else face.overlap(last))
            windows.append(Window.around(FaceBox(last.center_px, last.side_px, last.roll_rad), _REACH, source.size))
        yield Step("crop", done, len(looks))
    if not windows:
        raise InputError(f"--crop needs a face, found none in {len(looks)} frames spread over {source.path}")
    left, top = min(w.left for w in windows), min(w.top for w in windows)
    right, bottom = max(w.left + w.width for w in windows), max(w.top + w.height for w in windows)
    return Window(left, top, max((right - left) // 2 * 2, 2), max((bottom - top) // 2 * 2, 2))

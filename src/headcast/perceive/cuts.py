"""Notices where one shot ends and the next begins, from thumbnails of successive frames."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

_THUMBNAIL = (32, 24)
_BINS = (4, 4, 4)


@dataclass(frozen=True)
class CutState:
    """What is remembered of the frames before."""

    thumbnail: Float32[ndarray, "24 32 3"]
    histogram: Float32[ndarray, "64"]
    usual_change: float
    """Recent mean change from frame to frame."""


def step_cuts(state: CutState | None, image: UInt8[ndarray, "height width 3"]) -> tuple[bool, CutState]:
    """Whether this frame starts a new shot, and what to pass in with the next one; `state` is None at the first frame.

    A cut changes what is where (mean absolute difference of thumbnails), in most of the picture, and how much there is of each colour
    (intersection of histograms), and by far more than the frames just before it changed.
    """
    stride = max(min(image.shape[:2]) // 128, 1)
    small = cv2.resize(np.ascontiguousarray(image[::stride, ::stride]), _THUMBNAIL, interpolation=cv2.INTER_AREA)
    histogram = cv2.calcHist([small], [0, 1, 2], None, _BINS, [0, 256] * 3).ravel() / (_THUMBNAIL[0] * _THUMBNAIL[1])
    thumbnail = small.astype(np.float32) / 255
    if state is None:
        return False, CutState(thumbnail, histogram, 0.0)
    changes = np.abs(thumbnail - state.thumbnail)
    change = float(changes.mean())
    everywhere = float((changes.max(axis=-1) > 0.06).mean())
    shared = float(np.minimum(histogram, state.histogram).sum())
    cut = change > max(0.08, 5 * state.usual_change) and everywhere > 0.5 and shared < 0.65
    return cut, CutState(thumbnail, histogram, 0.0 if cut else 0.8 * state.usual_change + 0.2 * change)

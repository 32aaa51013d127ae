"""The part of a frame that is labelled: the window that its matte covers, at a working size; and the way back to the whole frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.perceive import Window


@dataclass(frozen=True)
class View:
    """A window of one frame."""

    window: Window
    frame_size: tuple[int, int]
    """Height and width of the whole frame."""
    colors: UInt8[ndarray, "height width 3"]
    alpha: UInt8[ndarray, "height width"]

    @classmethod
    def of(cls, capture: Capture, frame_idx: int, image: UInt8[ndarray, "frame_height frame_width 3"], largest_px: int) -> "View | None":
        """None where the frame shows no face."""
        matte = capture.matte_window(frame_idx)
        if matte is None:
            return None
        size = matte.window.size_at(largest_px)
        own = matte.window.cut(image)
        colors = cv2.resize(own, size, interpolation=cv2.INTER_AREA) if own.shape[1::-1] != size else np.ascontiguousarray(own)
        return cls(matte.window, image.shape[:2], colors, cv2.resize(matte.alpha, size, interpolation=cv2.INTER_LINEAR))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height at which the window is labelled."""
        return self.colors.shape[1], self.colors.shape[0]

    def whole(self, values: Float32[ndarray, "height width *channels"]) -> Float32[ndarray, "frame_height frame_width *channels"]:
        """Numbers of the window's pixels in the whole frame, zeros around them."""
        whole = np.zeros((*self.frame_size, *values.shape[2:]), np.float32)
        wide = (self.window.width, self.window.height)
        self.window.cut(whole)[:] = values if wide == self.size else cv2.resize(values, wide, interpolation=cv2.INTER_LINEAR)
        return whole

    def whole_labels(self, labels: UInt8[ndarray, "height width"]) -> UInt8[ndarray, "frame_height frame_width"]:
        """Labels in the whole frame, 0 around them; where the window is enlarged, each pixel takes the label with the largest share there."""
        whole = np.zeros(self.frame_size, np.uint8)
        wide = (self.window.width, self.window.height)
        best = np.zeros(wide[::-1], np.float32)
        place = self.window.cut(whole)
        if wide == self.size:
            place[:] = labels
            return whole
        for label in np.unique(labels):
            share = cv2.resize((labels == label).astype(np.float32), wide, interpolation=cv2.INTER_LINEAR)
            place[share > best] = label
            np.maximum(best, share, out=best)
        return whole

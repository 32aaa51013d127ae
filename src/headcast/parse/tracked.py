"""Labels and normals of a run's frames from its tracked head, its mattes and the clip's own colours: no network, no further file."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.parse.colors import Sample, learn_colors
from headcast.parse.labels import of_labels
from headcast.parse.layers import LayerPainter, Layers
from headcast.parse.places import places
from headcast.parse.segment import Remembered, Segmenter
from headcast.parse.view import View

_SURELY = 240
"""Opacity from which on a pixel is learned from."""
_PIXELS = 6000
"""Pixels of each frame that are learned from."""
_COVERED = ("background", "hair", "hat", "cloth", "glasses", "earring", "necklace")
"""What hides the surface of the head."""


@dataclass(frozen=True)
class LearnConfig:
    """How hair, skin and cloth are told apart."""

    frames: int = 16
    """How many frames, spread over the clip, colours are learned from."""
    steadiness: float = 0.6
    """Share of the frame before in what has not changed since, 0 to 1."""


def samples(capture: Capture, painter: LayerPainter, chosen: list[int], largest_px: int) -> Iterator[Sample]:
    """Pixels to learn colours from, one frame after another."""
    heads = painter.heads(chosen)
    for frame in capture.open_source().select(chosen):
        head, view = next(heads), View.of(capture, frame.frame_idx, frame.image, largest_px)
        if view is None:
            continue
        known = np.flatnonzero(view.alpha.reshape(-1) >= _SURELY)
        known = known[:: max(len(known) // _PIXELS, 1)]
        where = places(painter.layers(head, view.window, view.size))
        yield Sample(view.colors.reshape(-1, 3)[known], where.reshape(3, -1)[:, known])


class TrackedLabeller:
    """Labels the frames of a run in order."""

    def __init__(self, learned: list[Sample], config: LearnConfig):
        self._segmenter = Segmenter(learn_colors(learned), config.steadiness)
        self._before: Remembered | None = None

    def forget(self) -> None:
        """The next frame does not follow from the last one."""
        self._before = None

    def label(self, view: View, layers: Layers) -> tuple[UInt8[ndarray, "height width"], Float32[ndarray, "height width"]]:
        """Labels and confidence inside the view."""
        found = self._segmenter.step(layers, view.colors, view.alpha, view.window, self._before)
        self._before = found.remembered
        return found.labels, found.confidence


def bare(normals: Float32[ndarray, "height width 3"], labels: UInt8[ndarray, "height width"]) -> Float32[ndarray, "height width 3"]:
    """The tracked head's normals where nothing covers it: under hair and clothes its surface is not what the picture shows."""
    return normals * (1 - of_labels(labels, _COVERED))[..., None].astype(np.float32)

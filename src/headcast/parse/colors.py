"""What colours skin, hair and clothes have in one clip: smoothed histograms, learned from where the tracked head says each of them is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter

_BINS = 32
_SMOOTH = 1.0
"""Standard deviation of the blur, in bins of 8 steps."""
_FLOOR = 0.02
"""Share of an even distribution in each histogram: what a colour that was never seen says."""
_ROUNDS = 3
"""Times that pixels are shared out anew by colours and places."""


@dataclass(frozen=True)
class Sample:
    """Pixels of one frame to learn from."""

    colors: UInt8[ndarray, "pixels 3"]
    places: Float32[ndarray, "3 pixels"]


@dataclass(frozen=True)
class ColorModel:
    """Densities of the colours of skin, hair and cloth."""

    density: Float32[ndarray, "bins 3"]

    def likelihood(self, colors: UInt8[ndarray, "*pixels 3"]) -> Float32[ndarray, "*pixels 3"]:
        """How usual a colour is in each material; an even distribution has 1."""
        return self.density[_bin(colors)]


def learn_colors(samples: Sequence[Sample]) -> ColorModel:
    """Histograms by expectation and maximisation: the places share out the pixels first, then places and colours together."""
    colors = np.concatenate([_bin(sample.colors) for sample in samples])
    places = np.concatenate([sample.places for sample in samples], 1)
    sharp = places**2
    share = sharp / np.maximum(sharp.sum(0), 1e-6)
    for turn in range(_ROUNDS):
        density = np.stack([_histogram(colors, weight) for weight in share], 1)
        if turn < _ROUNDS - 1:
            mixed = places * density[colors].T
            share = mixed / np.maximum(mixed.sum(0), 1e-12)
    return ColorModel(density.astype(np.float32))


def _histogram(bins: Int[ndarray, "pixels"], weight: Float[ndarray, "pixels"]) -> Float[ndarray, "bins"]:
    counts = np.bincount(bins, weight, _BINS**3).reshape(_BINS, _BINS, _BINS)
    smooth = gaussian_filter(counts, _SMOOTH, mode="nearest").reshape(-1)
    return (1 - _FLOOR) * smooth / max(smooth.sum(), 1e-6) * _BINS**3 + _FLOOR


def _bin(colors: UInt8[ndarray, "*pixels 3"]) -> Int[ndarray, "*pixels"]:
    fine = (colors >> 3).astype(np.int32)
    return (fine[..., 0] * _BINS + fine[..., 1]) * _BINS + fine[..., 2]

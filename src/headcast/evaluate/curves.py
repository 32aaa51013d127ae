"""Compares curves over time: expressions by name, the opening of the lids."""

import numpy as np
from jaxtyping import Bool, Float

from headcast.evaluate.truth import Truth
from headcast.track import Track

LARGE = 0.05
"""An expression whose standard deviation in the truth is above this counts as large."""

_LIDS = ((386, 374, 263, 362), (159, 145, 33, 133))
"""MediaPipe's upper lid, lower lid and two corners of the left and the right eye."""


def correlation(a: Float[np.ndarray, "frames"], b: Float[np.ndarray, "frames"]) -> float:
    """Pearson's; 0 where one of the two does not move."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0


def expression_correlations(track: Track, truth: Truth, valid: Bool[np.ndarray, "frames"]) -> dict[str, float]:
    """Of every expression of the truth that moves enough and that the track's model has, alone or as left and right halves."""
    result = {}
    found = dict(zip(track.expression_names, track.expression.numpy().T))
    true = dict(zip(truth.expression_names, truth.expression.T))
    for name, curve in _shared(true, found).items():
        ours, theirs = curve
        if theirs[valid].std() > LARGE:
            result[name] = correlation(ours[valid], theirs[valid])
    return result


def lid_apertures(landmarks: Float[np.ndarray, "frames 478 3"]) -> Float[np.ndarray, "frames 2"]:
    """Opening of the left and the right eye as a share of its width."""
    return np.stack(
        [
            np.linalg.norm(landmarks[:, upper] - landmarks[:, lower], axis=-1) / np.linalg.norm(landmarks[:, one] - landmarks[:, other], axis=-1)
            for upper, lower, one, other in _LIDS
        ],
        axis=1,
    )


def _shared(true: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs (found, true) by name; where only one side splits an expression into Left and Right, the halves' mean stands for the whole."""
    pairs = {name: (found[name], curve) for name, curve in true.items() if name in found}
    for whole, curve in found.items():
        halves = [true.get(whole + side) for side in ("Left", "Right")]
        if whole not in true and all(half is not None for half in halves):
            pairs[whole] = (curve, np.mean(halves, axis=0))
    for whole, curve in true.items():
        halves = [found.get(whole + side) for side in ("Left", "Right")]
        if whole not in found and all(half is not None for half in halves):
            pairs[whole] = (np.mean(halves, axis=0), curve)
    return pairs

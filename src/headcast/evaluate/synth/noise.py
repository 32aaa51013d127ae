"""Smooth random values: over space for skin and backgrounds, over time for motion."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

_KNOTS = {1: 4096, 2: 256, 3: 64}
"""Knots per axis of the random lattice; it repeats, which is not seen where a feature is a small part of the head."""
_SMOOTH = 1.2
"""Deviation, in knots, of the Gaussian that rounds the lattice off: without it the axes of the lattice would show."""
_KNOTS_PER_FEATURE = 3.0


def space_noise(points: Float[np.ndarray, "n axes"], size: float, rng: np.random.Generator) -> Float[np.ndarray, "n"]:
    """Noise of mean zero and deviation about one whose features are about `size` wide, in the unit of the points."""
    axes = points.shape[1]
    lattice = gaussian_filter(rng.standard_normal((_KNOTS[axes],) * axes).astype(np.float32), _SMOOTH, mode="wrap")
    lattice /= lattice.std()
    start = rng.uniform(0, _KNOTS[axes], axes).astype(np.float32)
    position = points.astype(np.float32) * np.float32(_KNOTS_PER_FEATURE / size) + start
    return map_coordinates(lattice, (position % _KNOTS[axes]).T, order=1, mode="grid-wrap", prefilter=False)


def fractal_noise(
    points: Float[np.ndarray, "n axes"], sizes: tuple[float, ...], weights: tuple[float, ...], rng: np.random.Generator
) -> Float[np.ndarray, "n"]:
    """A weighted sum of noises of several sizes, scaled back to deviation one."""
    total = sum(weight * space_noise(points, size, rng) for size, weight in zip(sizes, weights))
    return total / np.linalg.norm(weights)


def smooth_curve(count: int, period: float, rng: np.random.Generator) -> Float[np.ndarray, "count"]:
    """A random curve whose largest absolute value is one and whose swings take about `period` samples."""
    margin = int(3 * period)
    raw = rng.standard_normal(count + 2 * margin)
    curve = gaussian_filter1d(raw, max(period / 4, 1e-3))[margin : margin + count]
    curve = curve - curve.mean()
    return curve / max(np.abs(curve).max(), 1e-12)

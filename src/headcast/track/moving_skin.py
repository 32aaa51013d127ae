"""What a person's skin does from frame to frame beyond shapes and expressions, as data: a few modes, and how much of each a frame has."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

_LEFT_OUT_M = 0.02e-3
"""Root mean square of what leaving out modes may cost where the skin moves."""
_LEFT_OUT_SHARE = 0.05
"""The same as a share of the whole motion's, where that is more: what is smaller than this is noise."""


_LARGEST_M = 1e-3
"""How far a mode moves the vertex that it moves most, so that weights are millimetres there."""


@dataclass(frozen=True)
class MovingSkin:
    """Offsets of each frame at rest: the sum of the modes times the frame's weights."""

    modes: Float[np.ndarray, "modes vertices 3"]
    """Metres per unit of their weight, head space at rest, of all of the model's vertices."""
    weights: Float[np.ndarray, "frames modes"]

    def at(self, frame_idx: int) -> Float[np.ndarray, "vertices 3"]:
        """Offsets of a frame (m)."""
        return np.tensordot(self.weights[frame_idx], self.modes, 1)

    @classmethod
    def of(
        cls, heights: Float[np.ndarray, "frames moving"], chosen: Bool[np.ndarray, "vertices"], normals: Float[np.ndarray, "vertices 3"]
    ) -> "MovingSkin":
        """As few modes as give the heights (m) to two hundredths of a millimetre (Eckart & Young 1936); at least one.

        Args:
            chosen: The vertices that move, by the heights along their normals.
        """
        left, strength, right = np.linalg.svd(heights, full_matrices=False)
        power = strength**2
        remaining = power.sum() - np.cumsum(power)
        allowed = max(heights.size * _LEFT_OUT_M**2, power.sum() * _LEFT_OUT_SHARE**2)
        count = 1 + int((remaining > allowed).sum())
        scale = _LARGEST_M / np.maximum(np.abs(right[:count]).max(1), 1e-12)
        modes = np.zeros((count, *normals.shape), np.float32)
        modes[:, chosen] = (right[:count] * scale[:, None])[..., None] * normals[chosen]
        return cls(modes, (left[:, :count] * strength[:count] / scale).astype(np.float32))

"""From light to the bytes of a picture: lens blur, shot and read noise, the sRGB curve."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from headcast.render import srgb_from_linear

_STEPS = 65535
_SHIFTS = 128
"""Windows of the grain differ by up to this many pixels along each axis."""


@cache
def _curve() -> Float[np.ndarray, "steps"]:
    """0–255 for each of 65,536 steps of linear light: a table is ten times faster than the power."""
    return (srgb_from_linear(torch.linspace(0, 1, _STEPS + 1)) * 255).numpy()


@dataclass(frozen=True)
class Sensor:
    """Lens and sensor of a camera."""

    blur_px: float
    """Standard deviation of the lens's blur."""
    noise: float
    """Standard deviation of the noise in steps of 1/255 at mid grey; dark parts have somewhat more of it, as in real cameras."""
    grain: Float[np.ndarray, "padded_height padded_width 3"]
    """Noise of deviation one, larger than the picture: every picture uses another window of it."""

    @classmethod
    def random(cls, size: tuple[int, int], blur_px: float, noise: float, rng: np.random.Generator) -> "Sensor":
        """A sensor for pictures of a size (height, width)."""
        return cls(blur_px, noise, rng.standard_normal((size[0] + _SHIFTS, size[1] + _SHIFTS, 3), np.float32))

    def expose(self, light: Float[np.ndarray, "height width 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
        """The picture that the camera takes of linear light 0–1."""
        blurred = cv2.GaussianBlur(light, (0, 0), self.blur_px) if self.blur_px > 0 else light
        srgb = _curve()[(np.clip(blurred, 0, 1) * _STEPS).astype(np.uint16)]
        if self.noise > 0:
            top, left = rng.integers(_SHIFTS, size=2)
            grain = self.grain[top : top + len(light), left : left + light.shape[1]]
            srgb = srgb + np.float32(self.noise) * (np.float32(1.25) - np.float32(0.5 / 255) * srgb) * grain
        return np.clip(np.rint(srgb), 0, 255).astype(np.uint8)

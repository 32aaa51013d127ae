"""Corrections of a camera's colours: polynomials of red, green and blue, and the table by which pictures are corrected."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from numpy import ndarray
from PIL import Image, ImageFilter

from headcast.render.light import linear_from_srgb, srgb_from_linear

_QUADRATIC = "r g b rg rb gb rr gg bb"
_CYCLIC = "rrg ggb bbr"
_COUNTER = "rrb ggr bbg"
_CUBES = "rrr ggg bbb"
TERMS = {
    3: "r g b",
    4: "r g b 1",
    5: "r g b rgb 1",
    7: "r g b rg rb gb 1",
    8: "r g b rg rb gb rgb 1",
    10: f"{_QUADRATIC} 1",
    11: f"{_QUADRATIC} rgb 1",
    14: f"{_QUADRATIC} rgb {_CUBES} 1",
    16: f"{_QUADRATIC} rgb {_CYCLIC} {_CUBES}",
    17: f"{_QUADRATIC} rgb {_CYCLIC} {_CUBES} 1",
    19: f"{_QUADRATIC} rgb {_CYCLIC} {_COUNTER} {_CUBES}",
    20: f"{_QUADRATIC} rgb {_CYCLIC} {_COUNTER} {_CUBES} 1",
    22: f"{_QUADRATIC} rgb {_CYCLIC} {_COUNTER} {_CUBES} rrgb rggb rgbb",
}
"""Polynomials of a colour correction by how many terms they have, as in Cheung, Westland, Connah & Ripamonti (2004); 4 is affine."""


@dataclass(frozen=True)
class Color:
    """A correction of colours: polynomial terms of a pixel's red, green and blue (0–1) times a matrix. `TERMS` lists them by how many there are."""

    matrix: Float64[ndarray, "3 terms"]
    linear: bool = False
    """Whether it works on linear light instead of sRGB."""

    def corrected(self, rgb: Float64[ndarray, "n 3"]) -> Float64[ndarray, "n 3"]:
        """Colours after the correction, sRGB 0–1; what leaves that range goes on along the curve, so that tables of it can be interpolated."""
        known = linear_from_srgb(torch.from_numpy(rgb)).numpy() if self.linear else rgb
        factors = dict(zip("rgb", known.T, strict=True)) | {"1": np.ones(len(rgb))}
        terms = np.stack([np.prod([factors[letter] for letter in term], axis=0) for term in TERMS[self.matrix.shape[1]].split()], 1)
        made = terms @ self.matrix.T
        return srgb_from_linear(torch.from_numpy(made)).numpy() if self.linear else made


class ColorTable:
    """A colour correction of 8-bit pictures, looked up in a table of 65³ colours and in between (as editors' LUT files do)."""

    _SIDE = 65

    def __init__(self, color: Color):
        # Pillow counts red fastest.
        blue, green, red = np.meshgrid(*[np.linspace(0, 1, self._SIDE)] * 3, indexing="ij")
        table: Float32[ndarray, "colors 3"] = color.corrected(np.stack([red, green, blue], -1).reshape(-1, 3)).astype(np.float32)
        self._filter = ImageFilter.Color3DLUT(self._SIDE, table.ravel().tolist())

    def __call__(self, image: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
        return np.asarray(Image.fromarray(image).filter(self._filter))

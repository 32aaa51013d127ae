"""An albedo picture as coefficients of FLAME's texture space, for programs that keep nothing else."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from headcast.errors import FormatError
from headcast.store import read_arrays

_STRIDE = 4
"""Every how many texels, along each side, take part in the fit."""
_SIGMA = 12.0
"""How far (0–255) a texel may stray from the texture space: the prior on its coefficients has variance one."""


def fit_flame_texture(albedo: UInt8[ndarray, "height width 3"], texture_file: Path, count: int) -> Float[ndarray, "coefficients"]:
    """The first `count` coefficients of `FLAME_texture.npz` (its `mean` and `tex_dir`, blue first, 0–255) nearest to an sRGB albedo
    picture in FLAME's own layout, by regularised least squares."""
    space = read_arrays(texture_file, {"mean": ("height", "width", 3), "tex_dir": ("height", "width", 3, "coefficients")})
    height, width = space["mean"].shape[:2]
    if space["tex_dir"].shape[3] < count:
        raise FormatError(f"expected at least {count} texture directions, found {space['tex_dir'].shape[3]}, in {texture_file}")
    picture = np.asarray(Image.fromarray(albedo).resize((width, height), Image.Resampling.BOX), np.float64)[::_STRIDE, ::_STRIDE, ::-1]
    basis = space["tex_dir"][::_STRIDE, ::_STRIDE, :, :count].reshape(-1, count).astype(np.float64) / _SIGMA
    difference = (picture - space["mean"][::_STRIDE, ::_STRIDE]).ravel() / _SIGMA
    return np.linalg.solve(basis.T @ basis + np.eye(count), basis.T @ difference).astype(np.float32)

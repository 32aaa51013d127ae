"""How alike two pictures are: L1, L2, PSNR, SSIM, MS-SSIM. Pictures are sRGB 0–1; nothing is scaled to other ranges."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray

_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM's five scales, finest first (Wang, Simoncelli & Bovik 2003, section 3.2)."""
_MOST_DB = 100.0
"""PSNR of pictures that are equal."""


def l1(a: Float32[ndarray, "*n 3"], b: Float32[ndarray, "*n 3"]) -> float:
    """Mean absolute difference of the channels."""
    return float(np.abs(a - b).mean())


def l2(a: Float32[ndarray, "*n 3"], b: Float32[ndarray, "*n 3"]) -> float:
    """Mean squared difference of the channels."""
    return float(((a - b) ** 2).mean())


def psnr_of(mean_square: float) -> float:
    """Peak signal-to-noise ratio (dB) of pictures 0–1 with this mean squared difference; 100 where it is smaller than 1e-10."""
    return _MOST_DB if mean_square < 1e-10 else float(-10 * np.log10(mean_square))


def ssim_map(a: Float32[ndarray, "height width 3"], b: Float32[ndarray, "height width 3"]) -> Float32[ndarray, "height width"]:
    """Structural similarity around each pixel, mean over channels (Wang et al. 2004): Gaussian window of 11 pixels, σ 1.5."""
    luminance, structure = _terms(a, b)
    return (luminance * structure).mean(-1)


def ssim(a: Float32[ndarray, "height width 3"], b: Float32[ndarray, "height width 3"]) -> float | None:
    """Mean structural similarity where the window lies inside of the picture; None for pictures smaller than the window."""
    return None if min(a.shape[:2]) < _WINDOW_PX else float(_inside(ssim_map(a, b)).mean())


def ms_ssim(a: Float32[ndarray, "height width 3"], b: Float32[ndarray, "height width 3"]) -> float | None:
    """Structural similarity at five scales (Wang, Simoncelli & Bovik 2003), mean over channels; None for pictures under 176 pixels."""
    if min(a.shape[:2]) < _WINDOW_PX << (len(_SCALES) - 1):
        return None
    product = np.ones(3)
    for scale, exponent in enumerate(_SCALES):
        luminance, structure = _terms(a, b)
        term = luminance * structure if scale == len(_SCALES) - 1 else structure
        product *= np.maximum(_inside(term).mean((0, 1), dtype=np.float64), 0) ** exponent
        half = (a.shape[1] // 2, a.shape[0] // 2)
        a, b = (cv2.resize(picture[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA) for picture in (a, b))
    return float(product.mean())


def inside_mask(
    a: Float32[ndarray, "height width 3"], b: Float32[ndarray, "height width 3"], mask: Bool[ndarray, "height width"]
) -> tuple[Float32[ndarray, "pixels 3"], Float32[ndarray, "pixels 3"]]:
    """The pixels of both that a mask holds."""
    return a[mask], b[mask]


def _terms(
    a: Float32[ndarray, "height width 3"], b: Float32[ndarray, "height width 3"]
) -> tuple[Float32[ndarray, "height width 3"], Float32[ndarray, "height width 3"]]:
    """Likeness of brightness, and of contrast and structure together, around each pixel."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a, variance_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return luminance, (2 * covariance + _C2) / (variance_a + variance_b + _C2)


def _blurred(picture: Float32[ndarray, "height width 3"]) -> Float32[ndarray, "height width 3"]:
    return cv2.GaussianBlur(picture, (_WINDOW_PX, _WINDOW_PX), _SIGMA_PX, borderType=cv2.BORDER_REFLECT)


def _inside(values: Float32[ndarray, "height width ..."]) -> Float32[ndarray, "inner_height inner_width ..."]:
    rim = _WINDOW_PX // 2
    return values[rim : values.shape[0] - rim, rim : values.shape[1] - rim]

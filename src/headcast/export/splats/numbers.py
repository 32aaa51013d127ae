"""How files of splats write what a splat is made of: logarithms of scales, log-odds of opacities, quaternions, harmonics."""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import InputError
from headcast.geometry import matrix_from_quaternion, quaternion_from_matrix
from headcast.render import Splats

CONSTANT = 0.5 / math.sqrt(math.pi)
"""The spherical harmonic of degree 0."""
_LEAST_SCALE = 1e-9
_LEAST_ODDS = 1e-6
DEGREES = {1: 0, 4: 1, 9: 2, 16: 3}
"""Degree by count of harmonics."""


def harmonics_of(splats: Splats) -> Float[ndarray, "splats harmonics 3"]:
    """Coefficients of the colours; of colours that are the same from all sides, those of degree 0. Raises `InputError` where there are no splats."""
    if not len(splats.means):
        raise InputError("expected at least one splat to write, found none")
    colors = splats.colors.detach().cpu().numpy().astype(np.float32)
    return colors if colors.ndim == 3 else ((colors[:, None] - 0.5) / CONSTANT).astype(np.float32)


def quaternions_of(splats: Splats) -> Float[ndarray, "splats 4"]:
    """Unit quaternions (w, x, y, z), w not negative."""
    found = quaternion_from_matrix(splats.rotations.detach().double().cpu()).numpy()
    return np.where(found[:, :1] < 0, -found, found)


def log_scales_of(splats: Splats) -> Float[ndarray, "splats 3"]:
    return np.log(np.maximum(splats.scales.detach().double().cpu().numpy(), _LEAST_SCALE))


def log_odds_of(splats: Splats) -> Float[ndarray, "splats"]:
    alpha = np.clip(splats.opacities.detach().double().cpu().numpy(), _LEAST_ODDS, 1 - _LEAST_ODDS)
    return np.log(alpha / (1 - alpha))


def splats_of(
    means: Float[ndarray, "splats 3"],
    wxyz: Float[ndarray, "splats 4"],
    scales: Float[ndarray, "splats 3"],
    opacities: Float[ndarray, "splats"],
    harmonics: Float[ndarray, "splats harmonics 3"],
) -> Splats:
    """Splats of a file's numbers; quaternions need not have length one."""
    length = np.linalg.norm(wxyz, axis=1, keepdims=True)
    unit = np.where(length > 1e-12, wxyz / np.maximum(length, 1e-12), np.array([1.0, 0, 0, 0]))
    rotations = matrix_from_quaternion(torch.from_numpy(unit)).float()
    means_, scales_, opacities_, colors = (torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in (means, scales, opacities, harmonics))
    return Splats(means_, rotations, scales_, opacities_, colors)

"""Where skin, hair and clothes may be, seen from the tracked head: weights per pixel before any colour is looked at."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray

from headcast.parse.labels import LABEL_OF, of_labels
from headcast.parse.layers import SCALP, Layers

SKIN, HAIR, CLOTH = range(3)
"""The three materials that colours tell apart; skin stands for everything that the bare head shows."""

_FINE = ("left_brow", "right_brow", "left_eye", "right_eye", "nose", "mouth", "upper_lip", "lower_lip")
_EARS = ("left_ear", "right_ear")
_FRINGE_M, _SKIN_BEYOND_M, _EAR_BEYOND_M, _NECK_BEYOND_M = 0.025, 0.012, 0.02, 0.045
"""How far from where they surely are hair reaches over the face, and skin beyond the drawn head, ears and neck."""
_OVER_BROWS_M = 0.01
"""From so far above the brows on, fringes are usual."""
_HEAD_WIDTH_M, _HAIR_BEYOND_M = 0.17, 0.03
"""Below the chin, hair hangs within the width of the head, and a little beyond."""
_COLLAR_M = 0.06
"""This far below the chin, before the neck, clothes are as usual as skin."""


def places(layers: Layers) -> Float32[ndarray, "3 height width"]:
    """Weights 0–1 of skin, hair and cloth at each pixel, not normalised."""
    labels, scale = layers.labels, layers.px_per_m
    head, scalp, neck, ears = labels > 0, labels == SCALP, labels == LABEL_OF["neck"], of_labels(labels, _EARS) > 0
    below, beside = below_chin(layers), _beside(layers)
    above, face, within = below < 0, head & ~scalp, beside < _HEAD_WIDTH_M / 2
    skin = np.where(above, 0.6 * _near(face, _SKIN_BEYOND_M * scale), 0.5 * _near(face, _NECK_BEYOND_M * scale))
    skin = np.maximum(skin, 0.8 * above * _near(ears, _EAR_BEYOND_M * scale))
    skin[head], skin[scalp], skin[ears] = 1.0, 0.25, 0.6
    hair = np.where(above, 1.0, 0.4 * np.exp(-((np.maximum(beside - _HEAD_WIDTH_M / 2, 0) / _HAIR_BEYOND_M) ** 2)) * np.exp(-below / 0.15))
    forehead = below < -(layers.brows_m + _OVER_BROWS_M)
    hair[face] = (0.4 * _near(~face & above, _FRINGE_M * scale) + np.where(forehead, 0.03, 0.004))[face]
    hair[ears], hair[neck] = 0.4, 0.1
    hair[of_labels(labels, _FINE) > 0] = 0.001
    cloth = np.where(within, np.clip(below / _COLLAR_M, 0.0, 1.0) ** 2, np.clip(0.5 + below / _COLLAR_M, 0.0, 1.0) ** 2)
    cloth[face & ~neck] = 0.001
    cloth[neck] *= 0.6
    return np.stack([skin, hair, cloth]).astype(np.float32)


def below_chin(layers: Layers) -> Float32[ndarray, "height width"]:
    """How far (m) a pixel lies below the chin, towards the shoulders; negative above."""
    return _along(layers, layers.chin_px, layers.down)


def _beside(layers: Layers) -> Float32[ndarray, "height width"]:
    """Distance (m) of a pixel from the line down through the middle of the neck."""
    return np.abs(_along(layers, layers.neck_px, np.array([layers.down[1], -layers.down[0]], np.float32)))


def _along(layers: Layers, origin: Float32[ndarray, "2"], direction: Float32[ndarray, "2"]) -> Float32[ndarray, "height width"]:
    height, width = layers.labels.shape
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    return ((x[None] - origin[0]) * direction[0] + (y[:, None] - origin[1]) * direction[1]) / np.float32(layers.px_per_m)


def _near(mask: Bool[ndarray, "height width"], reach_px: float) -> Float32[ndarray, "height width"]:
    """1 inside, falling to exp(−1) at `reach_px` from it and on towards 0."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.exp(-((distance / reach_px) ** 2))

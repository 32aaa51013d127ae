"""Which label each pixel of a frame has: places and colours together, smoothed along edges and in time, cleaned by the matte."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray

from headcast.parse.colors import ColorModel
from headcast.parse.labels import LABEL_OF, of_labels
from headcast.parse.layers import SCALP, Layers
from headcast.parse.places import CLOTH, HAIR, SKIN, below_chin, places
from headcast.perceive import Window

_SPREADING = ("skin", "left_ear", "right_ear", "neck")
"""What bare skin beyond the drawn head may be: the nearest of these."""
_RADIUS_M, _EPSILON = 0.005, 4e-4
"""Reach of the guided filter at the head, and the variance of colours (0–1 units) below which it takes differences for noise."""
_ROOT_M = 0.04
"""Hair reaches up to at least this far above the chin."""
_THREAD_M = 0.008
"""Hair narrower than this holds no patch below it."""
_SPECK_M = 0.007
"""Side of the smallest patch of hair, skin or cloth that is kept."""


@dataclass(frozen=True)
class Remembered:
    """What the next frame takes over."""

    window: Window
    small: UInt8[ndarray, "height width"]
    """The grey picture, to find motion in."""
    shares: Float32[ndarray, "height width 3"]


@dataclass(frozen=True)
class Segmented:
    """The labels inside a window."""

    labels: UInt8[ndarray, "height width"]
    confidence: Float32[ndarray, "height width"]
    """Share of the material that was chosen, 0–1."""
    remembered: Remembered


class Segmenter:
    """Labels the frames of a clip in order."""

    def __init__(self, model: ColorModel, steadiness: float):
        self._model, self._steadiness = model, steadiness
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def step(
        self,
        layers: Layers,
        colors: UInt8[ndarray, "height width 3"],
        alpha: UInt8[ndarray, "height width"],
        window: Window,
        before: Remembered | None,
    ) -> Segmented:
        """`before` is what the frame before remembered; None after a cut or a gap."""
        mixed = places(layers).transpose(1, 2, 0) * self._model.likelihood(colors)
        shares = mixed / np.maximum(mixed.sum(-1, keepdims=True), 1e-9)
        radius = max(round(_RADIUS_M * layers.px_per_m), 1)
        guide = colors.astype(np.float32) / 255
        shares = cv2.ximgproc.guidedFilter(guide, np.ascontiguousarray(shares, np.float32), radius, _EPSILON)
        shares = np.clip(shares, 0, 1)
        small = cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY)
        if before is not None and before.window == window and before.shares.shape == shares.shape:
            shares = self._steadied(shares, small, before)
        shares /= np.maximum(shares.sum(-1, keepdims=True), 1e-6)
        best = shares.argmax(-1).astype(np.uint8)
        material = _hanging(best, alpha > 127, below_chin(layers) < -_ROOT_M, max(round(_THREAD_M * layers.px_per_m), 1))
        material = _without_specks(material, alpha > 127, (_SPECK_M * layers.px_per_m) ** 2)
        opacity = alpha.astype(np.float32) / 255
        chosen = np.take_along_axis(shares, material[..., None].astype(np.int64), -1)[..., 0]
        chosen = np.where(best != material, chosen + np.take_along_axis(shares, best[..., None].astype(np.int64), -1)[..., 0], chosen)
        person = alpha > 127
        labels = np.where(person, _labels(material, layers), 0).astype(np.uint8)
        confidence = np.where(person, opacity * chosen, 1 - opacity).astype(np.float32)
        return Segmented(labels, confidence, Remembered(window, small, shares))

    def _steadied(
        self, shares: Float32[ndarray, "height width 3"], small: UInt8[ndarray, "height width"], before: Remembered
    ) -> Float32[ndarray, "height width 3"]:
        """Mixed with the shares of the frame before, moved along with the picture, where the moved picture agrees."""
        flow = self._flow.calc(small, before.small, None)
        height, width = small.shape
        at = flow + np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
        moved = cv2.remap(before.shares, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.remap(before.small, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        share = self._steadiness / (1 + (cv2.absdiff(seen, small).astype(np.float32) / 12) ** 2)
        return shares + share[..., None] * (moved - shares)


def _labels(material: UInt8[ndarray, "height width"], layers: Layers) -> UInt8[ndarray, "height width"]:
    """The part of the head where skin was chosen, otherwise hair or cloth."""
    drawn = layers.labels
    own = np.where(drawn == SCALP, LABEL_OF["skin"], drawn)
    bare = of_labels(drawn, _SPREADING) > 0
    if bare.any():
        _, nearest = cv2.distanceTransformWithLabels((~bare).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        beyond = np.zeros(nearest.max() + 1, np.uint8)
        beyond[nearest[bare]] = drawn[bare]
        own = np.where(drawn == 0, beyond[nearest], own)
    return np.choose(material, [own, np.full_like(own, LABEL_OF["hair"]), np.full_like(own, LABEL_OF["cloth"])])


def _hanging(
    material: UInt8[ndarray, "height width"], person: Bool[ndarray, "height width"], above: Bool[ndarray, "height width"], brush_px: int
) -> UInt8[ndarray, "height width"]:
    """Hair hangs from the head: a patch of it that does not reach up beside the face, or only by a thread, is cloth."""
    hair = ((material == HAIR) & person).astype(np.uint8)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (brush_px, brush_px))
    thick = cv2.erode(hair, brush, borderValue=1)
    _, patches = cv2.connectedComponents(thick, connectivity=4)
    rooted = np.zeros(patches.max() + 1, np.uint8)
    rooted[np.unique(patches[(thick > 0) & above])] = 1
    kept = cv2.dilate(rooted[patches], brush) > 0
    return np.where((hair > 0) & ~kept & ~above, CLOTH, material).astype(np.uint8)


def _without_specks(
    material: UInt8[ndarray, "height width"], person: Bool[ndarray, "height width"], smallest_px: float
) -> UInt8[ndarray, "height width"]:
    """Small patches take the material that most pixels at their rim have."""
    result = material.copy()
    for kind in (SKIN, HAIR, CLOTH):
        _, patches, stats, _ = cv2.connectedComponentsWithStats(((result == kind) & person).astype(np.uint8), connectivity=4)
        for patch in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] < smallest_px) + 1:
            left, top, width, height = stats[patch, :4]
            part = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
            own = (patches[part] == patch).astype(np.uint8)
            rim = (cv2.dilate(own, np.ones((3, 3), np.uint8)) > own) & person[part]
            if rim.any():
                result[part][own > 0] = np.bincount(result[part][rim], minlength=3).argmax()
    return result

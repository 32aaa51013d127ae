"""Cuts the followed person out of a window around the head: MediaPipe's selfie segmentation, refined at the hair line."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from numpy import ndarray

from headcast.compiled import compiled
from headcast.perceive.faces import FaceBox
from headcast.perceive.graphs import Graph

_NET_PX = 256
_MODEL_PX = 128
_HAIR_PX = 12
"""How far from a person's opaque part soft edges may lie, in the network's pixels."""
_SEGMENT = """
input_stream: "image"
output_stream: "mask"
num_threads: 1
node {
  calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:input"
  options { [mediapipe.ImageToTensorCalculatorOptions.ext] {
    output_tensor_width: 256 output_tensor_height: 256 output_tensor_float_range { min: 0 max: 1 } } }
}
node { calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:resolver" }
node {
  calculator: "InferenceCalculator" input_side_packet: "OP_RESOLVER:resolver" input_stream: "TENSORS:input" output_stream: "TENSORS:output"
  options { [mediapipe.InferenceCalculatorOptions.ext] {
    model_path: "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite" delegate { xnnpack { num_threads: 1 } } } }
}
node {
  calculator: "TensorsToSegmentationCalculator" input_stream: "TENSORS:output" output_stream: "MASK:mask"
  options { [mediapipe.TensorsToSegmentationCalculatorOptions.ext] { activation: NONE } }
}
"""


@dataclass(frozen=True)
class MatteConfig:
    """How the person is cut out."""

    window: float = 1.7
    """Side of the window over the side of the face's box; 1.7 holds hair or a hat, the neck and the shoulders."""
    largest_px: int = 512
    """Longer side of a matte; larger windows are matted at this size."""
    steadiness: float = 0.5
    """Share of the frame before in what hardly changed since, 0 to 1; it takes the shimmer off still edges."""
    filter_radius: float = 0.01
    """Radius of the guided filter over the window's side."""
    filter_epsilon: float = 1e-3
    """Colour variance (0–1 units) below which the guided filter takes differences for noise."""


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels of the upright frame."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def around(cls, box: FaceBox, side: float, size: tuple[int, int]) -> "Window":
        """The square with this side (in box sides) around a head, as far as it lies in a picture of `size` (height, width).

        Its middle is a little above that of the face: there is more head over the face than neck below it.
        """
        up = np.array([math.sin(box.roll_rad), -math.cos(box.roll_rad)])
        middle, reach = box.center_px + 0.08 * box.side_px * up, 0.5 * side * box.side_px
        low = np.clip(np.floor(middle - reach), 0, np.array(size[::-1]) - 1).astype(int)
        high = np.clip(np.ceil(middle + reach), low + 1, size[::-1]).astype(int)
        return cls(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))

    def cut(self, image: Shaped[ndarray, "..."]) -> Shaped[ndarray, "..."]:
        """The part of a picture that the window shows."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def size_at(self, largest_px: int) -> tuple[int, int]:
        """Width and height when the longer side may not exceed `largest_px`."""
        shrink = min(1.0, largest_px / max(self.width, self.height))
        return max(round(self.width * shrink), 1), max(round(self.height * shrink), 1)


@dataclass(frozen=True)
class Matte:
    """Opacity of the person inside a window; outside of it nothing is known."""

    window: Window
    alpha: UInt8[ndarray, "matte_height matte_width"]
    """0 background to 255 person, at the window's size or smaller."""


@dataclass(frozen=True)
class MatteState:
    """What is remembered from frame to frame."""

    window: Window
    alpha: UInt8[ndarray, "matte_height matte_width"]
    memory: tuple[Float32[ndarray, "..."], ...] = ()
    """Recurrent states of a network that has any."""


class Matting:
    """The selfie segmentation network inside the wheel of MediaPipe 0.10.21 (Apache-2.0), one thread."""

    def __init__(self, config: MatteConfig | None = None):
        self.config = config or MatteConfig()
        self.state: MatteState | None = None
        self._graph = Graph(_SEGMENT, ("mask",), _NET_PX)

    def step(self, image: UInt8[ndarray, "height width 3"], alpha: UInt8[ndarray, "height width"] | None, box: FaceBox, cut: bool) -> Matte:
        """The matte of the person whose face fills `box`. The recording's own alpha, where it has one, is used as it is."""
        last = None if cut else self.state
        window = steady_window(last, Window.around(box, self.config.window, image.shape[:2]))
        if alpha is not None:
            self.state = None
            return own_alpha(alpha, window, self.config)
        colors = window.cut(image)
        small = _resized(colors, (_NET_PX, _NET_PX))
        mask = self._segment(small, round(box.roll_rad / (math.pi / 2)))
        own = _around_point(mask, (box.center_px - (window.left, window.top)) / (window.width, window.height))
        colors = _resized(colors, window.size_at(self.config.largest_px))
        model = cv2.resize(_guided(own, small, self.config), colors.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        share = 0.0 if last is None else self.config.steadiness
        alpha = _applied(model, colors, np.zeros(colors.shape[:2], np.uint8) if last is None else _moved(last, window, colors.shape[:2]), share)
        self.state = MatteState(window, alpha)
        return Matte(window, alpha)

    def _segment(self, small: UInt8[ndarray, "256 256 3"], quarter_turns: int) -> Float32[ndarray, "256 256"]:
        from mediapipe.python import packet_getter

        upright = np.ascontiguousarray(np.rot90(small, quarter_turns))
        mask = packet_getter.get_image(self._graph(upright)["mask"]).numpy_view().reshape(_NET_PX, _NET_PX)
        return np.ascontiguousarray(np.rot90(mask, -quarter_turns))


def own_alpha(alpha: UInt8[ndarray, "height width"], window: Window, config: MatteConfig) -> Matte:
    """The recording's own opacity inside a window."""
    return Matte(window, _resized(window.cut(alpha), window.size_at(config.largest_px)))


def _resized(image: UInt8[ndarray, "..."], size: tuple[int, int]) -> UInt8[ndarray, "..."]:
    if image.shape[1::-1] == size:
        return np.ascontiguousarray(image)
    shrinking = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def steady_window(last: MatteState | None, wanted: Window) -> Window:
    """The last window while the face stays well inside of it; one that follows each tremble would make the edges shimmer."""
    if last is None:
        return wanted
    kept = last.window
    off = max(
        abs(kept.left - wanted.left),
        abs(kept.top - wanted.top),
        abs(kept.left + kept.width - wanted.left - wanted.width),
        abs(kept.top + kept.height - wanted.top - wanted.height),
    )
    return kept if off < 0.1 * max(kept.width, kept.height) else wanted


def _moved(last: MatteState, window: Window, size: tuple[int, int]) -> UInt8[ndarray, "height width"]:
    """The last matte as it lies in another window, at `size` (height, width); beyond the last window its rim is repeated."""
    old = last.window
    if old == window:
        return last.alpha
    old_px = np.array(last.alpha.shape[::-1]) / (old.width, old.height)
    scale = np.array([window.width / size[1], window.height / size[0]]) * old_px
    offset = np.array([window.left - old.left, window.top - old.top]) * old_px
    affine = np.column_stack([np.diag(scale), offset + 0.5 * scale - 0.5])
    return cv2.warpAffine(last.alpha, affine, size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _around_point(mask: Float32[ndarray, "256 256"], place: Float[ndarray, "2"]) -> Float32[ndarray, "256 256"]:
    """The mask on and close around its connected part at `place` (shares of width and height): no other people, no false finds."""
    _, labels = cv2.connectedComponents((mask > 0.5).astype(np.uint8))
    column, row = np.clip((np.asarray(place) * _NET_PX).astype(int), 0, _NET_PX - 1)
    if labels[row, column] == 0 or labels.max() == 1:
        return mask
    own = (labels == labels[row, column]).astype(np.uint8)
    close = cv2.dilate(own, np.ones((2 * _HAIR_PX + 1, 2 * _HAIR_PX + 1), np.uint8)) > 0
    return np.where(close & ((own > 0) | (labels == 0)), mask, 0).astype(np.float32)


def _guided(mask: Float32[ndarray, "256 256"], small: UInt8[ndarray, "256 256 3"], config: MatteConfig) -> Float32[ndarray, "128 128 4"]:
    """The mask as a linear function of colour around each pixel, which draws it along the edges of the colours: He & Sun 2015, "Fast
    Guided Filter". Found at half the network's size; the last axis is the weight of red, green and blue (0–1) and the constant."""
    diameter = 2 * max(round(config.filter_radius * _MODEL_PX), 1) + 1

    def mean(values):
        return cv2.blur(values, (diameter, diameter))

    guide = cv2.resize(small, (_MODEL_PX, _MODEL_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    coarse = cv2.resize(mask, (_MODEL_PX, _MODEL_PX), interpolation=cv2.INTER_AREA)
    mixed = mean(guide * guide[..., [1, 2, 0]])
    with_mask = mean(guide * coarse[..., None])
    return mean(_linear_model(mean(guide), mean(coarse), mean(guide * guide), mixed, with_mask, config.filter_epsilon))


@compiled("f4[:,:,::1], f4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,:,::1], f8")
def _linear_model(mean_guide, mean_mask, squares, mixed, with_mask, epsilon):
    """Per pixel the a (3) and b of mask ≈ a · colour + b over its neighbourhood (equations 5 and 6 of the paper, three colours).

    `squares` are means of RR, GG, BB; `mixed` of RG, GB, BR; `with_mask` of colour times mask. Where the mask is flat, a is zero.
    """
    height, width = mean_mask.shape
    model = np.zeros((height, width, 4), np.float32)
    for y in range(height):
        for x in range(width):
            m = mean_mask[y, x]
            if m < 0.002 or m > 0.998:
                model[y, x, 3] = m
                continue
            r, g, b = mean_guide[y, x, 0], mean_guide[y, x, 1], mean_guide[y, x, 2]
            rr = squares[y, x, 0] - r * r + epsilon
            gg = squares[y, x, 1] - g * g + epsilon
            bb = squares[y, x, 2] - b * b + epsilon
            rg, gb, br = mixed[y, x, 0] - r * g, mixed[y, x, 1] - g * b, mixed[y, x, 2] - b * r
            cr, cg, cb = with_mask[y, x, 0] - r * m, with_mask[y, x, 1] - g * m, with_mask[y, x, 2] - b * m
            # The inverse of a symmetric 3×3 matrix by its cofactors.
            ir, ig, ib = gg * bb - gb * gb, gb * br - rg * bb, rg * gb - gg * br
            jg, jb, kb = rr * bb - br * br, br * rg - rr * gb, rr * gg - rg * rg
            determinant = rr * ir + rg * ig + br * ib
            ar = (ir * cr + ig * cg + ib * cb) / determinant
            ag = (ig * cr + jg * cg + jb * cb) / determinant
            ab = (ib * cr + jb * cg + kb * cb) / determinant
            model[y, x, 0], model[y, x, 1], model[y, x, 2] = ar, ag, ab
            model[y, x, 3] = m - ar * r - ag * g - ab * b
    return model


@compiled("f4[:,:,::1], u1[:,:,::1], u1[:,::1], f8")
def _applied(model, colors, before, share):
    """The linear model at each pixel's own colour, as opacity 0 to 255; almost nothing and almost all become nothing and all.

    Where the opacity hardly changed since `before`, that has `share` in the result; large changes are taken as they come.
    """
    height, width = colors.shape[:2]
    alpha = np.empty((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            value = model[y, x, 3]
            for channel in range(3):
                value += model[y, x, channel] * colors[y, x, channel] / 255
            value = min(max((value - 0.03) / 0.94, 0.0), 1.0) * 255
            change = before[y, x] - value
            if abs(change) > 0.5:
                value += share * change / (1 + (change / 30.0) ** 4)
            alpha[y, x] = np.uint8(value + 0.5)
    return alpha

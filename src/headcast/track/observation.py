"""What the tracker compares with in one frame: a window of the picture around the head, its gradients, matte and landmarks."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from headcast.compiled import compiled
from headcast.track.photometric import GAMMA


def _gamma_table() -> np.ndarray:
    """Linear light to the power 1/GAMMA of every 8-bit sRGB value (IEC 61966-2-1)."""
    srgb = np.arange(256) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return (linear ** (1 / GAMMA)).astype(np.float32)


GAMMA_OF_BYTE = _gamma_table()


@dataclass(frozen=True)
class Window:
    """Where a working picture lies in the source: `pixel = source pixel · scale − corner`."""

    scale: Float[np.ndarray, "2"]
    corner: Float[np.ndarray, "2"]
    size: tuple[int, int]
    """(height, width) in working pixels."""

    def from_source(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        return pixels * self.scale - self.corner

    def to_source(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        return (pixels + self.corner) / self.scale

    def focal(self, focal_px: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
        return focal_px * self.scale

    def center(self, center_px: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
        return center_px * self.scale - self.corner

    @classmethod
    def around(cls, center: Float[np.ndarray, "2"], source_side_px: int, side_px: int) -> "Window":
        """A square window of the source, `source_side_px` wide, seen at `side_px`; whole source pixels, so nothing is interpolated twice."""
        corner = np.round(np.asarray(center, np.float64) - source_side_px / 2)
        ratio = side_px / source_side_px
        return cls(np.full(2, ratio), corner * ratio, (side_px, side_px))


@dataclass(frozen=True)
class Picture:
    """One level of a frame's picture."""

    window: Window
    image: Float[np.ndarray, "height width 3"]
    """Gamma space."""
    gradient: Float[np.ndarray, "height width 3 2"]
    matte: Float[np.ndarray, "height width"]
    depth: Float[np.ndarray, "height width"] | None = None
    """Along the view (m), 0 where it was not measured."""


@dataclass(frozen=True)
class Observation:
    """A frame as one camera sees it."""

    frame_idx: int
    levels: tuple[Picture, ...]
    """Finest first; each next one has half the size."""
    landmarks: Float[np.ndarray, "landmarks 2"]
    """Detected, source pixels."""
    confidence: Float[np.ndarray, "landmarks"]
    """0–1, with what the detector could not see already lowered."""
    camera: int = 0
    """Of the rig."""


@dataclass(frozen=True)
class Moment:
    """A frame as all cameras that see the face see it: at least one."""

    frame_idx: int
    views: tuple[Observation, ...]


def observe(
    frame_idx: int,
    rgb: UInt8[np.ndarray, "source_height source_width 3"],
    matte: UInt8[np.ndarray, "source_height source_width"],
    landmarks: Float[np.ndarray, "landmarks 2"],
    confidence: Float[np.ndarray, "landmarks"],
    source_side_px: int,
    side_px: int,
    level_count: int = 2,
    camera: int = 0,
    depth: Float[np.ndarray, "source_height source_width"] | None = None,
    outline: Float[np.ndarray, "outlined 2"] | None = None,
) -> Observation:
    """Cuts the window around the landmarks (or around `outline`) out of a frame; outside the source the matte is zero."""
    around = landmarks if outline is None else outline
    center = (around.min(0) + around.max(0)) / 2
    window = Window.around(center, source_side_px, side_px)
    left, top = (round(float(v)) for v in window.corner / window.scale)
    image = GAMMA_OF_BYTE[_cut(rgb, left, top, source_side_px)]
    alpha = _cut(matte, left, top, source_side_px).astype(np.float32) * np.float32(1 / 255)
    if source_side_px != side_px:
        interpolation = cv2.INTER_AREA if side_px < source_side_px else cv2.INTER_LINEAR
        image = cv2.resize(image, (side_px, side_px), interpolation=interpolation)
        alpha = cv2.resize(alpha, (side_px, side_px), interpolation=interpolation)
    measured = None
    if depth is not None:
        # Never a mean of two depths: between a nose and the cheek behind it there is nothing.
        measured = cv2.resize(_cut(depth, left, top, source_side_px), (side_px, side_px), interpolation=cv2.INTER_NEAREST)
    levels = [Picture(window, image, picture_gradient(image), alpha, measured)]
    for _ in range(level_count - 1):
        levels.append(_halved(levels[-1]))
    return Observation(frame_idx, tuple(levels), landmarks, confidence, camera)


def _cut(source: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of the source; what lies outside is zero."""
    height, width = source.shape[:2]
    x0, x1, y0, y1 = max(left, 0), min(left + side, width), max(top, 0), min(top + side, height)
    if x1 - x0 == side and y1 - y0 == side:
        return source[y0:y1, x0:x1]
    cut = np.zeros((side, side, *source.shape[2:]), source.dtype)
    if x1 > x0 and y1 > y0:
        cut[y0 - top : y1 - top, x0 - left : x1 - left] = source[y0:y1, x0:x1]
    return cut


def _halved(picture: Picture) -> Picture:
    height, width = picture.window.size
    size = (height // 2, width // 2)
    image = cv2.resize(picture.image, size[::-1], interpolation=cv2.INTER_AREA)
    matte = cv2.resize(picture.matte, size[::-1], interpolation=cv2.INTER_AREA)
    window = replace(picture.window, scale=picture.window.scale / 2, corner=picture.window.corner / 2, size=size)
    depth = None if picture.depth is None else np.ascontiguousarray(picture.depth[1::2, 1::2][: size[0], : size[1]])
    return Picture(window, image, picture_gradient(image), matte, depth)


@compiled("f4[:,:,::1], f4[:,:,:,::1]", fastmath=True)
def _gradient(image, out):
    height, width, _ = image.shape
    for y in range(height):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            for c in range(3):
                # Scharr's 3-10-3 kernel: the central difference that favours no direction.
                dx = np.float32(3.0) * (image[up, right, c] - image[up, left, c] + image[down, right, c] - image[down, left, c])
                dx += np.float32(10.0) * (image[y, right, c] - image[y, left, c])
                dy = np.float32(3.0) * (image[down, left, c] - image[up, left, c] + image[down, right, c] - image[up, right, c])
                dy += np.float32(10.0) * (image[down, x, c] - image[up, x, c])
                out[y, x, c, 0] = dx * np.float32(1 / 32)
                out[y, x, c, 1] = dy * np.float32(1 / 32)


def picture_gradient(image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width 3 2"]:
    """Derivative of each channel per pixel, (d/dx, d/dy), by Scharr's kernel."""
    out = np.empty((*image.shape, 2), np.float32)
    _gradient(np.ascontiguousarray(image), out)
    return out

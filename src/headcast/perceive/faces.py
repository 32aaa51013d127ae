"""Finds faces anywhere in a picture, of any size and upright or lying, as rotated squares."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from headcast.perceive.graphs import Graph

_BOX_PER_DETECTION = 1.5
"""Side of the square we crop over the larger side of the detector's box: the scale that the mesh network was trained with."""
_CONVINCING = 0.75
"""Score of an upright find from which on no other turn of the picture is tried."""
_CROP_PX = 192
_DETECT = """
input_stream: "image"
output_stream: "detections"
num_threads: 1
node {{ calculator: "FaceDetection{range}Cpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:detections" }}
"""


@dataclass(frozen=True)
class FaceBox:
    """A square around a face in the pixels of the upright picture."""

    center_px: Float[ndarray, "2"]
    side_px: float
    roll_rad: float
    """Turn from the picture's +X to the direction from the subject's right eye to the left, clockwise as seen (+Y is down)."""
    score: float = 1.0
    """How sure the detector was, 0 to 1."""

    def source_from_crop(self, crop_px: int) -> Float[ndarray, "2 3"]:
        """Affine map from the pixels of an upright crop of `crop_px`² to the picture's (pixel (0, 0) is the corner in both)."""
        scale = self.side_px / crop_px
        cos, sin = scale * math.cos(self.roll_rad), scale * math.sin(self.roll_rad)
        linear = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([linear, self.center_px - linear @ np.full(2, crop_px / 2)])

    def overlap(self, other: "FaceBox") -> float:
        """Intersection over union, roll ignored, 0 to 1."""
        low = np.maximum(self.center_px - self.side_px / 2, other.center_px - other.side_px / 2)
        high = np.minimum(self.center_px + self.side_px / 2, other.center_px + other.side_px / 2)
        shared = float(np.prod(np.maximum(high - low, 0)))
        return shared / (self.side_px**2 + other.side_px**2 - shared)


def crop(image: UInt8[ndarray, "height width channels"], box: FaceBox, crop_px: int) -> UInt8[ndarray, "crop crop channels"]:
    """The box as an upright square picture; outside of the picture is black. Shrinking averages, so that nothing aliases."""
    source_from_crop = box.source_from_crop(crop_px)
    factor = round(box.side_px / crop_px)
    if factor > 1:
        # Blocks of whole pixels are averaged first: exact, and several times faster than averaging over fractions of pixels.
        reach = 0.75 * box.side_px + factor
        low = np.clip(np.floor(box.center_px - reach), 0, np.maximum(np.array(image.shape[1::-1]) - factor, 0)).astype(int)
        blocks = np.clip(np.ceil((np.minimum(box.center_px + reach, image.shape[1::-1]) - low) / factor), 1, None).astype(int)
        blocks = np.minimum(blocks, (np.array(image.shape[1::-1]) - low) // factor)
        if blocks.min() < 1:
            return np.zeros((crop_px, crop_px, image.shape[2]), np.uint8)
        part = image[low[1] : low[1] + blocks[1] * factor, low[0] : low[0] + blocks[0] * factor]
        image = cv2.resize(part, (int(blocks[0]), int(blocks[1])), interpolation=cv2.INTER_AREA)
        source_from_crop = np.column_stack([source_from_crop[:, :2], source_from_crop[:, 2] - low]) / factor
    shifted = source_from_crop.copy()
    shifted[:, 2] += source_from_crop[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(image, shifted, (crop_px, crop_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


class FaceFinder:
    """Finds faces in whole pictures with MediaPipe's two face detectors (Apache-2.0, inside its wheel)."""

    def __init__(self):
        self._near = Graph(_DETECT.format(range="ShortRange"), ("detections",), 128)
        self._far = Graph(_DETECT.format(range="FullRange"), ("detections",), 192)

    def find(self, image: UInt8[ndarray, "height width 3"], thorough: bool = True) -> list[FaceBox]:
        """Distinct faces, surest first, whichever way up they are.

        Every find is looked at again in its own upright crop, which gives its score, place and roll; where none is convincing,
        the picture is searched turned by a quarter, three quarters and a half as well. Thorough also looks at overlapping parts
        of the picture, down to a quarter of its shorter side, while nothing is found.
        """
        found: list[FaceBox] = []
        for quarter_turns in (0, 1, 3, 2):
            turned = np.ascontiguousarray(np.rot90(image, quarter_turns))
            boxes = [box for box in self._search(turned, thorough and quarter_turns == 0)]
            upright = [self._second_look(image, _turn_back(box, quarter_turns, image.shape[:2])) for box in boxes]
            found += [box for box in upright if box is not None]
            if any(box.score >= _CONVINCING for box in found):
                break
        return _distinct(found)

    def _search(self, image: UInt8[ndarray, "height width 3"], thorough: bool) -> list[FaceBox]:
        for tiles in _levels(image.shape[:2], thorough):
            found = [box for tile in tiles for box in self._find_in(image, tile, whole=len(tiles) == 1)]
            if found:
                return _distinct(found)
        return []

    def _second_look(self, image: UInt8[ndarray, "height width 3"], box: FaceBox) -> FaceBox | None:
        """The same face found again in an upright crop around it, or None where the detector takes it back."""
        wide = replace(box, side_px=1.4 * box.side_px)
        again = _parse(self._near(crop(image, wide, _CROP_PX)))
        if not again:
            return None
        inside = _box(max(again, key=lambda detection: detection.score[0]), (0, 0, _CROP_PX, _CROP_PX))
        affine = wide.source_from_crop(_CROP_PX)
        center = affine[:, :2] @ inside.center_px + affine[:, 2]
        return FaceBox(center, inside.side_px * wide.side_px / _CROP_PX, _wrapped(wide.roll_rad + inside.roll_rad), inside.score)

    def _find_in(self, image: UInt8[ndarray, "height width 3"], tile: tuple[int, int, int, int], whole: bool) -> list[FaceBox]:
        top, left, height, width = tile
        part = image[top : top + height, left : left + width]
        shrink = max(height, width) / 256
        if shrink > 1:
            part = cv2.resize(part, (max(round(width / shrink), 1), max(round(height / shrink), 1)), interpolation=cv2.INTER_AREA)
        part = np.ascontiguousarray(part)
        detections = _parse(self._near(part))
        if whole and not detections:
            detections = _parse(self._far(part))
        return [_box(detection, tile) for detection in detections]


def _parse(packets: dict) -> list:
    from mediapipe.python import packet_getter

    return packet_getter.get_proto_list(packets["detections"]) if "detections" in packets else []


def _box(detection, tile: tuple[int, int, int, int]) -> FaceBox:
    top, left, height, width = tile
    location = detection.location_data
    bounds = location.relative_bounding_box
    right_eye, left_eye = (np.array([p.x * width, p.y * height]) for p in location.relative_keypoints[:2])
    across = left_eye - right_eye
    center = np.array([left + (bounds.xmin + bounds.width / 2) * width, top + (bounds.ymin + bounds.height / 2) * height])
    side = _BOX_PER_DETECTION * max(bounds.width * width, bounds.height * height)
    return FaceBox(center, side, math.atan2(across[1], across[0]), float(detection.score[0]))


def _levels(size: tuple[int, int], thorough: bool) -> Iterator[list[tuple[int, int, int, int]]]:
    """The whole picture, then squares that overlap by half, each level half as large, as (top, left, height, width)."""
    height, width = size
    yield [(0, 0, height, width)]
    side = min(size)
    while thorough and side >= 64 and side >= min(size) / 4:
        tops, lefts = (np.linspace(0, n - side, max(math.ceil((n - side) / (side / 2)), 0) + 1).round().astype(int) for n in size)
        if len(tops) * len(lefts) > 1:
            yield [(int(top), int(left), side, side) for top in tops for left in lefts]
        side //= 2


def _turn_back(box: FaceBox, quarter_turns: int, size: tuple[int, int]) -> FaceBox:
    """Undoes the anticlockwise turn for a picture whose own size is `size`."""
    height, width = size
    x, y = box.center_px
    center = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[quarter_turns % 4]
    roll = box.roll_rad + quarter_turns * math.pi / 2
    return replace(box, center_px=np.array(center, float), roll_rad=_wrapped(roll))


def _distinct(boxes: list[FaceBox]) -> list[FaceBox]:
    """Each face once, surest first; of the same face seen two ways up, the upright one has an advantage."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: abs(box.roll_rad) / 20 - box.score):
        if all(box.overlap(other) < 0.3 for other in kept):
            kept.append(box)
    return kept


def _wrapped(angle: float) -> float:
    """The same angle between −π and π."""
    return math.atan2(math.sin(angle), math.cos(angle))

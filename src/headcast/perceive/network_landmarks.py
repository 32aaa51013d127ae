"""Landmarks of other layouts than MediaPipe's, by networks that the user brings, around the face that MediaPipe follows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from headcast.errors import ConfigError, FormatError
from headcast.perceive.faces import FaceBox, crop
from headcast.perceive.follow import BOX_PER_FACE, Landmarks
from headcast.perceive.layouts import MEDIAPIPE, Layout, layout_of
from headcast.perceive.networks import NamedNetwork, OnnxNetwork
from headcast.perceive.topology import MESH_COUNT
from headcast.perceive.visibility import agreement

_HEAP = 0.3
"""Extent of a network's points, as a share of MediaPipe's, below which they are no face."""


@dataclass(frozen=True)
class _Reading:
    """How a network is fed and read."""

    layout: str
    size_px: int
    """Side of its pictures where the graph takes any."""
    side: Callable[[float, float], float]
    """Side of the crop for a face of some width and height."""
    of_face: bool = False
    """Width and height are the whole face's, forehead included; else those of the network's own points."""
    rise: float = 0.0
    """By how much of that height the crop's middle lies above theirs."""
    gives: Literal["heat maps", "places"] = "places"
    """Heat maps: a picture per point. Places: x, y of each point, −1 to 1 from edge to edge of the crop."""


READINGS = {
    "fan": _Reading("ibug_68", 256, lambda width, height: (width + height) * 200 / 195, True, 0.12, "heat maps"),
    "hrnet": _Reading("wflw_98", 256, lambda width, height: 1.25 * max(width, height), gives="heat maps"),
    "star": _Reading("wflw_98", 256, lambda width, height: 1.05 * min(width, height)),
    "insightface": _Reading("insightface_106", 192, lambda width, height: 1.5 * max(width, height), True),
}
"""Known landmark networks; crops as their authors make them, but turned upright."""


class LandmarkSources:
    """The landmarks that a capture keeps: MediaPipe's, those of networks, or both, one after another."""

    def __init__(self, sources: tuple[str, ...]):
        """From "mediapipe" and NAME:FILE; raises `ConfigError` for anything else or two of one layout, and as `OnnxNetwork`."""
        named = [None if source == "mediapipe" else _named(source) for source in sources]
        names = tuple(MEDIAPIPE if one is None else READINGS[one.name].layout for one in named)
        self.layout: Layout = layout_of(names)
        self._networks = [None if one is None else NetworkLandmarks(one) for one in named]

    def __call__(self, image: UInt8[ndarray, "height width 3"], seen: Landmarks) -> Landmarks | None:
        """The landmarks of this layout where MediaPipe saw the face; None where the first source sees none."""
        found = [seen if network is None else network(image, seen) for network in self._networks]
        if not found[0].confidence.any():
            return None
        if len(found) == 1:
            return found[0]
        joined = {name: np.concatenate([getattr(one, name) for one in found]) for name in ("points_px", "depth_px", "confidence", "visibility")}
        return Landmarks(**joined, box=seen.box)


def _named(source: str) -> NamedNetwork:
    if ":" not in source:
        raise ConfigError(f"--landmarks expects mediapipe, {', '.join(f'{name}:FILE' for name in READINGS)}, found {source!r}")
    return NamedNetwork.of(source, tuple(READINGS), "--landmarks")


class NetworkLandmarks:
    """One network. It looks twice, once at the mirrored crop: the mean is taken, and how far the two agree is the confidence, as with MediaPipe."""

    def __init__(self, named: NamedNetwork):
        """Raises as `OnnxNetwork`."""
        self._graph = OnnxNetwork(named)
        self._reading = READINGS[named.name]
        self._layout = layout_of((self._reading.layout,))
        self._side_px = (self._graph.size or (self._reading.size_px,))[0]
        self._file = named.file

    def __call__(self, image: UInt8[ndarray, "height width 3"], seen: Landmarks) -> Landmarks:
        """The network's points of the face that MediaPipe saw; what hides MediaPipe's next landmark hides them. On a heap, none is trusted."""
        box, kin, partner = self._box(seen), self._layout.kin, self._layout.partner
        picture = crop(image, box, self._side_px)
        first = self._points(picture)
        second = self._points(np.ascontiguousarray(picture[:, ::-1]))[partner] * [-1, 1] + [1, 0]
        affine = box.source_from_crop(1)
        points = ((first + second) / 2) @ affine[:, :2].T + affine[:, 2]
        spread = np.ptp(points, axis=0).max() / np.ptp(seen.points_px[kin], axis=0).max()
        trust = (spread > _HEAP) * agreement(np.linalg.norm(first - second, axis=1) * box.side_px, seen.box.side_px / BOX_PER_FACE)
        inside = ((points >= 0) & (points <= image.shape[1::-1])).all(1)
        visibility = seen.visibility[kin]
        confidence = (trust * visibility * inside).astype(np.float32)
        return Landmarks(points.astype(np.float32), seen.depth_px[kin], confidence, visibility, seen.box)

    def _box(self, seen: Landmarks) -> FaceBox:
        """The square that the network wants around the face, upright."""
        reading, kin = self._reading, self._layout.kin
        upright = seen.box.source_from_crop(1)[:, :2] / seen.box.side_px
        points = seen.points_px[: MESH_COUNT if reading.of_face else None].astype(np.float64)
        points = (points if reading.of_face else points[kin[kin < MESH_COUNT]]) @ upright
        low, high = points.min(0), points.max(0)
        middle = (low + high) / 2 - [0, reading.rise * (high - low)[1]]
        return FaceBox(upright @ middle, max(reading.side(*(high - low).tolist()), 1e-3), seen.box.roll_rad)

    def _points(self, picture: UInt8[ndarray, "side side 3"]) -> Float[ndarray, "landmarks 2"]:
        """Places in the crop, 0 to 1 from its left and upper edge."""
        answer = self._graph(self._graph.network.tensor(picture))[0][0]
        if self._reading.gives == "heat maps":
            return peaks(answer)
        if answer.size != 2 * self._layout.count:
            raise FormatError(f"expected x and y of {self._layout.count} points, found {answer.size} numbers, from {self._file}")
        return (answer.reshape(-1, 2).astype(np.float64) + 1) / 2


def peaks(maps: Float32[ndarray, "landmarks height width"]) -> Float[ndarray, "landmarks 2"]:
    """Where each map is highest, 0 to 1 from its left and upper edge, between its pixels: the mean of what lies around the highest, by height."""
    count, height, width = maps.shape
    blurred = [np.pad(cv2.GaussianBlur(one, (3, 3), 0), 1, mode="edge") for one in maps]
    rows, columns = np.unravel_index([int(one[1:-1, 1:-1].argmax()) for one in blurred], (height, width))
    places = np.empty((count, 2))
    steps = np.arange(-1, 2)
    for k, (one, row, column) in enumerate(zip(blurred, rows, columns, strict=True)):
        around = one[row : row + 3, column : column + 3].astype(np.float64)
        around = around - around.min() + 1e-12
        around /= around.sum()
        places[k] = column + around.sum(0) @ steps, row + around.sum(1) @ steps
    return (places + 0.5) / [width, height]

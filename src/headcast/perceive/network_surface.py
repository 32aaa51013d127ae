"""Face parsing and face normals by networks that the user brings, for one face in a whole frame."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.perceive.faces import FaceBox, crop
from headcast.perceive.networks import NamedNetwork, OnnxNetwork
from headcast.perceive.topology import IRIS_CENTERS, MESH_COUNT

_PARSING_PX, _NORMALS_PX = 512, 256
_PARSING_REACH = 1.35
"""Side of the crop over the side of the face's box: heads of the data set fill their pictures so."""
_NORMALS_REACH = 1.2
"""Side of the crop over the larger extent of the landmarks."""
_SIDED = ((2, 3), (4, 5), (7, 8))
"""Numbers of left and right brows, eyes and ears."""


class FaceParser:
    """BiSeNet: the 19 labels of CelebAMask-HQ."""

    def __init__(self, named: NamedNetwork):
        self._graph = OnnxNetwork(named)

    def __call__(
        self, image: UInt8[ndarray, "height width 3"], box: FaceBox, landmarks_px: Float32[ndarray, "478 2"]
    ) -> tuple[UInt8[ndarray, "height width"], Float32[ndarray, "height width"]]:
        """Labels and their probability over the whole frame, 0 outside of the crop. Left and right are the subject's, by the landmarks."""
        square = FaceBox(box.center_px, _PARSING_REACH * box.side_px, box.roll_rad)
        picture = crop(image, square, _PARSING_PX)
        scores = self._graph(self._graph.network.tensor(picture))[0][0]
        scores = np.exp(scores - scores.max(0))
        labels = scores.argmax(0).astype(np.uint8)
        probability = (scores.max(0) / scores.sum(0)).astype(np.float32)
        back = square, _PARSING_PX, image.shape[:2]
        return _sided(_into_frame(labels, *back, cv2.INTER_NEAREST), landmarks_px), _into_frame(probability, *back, cv2.INTER_LINEAR)


class FaceNormals:
    """Normals of the network of Abrevaya et al. 2020, which come with +X right, +Y up, +Z towards the viewer."""

    def __init__(self, named: NamedNetwork):
        self._graph = OnnxNetwork(named)

    def __call__(self, image: UInt8[ndarray, "height width 3"], landmarks_px: Float32[ndarray, "478 2"]) -> Float32[ndarray, "height width 3"]:
        """Unit normals in camera space (+X right, +Y down, +Z forward) over the whole frame, zeros outside of the crop."""
        low, high = landmarks_px[:MESH_COUNT].min(0), landmarks_px[:MESH_COUNT].max(0)
        square = FaceBox((low + high).astype(np.float64) / 2, _NORMALS_REACH * float((high - low).max()), 0.0)
        given = self._graph(self._graph.network.tensor(crop(image, square, _NORMALS_PX)))[0][0].transpose(1, 2, 0)
        normals = _into_frame(np.ascontiguousarray(given * np.float32([1, -1, -1])), square, _NORMALS_PX, image.shape[:2], cv2.INTER_LINEAR)
        length = np.sqrt(np.einsum("hwk,hwk->hw", normals, normals))
        return normals * np.where(length > 0.1, 1 / np.maximum(length, 0.1), 0).astype(np.float32)[..., None]


def _into_frame(values: ndarray, square: FaceBox, side_px: int, size: tuple[int, int], interpolation: int) -> ndarray:
    """What a crop holds, back in the frame; zeros around it."""
    affine = square.source_from_crop(side_px)
    # OpenCV counts from the centres of pixels.
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(values, affine, size[::-1], flags=interpolation)


def _sided(labels: UInt8[ndarray, "height width"], landmarks_px: Float32[ndarray, "478 2"]) -> UInt8[ndarray, "height width"]:
    """Brows, eyes and ears get the side of the nearer eye: what networks call left depends on who trained them."""
    right, left = landmarks_px[list(IRIS_CENTERS)]
    result = labels.copy()
    for own, other in _SIDED:
        rows, columns = np.nonzero((labels == own) | (labels == other))
        places = np.stack([columns, rows], 1) + np.float32(0.5)
        nearer_left = ((places - left) ** 2).sum(1) < ((places - right) ** 2).sum(1)
        result[rows, columns] = np.where(nearer_left, own, other)
    return result

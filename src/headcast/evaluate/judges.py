"""Judges of pictures that are networks: landmarks by MediaPipe; perceptual distance and identity by networks that the user brings."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from headcast.perceive import FaceBox, MediapipeMesh
from headcast.perceive.faces import crop
from headcast.perceive.networks import NamedNetwork, OnnxNetwork
from headcast.perceive.topology import IRIS_CENTERS

_PRESENT = 0.5
_ARCFACE_PX = 112
_ARCFACE_PLACES = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float32)
"""Where networks of the ArcFace family expect the eye on the left of the picture, the other, the nose and the corners of the mouth."""
_NOSE, _MOUTH = 1, (61, 291)


@dataclass(frozen=True)
class JudgeFiles:
    """Networks that the user brings, as ONNX files."""

    lpips: Path | None = None
    """Perceptual distance: two pictures (-1 to 1) in, one number out."""
    identity: Path | None = None
    """Face recognition of the ArcFace family: an aligned face of 112² in, a vector out."""


class Judges:
    """Measures that need a network; those that nobody brought are None."""

    def __init__(self, files: JudgeFiles, landmarks: bool):
        """Raises as `OnnxNetwork` where a file cannot be used."""
        self._asked_for_landmarks = landmarks
        self._mesh = MediapipeMesh() if landmarks or files.identity is not None else None
        self._lpips = None if files.lpips is None else OnnxNetwork(NamedNetwork("lpips", files.lpips))
        self._identity = None if files.identity is None else OnnxNetwork(NamedNetwork("arcface", files.identity))

    def judge(self, recorded: Float32[ndarray, "height width 3"], shown: Float32[ndarray, "height width 3"], box: FaceBox) -> dict[str, float | None]:
        """Landmark distance (px), perceptual distance and cosine of identities of two pictures with the face in the same place."""
        pictures = [_bytes(recorded), _bytes(shown)]
        marks = [] if self._mesh is None else [self._landmarks(self._mesh, picture, box) for picture in pictures]
        both = None if not marks or any(mark is None for mark in marks) else (marks[0], marks[1])
        return {
            "landmarks_px": None if both is None or not self._asked_for_landmarks else float(np.linalg.norm(both[0] - both[1], axis=1).mean()),
            "lpips": None if self._lpips is None else self._perceptual(recorded, shown),
            "identity": None if self._identity is None or both is None else self._likeness(pictures, both),
        }

    @staticmethod
    def _landmarks(mesh: MediapipeMesh, picture: UInt8[ndarray, "height width 3"], box: FaceBox) -> Float[ndarray, "478 2"] | None:
        """In pixels of the picture; None where the network sees no face."""
        found = mesh(crop(picture, box, mesh.crop_px))
        if found is None or found.presence < _PRESENT:
            return None
        affine = box.source_from_crop(mesh.crop_px)
        return found.points[:, :2] @ affine[:, :2].T + affine[:, 2]

    def _perceptual(self, recorded: Float32[ndarray, "height width 3"], shown: Float32[ndarray, "height width 3"]) -> float:
        tensors = [np.ascontiguousarray((2 * picture - 1).transpose(2, 0, 1))[None] for picture in (recorded, shown)]
        return float(self._lpips(*tensors)[0].reshape(-1)[0])

    def _likeness(self, pictures: list[UInt8[ndarray, "height width 3"]], marks: tuple[ndarray, ndarray]) -> float:
        """Both are aligned by the recorded face's landmarks: a face that is drawn in the wrong place is less like it."""
        places = np.array([*(marks[0][k] for k in IRIS_CENTERS), marks[0][_NOSE], *(marks[0][k] for k in _MOUTH)], np.float32)
        affine, _ = cv2.estimateAffinePartial2D(places, _ARCFACE_PLACES, method=cv2.LMEDS)
        aligned = [cv2.warpAffine(picture, affine, (_ARCFACE_PX, _ARCFACE_PX), flags=cv2.INTER_AREA) for picture in pictures]
        a, b = (self._identity(self._identity.network.tensor(picture))[0].reshape(-1) for picture in aligned)
        return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))


def _bytes(picture: Float32[ndarray, "height width 3"]) -> UInt8[ndarray, "height width 3"]:
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)

"""MediaPipe's face mesh network with irises, run on an upright crop around one face."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from headcast.perceive.graphs import Graph

LANDMARK_COUNT = 478
"""468 points of the face mesh and 2 × 5 of the irises."""
_MESH = """
input_stream: "image"
output_stream: "landmarks"
output_stream: "presence"
num_threads: 1
node {
  calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:input"
  options { [mediapipe.ImageToTensorCalculatorOptions.ext] {
    output_tensor_width: 192 output_tensor_height: 192 output_tensor_float_range { min: 0 max: 1 } } }
}
node { calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:resolver" }
node {
  calculator: "InferenceCalculator" input_side_packet: "OP_RESOLVER:resolver" input_stream: "TENSORS:input" output_stream: "TENSORS:output"
  options { [mediapipe.InferenceCalculatorOptions.ext] {
    model_path: "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite" delegate { xnnpack { num_threads: 1 } } } }
}
node {
  calculator: "SplitTensorVectorCalculator" input_stream: "output" output_stream: "points" output_stream: "flag"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges { begin: 0 end: 6 } ranges { begin: 6 end: 7 } } }
}
node {
  calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:flag" output_stream: "FLOAT:presence"
  options { [mediapipe.TensorsToFloatsCalculatorOptions.ext] { activation: SIGMOID } }
}
node { calculator: "TensorsToFaceLandmarksWithAttention" input_stream: "TENSORS:points" output_stream: "LANDMARKS:landmarks" }
"""


@dataclass(frozen=True)
class FaceMesh:
    """The landmarks of one face in the pixels of a crop."""

    points: Float32[ndarray, "478 3"]
    """x, y in pixels of the crop; z in the same unit, growing away from the camera, zero at the middle of the head."""
    presence: float
    """Probability that the crop shows a face, 0 to 1."""


@runtime_checkable
class Detector(Protocol):
    """Finds the landmarks of the one face that an upright square crop is centred on."""

    crop_px: int
    """Side of the crops that it wants."""
    name: str

    def __call__(self, crop: UInt8[ndarray, "crop crop 3"]) -> FaceMesh | None:
        """None where the crop shows no face."""
        ...


class MediapipeMesh:
    """The network inside the wheel of MediaPipe 0.10.21 (Apache-2.0), one thread."""

    crop_px = 192
    name = "mediapipe"

    def __init__(self):
        self._graph = Graph(_MESH, ("landmarks", "presence"), self.crop_px)

    def __call__(self, crop: UInt8[ndarray, "crop crop 3"]) -> FaceMesh | None:
        from mediapipe.python import packet_getter

        packets = self._graph(crop)
        presence = packet_getter.get_float(packets["presence"])
        points = points_of(packet_getter.get_proto(packets["landmarks"]).landmark) * self.crop_px
        return FaceMesh(points, presence)


def points_of(landmarks) -> Float32[ndarray, "478 3"]:
    """The coordinates in a list of MediaPipe's landmark messages, in units of the picture's width."""
    return np.fromiter((value for p in landmarks for value in (p.x, p.y, p.z)), np.float32, 3 * LANDMARK_COUNT).reshape(LANDMARK_COUNT, 3)

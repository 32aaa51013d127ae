"""The second landmark back end: MediaPipe Tasks with a `face_landmarker.task` bundle that the user brings."""

import zipfile
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from headcast.errors import FormatError, MissingAssetError
from headcast.perceive.graphs import quiet_start
from headcast.perceive.mesh import FaceMesh, points_of

_WHERE = (
    "It is Google's MediaPipe Face Landmarker (Apache-2.0), from "
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)


class MediapipeTasksMesh:
    """Face Landmarker from a bundle. It looks for the face inside the crop once more by itself, so it takes a larger crop."""

    crop_px = 256
    name = "mediapipe_tasks"

    def __init__(self, bundle: Path | None):
        if bundle is None or not bundle.is_file():
            found = "none was named" if bundle is None else f"there is none at {bundle}"
            raise MissingAssetError(f"the landmark back end {self.name!r} needs a face_landmarker.task bundle; {found}. {_WHERE}")
        if not zipfile.is_zipfile(bundle):
            raise FormatError(f"expected a face_landmarker.task bundle (a zip archive), found something else. {_WHERE}. Got: {bundle}")
        with quiet_start():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(bundle)), min_face_detection_confidence=0.3, min_face_presence_confidence=0.3
            )
            try:
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise FormatError(f"MediaPipe refuses this bundle ({error}). A good one: {_WHERE}. Got: {bundle}") from error
            self._image = lambda crop: mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop)

    def __call__(self, crop: UInt8[ndarray, "crop crop 3"]) -> FaceMesh | None:
        faces = self._landmarker.detect(self._image(crop)).face_landmarks
        return FaceMesh(points_of(faces[0]) * self.crop_px, 1.0) if faces else None

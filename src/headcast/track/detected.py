"""MediaPipe's landmarks in the frames of a run, whatever landmarks its capture holds."""

from jaxtyping import Float32
from numpy import ndarray

from headcast.capture import Capture
from headcast.heads import HeadModel
from headcast.perceive import MEDIAPIPE, layout_of
from headcast.track.track import Track


def mediapipe_points(capture: Capture, track: Track, model: HeadModel, frame_idx: int) -> Float32[ndarray, "478 2"]:
    """Where they were detected in a frame of the first camera (px); in captures without them, where the tracked head has them."""
    if capture.layouts == (MEDIAPIPE,):
        return capture.landmarks_px[frame_idx]
    part = layout_of(capture.layouts).part(MEDIAPIPE)
    if part is not None:
        return capture.landmarks_px[frame_idx, part]
    return track.camera_at(frame_idx).project(track.landmarks(model, frame_idx)).numpy()

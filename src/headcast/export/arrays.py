"""One npz for those who have only NumPy: vertices, landmarks, camera and curves. docs/formats.md describes it."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy import ndarray

from headcast.export.posed import posed_vertices
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import write_arrays
from headcast.track import Track


def export_arrays(track: Track, model: HeadModel, path: Path) -> Generator[Step, None, None]:
    """Writes `path`. Lengths are metres, angles radians (axis-angle), times seconds, pixels count from the picture's upper left corner.

    One camera that stands still is all that `camera_from_world` … `image_size` say; of others they say where the first one began, and the arrays
    `cameras_…` say the rest, frame by frame.
    """
    vertices = np.empty((track.frame_count, *model.template.shape), np.float32)
    landmarks = np.empty((track.frame_count, len(model.landmarks["mediapipe_478"].faces), 3), np.float32)
    for first, some in posed_vertices(track, model):
        last = first + len(some)
        vertices[first:last] = some
        landmarks[first:last] = track.landmarks(model, slice(first, last)).numpy()
        yield Step("export", last, track.frame_count)
    write_arrays(
        path,
        {
            "vertices": vertices,
            "faces": model.faces.numpy().astype(np.int32),
            "uv": model.uv.numpy(),
            "uv_faces": model.uv_faces.numpy().astype(np.int32),
            "landmarks_478": landmarks,
            "camera_from_world": track.camera.camera_from_world.matrix().numpy(),
            "focal_px": track.camera.focal_px.numpy(),
            "center_px": track.camera.center_px.numpy(),
            "image_size": np.array(track.camera.size, np.int32),
            **(_cameras(track) if track.has_rig else {}),
            "valid": track.valid.numpy(),
            "time_s": track.time_s.numpy(),
            "identity": track.identity.numpy(),
            "expression": track.expression.numpy(),
            "expression_names": np.array(track.expression_names),
            "joint_rotations": track.joint_rotations.numpy(),
            "joint_names": np.array(track.joint_names),
            "offsets": np.zeros(model.template.shape, np.float32) if track.offsets is None else track.offsets.numpy(),
            "world_from_head": track.world_from_head.matrix().numpy(),
        },
    )


def _cameras(track: Track) -> dict[str, ndarray]:
    """As in track.npz, with a pose of every camera in every frame."""
    arrays = track.rig_arrays()
    poses = arrays["cameras_from_world"]
    shape = (len(poses), track.frame_count, 4, 4)
    return {
        **arrays,
        "cameras_image_size": arrays["cameras_image_size"].astype(np.int32),
        "cameras_from_world": np.ascontiguousarray(np.broadcast_to(poses, shape)),
    }

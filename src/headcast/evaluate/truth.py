"""What is known about a synthetic clip, and its file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel, HeadPose
from headcast.store import read_arrays, write_arrays

_SCHEMA = {
    "model": (),
    "vertices": ("frames", "vertices", 3),
    "faces": ("faces", 3),
    "uv": ("uvs", 2),
    "uv_faces": ("faces", 3),
    "landmarks_478": ("frames", 478, 3),
    "landmarks_visible": ("frames", 478),
    "camera_from_world": (4, 4),
    "focal_px": (2,),
    "center_px": (2,),
    "image_size": (2,),
    "valid": ("frames",),
    "time_s": ("frames",),
    "identity": ("identity",),
    "expression": ("frames", "expression"),
    "expression_names": ("expression",),
    "joint_rotations": ("frames", "joints", 3),
    "joint_names": ("joints",),
    "world_from_head": ("frames", 4, 4),
    "skull_rotation": ("frames", 3, 3),
    "skull_translation": ("frames", 3),
    "gaze": ("frames", 2, 3),
    "visible_bits": ("frames", "bytes"),
    "face_region": ("vertices",),
    "light": (9, 3),
}


@dataclass(frozen=True)
class Truth:
    """A synthetic clip: every array that the arrays export of a track has, and what only the truth can know."""

    model_name: str
    vertices: Float[np.ndarray, "frames vertices 3"]
    """World space (m)."""
    faces: Int[np.ndarray, "faces 3"]
    uv: Float[np.ndarray, "uvs 2"]
    uv_faces: Int[np.ndarray, "faces 3"]
    landmarks: Float[np.ndarray, "frames 478 3"]
    landmarks_visible: Bool[np.ndarray, "frames 478"]
    camera: Camera
    time_s: Float[np.ndarray, "frames"]
    identity: Float[np.ndarray, "identity"]
    expression: Float[np.ndarray, "frames expression"]
    expression_names: tuple[str, ...]
    joint_rotations: Float[np.ndarray, "frames joints 3"]
    joint_names: tuple[str, ...]
    world_from_head: Transform
    world_from_skull: Transform
    """How the skull moves: as the head does, turned on the neck."""
    gaze: Float[np.ndarray, "frames 2 3"]
    """Unit directions of the left and the right eye, seen from the skull."""
    visible: Bool[np.ndarray, "frames vertices"]
    """Vertices that the picture shows: not turned away, not behind another part of the head or an occluder."""
    face_region: Bool[np.ndarray, "vertices"]
    light: Float[np.ndarray, "9 3"]

    @property
    def frame_count(self) -> int:
        return len(self.time_s)

    def save(self, path: Path) -> None:
        """Writes one npz that NumPy alone can read; `visible_bits` is `visible` through `numpy.packbits(…, axis=1)`."""
        write_arrays(
            path,
            {
                "model": np.array(self.model_name),
                "vertices": self.vertices.astype(np.float32),
                "faces": self.faces.astype(np.int32),
                "uv": self.uv.astype(np.float32),
                "uv_faces": self.uv_faces.astype(np.int32),
                "landmarks_478": self.landmarks.astype(np.float32),
                "landmarks_visible": self.landmarks_visible,
                "camera_from_world": self.camera.camera_from_world.matrix().numpy(),
                "focal_px": self.camera.focal_px.numpy(),
                "center_px": self.camera.center_px.numpy(),
                "image_size": np.array(self.camera.size, np.int32),
                "valid": np.ones(self.frame_count, bool),
                "time_s": self.time_s.astype(np.float64),
                "identity": self.identity.astype(np.float32),
                "expression": self.expression.astype(np.float32),
                "expression_names": np.array(self.expression_names),
                "joint_rotations": self.joint_rotations.astype(np.float32),
                "joint_names": np.array(self.joint_names),
                "world_from_head": self.world_from_head.matrix().numpy(),
                "skull_rotation": self.world_from_skull.rotation.numpy(),
                "skull_translation": self.world_from_skull.translation.numpy(),
                "gaze": self.gaze.astype(np.float32),
                "visible_bits": np.packbits(self.visible, axis=1),
                "face_region": self.face_region,
                "light": self.light.astype(np.float32),
            },
        )

    @classmethod
    def load(cls, path: Path) -> "Truth":
        """Reads what `save` wrote; raises `FormatError` with what is missing or misshapen."""
        arrays = read_arrays(path, _SCHEMA)
        height, width = (int(n) for n in arrays["image_size"])
        focal_px, center_px, camera_from_world, world_from_head, rotation, translation = (
            torch.from_numpy(arrays[name].astype(np.float32))
            for name in ("focal_px", "center_px", "camera_from_world", "world_from_head", "skull_rotation", "skull_translation")
        )
        return cls(
            model_name=str(arrays["model"]),
            vertices=arrays["vertices"],
            faces=arrays["faces"].astype(np.int64),
            uv=arrays["uv"],
            uv_faces=arrays["uv_faces"].astype(np.int64),
            landmarks=arrays["landmarks_478"],
            landmarks_visible=arrays["landmarks_visible"].astype(bool),
            camera=Camera(focal_px, center_px, (height, width), Transform.from_matrix(camera_from_world)),
            time_s=arrays["time_s"],
            identity=arrays["identity"],
            expression=arrays["expression"],
            expression_names=tuple(str(name) for name in arrays["expression_names"]),
            joint_rotations=arrays["joint_rotations"],
            joint_names=tuple(str(name) for name in arrays["joint_names"]),
            world_from_head=Transform.from_matrix(world_from_head),
            world_from_skull=Transform(rotation, translation),
            gaze=arrays["gaze"],
            visible=np.unpackbits(arrays["visible_bits"], axis=1, count=arrays["vertices"].shape[1]).astype(bool),
            face_region=arrays["face_region"].astype(bool),
            light=arrays["light"],
        )


def skull_and_gaze(
    model: HeadModel, identity: Float[torch.Tensor, "identity"], pose: HeadPose
) -> tuple[Transform, Float[torch.Tensor, "frames 2 3"]]:
    """How the skull moves (world from skull at rest), and where the eyes look, seen from the skull.

    The skull hangs on the joint "neck"; where a model has none it moves with the head. An eye looks along +Z at rest; without eye joints it
    always does.
    """
    shaped = model.shaped(identity)
    rotations, _ = shaped.turned_joints(pose)
    forward = torch.zeros(len(rotations), 2, 3)
    forward[..., 2] = 1.0
    for side, name in enumerate(("left_eye", "right_eye")):
        if name in model.joint_names:
            forward[:, side] = rotations[:, model.joint_names.index(name), :, 2]
    return shaped.skull(pose), forward

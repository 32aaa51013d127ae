"""A tracked clip as data: who (identity), how (pose per frame), with what camera, under what light; and its file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headcast.geometry import Camera, Transform, matrix_from_quaternion, quaternion_from_matrix
from headcast.heads import HeadModel, HeadPose, LandmarkSet, MovingOffsets, ShapedHead
from headcast.store import check_arrays, read_arrays, write_arrays

_SCHEMA = {
    "identity": ("identity",),
    "expression": ("frames", "expression"),
    "expression_names": ("expression",),
    "joint_rotations": ("frames", "joints", 3),
    "joint_names": ("joints",),
    "world_from_head_wxyz": ("frames", 4),
    "world_from_head_m": ("frames", 3),
    "focal_px": (2,),
    "focal_sigma_px": (),
    "center_px": (2,),
    "image_size": (2,),
    "camera_from_world": (4, 4),
    "time_s": ("frames",),
    "valid": ("frames",),
    "light": (9, 3),
    "landmark_offsets": ("landmarks", 3),
    "landmark_error_px": ("frames",),
    "interocular_px": ("frames",),
    "psnr_db": ("frames",),
    "silhouette_iou": ("frames",),
    "covered": ("frames", "cameras"),
    "offsets": ("vertices", 3),
    "dynamic_modes": ("modes", "vertices", 3),
    "dynamic_weights": ("frames", "modes"),
    "gains": ("gain_cameras", "frames", 3),
    "light_follows": (),
    "model": (),
}
_RIG_SCHEMA = {
    "camera_names": ("cameras",),
    "cameras_focal_px": ("cameras", 2),
    "cameras_center_px": ("cameras", 2),
    "cameras_image_size": ("cameras", 2),
    "cameras_from_world": ("cameras", "poses", 4, 4),
}
"""Of clips with several cameras, or one that moves."""
_OPTIONAL = ("covered", "offsets", "dynamic_modes", "dynamic_weights", "gains")


@dataclass(frozen=True)
class Track:
    """A solved clip. Frames without a visible face are not valid; their pose is filled from their neighbours."""

    model_name: str
    identity: Float[Tensor, "identity"]
    expression: Float[Tensor, "frames expression"]
    expression_names: tuple[str, ...]
    joint_rotations: Float[Tensor, "frames joints 3"]
    joint_names: tuple[str, ...]
    world_from_head: Transform
    cameras: tuple[Camera, ...]
    """In the pixels of the upright source frames; one that moves has a pose for every frame."""
    focal_sigma_px: float
    """Standard deviation of the first camera's focal length; 0 where the user gave it."""
    time_s: Float[Tensor, "frames"]
    valid: Bool[Tensor, "frames"]
    light: Float[Tensor, "9 3"]
    """Spherical harmonics of the light in world space: linear colour = albedo · (basis(normal) @ light)."""
    landmark_offsets: Float[Tensor, "landmarks 3"]
    """This person's offsets (m, head space at rest) of the MediaPipe landmarks from the model's; zeros where none were solved."""
    landmark_error_px: Float[Tensor, "frames"]
    """Mean distance of projected to detected landmarks in source pixels; 0 where not valid."""
    interocular_px: Float[Tensor, "frames"]
    """Distance of the detected outer eye corners, largest over the clip's neighbouring views; 0 where not valid."""
    psnr_db: Float[Tensor, "frames"]
    """Peak signal-to-noise ratio inside the face at tracking resolution; 0 where not measured."""
    silhouette_iou: Float[Tensor, "frames"]
    """Intersection over union of the rendered head and the person's matte above the neck; 0 where not measured."""
    camera_names: tuple[str, ...] = ("camera",)
    covered: Float[Tensor, "frames cameras"] | None = None
    """Share of the face that something else covers in each camera's picture, 0–1; None where it was not looked for."""
    offsets: Float[Tensor, "vertices 3"] | None = None
    """What the person's skin adds to the identity at rest (m, head space); None where none were solved."""
    dynamic_modes: Float[Tensor, "modes vertices 3"] | None = None
    """What the skin adds in each frame, as modes of the head at rest (m per unit of their weight, head space); None where it was not solved."""
    dynamic_weights: Float[Tensor, "frames modes"] | None = None
    light_follows: bool = False
    """Whether the light moves with a camera that moves: `light` is then in world space as the camera's first pose sees it."""
    gains: Float[Tensor, "cameras frames 3"] | None = None
    """Exposure and white balance of each view against the others: linear colour = gain · albedo · light. One where a camera sees no face; None where
    none were solved."""

    @property
    def camera(self) -> Camera:
        """The first camera, in its first pose."""
        return self.camera_at(0)

    def camera_at(self, frame_idx: int | Tensor, camera_idx: int = 0) -> Camera:
        """A camera as it stands in a frame, or in several where it moves."""
        camera = self.cameras[camera_idx]
        if camera.focal_px.ndim == 1:
            return camera
        return Camera(camera.focal_px[frame_idx], camera.center_px[frame_idx], camera.size, camera.camera_from_world[frame_idx])

    @property
    def frame_count(self) -> int:
        return len(self.time_s)

    def light_in(self, frame_idx: int, camera_idx: int = 0) -> Float[Tensor, "3 3"]:
        """Rotation of normals in world space to the axes that `light` is given in, as a camera records them in a frame."""
        if not self.light_follows:
            return torch.eye(3)
        first, now = (self.camera_at(frame, camera_idx).camera_from_world.rotation for frame in (0, frame_idx))
        return first.transpose(-1, -2) @ now

    def pose(self, frames: int | slice | Tensor = slice(None)) -> HeadPose:
        """Pose of one frame or of several, with how the skin moved."""
        moving = None
        if self.dynamic_modes is not None and self.dynamic_weights is not None:
            moving = MovingOffsets(self.dynamic_modes, self.dynamic_weights[frames])
        return HeadPose(self.expression[frames], self.joint_rotations[frames], self.world_from_head[frames], moving)

    def head(self, model: HeadModel) -> ShapedHead:
        """The tracked person's head."""
        return model.shaped(self.identity, self.offsets)

    def landmarks(self, model: HeadModel, frames: int | slice | Tensor = slice(None)) -> Float[Tensor, "*batch landmarks 3"]:
        """The 478 landmarks in world space, this person's offsets included."""
        pose = self.pose(frames)
        landmarks: LandmarkSet = model.landmarks["mediapipe_478"]
        vertices = self.head(model).posed(pose).vertices
        points = landmarks.points(vertices, model.faces)
        return points + self.landmark_offsets @ pose.world_from_head.rotation.transpose(-1, -2)

    def save(self, path: Path) -> None:
        """Writes one npz that NumPy alone can read."""
        optional = {name: value.numpy() for name in _OPTIONAL if (value := getattr(self, name)) is not None}
        if self.dynamic_modes is not None:
            optional["dynamic_modes"] = self.dynamic_modes.numpy().astype(np.float16)
        write_arrays(
            path,
            {
                **optional,
                **({"light_follows": np.array(True)} if self.light_follows else {}),
                "model": np.array(self.model_name),
                "identity": self.identity.numpy(),
                "expression": self.expression.numpy(),
                "expression_names": np.array(self.expression_names),
                "joint_rotations": self.joint_rotations.numpy(),
                "joint_names": np.array(self.joint_names),
                "world_from_head_wxyz": quaternion_from_matrix(self.world_from_head.rotation).numpy(),
                "world_from_head_m": self.world_from_head.translation.numpy(),
                "focal_px": self.camera.focal_px.numpy(),
                "focal_sigma_px": np.array(self.focal_sigma_px, np.float32),
                "center_px": self.camera.center_px.numpy(),
                "image_size": np.array(self.camera.size),
                "camera_from_world": self.camera.camera_from_world.matrix().numpy(),
                **(self.rig_arrays() if self.has_rig else {}),
                "time_s": self.time_s.numpy(),
                "valid": self.valid.numpy(),
                "light": self.light.numpy(),
                "landmark_offsets": self.landmark_offsets.numpy(),
                "landmark_error_px": self.landmark_error_px.numpy(),
                "interocular_px": self.interocular_px.numpy(),
                "psnr_db": self.psnr_db.numpy(),
                "silhouette_iou": self.silhouette_iou.numpy(),
            },
        )

    @property
    def has_rig(self) -> bool:
        """Whether there are several cameras, or one that moves."""
        return len(self.cameras) > 1 or self.cameras[0].focal_px.ndim > 1

    def rig_arrays(self) -> dict[str, np.ndarray]:
        """All cameras under the names of track.npz; one pose each where none of them moves, otherwise one per frame."""
        poses = [camera.camera_from_world.matrix().reshape(-1, 4, 4) for camera in self.cameras]
        length = max(len(pose) for pose in poses)
        return {
            "camera_names": np.array(self.camera_names),
            "cameras_focal_px": np.stack([camera.focal_px.reshape(-1, 2)[0].numpy() for camera in self.cameras]),
            "cameras_center_px": np.stack([camera.center_px.reshape(-1, 2)[0].numpy() for camera in self.cameras]),
            "cameras_image_size": np.array([camera.size for camera in self.cameras]),
            "cameras_from_world": np.stack([pose.expand(length, 4, 4).numpy() for pose in poses]),
        }

    @classmethod
    def load(cls, path: Path) -> "Track":
        """Reads what `save` wrote; raises `FormatError` with what is missing or misshapen."""
        arrays = read_arrays(path)
        optional = (*_OPTIONAL, "light_follows")
        check_arrays(arrays, {**_SCHEMA, **_RIG_SCHEMA}, optional if "camera_names" in arrays else (*optional, *_RIG_SCHEMA), path)

        def floats(name: str) -> Tensor:
            return torch.from_numpy(arrays[name].astype(np.float32))

        cameras, names = _cameras_of(arrays)
        return cls(
            model_name=str(arrays["model"]),
            identity=floats("identity"),
            expression=floats("expression"),
            expression_names=tuple(str(n) for n in arrays["expression_names"]),
            joint_rotations=floats("joint_rotations"),
            joint_names=tuple(str(n) for n in arrays["joint_names"]),
            world_from_head=Transform(matrix_from_quaternion(floats("world_from_head_wxyz")), floats("world_from_head_m")),
            cameras=cameras,
            camera_names=names,
            focal_sigma_px=float(arrays["focal_sigma_px"]),
            time_s=floats("time_s"),
            valid=torch.from_numpy(arrays["valid"].astype(bool)),
            light=floats("light"),
            landmark_offsets=floats("landmark_offsets"),
            landmark_error_px=floats("landmark_error_px"),
            interocular_px=floats("interocular_px"),
            psnr_db=floats("psnr_db"),
            silhouette_iou=floats("silhouette_iou"),
            covered=floats("covered") if "covered" in arrays else None,
            offsets=floats("offsets") if "offsets" in arrays else None,
            dynamic_modes=floats("dynamic_modes") if "dynamic_modes" in arrays else None,
            dynamic_weights=floats("dynamic_weights") if "dynamic_weights" in arrays else None,
            light_follows=bool(arrays.get("light_follows", False)),
            gains=floats("gains") if "gains" in arrays else None,
        )


def _cameras_of(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[Camera, ...], tuple[str, ...]]:
    """The cameras of a file and their names."""

    def floats(value: np.ndarray) -> Tensor:
        return torch.from_numpy(value.astype(np.float32))

    if "camera_names" not in arrays:
        height, width = (int(n) for n in arrays["image_size"])
        pose = Transform.from_matrix(floats(arrays["camera_from_world"]))
        return (Camera(floats(arrays["focal_px"]), floats(arrays["center_px"]), (height, width), pose),), ("camera",)
    cameras = []
    for idx in range(len(arrays["camera_names"])):
        height, width = (int(n) for n in arrays["cameras_image_size"][idx])
        matrices = floats(arrays["cameras_from_world"][idx])
        still = bool((matrices == matrices[:1]).all())
        batch = () if still else (len(matrices),)
        focal, center = (floats(arrays[name][idx]).expand(*batch, 2) for name in ("cameras_focal_px", "cameras_center_px"))
        cameras.append(Camera(focal, center, (height, width), Transform.from_matrix(matrices[0] if still else matrices)))
    return tuple(cameras), tuple(str(name) for name in arrays["camera_names"])

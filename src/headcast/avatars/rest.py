"""The resting face of a performance: what another face's resting face is set against when one drives the other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from headcast.geometry import Camera, Transform, angle_between, axis_angle_from_matrix, matrix_from_axis_angle, nearest_rotation
from headcast.heads import HeadModel, HeadPose
from headcast.store import read_arrays, write_arrays
from headcast.track.track import Track

_CALM_SHARE = 0.05
"""Of the frames, the calmest are averaged: one alone has its own noise."""
_JOINT_LEVER_M = 0.05
"""How far from a joint what it moves lies: turns are compared with displacements of the skin by it."""
_HEAD_LEVER_M = 0.02
"""The same for the head's turn away from where it usually looks. Less than its size: a turned head may rest, a grinning one does not."""

_SCHEMA = {
    "expression": ("expression",), "joint_rotations": ("joints", 3), "world_from_head": (4, 4),
    "focal_px": (2,), "center_px": (2,), "image_size": (2,), "camera_from_world": (4, 4),
}  # fmt: skip


@dataclass(frozen=True)
class AtRest:
    """How a recorded head looks and where it is when it rests, and the camera that saw it: what a driver's motion is put on top of."""

    pose: HeadPose
    camera: Camera

    @classmethod
    def of(cls, track: Track, model: HeadModel) -> "AtRest":
        """Of the first camera's recording, in its pose of the first frame."""
        return cls(neutral_pose(track.pose(), model, track.valid.numpy()), track.camera)

    @property
    def camera_from_head(self) -> HeadPose:
        """The pose in the space of its camera."""
        return seen_from(self.pose, self.camera)

    def save(self, path: Path) -> None:
        camera, pose = self.camera, self.pose
        write_arrays(
            path,
            {
                "expression": pose.expression.numpy(),
                "joint_rotations": pose.joint_rotations.numpy(),
                "world_from_head": pose.world_from_head.matrix().numpy(),
                "focal_px": camera.focal_px.numpy(),
                "center_px": camera.center_px.numpy(),
                "image_size": np.array(camera.size),
                "camera_from_world": camera.camera_from_world.matrix().numpy(),
            },
        )

    @classmethod
    def load(cls, path: Path, model: HeadModel) -> "AtRest":
        """Reads what `save` wrote; raises `FormatError` where it is broken or of another head model."""
        arrays = read_arrays(path, {**_SCHEMA, "expression": (model.expression_count,), "joint_rotations": (model.joint_count, 3)})
        values = {name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()}
        height, width = (int(side) for side in arrays["image_size"])
        camera = Camera(values["focal_px"], values["center_px"], (height, width), Transform.from_matrix(values["camera_from_world"]))
        return cls(HeadPose(values["expression"], values["joint_rotations"], Transform.from_matrix(values["world_from_head"])), camera)


def seen_from(pose: HeadPose, camera: Camera) -> HeadPose:
    """A pose in world space as one in the camera's: its `world_from_head` is then the camera's from the head's."""
    return HeadPose(pose.expression, pose.joint_rotations, camera.camera_from_world @ pose.world_from_head)


def calmness_m(pose: HeadPose, model: HeadModel) -> Float[ndarray, "frames"]:
    """How far each frame is from rest, as a root mean square displacement (m): expressions, turns of joints, the head's turn from its median."""
    basis = model.expression_basis.double().flatten(1)
    gram = basis @ basis.T / len(model.template)
    expression = pose.expression.double()
    skin = torch.einsum("fe,eg,fg->f", expression, gram, expression).clamp(min=0)
    turned = pose.joint_rotations.double() + torch.einsum("fe,ejk->fjk", expression, model.expression_joint_rotations.double())
    joints = (turned.norm(dim=-1) * _JOINT_LEVER_M).square().sum(-1)
    usual = nearest_rotation(pose.world_from_head.rotation.double().median(0).values)
    head = (angle_between(usual.expand_as(pose.world_from_head.rotation), pose.world_from_head.rotation.double()) * _HEAD_LEVER_M).square()
    return (skin + joints + head).sqrt().numpy()


def neutral_pose(pose: HeadPose, model: HeadModel, valid: Bool[ndarray, "frames"] | None = None) -> HeadPose:
    """The mean of the calmest frames of a performance, as one pose.

    Args:
        pose: Of every frame.
        valid: Frames that count; all of them by default.
    """
    score = calmness_m(pose, model)
    usable = np.flatnonzero(np.ones(len(score), bool) if valid is None else valid)
    calm = torch.from_numpy(usable[np.argsort(score[usable], kind="stable")[: max(1, round(_CALM_SHARE * len(usable)))]])
    joints = nearest_rotation(matrix_from_axis_angle(pose.joint_rotations[calm].double()).mean(0))
    rotation = nearest_rotation(pose.world_from_head.rotation[calm].double().mean(0))
    return HeadPose(
        expression=pose.expression[calm].mean(0),
        joint_rotations=axis_angle_from_matrix(joints).float(),
        world_from_head=Transform(rotation.float(), pose.world_from_head.translation[calm].mean(0)),
    )

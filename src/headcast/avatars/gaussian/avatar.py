"""An avatar of splats that ride on a tracked head."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.avatars.avatar import Portrait
from headcast.avatars.gaussian.bound import HEAD_FEATURES, BoundSplats, Motions
from headcast.avatars.gaussian.columns import column_count
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.errors import FormatError
from headcast.geometry import Camera
from headcast.heads import HeadModel, HeadPose
from headcast.render import SplatImage, Splats, splat
from headcast.store import check_arrays


@dataclass(frozen=True)
class GaussianAvatar:
    """Splats on a person's head: skin, hair, eyes, teeth, neck."""

    kind: ClassVar[str] = "gaussian"
    model: HeadModel
    identity: Float[Tensor, "identity"]
    offsets: Float[Tensor, "vertices 3"]
    splats: BoundSplats
    motions: Motions

    def render(self, pose: HeadPose, camera: Camera) -> Portrait:
        with torch.no_grad():
            frames = TriangleFrames.of(self.model.shaped(self.identity, self.offsets).posed(pose).vertices, self.model.faces)
            seen = draw(self.splats, frames, self.motions.of_pose(pose), pose, camera)
            return Portrait(seen.color.clamp(0, 1), seen.alpha, seen.depth)

    def gaussians(self, pose: HeadPose) -> Splats:
        """All splats of a pose in world space, metres, with the four harmonics of their colours in world axes: for other programs, from any side."""
        with torch.no_grad():
            frames = TriangleFrames.of(self.model.shaped(self.identity, self.offsets).posed(pose).vertices, self.model.faces)
            motion = self.motions.of_pose(pose)
            made = self.splats.posed(frames, motion, pose.world_from_head.inverse(), pose.world_from_head.translation + 1)
            return replace(made, colors=_turned(self.splats.harmonics(motion), pose.world_from_head.rotation))

    def arrays(self) -> dict[str, ndarray]:
        floats = {
            "identity": self.identity,
            "offsets": self.offsets,
            "splats": self.splats.values,
            "motion_center": self.motions.center,
            "motion_directions": self.motions.directions,
        }
        return {
            "face": self.splats.face.numpy().astype(np.int32),
            **{name: part.detach().numpy().astype(np.float32) for name, part in floats.items()},
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, ndarray], model: HeadModel, path: Path) -> "GaussianAvatar":
        features = model.expression_count + 3 * model.joint_count + HEAD_FEATURES
        schema = {
            "identity": ("identity",),
            "offsets": (len(model.template), 3),
            "face": ("splats",),
            "splats": ("splats", "columns"),
            "motion_center": (features,),
            "motion_directions": (features, "motions"),
        }
        check_arrays(arrays, schema, (), path)
        columns, motions = arrays["splats"].shape[1], arrays["motion_directions"].shape[1]
        face = torch.from_numpy(arrays["face"].astype(np.int64))
        if columns != column_count(motions):
            raise FormatError(f"expected {column_count(motions)} columns of splats for {motions} motions, found {columns}, in {path}")
        if len(face) and not 0 <= int(face.min()) <= int(face.max()) < len(model.faces):
            raise FormatError(f"expected splats on triangles 0 to {len(model.faces) - 1}, found {int(face.min())} to {int(face.max())}, in {path}")
        parts = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in schema if name != "face"}
        motion = Motions(parts["motion_center"], parts["motion_directions"])
        return cls(model, parts["identity"], parts["offsets"], BoundSplats(face, parts["splats"]), motion)


def draw(
    splats: BoundSplats,
    frames: TriangleFrames,
    motion: Float[Tensor, "motions"],
    pose: HeadPose,
    camera: Camera,
    shift_px: Float[Tensor, "splats 2"] | None = None,
) -> SplatImage:
    """What a camera sees of splats on a posed head; `shift_px` is `splat`'s."""
    world_from_camera = camera.camera_from_world.inverse()
    gaussians = splats.posed(frames, motion, pose.world_from_head.inverse(), world_from_camera.translation)
    return splat(gaussians, camera, shift_px)


def _turned(harmonics: Float[Tensor, "splats 4 3"], rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "splats 4 3"]:
    """Coefficients for directions in world axes, of those for directions in the head's. Degree 1 is a vector: −y, z, −x of the direction."""
    vector = torch.stack([-harmonics[:, 3], -harmonics[:, 1], harmonics[:, 2]], 1)
    x, y, z = torch.einsum("ab,sbc->asc", rotation, vector)
    return torch.stack([harmonics[:, 0], -y, z, -x], 1)

"""Some vertices of a head model as a head model of their own: as fast to pose as they are few."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from headcast.geometry import Transform
from headcast.heads import HeadModel, HeadPose


def only_vertices(model: HeadModel, vertices: Int[ndarray, "points"]) -> HeadModel:
    """The model with these vertices alone, in this order, in double precision; it has no faces, landmarks or regions."""
    chosen = torch.from_numpy(vertices)
    none = model.faces[:0]
    correctives = model.pose_correctives
    return replace(
        model,
        template=model.template[chosen],
        faces=none,
        identity_basis=model.identity_basis[:0, chosen],
        joint_identity_basis=model.joint_identity_basis[:0],
        expression_basis=model.expression_basis[:, chosen],
        skinning_weights=model.skinning_weights[chosen],
        pose_correctives=None if correctives is None else correctives[:, chosen],
        uv_faces=model.uv_faces[:0],
        landmarks={},
        regions={},
        mirror=None,
    ).to(dtype=torch.float64)


@dataclass(frozen=True)
class PosedPoints:
    """Points on a model's surface at rest identity, seen from its skull, for any pose."""

    model: HeadModel
    """With the vertices of the points only."""
    corners: Int[ndarray, "points 3"]
    barycentric: Float[ndarray, "points 3"]

    @classmethod
    def on_faces(cls, model: HeadModel, faces: Int[ndarray, "points"], barycentric: Float[ndarray, "points 3"]) -> "PosedPoints":
        used, corners = np.unique(model.faces.numpy()[faces], return_inverse=True)
        return cls(only_vertices(model, used), corners.reshape(-1, 3), barycentric)

    def __call__(self, pose: HeadPose) -> Float[ndarray, "frames points 3"]:
        vertices = skull_vertices(self.model, pose).numpy()
        return (vertices[:, self.corners] * self.barycentric[..., None]).sum(-2)


def skull_vertices(model: HeadModel, pose: HeadPose) -> Float[Tensor, "frames vertices 3"]:
    """The vertices of a posed head that neither turns nor moves: the neck is straight and the head at the origin."""
    return model.shaped(model.template.new_zeros(0)).posed(still(model, pose)).vertices


def still(model: HeadModel, pose: HeadPose) -> HeadPose:
    """The pose's face without its neck and place."""
    turned = pose.joint_rotations.to(model.template.dtype).clone()
    if "neck" in model.joint_names:
        turned[..., model.joint_names.index("neck"), :] = 0
    batch = pose.expression.shape[:-1]
    return HeadPose(pose.expression.to(model.template.dtype), turned, Transform.identity(*batch, dtype=model.template.dtype))


def joint_turns(model: HeadModel, pose: HeadPose) -> Float[Tensor, "*batch joints 3"]:
    """Axis-angle (rad) of every joint, with what expressions add."""
    driven = model.expression_joint_rotations.to(pose.expression.dtype)
    return pose.joint_rotations + torch.einsum("...e,ejk->...jk", pose.expression, driven)

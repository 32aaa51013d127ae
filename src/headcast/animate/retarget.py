"""One head's performance as another's: what changes from the driver's rest is put on top of the rest of the head that is driven."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from headcast.errors import ConfigError
from headcast.geometry import Transform, axis_angle_from_matrix, matrix_from_axis_angle
from headcast.heads import HeadModel, HeadPose

_JOINTS = {"neck": ("neck",), "jaw": ("jaw",), "eyes": ("left_eye", "right_eye")}


@dataclass(frozen=True)
class Strengths:
    """How much of the driver's motion is taken over, 1 as it is, 0 none."""

    expression: float = 1.0
    """All expressions."""
    head: float = 1.0
    """Turn of the head."""
    translation: float = 1.0
    """Shift of the head."""
    neck: float = 1.0
    jaw: float = 1.0
    """Jaw of models whose expressions do not turn it."""
    eyes: float = 1.0
    """Eyes of models whose expressions do not turn them."""
    channels: Mapping[str, float] = field(default_factory=dict)
    """Single expressions by name, on top of `expression`."""

    def of_expressions(self, model: HeadModel) -> Float[Tensor, "expression"]:
        """One factor per expression of a model.

        Raises:
            ConfigError: the model has no expression of a name.
        """
        unknown = [name for name in self.channels if name not in model.expression_names]
        if unknown:
            some = ", ".join(model.expression_names[:3])
            raise ConfigError(f"expected names of expressions of {model.name!r} such as {some}; found {unknown[0]!r} among the strengths")
        return torch.tensor([self.expression * self.channels.get(name, 1.0) for name in model.expression_names])

    def of_joints(self, model: HeadModel) -> Float[Tensor, "joints 1"]:
        """One factor per joint; joints that no setting names move as they are."""
        factors = {joint: getattr(self, name) for name, joints in _JOINTS.items() for joint in joints}
        return torch.tensor([[factors.get(name, 1.0)] for name in model.joint_names])


def retarget(pose: HeadPose, rest: HeadPose, onto: HeadPose, model: HeadModel, strengths: Strengths | None = None) -> HeadPose:
    """The performance `pose`, whose face rests at `rest`, as one of a face that rests at `onto`.

    Expressions and shifts are added as differences, held within the model's bounds; turns are composed: a turn that takes the driver's head from its
    rest to where it is, seen from the camera, takes the driven head from its own.

    Args:
        pose: Of every frame, in the model's numbers, in the space of the driver's camera.
        rest: One pose of the driver.
        onto: One pose of the driven head, in the space of the camera that it is seen by.
        strengths: All 1 by default.

    Raises:
        ConfigError: a strength is given for an expression that the model has not.
    """
    strengths = strengths or Strengths()
    expression = onto.expression + strengths.of_expressions(model) * (pose.expression - rest.expression)
    joints = _composed(pose.joint_rotations, rest.joint_rotations, onto.joint_rotations, strengths.of_joints(model))
    turned = _turns(pose.world_from_head.rotation @ rest.world_from_head.rotation.mT, torch.tensor([strengths.head]))
    shifted = strengths.translation * (pose.world_from_head.translation - rest.world_from_head.translation)
    return HeadPose(
        expression=expression.clamp(model.expression_lower, model.expression_upper),
        joint_rotations=joints,
        world_from_head=Transform(turned @ onto.world_from_head.rotation, onto.world_from_head.translation + shifted),
    )


def _composed(
    turns: Float[Tensor, "frames joints 3"], rest: Float[Tensor, "joints 3"], onto: Float[Tensor, "joints 3"], factors: Float[Tensor, "joints 1"]
) -> Float[Tensor, "frames joints 3"]:
    """Axis-angles of joints whose turn away from `rest` happens to `onto`."""
    away = matrix_from_axis_angle(turns) @ matrix_from_axis_angle(rest).mT
    return axis_angle_from_matrix(_turns(away, factors) @ matrix_from_axis_angle(onto))


def _turns(rotations: Float[Tensor, "*batch 3 3"], factors: Float[Tensor, "*factors"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations by so many times their angle."""
    return matrix_from_axis_angle(axis_angle_from_matrix(rotations) * factors)

"""A parametric head as data: template, identity and expression bases, joints, skinning, landmarks, regions.

Head space is right-handed, metres: +Y up, +Z out of the face, +X towards the subject's left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headcast.geometry import Mesh, Transform, matrix_from_axis_angle


@dataclass(frozen=True)
class LandmarkSet:
    """Points on a mesh, each a face and the weights of its three corners."""

    faces: Int[Tensor, "landmarks"]
    barycentric: Float[Tensor, "landmarks 3"]
    sigma: Float[Tensor, "landmarks"] | None = None
    """How far each point may be from what its detector means, as a standard deviation (m); None where nobody measured it."""

    def points(self, vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "*batch landmarks 3"]:
        """Where the landmarks are on a mesh with these vertices."""
        corners = vertices[..., faces[self.faces], :]
        return (corners * self.barycentric[..., None]).sum(-2)


@dataclass(frozen=True)
class MovingOffsets:
    """What a person's skin adds to identity and expression from frame to frame, as a few modes of the head at rest."""

    modes: Float[Tensor, "modes vertices 3"]
    """Metres per unit of their weight, head space; joints do not move with them."""
    weights: Float[Tensor, "*batch modes"]

    def vertices(self) -> Float[Tensor, "*batch vertices 3"]:
        """How far every vertex moves (m, head space at rest)."""
        return torch.einsum("...m,mvk->...vk", self.weights, self.modes)


@dataclass(frozen=True)
class HeadPose:
    """What changes from frame to frame."""

    expression: Float[Tensor, "*batch expression"]
    joint_rotations: Float[Tensor, "*batch joints 3"]
    """Axis-angle (rad) of each joint relative to its parent."""
    world_from_head: Transform
    moving_offsets: MovingOffsets | None = None
    """None where none were solved."""


@dataclass(frozen=True)
class HeadModel:
    """A head model. Identity coefficients have prior variance one; it holds no pose and no batch size.

    `mesh = model.shaped(identity).posed(pose)`: linear bases, then FLAME-style linear blend skinning (Li et al. 2017, eq. 2–4)
    with one addition: an expression may also turn joints (an eyeLook expression turns the eye about its centre).
    """

    name: str
    template: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "faces 3"]
    identity_basis: Float[Tensor, "identity vertices 3"]
    expression_basis: Float[Tensor, "expression vertices 3"]
    expression_names: tuple[str, ...]
    expression_lower: Float[Tensor, "expression"]
    expression_upper: Float[Tensor, "expression"]
    expression_joint_rotations: Float[Tensor, "expression joints 3"]
    """Axis-angle (rad) that a unit of each expression adds to each joint's rotation; zeros for models without it."""
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    """Index of the parent joint, always an earlier one; −1 hangs on the root, which `world_from_head` moves."""
    joint_template: Float[Tensor, "joints 3"]
    joint_identity_basis: Float[Tensor, "identity joints 3"]
    joint_expression_basis: Float[Tensor, "expression joints 3"]
    skinning_weights: Float[Tensor, "vertices joints"]
    """Rows sum to at most one; what is missing to one moves with the root."""
    pose_correctives: Float[Tensor, "features vertices 3"] | None
    """Offsets per entry of (rotation − identity), row-major, of the joints in order; None for models without them."""
    uv: Float[Tensor, "uvs 2"]
    """Texture positions 0–1; (0, 0) is the lower left corner of the picture (OpenGL, OBJ)."""
    uv_faces: Int[Tensor, "faces 3"]
    landmarks: Mapping[str, LandmarkSet]
    """"mediapipe_478", "ibug_68", "ibug_70" (68 and the two irises' centres)."""
    regions: Mapping[str, Bool[Tensor, "vertices"]]
    mirror: Int[Tensor, "vertices"] | None
    """Index of each vertex's counterpart on the other side."""
    about: Mapping[str, str] = field(default_factory=dict)
    """version, licence, source, and what else a reader should know."""

    @property
    def identity_count(self) -> int:
        return self.identity_basis.shape[0]

    @property
    def expression_count(self) -> int:
        return self.expression_basis.shape[0]

    @property
    def joint_count(self) -> int:
        return len(self.joint_names)

    def neutral_pose(self, *batch: int) -> HeadPose:
        """The pose at rest, at the world's origin."""
        like = self.template
        return HeadPose(
            expression=like.new_zeros(*batch, self.expression_count),
            joint_rotations=like.new_zeros(*batch, self.joint_count, 3),
            world_from_head=Transform.identity(*batch, dtype=like.dtype),
        )

    def shaped(self, identity: Float[Tensor, "*batch identity"], offsets: Float[Tensor, "vertices 3"] | None = None) -> "ShapedHead":
        """The head of a person; fewer coefficients than modes leave the rest at zero.

        Args:
            offsets: what the person's skin adds to the identity at rest (m, head space); joints do not move with it.
        """
        count = identity.shape[-1]
        vertices = self.template + torch.einsum("...i,ivk->...vk", identity, self.identity_basis[:count])
        vertices = vertices if offsets is None else vertices + offsets
        joints = self.joint_template + torch.einsum("...i,ijk->...jk", identity, self.joint_identity_basis[:count])
        return ShapedHead(self, vertices, joints)

    def face_regions(self, name: str) -> Bool[Tensor, "faces"]:
        """Faces whose three corners belong to the region."""
        return self.regions[name][self.faces].all(-1)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "HeadModel":
        """The same model with its tensors elsewhere, or its floating-point tensors in another precision."""

        def moved(value):
            if isinstance(value, Tensor):
                return value.to(device=device, dtype=dtype if value.is_floating_point() else None)
            if isinstance(value, LandmarkSet):
                return LandmarkSet(moved(value.faces), moved(value.barycentric), moved(value.sigma))
            if isinstance(value, Mapping) and value and not isinstance(next(iter(value.values())), str):
                return {name: moved(item) for name, item in value.items()}
            return value

        return replace(self, **{name: moved(getattr(self, name)) for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class ShapedHead:
    """A head model with a person's identity (and, where given, offsets) applied."""

    model: HeadModel
    vertices: Float[Tensor, "*batch vertices 3"]
    joints: Float[Tensor, "*batch joints 3"]

    def posed(self, pose: HeadPose) -> Mesh:
        """The mesh in world space."""
        model = self.model
        vertices = self.vertices + torch.einsum("...e,evk->...vk", pose.expression, model.expression_basis)
        if pose.moving_offsets is not None:
            vertices = vertices + pose.moving_offsets.vertices()
        rotations, joints = self.turned_joints(pose)
        if model.pose_correctives is not None:
            identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
            features = (rotations - identity).flatten(-3)
            vertices = vertices + torch.einsum("...f,fvk->...vk", features, model.pose_correctives)
        skinned = skin(vertices, model.skinning_weights, joint_transforms(rotations, joints, model.joint_parents))
        return Mesh(pose.world_from_head.points(skinned), model.faces)

    def turned_joints(self, pose: HeadPose) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
        """Each joint's rotation relative to its parent, expressions included, and the place in the head at rest that it turns about (m)."""
        model = self.model
        joints = self.joints + torch.einsum("...e,ejk->...jk", pose.expression, model.joint_expression_basis)
        turned = pose.joint_rotations + torch.einsum("...e,ejk->...jk", pose.expression, model.expression_joint_rotations)
        return matrix_from_axis_angle(turned), joints

    def skull(self, pose: HeadPose) -> Transform:
        """World from the head at rest, as the skull moves: it hangs on the joint "neck"; where a model has none it moves with the head."""
        if "neck" not in self.model.joint_names:
            return pose.world_from_head
        chained = joint_transforms(*self.turned_joints(pose), self.model.joint_parents)
        neck = self.model.joint_names.index("neck")
        return pose.world_from_head @ Transform(chained.rotation[..., neck, :, :], chained.translation[..., neck, :])


def joint_transforms(rotations: Float[Tensor, "*batch joints 3 3"], joints: Float[Tensor, "*batch joints 3"], parents: tuple[int, ...]) -> Transform:
    """`head_from_rest` of every joint: how points bound to it move when each joint turns about its rest position."""
    chained: list[Transform] = []
    for idx, parent in enumerate(parents):
        rotation, centre = rotations[..., idx, :, :], joints[..., idx, :]
        own = Transform(rotation, centre - (rotation @ centre[..., None])[..., 0])
        chained.append(own if parent < 0 else chained[parent] @ own)
    return Transform(torch.stack([c.rotation for c in chained], -3), torch.stack([c.translation for c in chained], -2))


def skin(
    vertices: Float[Tensor, "*batch vertices 3"], weights: Float[Tensor, "vertices joints"], head_from_rest: Transform
) -> Float[Tensor, "*batch vertices 3"]:
    """Linear blend skinning; the weight missing to one stays with the root."""
    identity = torch.eye(3, dtype=vertices.dtype, device=vertices.device)
    change = torch.einsum("vj,...jab->...vab", weights, head_from_rest.rotation - identity)
    shift = torch.einsum("vj,...ja->...va", weights, head_from_rest.translation)
    return vertices + (change @ vertices[..., None])[..., 0] + shift

"""Points of a head and how their pixels move with every unknown of a frame: the inner engine of the tracker.

A frame's unknowns are ordered: head rotation (3, left perturbation in camera space, rad), translation (3, m), joint angles (one per entry of
`Unknowns.joints`, rad), expression coefficients.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from headcast.compiled import compiled
from headcast.heads import HeadModel, LandmarkSet
from headcast.threads import in_parts

_LEAST_DEPTH = 0.05
# What derivatives are of. The compiled kernel knows how many rows there are by the tuple's length, so that its loops have fixed lengths.
_PIXEL, _POINT = (0, 1), (0, 1, 2)


@dataclass(frozen=True)
class Unknowns:
    """What a frame may change, and where it stands in the vector of unknowns."""

    joint_idx: Int[np.ndarray, "angles"]
    joint_axis: Int[np.ndarray, "angles"]
    expression_count: int
    driver_expression: Int[np.ndarray, "drivers"]
    """Expressions that turn joints, one entry per (expression, joint)."""
    driver_joint: Int[np.ndarray, "drivers"]
    driver_rotation: Float[np.ndarray, "drivers 3"]
    """Axis-angle (rad) per unit of the expression."""

    @property
    def count(self) -> int:
        return 6 + len(self.joint_idx) + self.expression_count

    @property
    def angles(self) -> slice:
        return slice(6, 6 + len(self.joint_idx))

    @property
    def expression(self) -> slice:
        return slice(6 + len(self.joint_idx), self.count)

    @classmethod
    def of(cls, model: HeadModel) -> "Unknowns":
        """All angles of neck and jaw, yaw and pitch of the eyes, all expressions; the tongue follows the jaw."""
        axes = {"left_eye": (0, 1), "right_eye": (0, 1)}
        pairs = [(j, axis) for j, name in enumerate(model.joint_names) if not name.startswith("tongue") for axis in axes.get(name, (0, 1, 2))]
        table = model.expression_joint_rotations.numpy()
        drivers = np.argwhere(np.abs(table).max(-1) > 0)
        return cls(
            joint_idx=np.array([j for j, _ in pairs], np.int64).reshape(-1),
            joint_axis=np.array([a for _, a in pairs], np.int64).reshape(-1),
            expression_count=model.expression_count,
            driver_expression=drivers[:, 0].copy(),
            driver_joint=drivers[:, 1].copy(),
            driver_rotation=table[drivers[:, 0], drivers[:, 1]].astype(np.float32).reshape(-1, 3),
        )


@dataclass(frozen=True)
class PointBasis:
    """Points bound to a head model (some of its vertices, or its landmarks) with everything that moves them."""

    template: Float[np.ndarray, "points 3"]
    identity_basis: Float[np.ndarray, "points 3 identity"]
    expression_basis: Float[np.ndarray, "points 3 expression"]
    weights: Float[np.ndarray, "points joints"]

    @classmethod
    def of_vertices(cls, model: HeadModel, vertex_idx: Int[np.ndarray, "points"]) -> "PointBasis":
        return cls(
            template=_contiguous(model.template[vertex_idx]),
            identity_basis=_contiguous(model.identity_basis[:, vertex_idx].permute(1, 2, 0)),
            expression_basis=_contiguous(model.expression_basis[:, vertex_idx].permute(1, 2, 0)),
            weights=_contiguous(model.skinning_weights[vertex_idx]),
        )

    @classmethod
    def of_landmarks(cls, model: HeadModel, landmarks: LandmarkSet) -> "PointBasis":
        """The landmarks as points of their own. Skinning weights are interpolated too, which is exact where a face's corners share them."""
        corners, mix = model.faces[landmarks.faces], landmarks.barycentric
        return cls(
            template=_contiguous(torch.einsum("lkc,lk->lc", model.template[corners], mix)),
            identity_basis=_contiguous(torch.einsum("ilkc,lk->lci", model.identity_basis[:, corners], mix)),
            expression_basis=_contiguous(torch.einsum("elkc,lk->lce", model.expression_basis[:, corners], mix)),
            weights=_contiguous(torch.einsum("lkj,lk->lj", model.skinning_weights[corners], mix)),
        )

    def shaped(self, identity: Float[np.ndarray, "identity"]) -> Float[np.ndarray, "points 3"]:
        """Rest positions of a person's points."""
        return (self.template + self.identity_basis @ identity.astype(np.float32)).astype(np.float32)


def _contiguous(tensor: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.numpy(), dtype=np.float32)


@dataclass(frozen=True)
class FrameState:
    """The unknowns of one frame."""

    rotation: Float[np.ndarray, "3 3"]
    """Camera from head."""
    translation: Float[np.ndarray, "3"]
    joint_rotations: Float[np.ndarray, "joints 3"]
    expression: Float[np.ndarray, "expression"]

    def moved(self, change: Float[np.ndarray, "unknowns"], unknowns: Unknowns) -> "FrameState":
        """The state after a step; joint angles are added as vectors."""
        angles = self.joint_rotations.copy()
        np.add.at(angles, (unknowns.joint_idx, unknowns.joint_axis), change[unknowns.angles])
        return FrameState(
            rotation=rodrigues(change[:3].astype(np.float64)) @ self.rotation,
            translation=_pushed(self.translation, change[3:6]),
            joint_rotations=angles,
            expression=self.expression + change[unknowns.expression],
        )


def _pushed(translation: Float[np.ndarray, "3"], change: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The translation after a step; depth goes by ratios, so that depth and focal length can change together without a change of the picture."""
    if translation[2] < _LEAST_DEPTH:  # behind the first camera of a rig
        return translation + change
    ratio = change[2] / translation[2]
    across = np.array([change[0] - translation[0] * ratio, change[1] - translation[1] * ratio, 0.0])
    return (translation + across) * np.exp(np.clip(ratio, -0.5, 0.5))


@dataclass(frozen=True)
class Skeleton:
    """A person's joints, ready to be turned."""

    joints: Float[np.ndarray, "joints 3"]
    parents: tuple[int, ...]
    subtree: Float[np.ndarray, "joints joints"]
    """One where the second joint moves with the first."""

    @classmethod
    def of(cls, model: HeadModel, identity: Float[np.ndarray, "identity"]) -> "Skeleton":
        joints = model.joint_template.numpy() + np.einsum("i,ijk->jk", identity, model.joint_identity_basis.numpy()[: len(identity)])
        count = model.joint_count
        subtree = np.zeros((count, count), np.float32)
        for joint in range(count):
            ancestor = joint
            while ancestor >= 0:
                subtree[ancestor, joint] = 1
                ancestor = model.joint_parents[ancestor]
        return cls(joints.astype(np.float32), model.joint_parents, subtree)

    def posed(self, state: FrameState, unknowns: Unknowns) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Joint motions (rotation, translation) in head space, and per joint the pivot and the parent's rotation."""
        count = len(self.joints)
        turned = state.joint_rotations.astype(np.float64)
        np.add.at(turned, unknowns.driver_joint, state.expression[unknowns.driver_expression, None] * unknowns.driver_rotation)
        rotations, shifts = np.empty((count, 3, 3), np.float32), np.empty((count, 3), np.float32)
        pivots, parents = np.empty_like(shifts), np.empty_like(rotations)
        _turn_joints(turned, self.joints.astype(np.float64), np.array(self.parents), rotations, shifts, pivots, parents)
        return rotations, shifts, pivots, parents


@compiled("f8[:,::1], f8[:,::1], i8[::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[:,:,::1]")
def _turn_joints(turned, joints, parent_idx, rotations, shifts, pivots, parent_rotations):
    # Loops over entries: products of arrays would be compiled for seconds.
    for j in range(len(joints)):
        parent = parent_idx[j]
        local = rodrigues(turned[j])
        for a in range(3):
            pivot = np.float64(shifts[parent, a]) if parent >= 0 else 0.0
            for b in range(3):
                parent_rotations[j, a, b] = rotations[parent, a, b] if parent >= 0 else 1.0 if a == b else 0.0
                pivot += parent_rotations[j, a, b] * joints[j, b]
            pivots[j, a] = pivot
            shift = pivot
            for b in range(3):
                entry = 0.0
                for c in range(3):
                    entry += parent_rotations[j, a, c] * local[c, b]
                rotations[j, a, b] = entry
                shift -= entry * joints[j, b]
            shifts[j, a] = shift


@compiled()
def rodrigues(vector):
    """Rotation matrix of an axis-angle vector (rad)."""
    x, y, z = vector[0], vector[1], vector[2]
    squared = x * x + y * y + z * z
    sine, versine = 1.0, 0.5  # over the angle and over its square, as they are for small angles
    if squared >= 1e-12:
        angle = np.sqrt(squared)
        sine, versine = np.sin(angle) / angle, (1 - np.cos(angle)) / squared
    matrix = np.empty((3, 3))
    matrix[0, 0] = 1 - versine * (y * y + z * z)
    matrix[0, 1] = versine * x * y - sine * z
    matrix[0, 2] = versine * x * z + sine * y
    matrix[1, 0] = versine * x * y + sine * z
    matrix[1, 1] = 1 - versine * (x * x + z * z)
    matrix[1, 2] = versine * y * z - sine * x
    matrix[2, 0] = versine * x * z - sine * y
    matrix[2, 1] = versine * y * z + sine * x
    matrix[2, 2] = 1 - versine * (x * x + y * y)
    return matrix


@dataclass(frozen=True)
class Derivatives:
    """How pixels of points move, or the points themselves."""

    jacobian: Float[np.ndarray, "chosen rows unknowns"]
    """Pixels (or metres) per unit of each unknown."""
    rest_jacobian: Float[np.ndarray, "chosen rows 3"]
    """The same per metre of the rest position; times the identity basis it gives the motion with identity."""


@dataclass(frozen=True)
class Motion:
    """Where points are in a frame, and what their derivatives follow from."""

    camera_points: Float[np.ndarray, "points 3"]
    pixels: Float[np.ndarray, "points 2"]
    shaped: Float[np.ndarray, "points 3"]
    """With the frame's expression, joints at rest, head space."""
    basis: PointBasis
    skeleton: Skeleton
    unknowns: Unknowns
    state: FrameState
    focal: Float[np.ndarray, "2"]

    def derivatives(self, chosen: Int[np.ndarray, "chosen"] | None = None) -> Derivatives:
        """Of the chosen points, or of all; exact but for the motion of the joints with expression."""
        return self._derivatives(np.arange(len(self.pixels)) if chosen is None else chosen, _PIXEL)

    def point_derivatives(self, chosen: Int[np.ndarray, "chosen"]) -> Derivatives:
        """How the chosen points move in camera space, in metres instead of pixels: three rows instead of two."""
        return self._derivatives(chosen, _POINT)

    def _derivatives(self, chosen: Int[np.ndarray, "chosen"], rows: tuple[int, ...]) -> Derivatives:
        rotations, shifts, pivots, parent_rotations = self.skeleton.posed(self.state, self.unknowns)
        unknowns, count = self.unknowns, self.unknowns.count
        turn_joint = np.concatenate([unknowns.joint_idx, unknowns.driver_joint])
        own_axes = np.concatenate([np.eye(3, dtype=np.float32)[unknowns.joint_axis], unknowns.driver_rotation])
        turn_axis = np.einsum("tab,tb->ta", parent_rotations[turn_joint], own_axes)
        first_expression = unknowns.expression.start
        turn_column = np.concatenate([np.arange(unknowns.angles.start, unknowns.angles.stop), first_expression + unknowns.driver_expression])
        jacobian = np.empty((len(chosen), len(rows), count), np.float32)
        rest_jacobian = np.empty((len(chosen), len(rows), 3), np.float32)
        in_parts(
            _differentiate, len(chosen), chosen, self.shaped, self.camera_points, self.basis.expression_basis, self.basis.weights, rotations, shifts,
            pivots, self.skeleton.subtree, self.state.rotation.astype(np.float32), self.state.translation.astype(np.float32),
            np.asarray(self.focal, np.float32), turn_joint, turn_axis, turn_column, first_expression, rows, jacobian, rest_jacobian, grain=512,
        )  # fmt: skip
        return Derivatives(jacobian, rest_jacobian)


def move_points(
    basis: PointBasis,
    rest: Float[np.ndarray, "points 3"],
    skeleton: Skeleton,
    unknowns: Unknowns,
    state: FrameState,
    focal: Float[np.ndarray, "2"],
    center: Float[np.ndarray, "2"],
) -> Motion:
    """Points of a frame and their pixels."""
    rotations, shifts, _, _ = skeleton.posed(state, unknowns)
    expression = state.expression.astype(np.float32)
    shaped = rest + (basis.expression_basis.reshape(-1, len(expression)) @ expression).reshape(-1, 3)
    camera_points, pixels = np.empty_like(shaped), np.empty((len(shaped), 2), np.float32)
    _place(
        shaped, basis.weights, rotations, shifts, state.rotation.astype(np.float32), state.translation.astype(np.float32),
        np.asarray(focal, np.float32), np.asarray(center, np.float32), camera_points, pixels,
    )  # fmt: skip
    return Motion(camera_points, pixels, shaped, basis, skeleton, unknowns, state, focal)


@compiled("f4[:,::1], f4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[::1], f4[::1], f4[::1], f4[:,::1], f4[:,::1]", fastmath=True)
def _place(shaped, weights, joint_rotations, joint_shifts, rotation, translation, focal, center, camera_points, pixels):
    head = np.empty(3, np.float32)
    for n in range(len(shaped)):
        left = np.float32(1)
        for a in range(3):
            head[a] = 0
        for j in range(len(joint_shifts)):
            w = weights[n, j]
            if w != 0:
                left -= w
                for a in range(3):
                    moved = joint_shifts[j, a]
                    for b in range(3):
                        moved += joint_rotations[j, a, b] * shaped[n, b]
                    head[a] += w * moved
        for a in range(3):
            head[a] += left * shaped[n, a]
        for a in range(3):
            point = translation[a]
            for b in range(3):
                point += rotation[a, b] * head[b]
            camera_points[n, a] = point
        for a in range(2):
            pixels[n, a] = focal[a] * camera_points[n, a] / max(camera_points[n, 2], np.float32(1e-3)) + center[a]


@compiled(
    "i8, i8, i8[::1], f4[:,::1], f4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[::1], f4[::1], "
    "i8[::1], f4[:,::1], i8[::1], i8, UniTuple(i8, 2), f4[:,:,::1], f4[:,:,::1]",
    fastmath=True,
)
def _differentiate(
    first, last, chosen, shaped, camera_points, expression_basis, weights, joint_rotations, joint_shifts, pivots, subtree, rotation, translation,
    focal, turn_joint, turn_axis, turn_column, first_expression, rows, jacobian, rest_jacobian,
):  # fmt: skip
    zero, one = np.float32(0), np.float32(1)
    joint_count = len(pivots)
    blend, project, head_project = np.empty((3, 3), np.float32), np.zeros((3, 3), np.float32), np.empty((3, 3), np.float32)
    lever, reach, turned = np.empty((joint_count, 3), np.float32), np.empty(joint_count, np.float32), np.empty(3, np.float32)
    for i in range(first, last):
        n = chosen[i]
        # The linear part of the skinning, and per joint the lever of what moves with it from its pivot.
        left = one
        for a in range(3):
            for b in range(3):
                blend[a, b] = zero
            for k in range(joint_count):
                lever[k, a] = zero
                reach[k] = zero
        for j in range(joint_count):
            w = weights[n, j]
            if w == 0:
                continue
            left -= w
            for a in range(3):
                moved = joint_shifts[j, a]
                for b in range(3):
                    moved += joint_rotations[j, a, b] * shaped[n, b]
                    blend[a, b] += w * joint_rotations[j, a, b]
                for k in range(joint_count):
                    lever[k, a] += subtree[k, j] * w * (moved - pivots[k, a])
            for k in range(joint_count):
                reach[k] += subtree[k, j] * w
        for a in range(3):
            blend[a, a] += left
            turned[a] = camera_points[n, a] - translation[a]
        # How the pixel moves with the point in camera space, in head space and at rest.
        over = one / max(camera_points[n, 2], np.float32(1e-3))
        for r in range(len(rows)):
            if len(rows) == 2:
                project[r, r] = focal[r] * over
                project[r, 2] = -focal[r] * camera_points[n, r] * over * over
            else:
                project[r, r] = one
            for a in range(3):
                head_project[r, a] = zero
                for b in range(3):
                    head_project[r, a] += project[r, b] * rotation[b, a]
            for a in range(3):
                rest_jacobian[i, r, a] = zero
                for b in range(3):
                    rest_jacobian[i, r, a] += head_project[r, b] * blend[b, a]
            for a in range(3):
                jacobian[i, r, a] = turned[(a + 1) % 3] * project[r, (a + 2) % 3] - turned[(a + 2) % 3] * project[r, (a + 1) % 3]
                jacobian[i, r, 3 + a] = project[r, a]
            x, y, z = rest_jacobian[i, r, 0], rest_jacobian[i, r, 1], rest_jacobian[i, r, 2]
            for column in range(6, first_expression):
                jacobian[i, r, column] = zero
            for e in range(expression_basis.shape[2]):
                jacobian[i, r, first_expression + e] = x * expression_basis[n, 0, e] + y * expression_basis[n, 1, e] + z * expression_basis[n, 2, e]
        for t in range(len(turn_joint)):
            j = turn_joint[t]
            if reach[j] == 0:
                continue
            for a in range(3):
                b, c = (a + 1) % 3, (a + 2) % 3
                across = turn_axis[t, b] * lever[j, c] - turn_axis[t, c] * lever[j, b]
                for r in range(len(rows)):
                    jacobian[i, r, turn_column[t]] += head_project[r, a] * across

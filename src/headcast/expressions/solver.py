"""Which expression and joints of a model bring its face to given points: bounded Gauss–Newton, each frame on its own.

Points are taken back through skinning, so that for given joint turns the coefficients follow from one quadratic problem whose matrix is
that of the head at rest; only the few columns of the turns are new in every step.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array, diags_array, eye_array, kron

from headcast.expressions.parts import joint_turns, only_vertices, skull_vertices
from headcast.geometry import Transform, matrix_from_axis_angle
from headcast.heads import HeadModel, HeadPose, joint_transforms
from headcast.solve import solve_box

_MM = 1000.0
_EYE_RADIUS_MM = 12.0
_GAZE_SHARE = 0.3
"""How much both eyes' turns count against the whole face, as the motion of the iris."""
_CLOSURE_SHARE = 0.15
"""How much the motion of opposite lips and lids against each other counts against the whole face."""
_JAW_LOWER, _JAW_UPPER = (-0.1, -0.3, -0.15), (0.9, 0.3, 0.15)
"""Limits of a jaw joint's turns (rad): about the axis to the left (opening), about the vertical, about the axis to the front."""
_EYE_LIMIT = 0.9
_EYES = ("left_eye", "right_eye")
_STEP = 1e-4
"""Turn for difference quotients (rad)."""
_CALM = 1e-4
"""A frame is solved where no unknown changes by more."""


@dataclass(frozen=True)
class SolverConfig:
    """What decides between coefficients that bring the face to almost the same place."""

    shrink: float = 0.001
    """Pull to zero, as a share of what a coefficient moves: one that nothing else explains comes out smaller by this share."""
    sparse: float = 0.002
    """Price of using a coefficient with lower limit zero, as a share of what a full one moves."""
    floor_mm: float = 0.05
    """Coefficients that move the face less than this (root mean square) are held as if they moved it so much."""
    steps: int = 8
    """Most Gauss–Newton steps."""


class Solver:
    """The unknowns of a target model and how its points move with them. Its coefficients come first, then the free joints' turns.

    A joint is free where no expression does its work: eyes that no expression turns, a jaw where no expression is named jawOpen.
    """

    def __init__(
        self,
        model: HeadModel,
        vertices: Int[ndarray, "points"],
        weights: Float[ndarray, "points"],
        opposite: Int[ndarray, "pairs 2"],
        config: SolverConfig | None = None,
    ):
        """What the points are and how much each counts; of opposite points, how they move against each other counts as well."""
        self.config = config or SolverConfig()
        self._model = only_vertices(model, vertices)
        self.free_joints = free_joints(model)
        self.rest: Float[ndarray, "points 3"] = self._model.template.numpy()
        """The points at rest (m)."""
        count = model.expression_count
        limits = [_limits(model.joint_names[joint]) for joint in self.free_joints]
        self.lower = np.concatenate([self._model.expression_lower.numpy(), *(low for low, _ in limits)])
        self.upper = np.concatenate([self._model.expression_upper.numpy(), *(high for _, high in limits)])
        self._turning = [joint for joint in self._driven_or_free() if self._moves_points(joint)]
        self._weights = np.repeat(weights, 3)
        self._metric = _metric(weights, opposite)
        straight = _MM * self._model.expression_basis.numpy().reshape(count, -1)
        self._basis = np.concatenate([straight, np.zeros((3 * len(self.free_joints), straight.shape[1]))])
        self._gaze, self._turns_of = self._turn_rows(_EYES) * _EYE_RADIUS_MM, self._turn_rows(tuple(model.joint_names[j] for j in self._turning))
        gaze = _GAZE_SHARE * self._gaze.T @ self._gaze
        self._hessian = (self._basis @ self._metric) @ self._basis.T + gaze
        rest = self._system(np.zeros((1, self.count)), self.rest[None])[0][0]
        held = np.maximum(np.diag(rest), self.config.floor_mm**2)
        self._shrink = np.diag(self.config.shrink * held)
        self._price = np.where((self.lower == 0) & (np.arange(self.count) < count), self.config.sparse * held / 2, 0.0)

    @property
    def count(self) -> int:
        """Unknowns."""
        return self._model.expression_count + 3 * len(self.free_joints)

    def solve(
        self, points: Float[ndarray, "frames points 3"], gaze: Float[ndarray, "frames 6"], steps: int | None = None
    ) -> Float[ndarray, "frames unknowns"]:
        """The unknowns that bring the points there, joints turning as they do.

        Args:
            points: where the points should be (m, head space).
            gaze: how the left and the right eye should turn, axis-angle (rad).
            steps: those of the settings if not given; one treats turns as straight motion.
        """
        unknowns = np.zeros((len(points), self.count))
        looking = _GAZE_SHARE * _EYE_RADIUS_MM * gaze @ self._gaze - self._price
        open_frames = np.arange(len(points))
        for _ in range(self.config.steps if steps is None else steps):
            before = unknowns[open_frames]
            matrices, rights = self._system(before, points[open_frames])
            found = np.stack(
                [solve_box(h + self._shrink, g + own, self.lower, self.upper) for h, g, own in zip(matrices, rights, looking[open_frames])]
            )
            unknowns[open_frames] = found
            open_frames = open_frames[np.abs(found - before).max(1) > _CALM]
            if not len(open_frames):
                break
        return unknowns

    def points(self, unknowns: Float[ndarray, "frames unknowns"]) -> Float[ndarray, "frames points 3"]:
        """Where the points are (m)."""
        return skull_vertices(self._model, self.pose(unknowns)).numpy()

    def gaze(self, unknowns: Float[ndarray, "frames unknowns"]) -> Float[ndarray, "frames 6"]:
        """How the eyes turn, axis-angle (rad)."""
        return unknowns @ self._gaze.T / _EYE_RADIUS_MM

    def energy(self, offsets: Float[ndarray, "frames points 3"], gaze: Float[ndarray, "frames 6"]) -> Float[ndarray, "frames"]:
        """What is minimised but for the pulls on coefficients: mean square of the offsets (m) and of the irises' motion, in mm²."""
        return ((_MM * offsets.reshape(len(offsets), -1)) ** 2) @ self._weights + _GAZE_SHARE * ((_EYE_RADIUS_MM * gaze) ** 2).sum(1)

    def pose(self, unknowns: Float[ndarray, "frames unknowns"]) -> HeadPose:
        """The unknowns as a pose; joints that are not free stay."""
        count = self._model.expression_count
        joints = np.zeros((len(unknowns), self._model.joint_count, 3))
        joints[:, self.free_joints] = unknowns[:, count:].reshape(len(unknowns), -1, 3)
        return HeadPose(
            torch.from_numpy(unknowns[:, :count].copy()), torch.from_numpy(joints), Transform.identity(len(unknowns), dtype=torch.float64)
        )

    def _system(
        self, unknowns: Float[ndarray, "frames unknowns"], points: Float[ndarray, "frames points 3"]
    ) -> tuple[Float[ndarray, "frames unknowns unknowns"], Float[ndarray, "frames unknowns"]]:
        """Matrix and right-hand side of each frame's step, in mm²; the solution is the new unknowns.

        Offsets u(turns) that would bring the points there are to equal basis · unknowns; u is made linear about the present turns.
        """
        offsets, slopes = self._offsets(unknowns, points)
        turns = unknowns @ self._turns_of.T
        target = (offsets - np.matmul(turns[:, None], slopes)[:, 0]) @ self._metric
        right = target @ self._basis.T - np.matmul(slopes, target[..., None])[..., 0] @ self._turns_of
        weighted = (slopes.reshape(-1, slopes.shape[-1]) @ self._metric).reshape(slopes.shape)
        turned = np.matmul(weighted, self._basis.T)
        cross = np.matmul(self._turns_of.T, turned)
        twice = np.matmul(self._turns_of.T, np.matmul(np.matmul(weighted, slopes.swapaxes(1, 2)), self._turns_of))
        return self._hessian - cross - cross.swapaxes(1, 2) + twice, right

    def _offsets(
        self, unknowns: Float[ndarray, "frames unknowns"], points: Float[ndarray, "frames points 3"]
    ) -> tuple[Float[ndarray, "frames rows"], Float[ndarray, "frames turns rows"]]:
        """What expressions would have to add to the rest (mm) for the points to be there, and how that changes with the turns (mm / rad)."""
        pose = self.pose(unknowns)
        turns = joint_turns(self._model, pose)
        tries = 1 + 3 * len(self._turning)
        turns = turns[:, None].repeat(1, tries, 1, 1)
        for idx, joint in enumerate(self._turning):
            for axis in range(3):
                turns[:, 1 + 3 * idx + axis, joint, axis] += _STEP
        rotations = matrix_from_axis_angle(turns)
        joints = self._model.joint_template + torch.einsum("fe,ejk->fjk", pose.expression, self._model.joint_expression_basis)
        moved = joint_transforms(rotations, joints[:, None].expand(-1, tries, -1, -1), self._model.joint_parents)
        weights, eye = self._model.skinning_weights.numpy(), np.eye(3)
        blend = eye + np.matmul(weights, (moved.rotation.numpy() - eye).reshape(*turns.shape[:3], 9)).reshape(*turns.shape[:2], -1, 3, 3)
        back = _solved(blend, points[:, None] - np.matmul(weights, moved.translation.numpy()))
        if self._model.pose_correctives is not None:
            features = (rotations - torch.eye(3, dtype=rotations.dtype)).flatten(-3).numpy()
            back = back - np.tensordot(features, self._model.pose_correctives.numpy(), 1)
        offsets = _MM * (back - self.rest).reshape(*turns.shape[:2], -1)
        return offsets[:, 0], (offsets[:, 1:] - offsets[:, :1]) / _STEP

    def _driven_or_free(self) -> list[int]:
        driven = self._model.expression_joint_rotations.abs().sum((0, 2)) > 0
        return [joint for joint in range(self._model.joint_count) if bool(driven[joint]) or joint in self.free_joints]

    def _moves_points(self, joint: int) -> bool:
        pose = self._model.neutral_pose(1)
        pose.joint_rotations[0, joint] = 0.1
        return bool((skull_vertices(self._model, pose)[0] - self._model.template).abs().max() > 1e-6)

    def _turn_rows(self, names: tuple[str, ...]) -> Float[ndarray, "turns unknowns"]:
        """How the turns of these joints (rad) change with the unknowns; zeros for joints that the model lacks."""
        rows = np.zeros((3 * len(names), self.count))
        count = self._model.expression_count
        for number, name in enumerate(names):
            if name not in self._model.joint_names:
                continue
            joint = self._model.joint_names.index(name)
            rows[3 * number : 3 * number + 3, :count] = self._model.expression_joint_rotations[:, joint].T.numpy()
            if joint in self.free_joints:
                start = count + 3 * self.free_joints.index(joint)
                rows[3 * number : 3 * number + 3, start : start + 3] = np.eye(3)
        return rows


def free_joints(model: HeadModel) -> list[int]:
    """Joints of the jaw and the eyes whose turns no expression gives."""
    driven = model.expression_joint_rotations.abs().sum((0, 2)) > 0
    return [
        idx
        for idx, name in enumerate(model.joint_names)
        if (name in _EYES and not bool(driven[idx])) or (name == "jaw" and "jawOpen" not in model.expression_names)
    ]


def gaze_of(model: HeadModel, pose: HeadPose) -> Float[ndarray, "frames 6"]:
    """How the left and the right eye turn, axis-angle (rad); zeros where there is no such joint."""
    turns = joint_turns(model, pose).double().numpy()
    result = np.zeros((len(turns), 6))
    for number, name in enumerate(_EYES):
        if name in model.joint_names:
            result[:, 3 * number : 3 * number + 3] = turns[:, model.joint_names.index(name)]
    return result


def _metric(weights: Float[ndarray, "points"], opposite: Int[ndarray, "pairs 2"]) -> csr_array:
    """The quadratic form over all coordinates: every point by its weight, every pair by the difference of its ends."""
    count = len(opposite)
    rows = np.arange(count)
    ends = csr_array((np.ones(count), (rows, opposite[:, 0])), shape=(count, len(weights)))
    ends = ends - csr_array((np.ones(count), (rows, opposite[:, 1])), shape=(count, len(weights)))
    return csr_array(kron(diags_array(weights) + ends.T @ ends * (_CLOSURE_SHARE / max(count, 1)), eye_array(3)))


def _solved(matrices: Float[ndarray, "*batch 3 3"], vectors: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3"]:
    """matrix⁻¹ · vector by Cramer's rule."""
    a, b, c = (matrices[..., k] for k in range(3))
    across = np.cross(b, c)
    found = [(vectors * across).sum(-1), (a * np.cross(vectors, c)).sum(-1), (a * np.cross(b, vectors)).sum(-1)]
    return np.stack(found, -1) / (a * across).sum(-1)[..., None]


def _limits(name: str) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    if name == "jaw":
        return np.array(_JAW_LOWER), np.array(_JAW_UPPER)
    return np.full(3, -_EYE_LIMIT), np.full(3, _EYE_LIMIT)

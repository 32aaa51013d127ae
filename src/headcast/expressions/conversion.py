"""Expressions of one head model as those of another: what stands for what is solved from the models' surfaces."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import InputError
from headcast.expressions.arkit_names import has_arkit_expressions
from headcast.expressions.parts import only_vertices, skull_vertices
from headcast.expressions.remembered import remembered_correspondence
from headcast.expressions.solver import Solver, SolverConfig, free_joints, gaze_of
from headcast.expressions.transfer import TONGUE_SHARE, Transfer
from headcast.heads import HeadModel, HeadPose
from headcast.solve.step import Step, follow

_CHUNK = 32
"""Frames that are solved at a time."""
_MISSING = 0.25
"""An expression is missing in the target if less than this share of its motion (mean square) is kept."""
_JOINT_RAD = 0.3
"""Turn of a joint whose conversion is measured."""
_AXES = ("pitch", "yaw", "roll")
_NOTHING_MM = 0.02
"""Root mean square motion below which an expression moves nothing."""
_MM = 1000.0


@dataclass(frozen=True)
class ExpressionError:
    """How far a source expression, at its upper limit (or at 1 where that is beyond), lies from its conversion, on the target's face in mm."""

    name: str
    mean_mm: float
    """Over the face, lips and lids counted three times."""
    worst_mm: float
    motion_mm: float
    """Mean motion of the face that was to be reached."""
    largest_motion_mm: float
    gaze_deg: float
    """Of the worse eye."""
    kept: float
    """Share of the motion's mean square, tongue and gaze included, that the target reaches; into ARKit's expressions, that these reach on the
    source; 1 for an expression that moves nothing."""

    @property
    def missing(self) -> bool:
        """Whether the target has nothing for this expression."""
        return self.kept < _MISSING


@dataclass(frozen=True)
class Conversion:
    """Poses of a source model as poses of a target model. Every frame is converted on its own: equal frames give equal results."""

    source: HeadModel
    target: HeadModel
    transfer: Transfer
    """From the source's surface to the target's."""
    errors: tuple[ExpressionError, ...]
    """One for every expression of the source, then its free joints."""
    _solver: Solver
    _goals: HeadModel | None
    """The source's vertices that the solver's points are, where it works on the source's surface; None where it works on the target's."""
    _seen: HeadModel
    """The target's vertices that the transfer speaks of."""

    @property
    def error_mm(self) -> Mapping[str, tuple[float, float]]:
        """Mean and worst distance over the face after conversion, by the source's expressions."""
        return {error.name: (error.mean_mm, error.worst_mm) for error in self.errors}

    @property
    def missing(self) -> tuple[str, ...]:
        """Source expressions that the target cannot show."""
        return tuple(error.name for error in self.errors if error.missing)

    @property
    def worst(self) -> ExpressionError:
        """The expression with the largest mean error."""
        return max(self.errors, key=lambda error: error.mean_mm)

    def apply(self, pose: HeadPose) -> HeadPose:
        """The target's pose: expressions, jaw and eyes are solved, neck and place are the source's. The pose has one batch axis: frames."""
        return follow(self.steps(pose))

    def apply_curves(self, names: tuple[str, ...], curves: Float[ndarray, "frames names"]) -> HeadPose:
        """The target's pose for curves of source expressions given by name; those that are not named are zero.

        Raises:
            InputError: the source has no expression of a name, or a value is not finite.
        """
        return self.apply(pose_from_curves(self.source, names, curves))

    def steps(self, pose: HeadPose) -> Generator[Step, None, HeadPose]:
        """As `apply`, saying after every few frames how far it is."""
        check_pose(self.source, pose)
        count, parts = len(pose.expression), []
        for start in range(0, count, _CHUNK):
            some = _frames(pose, slice(start, start + _CHUNK))
            parts.append(self.unknowns(some))
            yield Step("convert", min(start + _CHUNK, count), count)
        unknowns = np.concatenate([*parts, np.zeros((0, self._solver.count))])
        return self._pose(unknowns, pose)

    def unknowns(self, pose: HeadPose, steps: int | None = None) -> Float[ndarray, "frames unknowns"]:
        """What is solved: the target's coefficients, then its free joints' turns."""
        return self._solver.solve(self._goal_points(pose), gaze_of(self.source, pose), steps)

    def frame_error_mm(self, pose: HeadPose, converted: HeadPose) -> Float[ndarray, "frames"]:
        """Mean distance over the face of every frame from where it was to be."""
        error, _ = self._distances(pose, converted)
        return error[:, : self.transfer.face_count] @ self.transfer.correspondence.weights

    def _goal_points(self, pose: HeadPose) -> Float[ndarray, "frames points 3"]:
        return self.transfer.points(pose) if self._goals is None else skull_vertices(self._goals, pose).numpy()

    def _pose(self, unknowns: Float[ndarray, "frames unknowns"], source_pose: HeadPose) -> HeadPose:
        count = self.target.expression_count
        joints = source_pose.joint_rotations.new_zeros(len(unknowns), self.target.joint_count, 3)
        free = self._solver.free_joints
        joints[:, free] = torch.from_numpy(unknowns[:, count:]).to(joints.dtype).reshape(len(unknowns), -1, 3)
        if "neck" in self.target.joint_names and "neck" in self.source.joint_names:
            joints[:, self.target.joint_names.index("neck")] = source_pose.joint_rotations[:, self.source.joint_names.index("neck")]
        expression = torch.from_numpy(unknowns[:, :count]).to(source_pose.expression.dtype)
        return HeadPose(expression, joints, source_pose.world_from_head)

    def _distances(self, pose: HeadPose, converted: HeadPose) -> tuple[Float[ndarray, "frames points"], Float[ndarray, "frames points"]]:
        """Of the target's points from where they were to be, and from rest (mm)."""
        wished = self.transfer.points(pose)
        found = skull_vertices(self._seen, converted).numpy()
        return _MM * np.linalg.norm(found - wished, axis=-1), _MM * np.linalg.norm(wished - self.transfer.rest, axis=-1)


def convert_expressions(source: HeadModel, target: HeadModel, config: SolverConfig | None = None) -> Conversion:
    """The conversion between two head models at their mean identities, both with landmarks (`load_model_for_tracking` gives them).

    The surfaces are matched at rest, the source's motion is carried over to the target's size, and the target's coefficients are those that
    come nearest to it, within their limits. Into ARKit's expressions, from a model that has not all of them, it is the other way round:
    ARKit's expressions are first shown on the source, and the weights are those whose showing comes nearest to the source's face. So what
    was ARKit's before comes back, although the two models' faces do not move alike.

    Raises:
        InputError: a model has no landmarks, or the faces do not match.
    """
    config = config or SolverConfig()
    transfer = Transfer.between(source, target, remembered_correspondence(source, target))
    if has_arkit_expressions(target) and not has_arkit_expressions(source):
        back = Transfer.between(target, source, remembered_correspondence(target, source))
        shown = _shown_on(source, target, back, config)
        solver, goals = Solver(shown, back.vertices, back.weights, back.correspondence.opposite, config), only_vertices(source, back.vertices)
    else:
        solver, goals = Solver(target, transfer.vertices, transfer.weights, transfer.correspondence.opposite, config), None
    made = Conversion(source, target, transfer, (), solver, goals, only_vertices(target, transfer.vertices))
    return replace(made, errors=_measured(made))


def _shown_on(model: HeadModel, expressions: HeadModel, transfer: Transfer, config: SolverConfig) -> HeadModel:
    """The model with another one's expressions, each as the model shows it best; what they turn, they turn as joints."""
    solver = Solver(model, transfer.vertices, transfer.weights, transfer.correspondence.opposite, config)
    pose = expressions.neutral_pose(expressions.expression_count)
    pose = replace(pose, expression=torch.diag(expressions.expression_upper))
    found = torch.from_numpy(solver.solve(transfer.points(pose), gaze_of(expressions, pose))).float() / expressions.expression_upper[:, None]
    own, turns = found[:, : model.expression_count], found[:, model.expression_count :]
    rotations = torch.einsum("ae,ejk->ajk", own, model.expression_joint_rotations)
    rotations[:, solver.free_joints] += turns.reshape(len(turns), -1, 3)
    return replace(
        model,
        expression_basis=torch.einsum("ae,evk->avk", own, model.expression_basis),
        expression_names=expressions.expression_names,
        expression_lower=expressions.expression_lower,
        expression_upper=expressions.expression_upper,
        expression_joint_rotations=rotations,
        joint_expression_basis=torch.einsum("ae,ejk->ajk", own, model.joint_expression_basis),
    )


def _measured(conversion: Conversion) -> tuple[ExpressionError, ...]:
    """Every expression and every turn of a free joint of the source, alone."""
    names, pose = _each_alone(conversion.source)
    unknowns = np.concatenate([conversion.unknowns(_frames(pose, slice(k, k + _CHUNK))) for k in range(0, len(names), _CHUNK)])
    error, motion = conversion._distances(pose, conversion._pose(unknowns, pose))
    face, share = slice(0, conversion.transfer.face_count), conversion.transfer.correspondence.weights
    wrong = conversion._solver.gaze(unknowns) - gaze_of(conversion.source, pose)
    turned = np.rad2deg(np.linalg.norm(wrong.reshape(-1, 2, 3), axis=2).max(1))
    kept = _kept(conversion, pose, unknowns)
    columns = (error[:, face] @ share, error[:, face].max(1), motion[:, face] @ share, motion[:, face].max(1), turned, kept)
    return tuple(ExpressionError(name, *(float(value) for value in row)) for name, row in zip(names, zip(*columns)))


def _kept(conversion: Conversion, pose: HeadPose, unknowns: Float[ndarray, "frames unknowns"]) -> Float[ndarray, "frames"]:
    """Share of each motion's mean square that is reached where the coefficients are sought."""
    solver, goals = conversion._solver, conversion._goal_points(pose)
    gaze = gaze_of(conversion.source, pose)
    lost = TONGUE_SHARE * conversion.transfer.lost_tongue_mm(pose) ** 2
    left = solver.energy(goals - solver.points(unknowns), gaze - solver.gaze(unknowns)) + lost
    whole = solver.energy(goals - solver.rest, gaze) + lost
    return np.where(whole > _NOTHING_MM**2, 1 - left / np.maximum(whole, 1e-12), 1.0)


def _each_alone(model: HeadModel) -> tuple[list[str], HeadPose]:
    """A pose for each expression at its upper limit or at 1, whichever is less, then for each axis of each free joint."""
    joints = free_joints(model)
    names = [*model.expression_names, *(f"{model.joint_names[joint]} {axis}" for joint in joints for axis in _AXES)]
    pose = model.neutral_pose(len(names))
    count = model.expression_count
    pose.expression[:count] = torch.diag(model.expression_upper.clamp(max=1.0))
    for number, joint in enumerate(joints):
        for axis in range(3):
            pose.joint_rotations[count + 3 * number + axis, joint, axis] = _JOINT_RAD
    return names, pose


def pose_from_curves(model: HeadModel, names: tuple[str, ...], curves: Float[ndarray, "frames names"]) -> HeadPose:
    """A pose with these expressions and everything else at rest; raises `InputError` for a name that the model has not."""
    unknown = [name for name in names if name not in model.expression_names]
    if unknown or len(set(names)) < len(names):
        wrong = f"no expression {unknown[0]!r}" if unknown else "a name twice"
        raise InputError(f"expected expressions of {model.name!r} such as {', '.join(model.expression_names[:3])}; found {wrong}")
    pose = model.neutral_pose(len(curves))
    pose.expression[:, [model.expression_names.index(name) for name in names]] = torch.from_numpy(curves).float()
    return pose


def check_pose(model: HeadModel, pose: HeadPose) -> None:
    """Raises `InputError` unless the pose has one batch axis, the model's shapes, and finite numbers."""
    expected = (model.expression_count, (model.joint_count, 3))
    found = (pose.expression.shape[-1], tuple(pose.joint_rotations.shape[-2:]))
    if pose.expression.ndim != 2 or pose.joint_rotations.ndim != 3 or expected != found:
        raise InputError(
            f"expected a pose of {model.name!r} for several frames, with {expected[0]} expressions and joints {expected[1]}; "
            f"found shapes {tuple(pose.expression.shape)} and {tuple(pose.joint_rotations.shape)}"
        )
    if not (bool(pose.expression.isfinite().all()) and bool(pose.joint_rotations.isfinite().all())):
        raise InputError("expected finite numbers in the pose, found others")


def _frames(pose: HeadPose, some: slice) -> HeadPose:
    return HeadPose(pose.expression[some], pose.joint_rotations[some], pose.world_from_head[some])

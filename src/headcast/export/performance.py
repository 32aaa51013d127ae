"""Expression and turns over time without a recording: ARKit's CSV, FLAME's parameters, or any model's coefficients by name; written and read."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.errors import ConfigError, FormatError, InputError
from headcast.export.arkit import ArkitCurves, angles_of, arkit_text, read_arkit, rotation_from_angles
from headcast.expressions import ARKIT_NAMES, has_arkit_expressions
from headcast.geometry import Transform, axis_angle_from_matrix, matrix_from_axis_angle
from headcast.heads import HeadModel, HeadPose
from headcast.store import check_arrays, read_arrays, write_arrays, write_text
from headcast.track import Track

_FLAME = {
    "expr": ("frames", "expr"),
    "jaw_pose": ("frames", 3),
    "eyes_pose": ("frames", 6),
    "neck_pose": ("frames", 3),
    "rotation": ("frames", 3),
    "time_s": ("frames",),
}
"""What VHAP and GaussianAvatars call them; axis-angle, rad."""
_FLAME_OPTIONAL = ("neck_pose", "rotation", "time_s")
_FLAME_JOINTS = {"neck_pose": ("neck",), "jaw_pose": ("jaw",), "eyes_pose": ("left_eye", "right_eye")}
_NAMED = {
    "expression": ("frames", "expression"),
    "expression_names": ("expression",),
    "joint_rotations": ("frames", "joints", 3),
    "joint_names": ("joints",),
    "rotation": ("frames", 3),
    "time_s": ("frames",),
}
_NAMED_OPTIONAL = ("joint_rotations", "joint_names", "rotation", "time_s")


@dataclass(frozen=True)
class Performance:
    """What a face does over time, in one head model's numbers."""

    time_s: Float[ndarray, "frames"]
    """Since the first frame."""
    pose: HeadPose
    """The head's turn is kept; files do not keep where it is."""

    @classmethod
    def of_track(cls, track: Track) -> "Performance":
        return cls((track.time_s - track.time_s[0]).numpy().astype(np.float64), track.pose())


def write_performance(performance: Performance, model: HeadModel, path: Path) -> None:
    """Writes ARKit's CSV (.csv, models with its expressions) or an npz: FLAME's names for FLAME models, `expression` with names for others.

    Raises:
        ConfigError: the suffix is neither, or the model has other expressions than ARKit's.
    """
    pose = performance.pose
    if path.suffix == ".csv":
        if not has_arkit_expressions(model):
            raise ConfigError(f"a .csv holds ARKit's expressions; {model.name!r} has others, which go to an .npz: {path}")
        order = [model.expression_names.index(name) for name in ARKIT_NAMES]
        write_text(path, arkit_text(ArkitCurves(performance.time_s, pose.expression[:, order].numpy(), angles_of(pose, model))))
        return
    if path.suffix != ".npz":
        raise ConfigError(f"expected a name that ends in .npz, or in .csv for ARKit's expressions; found {path}")
    shared = {"rotation": axis_angle_from_matrix(pose.world_from_head.rotation).numpy(), "time_s": performance.time_s.astype(np.float32)}
    if model.about.get("family") == "FLAME":
        joints = {
            name: pose.joint_rotations[:, [model.joint_names.index(joint) for joint in parts]].flatten(1).numpy()
            for name, parts in _FLAME_JOINTS.items()
        }
        write_arrays(path, {"expr": pose.expression.numpy(), **joints, **shared})
        return
    names = {"expression_names": np.array(model.expression_names), "joint_names": np.array(model.joint_names)}
    write_arrays(path, {"expression": pose.expression.numpy(), "joint_rotations": pose.joint_rotations.numpy(), **names, **shared})


def read_performance(path: Path, model: HeadModel, fps: float = 30.0) -> Performance:
    """Reads what `write_performance` writes, whoever wrote it, as poses of the model. What a file leaves out is at rest.

    Args:
        fps: frames per second where an npz has no `time_s`.

    Raises:
        FormatError: columns or arrays are missing, misshapen or not finite, or name what the model has not.
        InputError: the file is missing or of another kind.
    """
    if path.suffix == ".csv":
        if not has_arkit_expressions(model):
            raise InputError(f"a .csv holds ARKit's expressions, not those of {model.name!r}. Use --from arkit: {path}")
        return performance_of_arkit(read_arkit(path), model)
    if path.suffix != ".npz":
        raise InputError(f"expected ARKit's expressions as .csv or a model's as .npz, found {path}")
    arrays = read_arrays(path)
    pose = _from_flame(arrays, model, path) if model.about.get("family") == "FLAME" else _from_named(arrays, model, path)
    count = len(pose.expression)
    if not count:
        raise FormatError(f"expected at least one frame, found none in {path}")
    if "rotation" in arrays:
        turned = matrix_from_axis_angle(_tensor(arrays["rotation"]))
        pose = replace(pose, world_from_head=Transform(turned, torch.zeros(count, 3)))
    time = arrays["time_s"].astype(np.float64) if "time_s" in arrays else np.arange(count) / fps
    return Performance(time - time[0], pose)


def performance_of_arkit(curves: ArkitCurves, model: HeadModel) -> Performance:
    """Eyes look where eyeLook expressions turn them; the files' angles of the eyes say the same again."""
    pose = model.neutral_pose(len(curves.time_s))
    pose.expression[:, [model.expression_names.index(name) for name in ARKIT_NAMES]] = torch.from_numpy(curves.expression)
    turned = torch.from_numpy(rotation_from_angles(curves.angles[:, 0])).float()
    return Performance(curves.time_s, replace(pose, world_from_head=Transform(turned, torch.zeros(len(turned), 3))))


def _from_flame(arrays: dict[str, ndarray], model: HeadModel, path: Path) -> HeadPose:
    check_arrays(arrays, _FLAME, _FLAME_OPTIONAL, path)
    count, given = arrays["expr"].shape
    if given > model.expression_count:
        raise FormatError(f"expected at most {model.expression_count} expression numbers for {model.name!r}, found {given}, in {path}")
    pose = model.neutral_pose(count)
    pose.expression[:, :given] = _tensor(arrays["expr"])
    for name, parts in _FLAME_JOINTS.items():
        if name in arrays:
            pose.joint_rotations[:, [model.joint_names.index(joint) for joint in parts]] = _tensor(arrays[name]).reshape(count, -1, 3)
    return pose


def _from_named(arrays: dict[str, ndarray], model: HeadModel, path: Path) -> HeadPose:
    check_arrays(arrays, _NAMED, _NAMED_OPTIONAL, path)
    pose = model.neutral_pose(len(arrays["expression"]))
    pose.expression[:, _places(arrays["expression_names"], model.expression_names, "expression", model, path)] = _tensor(arrays["expression"])
    if "joint_rotations" in arrays:
        if "joint_names" not in arrays:
            raise FormatError(f"expected 'joint_names' beside 'joint_rotations', found none in {path}")
        pose.joint_rotations[:, _places(arrays["joint_names"], model.joint_names, "joint", model, path)] = _tensor(arrays["joint_rotations"])
    return pose


def _places(found: ndarray, known: tuple[str, ...], kind: str, model: HeadModel, path: Path) -> list[int]:
    """Where the names of a file are in the model."""
    names = [str(name) for name in found]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise FormatError(f"expected names of {kind}s of {model.name!r} such as {', '.join(known[:3])}; found {unknown[0]!r} in {path}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError(f"expected every {kind} once, found {twice!r} more than once in {path}")
    return [known.index(name) for name in names]


def _tensor(values: ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))

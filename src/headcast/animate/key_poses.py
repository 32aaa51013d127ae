"""Key poses written by hand or by a script, and the motion between them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from headcast.errors import FormatError
from headcast.export import Performance
from headcast.geometry import Transform
from headcast.heads import HeadModel, HeadPose
from headcast.store import read_json

KIND = "headcast key poses"
SCHEMA = 1
_BETWEEN = ("smooth", "linear", "hold")
_FIELDS = {"time_s", "expression", "head_deg", "shift_m", "joints_deg"}


@dataclass(frozen=True)
class _Channels:
    """All numbers of the key poses: rows are poses."""

    time_s: Float[ndarray, "poses"]
    values: Float[ndarray, "poses channels"]
    between: str

    def at(self, moments: Float[ndarray, "moments"]) -> Float[ndarray, "moments channels"]:
        inside = np.clip(moments, self.time_s[0], self.time_s[-1])
        if len(self.time_s) == 1:
            return np.repeat(self.values, len(moments), 0)
        if self.between == "smooth":
            # A pose repeated before the first and behind the last makes motion begin and end gently.
            time = np.concatenate([[self.time_s[0] - 1], self.time_s, [self.time_s[-1] + 1]])
            return PchipInterpolator(time, np.concatenate([self.values[:1], self.values, self.values[-1:]]), axis=0)(inside)
        if self.between == "linear":
            return np.stack([np.interp(inside, self.time_s, channel) for channel in self.values.T], 1)
        return self.values[np.searchsorted(self.time_s, inside + 1e-9, side="right") - 1]


def read_key_poses(path: Path, model: HeadModel, fps: float = 30.0) -> Performance:
    """The performance that a file of key poses describes, in a head model's numbers.

    Between poses every number runs through the values given (Fritsch & Butland 1984's monotone cubics for "smooth", so that nothing overshoots),
    along straight lines ("linear"), or stands until the next ("hold"). What a pose leaves out is at rest.

    Raises:
        FormatError: the file is not one of key poses, is of a newer schema, or names what the model has not; it says where.
    """
    file = read_json(path)
    if not isinstance(file, dict) or file.get("kind") != KIND:
        raise FormatError(f"expected a JSON file with kind {KIND!r}, found {file.get('kind') if isinstance(file, dict) else file!r} in {path}")
    if file.get("schema") != SCHEMA:
        raise FormatError(f"expected schema {SCHEMA} of {KIND}, found {file.get('schema')!r} in {path}")
    between = file.get("between", "smooth")
    if between not in _BETWEEN:
        raise FormatError(f"expected 'between' to be one of {', '.join(_BETWEEN)}; found {between!r} in {path}")
    poses = file.get("poses")
    if not isinstance(poses, list) or not poses:
        raise FormatError(f"expected 'poses' to be a list of at least one pose, found {poses!r} in {path}")
    rows = [_row(entry, model, f"pose {number} of {path}") for number, entry in enumerate(poses)]
    time = np.array([row[0] for row in rows])
    if (np.diff(time) <= 0).any():
        late = int(np.flatnonzero(np.diff(time) <= 0)[0]) + 1
        raise FormatError(f"expected times that grow from pose to pose, found {time[late]:g} after {time[late - 1]:g} in pose {late} of {path}")
    channels = _Channels(time - time[0], np.stack([row[1] for row in rows]), between)
    moments = np.arange(int(np.floor(channels.time_s[-1] * fps + 1e-6)) + 1) / fps
    return Performance(moments, _pose(channels.at(moments), model))


def _row(entry: Any, model: HeadModel, where: str) -> tuple[float, Float[ndarray, "channels"]]:
    """Time and numbers of one pose: expressions, joints' axis-angles (rad), yaw, pitch, roll (rad), shift (m)."""
    if not isinstance(entry, dict):
        raise FormatError(f"expected an object, found {entry!r} as {where}")
    unknown = sorted(set(entry) - _FIELDS)
    if unknown:
        raise FormatError(f"expected {', '.join(sorted(_FIELDS))}; found {unknown[0]!r} in {where}")
    expression = _named(entry.get("expression", {}), model.expression_names, 0, "expression", where)
    joints = np.radians(_named(entry.get("joints_deg", {}), model.joint_names, 3, "joint", where))
    head = np.radians(_numbers(entry.get("head_deg", [0, 0, 0]), 3, "head_deg", where))
    shift = _numbers(entry.get("shift_m", [0, 0, 0]), 3, "shift_m", where)
    return float(_numbers(entry.get("time_s"), 0, "time_s", where)), np.concatenate([expression, joints.ravel(), head, shift])


def _named(given: Any, known: tuple[str, ...], width: int, kind: str, where: str) -> Float[ndarray, "names *width"]:
    """Values by name as an array in the model's order."""
    found = np.zeros((len(known), width) if width else len(known))
    if not isinstance(given, dict):
        raise FormatError(f"expected {kind}s by name, found {given!r} in {where}")
    for name, value in given.items():
        if name not in known:
            raise FormatError(f"expected names of {kind}s such as {', '.join(known[:3])}; found {name!r} in {where}")
        found[known.index(name)] = _numbers(value, width, name, where)
    return found


def _numbers(value: Any, width: int, name: str, where: str) -> Float[ndarray, "*width"]:
    """A number (for width 0) or so many, finite."""
    plain = (
        isinstance(value, (int, float))
        if width == 0
        else isinstance(value, list) and len(value) == width and all(isinstance(n, (int, float)) for n in value)
    )
    if not plain or not np.isfinite(np.asarray(value, np.float64)).all():
        raise FormatError(f"expected {'a number' if width == 0 else f'{width} numbers'} as {name!r}, found {value!r} in {where}")
    return np.asarray(value, np.float64)


def _pose(values: Float[ndarray, "moments channels"], model: HeadModel) -> HeadPose:
    count, joints = model.expression_count, model.joint_count
    expression, turns, angles, shift = np.split(values, [count, count + 3 * joints, count + 3 * joints + 3], 1)
    rotation = Rotation.from_euler("YXZ", angles).as_matrix()
    return HeadPose(
        expression=torch.from_numpy(expression).float().clamp(model.expression_lower, model.expression_upper),
        joint_rotations=torch.from_numpy(turns.reshape(-1, joints, 3)).float(),
        world_from_head=Transform(torch.from_numpy(rotation).float(), torch.from_numpy(shift).float()),
    )

"""ARKit's 52 expressions over time as CSV, in the columns of the Live Link Face app, which Unreal, Blender add-ons and Unity scripts read."""

import csv
import io
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from headcast.errors import FormatError, InputError
from headcast.expressions import ARKIT_NAMES, convert_expressions, has_arkit_expressions
from headcast.geometry import matrix_from_axis_angle
from headcast.heads import HeadModel, HeadPose, open_head
from headcast.solve.step import Step
from headcast.store import write_text
from headcast.track import Track

_ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
_RATES = (24, 25, 30, 48, 50, 60, 100, 120, 240)


@dataclass(frozen=True)
class ArkitCurves:
    """What such a file says."""

    time_s: Float[ndarray, "frames"]
    """Since the first frame."""
    expression: Float[ndarray, "frames 52"]
    """0–1, in the order of `ARKIT_NAMES`."""
    angles: Float[ndarray, "frames 3 3"]
    """Yaw, pitch and roll (rad) of head, left and right eye; zeros where the file has none."""


def export_arkit(track: Track, model: HeadModel, out: Path) -> Generator[Step, None, None]:
    """Writes a track's expressions and angles.

    Angles are radians. The head's are those of the skull, neck included, against the camera: rotation = yaw about +Y · pitch about +X · roll about
    +Z, +X being the subject's left, +Y up, +Z out of the face. So a head that turns to its own left has a positive yaw, one that looks down a
    positive pitch. The eyes' are against the skull.

    Expressions of a head without ARKit's are converted, see `convert_expressions`.

    Raises:
        InputError: they have to be converted, and the model has no landmarks.
    """
    pose, shown = track.pose(), model
    if not has_arkit_expressions(model):
        shown = open_head()
        pose = yield from convert_expressions(model, shown).steps(pose)
    order = [shown.expression_names.index(name) for name in ARKIT_NAMES]
    curves = ArkitCurves((track.time_s - track.time_s[0]).numpy().astype(np.float64), pose.expression[:, order].numpy(), angles_of(pose, shown))
    write_text(out, arkit_text(curves))
    yield Step("export", 1, 1)


def angles_of(pose: HeadPose, model: HeadModel) -> Float[ndarray, "frames 3 3"]:
    """Yaw, pitch and roll (rad) of skull, left and right eye in every frame, as `export_arkit` says."""
    turned = pose.joint_rotations + torch.einsum("fe,ejk->fjk", pose.expression, model.expression_joint_rotations)
    rotations = matrix_from_axis_angle(turned)
    skull = pose.world_from_head.rotation
    parts = [skull @ rotations[:, model.joint_names.index("neck")] if "neck" in model.joint_names else skull]
    for name in ("left_eye", "right_eye"):
        known = name in model.joint_names
        parts.append(rotations[:, model.joint_names.index(name)] if known else torch.eye(3).expand(len(skull), 3, 3))
    matrix = torch.stack(parts, 1).numpy().astype(np.float64)
    pitch = -np.arcsin(np.clip(matrix[..., 1, 2], -1, 1))
    yaw = np.arctan2(matrix[..., 0, 2], matrix[..., 2, 2])
    roll = np.arctan2(matrix[..., 1, 0], matrix[..., 1, 1])
    return np.stack([yaw, pitch, roll], -1)


def rotation_from_angles(angles: Float[ndarray, "frames 3"]) -> Float[ndarray, "frames 3 3"]:
    """The inverse of `angles_of` for one part."""
    return Rotation.from_euler("YXZ", angles).as_matrix()


def arkit_text(curves: ArkitCurves) -> str:
    """The file's content. Times are written as hours, minutes, seconds and frames, with fractions of a frame."""
    rate = _rate(curves.time_s)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in ARKIT_NAMES), *_ANGLES])
    for time, weights, angles in zip(curves.time_s, curves.expression, curves.angles, strict=True):
        ticks = round(float(time) * rate * 1000)
        seconds, rest = divmod(ticks, rate * 1000)
        code = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
        rows.writerow([code, len(ARKIT_NAMES) + len(_ANGLES), *(f"{value:.6f}" for value in (*weights, *angles.ravel()))])
    return text.getvalue()


def _rate(time_s: Float[ndarray, "frames"]) -> int:
    """The usual frame rate nearest to the clip's."""
    if len(time_s) < 2:
        return _RATES[2]
    found = 1 / max(float(np.median(np.diff(time_s))), 1e-3)
    return min(_RATES, key=lambda rate: abs(np.log(rate / found)))


def read_arkit(path: Path, fps: float | None = None) -> ArkitCurves:
    """Reads such a file, whoever wrote it; columns may come in any order and be written as ARKit or as the app writes them.

    Args:
        fps: Frames per second that the time codes count; taken from the largest frame number in them, if not given.

    Raises:
        FormatError: columns are missing, or a line holds something else than numbers; it names the line.
    """
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig", errors="replace"))))
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in ("timecode", *(name.lower() for name in ARKIT_NAMES)) if name not in header]
    if missing:
        raise FormatError(f"expected a CSV file with Timecode and ARKit's 52 expressions, found no column {missing[0]!r} in {path}")
    lines = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    if not lines:
        raise FormatError(f"expected at least one frame below the names of the columns, found none in {path}")
    places = [header.index(name.lower()) for name in ARKIT_NAMES]
    angle_places = [header.index(name.lower()) if name.lower() in header else -1 for name in _ANGLES]
    codes, values = [], np.zeros((len(lines), len(ARKIT_NAMES) + len(_ANGLES)))
    for frame, (number, row) in enumerate(lines):
        try:
            codes.append(_parts_of(row[header.index("timecode")]))
            values[frame] = [float(row[place]) if place >= 0 else 0.0 for place in (*places, *angle_places)]
        except (ValueError, IndexError) as error:
            raise FormatError(f"expected a time code and {len(header) - 1} numbers in line {number} of {path}: {error}") from error
    if not np.isfinite(values).all():
        raise FormatError(f"expected finite numbers, found others in line {lines[int(np.argwhere(~np.isfinite(values))[0, 0])][0]} of {path}")
    whole, frames = np.array(codes).T
    rate = fps or next((rate for rate in _RATES if rate > frames.max()), frames.max() + 1)
    time = whole + frames / rate
    return ArkitCurves(time - time[0], values[:, : len(ARKIT_NAMES)].astype(np.float32), values[:, len(ARKIT_NAMES) :].reshape(-1, 3, 3))


def _parts_of(code: str) -> tuple[float, float]:
    """Seconds and frames of a time code."""
    found = re.fullmatch(r"\s*(\d+):(\d+):(\d+)[:;](\d+(?:\.\d+)?)\s*", code)
    if not found:
        raise ValueError(f"{code!r} is no time code like 00:00:01:12.500")
    hours, minutes, seconds, frames = found.groups()
    return 3600.0 * int(hours) + 60 * int(minutes) + int(seconds), float(frames)

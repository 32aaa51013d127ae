"""Motion of the head's joints as BVH (Biovision): a skeleton in the rest pose, then its joints' angles frame by frame.

BVH has no unit: lengths are metres here, angles degrees, as the format has it; +Y is up. A joint's rotation is the product of its channels in their
order, Rz · Rx · Ry, applied about its offset from its parent.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from headcast.errors import FormatError, InputError
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import write_text
from headcast.track import Track

_ROOT = "head"
_PLACES = ("Xposition", "Yposition", "Zposition")
_TURNS = ("Zrotation", "Xrotation", "Yrotation")
_TIP_M = 0.02
"""Length of the bones that end in nothing, along +Z: players need one to draw."""
_PAUSE_S = 1 / 30
"""Between frames of a clip that has only one."""
_UNEVEN = 0.01
"""How far a frame may be from its place in even steps, in steps, before it is said."""


def export_bvh(track: Track, model: HeadModel, path: Path) -> Generator[Step, None, None]:
    """Writes `path`: the root moves as the whole head, the joints "neck", "jaw", "left_eye" … turn, what expressions turn included.

    BVH knows one time between frames: where the recording's vary, the last step says so.
    """
    head = track.head(model)
    rotations, _ = head.turned_joints(track.pose())
    angles = [_degrees(track.world_from_head.rotation.numpy()), *(_degrees(rotations[:, joint].numpy()) for joint in range(model.joint_count))]
    order = list(_depth_first(model.joint_parents))
    columns = [track.world_from_head.translation.numpy(), angles[0], *(angles[1 + joint] for joint in order)]
    pause, uneven = _pause(track.time_s.double().numpy())
    rows = ["".join(f"{value:.6f} " for value in row).rstrip() for row in np.concatenate(columns, 1).tolist()]
    bones = _bones(model, head.joints.numpy(), -1, 1)
    head_lines = ["HIERARCHY", f"ROOT {_ROOT}", "{", "\tOFFSET 0 0 0", f"\tCHANNELS 6 {' '.join(_PLACES + _TURNS)}", *bones, "}"]
    lines = [*head_lines, "MOTION", f"Frames: {track.frame_count}", f"Frame Time: {pause:.9f}", *rows]
    write_text(path, "\n".join(lines) + "\n")
    note = f"BVH knows one time between frames: {1000 * pause:.2f} ms; the recording's frames are up to {1000 * uneven:.1f} ms beside it"
    yield Step("export", 1, 1, message=note if uneven > _UNEVEN * pause else "")


def _degrees(rotations: Float[ndarray, "frames 3 3"]) -> Float[ndarray, "frames 3"]:
    """Angles about Z, X and Y whose product in this order is the rotation, without jumps of whole turns."""
    return np.degrees(np.unwrap(Rotation.from_matrix(rotations).as_euler("ZXY"), axis=0))


def _pause(time_s: Float[ndarray, "frames"]) -> tuple[float, float]:
    """The time between frames, and how far the recording's are from even steps at most (s)."""
    if len(time_s) < 2:
        return _PAUSE_S, 0.0
    pause = float((time_s[-1] - time_s[0]) / (len(time_s) - 1))
    return pause, float(np.abs(time_s - time_s[0] - pause * np.arange(len(time_s))).max())


def _depth_first(parents: tuple[int, ...], above: int = -1) -> Iterator[int]:
    """Joints in the order in which a file nests them."""
    for joint, parent in enumerate(parents):
        if parent == above:
            yield joint
            yield from _depth_first(parents, joint)


def _bones(model: HeadModel, places: Float[ndarray, "joints 3"], above: int, depth: int) -> Iterator[str]:
    """The lines of everything that hangs on a joint; on a joint with nothing, a tip."""
    tab = "\t" * depth
    children = [joint for joint, parent in enumerate(model.joint_parents) if parent == above]
    for joint in children:
        x, y, z = places[joint] - (places[above] if above >= 0 else 0)
        yield f"{tab}JOINT {model.joint_names[joint]}"
        yield f"{tab}{{"
        yield f"{tab}\tOFFSET {x:.6f} {y:.6f} {z:.6f}"
        yield f"{tab}\tCHANNELS 3 {' '.join(_TURNS)}"
        yield from _bones(model, places, joint, depth + 1)
        yield f"{tab}}}"
    if not children:
        yield from (f"{tab}End Site", f"{tab}{{", f"{tab}\tOFFSET 0 0 {_TIP_M}", f"{tab}}}")


@dataclass(frozen=True)
class BvhClip:
    """A BVH file."""

    joint_names: tuple[str, ...]
    """The root first."""
    joint_parents: tuple[int, ...]
    """−1 for the root."""
    offsets: Float[ndarray, "joints 3"]
    """Of each joint from its parent at rest, in the file's unit."""
    frame_time_s: float
    translations: Float[ndarray, "frames joints 3"]
    """What a joint's position channels add to its offset."""
    rotations: Float[ndarray, "frames joints 3 3"]
    """Of each joint relative to its parent."""

    def places(self) -> Float[ndarray, "frames joints 3"]:
        """Where the joints are."""
        turned, placed = np.empty_like(self.rotations), np.empty_like(self.translations)
        for joint, parent in enumerate(self.joint_parents):
            moved = self.offsets[joint] + self.translations[:, joint]
            if parent < 0:
                turned[:, joint], placed[:, joint] = self.rotations[:, joint], moved
            else:
                turned[:, joint] = turned[:, parent] @ self.rotations[:, joint]
                placed[:, joint] = placed[:, parent] + np.einsum("fab,fb->fa", turned[:, parent], moved)
        return placed


def read_bvh(path: Path) -> BvhClip:
    """Reads a BVH file, whoever wrote it, with channels in any order; raises `FormatError` where it is none."""
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    try:
        before, motion = path.read_text(encoding="utf-8").split("MOTION", 1)
        names, parents, offsets, channels = _hierarchy(before.split())
        lines = motion.strip().splitlines()
        count, pause = int(lines[0].split(":")[1]), float(lines[1].split(":")[1])
        values = np.array([line.split() for line in lines[2 : 2 + count]], np.float64).reshape(count, -1)
        if values.shape[1] != sum(map(len, channels)):
            raise ValueError(f"{sum(map(len, channels))} channels, and {values.shape[1]} numbers per frame")
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise FormatError(f"expected a BVH file with a HIERARCHY and its MOTION; {error}, in {path}") from error
    translations, rotations = np.zeros((count, len(names), 3)), np.tile(np.eye(3), (count, len(names), 1, 1))
    column = 0
    for joint, own in enumerate(channels):
        for channel in own:
            axis, kind = "XYZ".index(channel[0]), channel[1:]
            if kind == "position":
                translations[:, joint, axis] = values[:, column]
            else:
                turn = Rotation.from_euler("xyz"[axis], values[:, column, None], degrees=True).as_matrix()
                rotations[:, joint] = rotations[:, joint] @ turn
            column += 1
    return BvhClip(tuple(names), tuple(parents), np.array(offsets), pause, translations, rotations)


def _hierarchy(words: list[str]) -> tuple[list[str], list[int], list[list[float]], list[list[str]]]:
    """Names, parents, offsets and channels of the joints, in the order of the file; raises `ValueError` where it makes no sense."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    open_joints: list[int | None] = []  # None is a tip
    coming: int | None = None
    at = words.index("HIERARCHY") + 1
    while at < len(words):
        word = words[at]
        if word in ("ROOT", "JOINT"):
            parents.append(next((joint for joint in reversed(open_joints) if joint is not None), -1))
            names.append(words[at + 1])
            channels.append([])
            coming, at = len(names) - 1, at + 2
        elif word == "End":
            coming, at = None, at + 2
        elif word == "{":
            open_joints.append(coming)
            at += 1
        elif word == "}":
            open_joints.pop()
            at += 1
        elif word == "OFFSET":
            if open_joints[-1] is not None:
                offsets.append([float(number) for number in words[at + 1 : at + 4]])
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            channels[-1] = words[at + 2 : at + 2 + count]
            at += 2 + count
        else:
            raise ValueError(f"found {word!r} in the hierarchy")
    known = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}
    strange = sorted({channel for own in channels for channel in own} - known)
    if strange or len(offsets) != len(names) or not names:
        raise ValueError(f"found the channels {strange}, {len(names)} joints and {len(offsets)} offsets")
    return names, parents, offsets, channels

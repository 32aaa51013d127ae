"""FLAME's own numbers of a tracked frame, under the names that VHAP gave them and others took over."""

from types import MappingProxyType

from numpy import ndarray

from headcast.heads.flame import FlameRoot
from headcast.track import Track

FLAME_NUMBERS = MappingProxyType({"translation": 3, "rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6})
"""Pose by name, and how many numbers it has per frame: metres, and axis-angle in radians."""


def flame_numbers(track: Track, root: FlameRoot, frame: int) -> dict[str, ndarray]:
    """`FLAME_NUMBERS` and `expr`, each (1, n), and `shape` (n,), of one frame."""
    expression = track.expression[[frame]]
    rotation, translation = root.parameters(track.world_from_head[[frame]], track.identity, expression)
    joints = track.joint_rotations[frame]
    return {
        "translation": translation.numpy(), "rotation": rotation.numpy(), "neck_pose": joints[[0]].numpy(), "jaw_pose": joints[[1]].numpy(),
        "eyes_pose": joints[2:4].reshape(1, 6).numpy(), "shape": track.identity.numpy(), "expr": expression.numpy(),
    }  # fmt: skip


def what_offsets_lack(track: Track) -> str:
    """A sentence for formats that hold FLAME's numbers alone; empty where the track has no offsets."""
    if track.offsets is None:
        return what_moving_offsets_lack(track, "that program")
    size_mm = 1000 * float(track.offsets.square().sum(-1).mean().sqrt())
    return f"that program has no place for offsets ({size_mm:.2f} mm RMS): its head is the identity's alone"


def what_moving_offsets_lack(track: Track, name: str) -> str:
    """A sentence for formats that hold no skin that moves by itself; empty where the track has none."""
    moving = track.pose().moving_offsets
    if moving is None:
        return ""
    size_mm = 1000 * float(moving.vertices().square().sum(-1).mean().sqrt())
    return f"{name} has no place for dynamic offsets ({size_mm:.2f} mm RMS): its skin moves with expressions and joints alone"

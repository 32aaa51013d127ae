"""The cameras of a clip, and how what each of them sees speaks of the same unknowns.

Rig space is the space of the first camera in its first pose. A head's pose is solved there; in a camera's own space it follows from the camera's
pose, and the equations that a camera gives are turned back: a small turn or shift of the head is the same turn or shift, seen from elsewhere.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from headcast.track.points import FrameState, rodrigues

WORLD_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
"""A single camera stands at the world's origin and looks along −Z, +Y up."""


@dataclass(frozen=True)
class Rig:
    """One camera or several. Cameras that stand still have one pose, those that move have one per frame."""

    focal_px: Float[np.ndarray, "cameras 2"]
    """Of the source pictures."""
    center_px: Float[np.ndarray, "cameras 2"]
    rotation: Float[np.ndarray, "cameras poses 3 3"]
    """Camera from rig."""
    translation: Float[np.ndarray, "cameras poses 3"]
    world_rotation: Float[np.ndarray, "3 3"]
    """World from rig."""
    world_translation: Float[np.ndarray, "3"]
    free_poses: bool = False
    """Whether the poses of all cameras but the first are unknowns; only where they stand still."""
    clip_of_camera: tuple[int, ...] = ()
    """Which clip each camera belongs to, where several clips are solved together: cameras of different clips see no moment together, and each clip's
    first camera is where it is. Empty for one clip."""
    known_clips: frozenset[int] = frozenset()
    """Clips whose cameras' poses are known all the same."""

    @classmethod
    def single(cls, focal_px: Float[np.ndarray, "2"], center_px: Float[np.ndarray, "2"]) -> "Rig":
        """One camera that stands still at the world's origin."""
        return cls(focal_px[None], center_px[None], np.eye(3)[None, None], np.zeros((1, 1, 3)), WORLD_FROM_CAMERA, np.zeros(3))

    @property
    def camera_count(self) -> int:
        return len(self.focal_px)

    @property
    def pose_count(self) -> int:
        return self.rotation.shape[1]

    @property
    def unknown_count(self) -> int:
        """The logarithm of each camera's focal length; then turn and shift of each camera whose pose is free."""
        return self.camera_count + 6 * len(self.free_cameras)

    @cached_property
    def free_cameras(self) -> tuple[int, ...]:
        """Cameras whose poses are unknowns."""
        if not self.free_poses:
            return ()
        clips = [self.clip(camera) for camera in range(self.camera_count)]
        return tuple(camera for camera, clip in enumerate(clips) if clip not in self.known_clips and clip in clips[:camera])

    def clip(self, camera: int) -> int:
        return self.clip_of_camera[camera] if self.clip_of_camera else 0

    def pose(self, camera: int, frame_idx: int) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
        """Rotation and translation (m), camera from rig, in a frame."""
        place = frame_idx if self.pose_count > 1 else 0
        return self.rotation[camera, place], self.translation[camera, place]

    def seen(self, state: FrameState, camera: int, frame_idx: int) -> FrameState:
        """A head's state in a camera's space, from that in rig space."""
        rotation, translation = self.pose(camera, frame_idx)
        return replace(state, rotation=rotation @ state.rotation, translation=rotation @ state.translation + translation)

    def placed(self, state: FrameState, camera: int, frame_idx: int) -> FrameState:
        """A head's state in rig space, from that in a camera's space."""
        rotation, translation = self.pose(camera, frame_idx)
        return replace(state, rotation=rotation.T @ state.rotation, translation=rotation.T @ (state.translation - translation))

    def moved(self, change: Float[np.ndarray, "unknowns"]) -> "Rig":
        """The rig after a step of its unknowns."""
        count = self.camera_count
        focal = self.focal_px * np.exp(change[:count, None])
        if not self.free_poses:
            return replace(self, focal_px=focal)
        rotation, translation = self.rotation.copy(), self.translation.copy()
        for camera, (turn, shift) in zip(self.free_cameras, change[count:].reshape(-1, 2, 3), strict=True):
            matrix = rodrigues(turn)
            rotation[camera] = matrix @ rotation[camera]
            translation[camera] = translation[camera] @ matrix.T + shift
        return replace(self, focal_px=focal, rotation=rotation, translation=translation)


@dataclass(frozen=True)
class Turned:
    """How the unknowns of one camera's view follow from those of the clip.

    A view's own: the head's turn and shift in camera space, the rest of the frame, then identity and the logarithm of its focal length. The clip's:
    the same in rig space, with the rig's unknowns in place of the one focal length.
    """

    camera: int
    turn: Float[np.ndarray, "3 3"]
    """Camera from rig."""
    head: Float[np.ndarray, "3"]
    """The head's translation in camera space."""
    rig: Rig

    def of_frame(self, rows: Float[np.ndarray, "*n own"]) -> Float[np.ndarray, "*n own"]:
        """Derivatives with a frame's unknowns, from camera to rig space."""
        turned = rows.copy()
        turned[..., :3] = rows[..., :3] @ self.turn
        turned[..., 3:6] = rows[..., 3:6] @ self.turn
        return turned

    def of_clip(self, rows: Float[np.ndarray, "*n local"]) -> Float[np.ndarray, "*n all"]:
        """Derivatives with a frame's and the shared unknowns, from those of a view to those of the clip."""
        rig, last = self.rig, rows.shape[-1] - 1
        out = np.zeros((*rows.shape[:-1], last + rig.unknown_count), rows.dtype)
        out[..., :last] = self.of_frame(rows[..., :last])
        out[..., last + self.camera] = rows[..., last]
        if self.camera in rig.free_cameras:
            start = last + rig.camera_count + 6 * rig.free_cameras.index(self.camera)
            # Turning a camera about its own centre turns the head and swings it: d(pixel) = J_turn·w + J_shift·(w × t).
            out[..., start : start + 3] = rows[..., :3] - rows[..., 3:6] @ _cross(self.head)
            out[..., start + 3 : start + 6] = rows[..., 3:6]
        return out


def _cross(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])

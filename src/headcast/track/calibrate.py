"""A first guess of a rig: what is known of the cameras, and what the head itself says of the rest."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from headcast.capture import Calibration, Recorded, RigCapture
from headcast.errors import InputError
from headcast.geometry import angle_between, nearest_rotation
from headcast.track.observation import Moment
from headcast.track.person import Person
from headcast.track.person_fit import pose_in_camera
from headcast.track.rig import WORLD_FROM_CAMERA, Rig

_USUAL_FOCAL = 1.4
"""Focal length of a camera of which nothing is known, as a share of the picture's longer side."""
_LARGEST_DISAGREEMENT_DEG = 45.0
"""Typical angle between the head as seen by one camera and by the others, beyond which the cameras' poses are not what they are taken for."""
_LARGEST_MISFIT = 1.6
"""Ratio of the head's size to a person's, beyond which the unit of the cameras' positions is not what it is taken for."""

Pose = tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]


@dataclass(frozen=True)
class _Heads:
    """The neutral head at one moment, camera from head in metres, by camera."""

    frame_idx: int
    poses: dict[int, Pose]


def known_rig(capture: RigCapture) -> Rig:
    """The rig as far as it is known; unknown focal lengths are usual ones, unknown poses those of the first camera.

    Rig space is that of the first camera in its first pose, in the capture's own unit.
    """
    focal = np.array([_focal(*pair) for pair in zip(capture.captures, capture.calibrations, strict=True)], np.float64)
    center = np.array([_center(*pair) for pair in zip(capture.captures, capture.calibrations, strict=True)], np.float64)
    count = len(focal)
    if not capture.posed:
        eye, zero = np.tile(np.eye(3), (count, 1, 1, 1)), np.zeros((count, 1, 3))
        return Rig(focal, center, eye, zero, WORLD_FROM_CAMERA, np.zeros(3), free_poses=count > 1)
    poses = [one.camera_from_world for one in capture.calibrations]
    length = max(len(pose.translation) for pose in poses)
    turn = np.stack([np.broadcast_to(pose.rotation.double().numpy(), (length, 3, 3)) for pose in poses])
    shift = np.stack([np.broadcast_to(pose.translation.double().numpy(), (length, 3)) for pose in poses])
    first_turn, first_shift = turn[0, 0], shift[0, 0]
    rotation = turn @ first_turn.T
    return Rig(focal, center, rotation, shift - rotation @ first_shift, first_turn.T, -first_turn.T @ first_shift)


def _focal(capture: Recorded, known: Calibration) -> Float[np.ndarray, "2"]:
    if known.focal_px is not None:
        return np.asarray(known.focal_px, np.float64)
    return np.full(2, capture.focal_hint_px or _USUAL_FOCAL * max(capture.source_size))


def _center(capture: Recorded, known: Calibration) -> Float[np.ndarray, "2"]:
    return np.array(capture.center_px) if known.center_px is None else np.asarray(known.center_px, np.float64)


def rig_from_heads(person: Person, moments: Sequence[Moment], capture: RigCapture) -> Rig:
    """The rig in metres, with what was unknown taken from the neutral head as each camera sees it.

    Raises:
        InputError: the cameras' poses do not agree with what they see; or their unit does not; or some camera shares no frame with the others.
    """
    rig = person.rig
    heads = [_heads(person, moment) for moment in moments]
    if not capture.posed:
        return _posed_by_heads(rig, heads, capture)
    _check_rotations(rig, heads, capture)
    metres = _metres_per_unit(rig, heads)
    if capture.unit_m is not None:
        times = metres / capture.unit_m
        if not 1 / _LARGEST_MISFIT < times < _LARGEST_MISFIT:
            raise InputError(
                f"expected cameras whose positions are in units of {capture.unit_m:g} m; the head that they see would be {1 / times:.3g} times "
                f"as large as a person's. Give the unit in the camera file: about {metres:.3g} m (millimetres are 0.001), or null if nobody knows"
            )
        metres = capture.unit_m
    return replace(rig, translation=rig.translation * metres, world_translation=rig.world_translation * metres)


def _heads(person: Person, moment: Moment) -> _Heads:
    seen = {view.camera: pose_in_camera(person.through(view.camera, moment.frame_idx), view.landmarks) for view in moment.views}
    return _Heads(moment.frame_idx, {camera: (state.rotation, state.translation) for camera, state in seen.items()})


def _check_rotations(rig: Rig, heads: Sequence[_Heads], capture: RigCapture) -> None:
    """Refuses cameras that see the head turned another way than their poses say."""
    angles: list[float] = []
    for seen in heads:
        turns = [rig.pose(camera, seen.frame_idx)[0].T @ pose[0] for camera, pose in seen.poses.items()]
        if len(turns) > 1:
            stacked = torch.from_numpy(np.stack(turns))
            angles += angle_between(nearest_rotation(stacked.mean(0)).expand_as(stacked), stacked).tolist()
    if angles and np.degrees(np.median(angles)) > _LARGEST_DISAGREEMENT_DEG:
        names = ", ".join(one.name for one in capture.calibrations[:4])
        raise InputError(
            f"expected cameras that see one head; by their poses they see it turned by {np.degrees(np.median(angles)):.0f}° against each other. "
            f"Poses must be camera from world with +Y down and +Z forward (OpenCV), one for each of {names}…"
        )


def _metres_per_unit(rig: Rig, heads: Sequence[_Heads]) -> float:
    """The unit of the cameras' positions, from where they see a head of usual size: Rᵀ(t − s·T) is one place for all cameras of a moment.

    For a single camera that moves, the head is taken to stay about where it is.
    """
    together = rig.camera_count == 1
    rows, places = [], []
    for place, seen in enumerate(heads):
        for camera, pose in seen.poses.items():
            rotation, translation = rig.pose(camera, seen.frame_idx)
            rows.append((rotation.T @ pose[1], rotation.T @ translation))
            places.append(0 if together else place)
    seen_at, offset, place = np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), np.array(places)
    weight = np.ones(len(place))
    scale = 1.0
    for _ in range(20):  # reweighted: a face seen from its side is placed badly (Holland & Welsch 1977)
        total = np.bincount(place, weight)
        means = [np.stack([np.bincount(place, weight * column[:, k]) / total for k in range(3)], 1)[place] for column in (seen_at, offset)]
        a, b = seen_at - means[0], offset - means[1]
        bottom = float((weight * (b * b).sum(1)).sum())
        if bottom < 1e-12:
            raise InputError("expected cameras at different places, found all of them at the same one")
        scale = float((weight * (a * b).sum(1)).sum()) / bottom
        off = np.linalg.norm(a - scale * b, axis=1)
        weight = 1 / np.maximum(off, 1e-3)
    if scale <= 0:
        raise InputError(
            "expected cameras that see one head; by their poses it lies behind them. Poses must be camera from world with +Y down and +Z forward "
            "(OpenCV)"
        )
    return scale


def _posed_by_heads(rig: Rig, heads: Sequence[_Heads], capture: RigCapture) -> Rig:
    """All cameras' poses from the head that pairs of them see at the same moment, going out from the first camera."""
    rotation, translation = rig.rotation.copy(), rig.translation.copy()
    reached, waiting = {0}, deque([0])
    while waiting:
        known = waiting.popleft()
        for camera in range(rig.camera_count):
            shared = [(seen.poses[camera], seen.poses[known]) for seen in heads if camera in seen.poses and known in seen.poses]
            if camera in reached or not shared:
                continue
            turn, shift = _mean_pose([(a[0] @ b[0].T, a[1] - a[0] @ b[0].T @ b[1]) for a, b in shared])
            rotation[camera, 0] = turn @ rotation[known, 0]
            translation[camera, 0] = turn @ translation[known, 0] + shift
            reached.add(camera)
            waiting.append(camera)
    if len(reached) < rig.camera_count:
        lost = ", ".join(repr(one.name) for camera, one in enumerate(capture.calibrations) if camera not in reached)
        raise InputError(f"expected cameras that see the face in the same frames; {lost} never does together with the others")
    return replace(rig, rotation=rotation, translation=translation)


def _mean_pose(poses: Sequence[Pose]) -> Pose:
    turn = nearest_rotation(torch.from_numpy(np.stack([pose[0] for pose in poses]).mean(0))).numpy()
    return turn, np.median([pose[1] for pose in poses], axis=0)

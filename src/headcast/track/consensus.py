"""Which cameras of a rig see the head, and which were fooled by something else: views that agree on where it is."""

import numpy as np
from jaxtyping import Bool, Float

from headcast.capture import RigCapture
from headcast.track.person import Person, interocular
from headcast.track.person_fit import pose_in_camera
from headcast.track.points import FrameState, move_points

_AGREES = 0.35
"""Mean distance of landmarks, as a share of the distance of the outer eye corners, up to which two views show the same head."""


def agreeing(person: Person, capture: RigCapture) -> Bool[np.ndarray, "cameras frames"]:
    """True where a camera found the head that most of the cameras' evidence stands for.

    Each view of a frame places a neutral head; the others vote for it where their landmarks lie on it.
    """
    found = np.array([one.found for one in capture.captures], bool)
    kept = np.zeros_like(found)
    for frame_idx in range(capture.frame_count):
        cameras = np.flatnonzero(found[:, frame_idx])
        trust = np.array([capture.captures[camera].confidence[frame_idx].sum() for camera in cameras])
        if not len(cameras):
            continue
        agree = np.array([_shared_by(person, capture, frame_idx, camera, cameras) for camera in cameras])
        best = agree[(agree @ trust).argmax()]
        kept[cameras[best], frame_idx] = True
    return kept


def _shared_by(person: Person, capture: RigCapture, frame_idx: int, camera: int, others: np.ndarray) -> Bool[np.ndarray, "others"]:
    """Which cameras see the head where one of them has it."""
    own = person.through(camera, frame_idx)
    placed = person.rig.placed(pose_in_camera(own, capture.captures[camera].landmarks_px[frame_idx]), camera, frame_idx)
    return np.array([_distance(person, capture, frame_idx, other, placed) < _AGREES for other in others])


def _distance(person: Person, capture: RigCapture, frame_idx: int, camera: int, placed: FrameState) -> float:
    """Mean distance of a camera's landmarks from a placed head's, as a share of the eye distance that the head should have there."""
    seen = person.through(camera, frame_idx)
    state = person.rig.seen(placed, camera, frame_idx)
    if state.translation[2] <= 0:
        return np.inf
    motion = move_points(
        person.tracked.landmarks, person.landmark_rest, person.skeleton, person.tracked.unknowns, state, seen.focal_px, seen.center_px
    )
    detected: Float[np.ndarray, "landmarks 2"] = capture.captures[camera].landmarks_px[frame_idx]
    scale = max(float(interocular(detected, person.tracked.marks.eyes)), 0.06 * float(seen.focal_px.mean()) / float(state.translation[2]))
    return float(np.linalg.norm(detected - motion.pixels, axis=1).mean()) / scale

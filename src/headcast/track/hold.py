"""Which unknowns of a person and its frames stay where they are, as masks over the vectors that are solved."""

import numpy as np
from jaxtyping import Bool

from headcast.track.person import Person
from headcast.track.stages import OF_FRAMES


def held_in_frames(person: Person) -> Bool[np.ndarray, "unknowns"] | None:
    """True for the unknowns of a frame that are held; None where none is."""
    fixed = person.fixed & OF_FRAMES
    if not fixed:
        return None
    unknowns, names = person.tracked.unknowns, person.tracked.model.joint_names
    held = np.zeros(unknowns.count, bool)
    held[:3], held[3:6] = "rotation" in fixed, "translation" in fixed
    parts = {"neck": "neck", "jaw": "jaw"}
    held[unknowns.angles] = [parts.get(names[joint], "eyes") in fixed for joint in unknowns.joint_idx]
    held[unknowns.expression] = "expression" in fixed
    return held


def held_of_all(person: Person) -> Bool[np.ndarray, "shared"] | None:
    """True for the shared unknowns (identity, focal lengths, cameras' poses) that are held; None where none is."""
    if person.fixed.isdisjoint(("identity", "focal_px", "cameras")):
        return None
    count, rig = len(person.identity), person.rig
    held = np.zeros(count + rig.unknown_count, bool)
    held[:count] = "identity" in person.fixed
    held[count : count + rig.camera_count] = "focal_px" in person.fixed
    held[count + rig.camera_count :] = "cameras" in person.fixed
    return held

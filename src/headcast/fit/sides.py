"""Where the face of a scan is, whichever way up and in whatever unit: looked for from all sides, then measured from its front."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import InputError
from headcast.fit.looks import ALL_SIDES, Look, Looker, camera_towards
from headcast.fit.scan import Scan
from headcast.geometry import Similarity
from headcast.perceive import FaceFinder, FaceFollower, FollowConfig, MediapipeMesh
from headcast.perceive.around import geometric_median, weighted_median
from headcast.solve import Step
from headcast.threads import mapped

_SEARCH_PX, _SEARCH_RADIUS = 320, 0.15
_LOOK_PX = 448
_GLANCE = (-20.0, 0.0, 20.0), (4.0,)
_AROUND = (-40.0, -20.0, 0.0, 20.0, 40.0), (-14.0, 6.0, 22.0)
"""Yaws and pitches in degrees of a first look at a face, and of those that it is measured from."""
_SURE = 0.06
"""Misfit below which no other side is looked at."""
_FACE_EXTENT_M = 0.30
"""What the pictures for measuring show: a face and what is around it."""
_WORST_SHAPE = 0.16
"""Median distance of found landmarks from the mean head's, as a share of the distance between the eyes, above which it was no face."""
_SKIN = slice(0, 468)
_GRAZING = 0.25
_TRIES = 3
MANUAL = (
    "Give at least four landmarks by hand: --points FILE, a CSV or JSON file of landmark names or numbers and their positions in the scan "
    "(see docs/formats.md)."
)


@dataclass(frozen=True)
class FoundFace:
    """Landmarks on a scan."""

    points: Float[ndarray, "landmarks 3"]
    """In the scan's space."""
    spread: Float[ndarray, "landmarks"]
    """How far the views disagree, in the scan's unit; infinite for landmarks that nobody saw or named."""
    head_from_scan: Similarity
    """From these landmarks alone."""
    misfit: float
    """Median distance of the landmarks from the mean head's, as a share of the distance between the eyes."""
    views: int
    """In which the face was seen; 0 where the landmarks were given."""

    def padded(self, count: int) -> "FoundFace":
        """With further landmarks that nobody saw."""
        more = count - len(self.points)
        return replace(self, points=np.pad(self.points, ((0, more), (0, 0))), spread=np.pad(self.spread, (0, more), constant_values=np.inf))


def find_face(scans: Sequence[Scan], template: Float[ndarray, "478 3"]) -> Generator[Step, None, tuple[Scan, FoundFace]]:
    """Landmarks and pose of a face anywhere on a scan, and the one of the scans that they were found on.

    Args:
        scans: one shape with different colours: the one on which the landmarks look most like a face's is taken.
        template: the mean head's landmarks (m, head space).

    Raises:
        InputError: no side shows a face.
    """
    finder = FaceFinder()
    follower = face_follower(finder)
    found: list[tuple[float, Similarity]] = []
    # A face that is small beside what else was scanned needs a closer look, which takes long: first all colours are tried without.
    for thorough, scan in product((False, True), scans):
        found = yield from _faces_from_all_sides(scan, template, finder, follower, thorough)
        if found:
            break
    if not found:
        raise InputError(f"expected a face on some side of the scan, found none from {len(ALL_SIDES)} sides. {MANUAL}")
    found = sorted(found, key=lambda pair: pair[0])
    for number, (_, head_from_scan) in enumerate(found[:_TRIES]):
        glances = [(scan, _measured_from(_GLANCE, scan, head_from_scan, template, follower)) for scan in scans]
        yield Step("measure face", number + 1, min(len(found), _TRIES))
        for scan, glance in sorted(((s, g) for s, g in glances if g is not None), key=lambda pair: pair[1].misfit / pair[1].views):
            face = _measured_from(_AROUND, scan, glance.head_from_scan, template, follower)
            if face is not None:
                return scan, face
    raise InputError(f"what looked like a face on the scan is none from nearby: its landmarks have another shape. {MANUAL}")


def _faces_from_all_sides(
    scan: Scan, template: ndarray, finder: FaceFinder, follower: FaceFollower, thorough: bool
) -> Generator[Step, None, list[tuple[float, Similarity]]]:
    """Misfit and head from scan of everything that looks like a face from far."""
    middle, radius = _middle(scan.vertices)
    unit = _SEARCH_RADIUS / radius
    small_from_scan = Similarity(unit, np.eye(3), -unit * middle)
    looker = Looker(scan.moved(small_from_scan))
    found: list[tuple[float, Similarity]] = []
    cameras = [camera_towards(np.zeros(3), direction, None, 2.4 * _SEARCH_RADIUS, _SEARCH_PX, 1.2) for direction in ALL_SIDES]
    for number, look in enumerate(mapped(looker, cameras)):
        if finder.find(look.picture, thorough):
            found += _candidate(look, template, follower)
        yield Step("find face", number + 1, len(ALL_SIDES))
        if found and number >= 5 and min(misfit for misfit, _ in found) < _SURE:
            break
    return [(misfit, small_from_scan.then(head_from_small)) for misfit, head_from_small in found]


def face_follower(finder: FaceFinder) -> FaceFollower:
    """Finds the landmarks of single pictures."""
    return FaceFollower(MediapipeMesh(), finder, FollowConfig(second_look_every=1))


def _measured_from(
    angles_deg: tuple[tuple[float, ...], tuple[float, ...]],
    scan: Scan,
    head_from_scan: Similarity,
    template: Float[ndarray, "478 3"],
    follower: FaceFollower,
) -> FoundFace | None:
    """Landmarks from several views of a face whose place is roughly known; None where it turns out to be none."""
    yaws, pitches = angles_deg
    looker = Looker(scan.moved(head_from_scan))
    middle = template[_SKIN].mean(0)
    cameras = []
    for yaw, pitch in product(np.radians(yaws), np.radians(pitches)):
        direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        cameras.append(camera_towards(middle, direction, None, _FACE_EXTENT_M, _LOOK_PX, 0.9))
    seen = [landmarks for look in mapped(looker, cameras) if (landmarks := _landmarks(look, follower)) is not None]
    if len(seen) < len(yaws) * len(pitches) / 4:
        return None
    found, weights = (np.stack(values) for values in zip(*seen))
    points, views = geometric_median(found, weights), len(seen)
    spread = weighted_median(np.linalg.norm(found - points, axis=2), weights)
    spread[weights.sum(0) < 0.2] = np.inf
    again = robust_similarity(points, template, np.isfinite(spread))
    if again is None or again[0] > _WORST_SHAPE:
        return None
    back = head_from_scan.inverse()
    points, spread = back.points(points), spread * back.scale
    head_from_scan = head_from_scan.then(again[1])
    return FoundFace(points, spread, head_from_scan, again[0], views)


def _middle(vertices: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "3"], float]:
    """Middle of most points and how far they reach; a few stray ones do not count."""
    few = vertices[:: max(1, len(vertices) // 100_000)]
    low, high = np.percentile(few, 2, axis=0), np.percentile(few, 98, axis=0)
    middle = (low + high) / 2
    return middle, float(max(np.percentile(np.linalg.norm(few - middle, axis=1), 95), 1e-12))


def _landmarks(look: Look, follower: FaceFollower) -> tuple[Float[ndarray, "478 3"], Float[ndarray, "478"]] | None:
    """Where this view puts the landmarks in the space that it was drawn in, and how far each can be trusted."""
    follower.state = type(follower.state)()
    sighting = follower.step(look.picture, 0.0)
    if sighting.landmarks is None:
        return None
    points, cosine = look.points_at(sighting.landmarks.points_px.astype(np.float64))
    return points, sighting.landmarks.confidence * np.where(cosine > _GRAZING, cosine, 0.0)


def _candidate(look: Look, template: ndarray, follower: FaceFollower) -> list[tuple[float, Similarity]]:
    seen = _landmarks(look, follower)
    if seen is None:
        return []
    points, trust = seen
    fitted = robust_similarity(points, template, trust > 0.05)
    return [] if fitted is None or fitted[0] > 2 * _WORST_SHAPE else [fitted]


def robust_similarity(points: ndarray, template: ndarray, usable: ndarray) -> tuple[float, Similarity] | None:
    """Head from the points' space, and the median misfit as a share of the distance between the eyes; None for too few."""
    usable = usable.copy()
    usable[468:] = False
    if usable.sum() < 60:
        return None
    eyes = np.linalg.norm(template[33] - template[263])
    kept = usable.copy()
    for _ in range(4):
        similarity = Similarity.of_points(points[kept], template[kept])
        misfit = np.linalg.norm(similarity.points(points) - template, axis=1)
        kept = usable & (misfit < max(2.5 * float(np.median(misfit[usable])), 1e-9))
    return float(np.median(misfit[usable]) / eyes), similarity

"""Follows one face through the frames of a clip and reports its landmarks in each."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from headcast.perceive.cuts import CutState, step_cuts
from headcast.perceive.faces import FaceBox, FaceFinder, crop
from headcast.perceive.mesh import LANDMARK_COUNT, Detector, FaceMesh
from headcast.perceive.topology import CHIN, FOREHEAD, LEFT_EYE, MESH_COUNT, RIGHT_EYE, mirrored
from headcast.perceive.visibility import agreement, disagreement, self_visibility


@dataclass(frozen=True)
class FollowConfig:
    """How a face is followed."""

    second_look_every: int = 2
    """Every so many frames a mirrored, slightly larger and shifted crop is detected too: agreement gives the confidence, the mean removes bias.
    At every frame (1) landmarks tremble about a sixth less, for half as much time again."""
    min_presence: float = 0.5
    """Probability below which the network's own word that there is a face counts as no."""
    max_disagreement: float = 0.06
    """Median distance of two looks, as a share of the face's size, above which there is no face after all."""
    search_every: int = 5
    """While the face stays lost, parts of the picture and turned pictures are searched only this often."""
    patience_s: float = 1.0
    """A lost face is waited for near its last place this long; after that the best face anywhere is taken."""


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of one face in one frame, in pixels of the upright frame: MediaPipe's 478, or those of another layout."""

    points_px: Float32[ndarray, "landmarks 2"]
    depth_px: Float32[ndarray, "landmarks"]
    """Distance along the view in the same pixels, growing away from the camera, zero near the middle of the head; rough."""
    confidence: Float32[ndarray, "landmarks"]
    """How far a position can be trusted, 0 to 1: agreement of two looks, times `visibility`, zero outside of the picture."""
    visibility: Float32[ndarray, "landmarks"]
    """0 where the face itself hides the point, 1 where it is seen freely."""
    box: FaceBox
    """The square that the face fills to two thirds."""


@dataclass(frozen=True)
class Sighting:
    """What was seen in one frame."""

    landmarks: Landmarks | None
    """None where the followed face is not in the picture."""
    cut: bool
    """The frame starts a new shot, or another face or place is followed from here on."""


@dataclass(frozen=True)
class Followed:
    """What is remembered of the face from frame to frame."""

    box: FaceBox
    """Where to look next, or where it was last seen."""
    bias: Float[ndarray, "478 2"]
    """Half the difference of the second look to the first, in upright crop coordinates as a share of the crop."""
    agreement: Float[ndarray, "478"]
    """Recent confidence from the agreement of two looks."""
    age: int = 0
    """Frames since it was found."""
    lost_since_s: float | None = None

    @classmethod
    def found_at(cls, box: FaceBox) -> "Followed":
        return cls(box, np.zeros((LANDMARK_COUNT, 2)), np.ones(LANDMARK_COUNT))


@dataclass(frozen=True)
class FollowState:
    """All that the next frame depends on; a follower that is given it goes on as if it had never stopped."""

    cuts: CutState | None = None
    followed: Followed | None = None
    misses: int = 0
    """Searches in a row that found nothing."""


class FaceFollower:
    """Feeds on the frames of a clip in order. Between frames the face is followed by its own landmarks; the whole picture is
    searched only at the start, after a cut and while the face is lost."""

    def __init__(self, detector: Detector, finder: FaceFinder, config: FollowConfig | None = None):
        self.state = FollowState()
        self._detector = detector
        self._finder = finder
        self._config = config or FollowConfig()

    def step(self, image: UInt8[ndarray, "height width 3"], time_s: float) -> Sighting:
        """What this frame shows of the followed face."""
        cut, cuts = step_cuts(self.state.cuts, image)
        followed, misses = (None, 0) if cut else (self.state.followed, self.state.misses)
        if followed is not None and followed.lost_since_s is None:
            seen = self._look(image, followed)
            if seen is not None:
                self.state = FollowState(cuts, seen[1])
                return Sighting(seen[0], cut)
            followed, misses = replace(followed, lost_since_s=time_s), 0
        candidates, another = self._candidates(image, time_s, followed, misses)
        for box in candidates:
            seen = self._look(image, Followed.found_at(box))
            if seen is not None:
                self.state = FollowState(cuts, seen[1])
                return Sighting(seen[0], cut or another)
        self.state = FollowState(cuts, followed, misses + 1)
        return Sighting(None, cut)

    def _candidates(self, image: UInt8[ndarray, "height width 3"], time_s: float, lost: Followed | None, misses: int) -> tuple[list[FaceBox], bool]:
        """Faces to try, best first, and whether they are others than the lost one."""
        found = self._finder.find(image, thorough=misses % self._config.search_every == 0)
        if lost is None:
            return _by_interest(found, image.shape[:2]), False
        waited_s = time_s - lost.lost_since_s
        same = sorted((box for box in found if _could_be(lost.box, box, waited_s)), key=lambda box: -box.overlap(lost.box))
        if same or waited_s < self._config.patience_s:
            return same, False
        return _by_interest(found, image.shape[:2]), True

    def _look(self, image: UInt8[ndarray, "height width 3"], followed: Followed) -> tuple[Landmarks, Followed] | None:
        """The landmarks where the face is expected, and what to remember; None where it is not there."""
        settled = self._settle(image, followed.box, tries=3 if followed.age == 0 else 2)
        if settled is None:
            return None
        box, mesh = settled
        n = self._detector.crop_px
        bias, agreed = followed.bias, followed.agreement
        if followed.age % self._config.second_look_every == 0:
            second = self._second_look(image, box)
            if second is None:
                return None
            distance = disagreement(mesh.points[:, :2], second.points[:, :2]) / n
            if np.median(distance) * BOX_PER_FACE > self._config.max_disagreement:
                return None
            # With two looks at every frame their mean is taken; otherwise the difference is averaged over time, so that it does not flicker.
            gain = 1.0 if followed.age == 0 or self._config.second_look_every == 1 else 0.25
            bias = bias + gain * ((second.points[:, :2] - mesh.points[:, :2]) / (2 * n) - bias)
            fresh = agreement(distance * box.side_px, box.side_px / BOX_PER_FACE)
            # What covers a landmark shows at once; trust comes back by halves.
            agreed = np.minimum(fresh, (agreed + fresh) / 2)
        points = mesh.points.astype(np.float64)
        points[:, :2] += bias * n
        landmarks = _in_picture(points, agreed, box, n, image.shape[:2])
        return landmarks, Followed(_eased(box, landmarks.box), bias, agreed, followed.age + 1)

    def _settle(self, image: UInt8[ndarray, "height width 3"], box: FaceBox, tries: int) -> tuple[FaceBox, FaceMesh] | None:
        """Detects, and again around what was detected where that is elsewhere, so that the face sits in the crop as in training."""
        n = self._detector.crop_px
        for attempt in range(tries):
            mesh = self._detector(crop(image, box, n))
            if mesh is None or mesh.presence < self._config.min_presence:
                return None
            affine = box.source_from_crop(n)
            better = box_of(mesh.points[:, :2] @ affine[:, :2].T + affine[:, 2])
            if attempt == tries - 1 or _shift(box, better) < 1:
                return box, mesh
            box = better
        raise AssertionError("tries is at least one")

    def _second_look(self, image: UInt8[ndarray, "height width 3"], box: FaceBox) -> FaceMesh | None:
        """The mesh from a crop that is mirrored, 6 % larger and shifted by 2 %, in the coordinates of the first crop."""
        n = self._detector.crop_px
        other = FaceBox(box.center_px + 0.02 * box.side_px, 1.06 * box.side_px, box.roll_rad + 0.05)
        mesh = self._detector(np.ascontiguousarray(crop(image, other, n)[:, ::-1]))
        if mesh is None or mesh.presence < self._config.min_presence:
            return None
        points = mesh.points[mirrored()]
        points[:, 0] = n - points[:, 0]
        to_source, from_source = other.source_from_crop(n), _inverse(box.source_from_crop(n))
        in_picture = points[:, :2] @ to_source[:, :2].T + to_source[:, 2]
        points[:, :2] = in_picture @ from_source[:, :2].T + from_source[:, 2]
        return FaceMesh(points, mesh.presence)


BOX_PER_FACE = 1.5
"""Side of the crop over the larger extent of the landmarks."""


def box_of(points_px: Float[ndarray, "478 2"]) -> FaceBox:
    """The upright square around landmarks that they fill to two thirds.

    Roll comes from the eye line and the line from forehead to chin, each weighted by its length in the picture: the first
    shrinks as the head turns, the second as it nods.
    """
    across = points_px[LEFT_EYE[0]] - points_px[RIGHT_EYE[0]]
    down = points_px[CHIN] - points_px[FOREHEAD]
    direction = across + np.array([down[1], -down[0]])
    roll = math.atan2(direction[1], direction[0])
    cos, sin = math.cos(roll), math.sin(roll)
    picture_from_upright = np.array([[cos, -sin], [sin, cos]])
    upright = points_px[:MESH_COUNT] @ picture_from_upright
    low, high = upright.min(axis=0), upright.max(axis=0)
    return FaceBox(picture_from_upright @ ((low + high) / 2), max(BOX_PER_FACE * float((high - low).max()), 1e-3), roll)


def _in_picture(points: Float[ndarray, "478 3"], agreed: Float[ndarray, "478"], box: FaceBox, crop_px: int, size: tuple[int, int]) -> Landmarks:
    affine = box.source_from_crop(crop_px)
    points_px = points[:, :2] @ affine[:, :2].T + affine[:, 2]
    inside = ((points_px >= 0) & (points_px <= size[::-1])).all(axis=1)
    visibility = self_visibility(points.astype(np.float32))
    return Landmarks(
        points_px=points_px.astype(np.float32),
        depth_px=(points[:, 2] * box.side_px / crop_px).astype(np.float32),
        confidence=(agreed * visibility * inside).astype(np.float32),
        visibility=visibility,
        box=box_of(points_px),
    )


def _shift(old: FaceBox, new: FaceBox) -> float:
    """How far apart two boxes are, where 1 is the most that the mesh network should be off."""
    turn = math.remainder(new.roll_rad - old.roll_rad, 2 * math.pi)
    return max(
        float(np.linalg.norm(new.center_px - old.center_px)) / (0.08 * old.side_px),
        abs(math.log(new.side_px / old.side_px)) / 0.12,
        abs(turn) / 0.15,
    )


def _eased(old: FaceBox, new: FaceBox) -> FaceBox:
    """The crop for the next frame: still while the face is still, so that its own tremble adds none, and following when it moves."""
    gain = min(1.0, 0.2 + 1.5 * _shift(old, new))
    turn = math.remainder(new.roll_rad - old.roll_rad, 2 * math.pi)
    side = old.side_px * (new.side_px / old.side_px) ** gain
    return FaceBox(old.center_px + gain * (new.center_px - old.center_px), side, old.roll_rad + gain * turn)


def _could_be(lost: FaceBox, found: FaceBox, waited_s: float) -> bool:
    """Whether a face could have moved from one box to the other in this time."""
    reach = (0.4 + 1.5 * waited_s) * lost.side_px
    return float(np.linalg.norm(found.center_px - lost.center_px)) < reach and 0.5 < found.side_px / lost.side_px < 2


def _by_interest(boxes: list[FaceBox], size: tuple[int, int]) -> list[FaceBox]:
    """Large and central faces first."""
    middle = np.array(size[::-1]) / 2

    def interest(box: FaceBox) -> float:
        off_centre = float(np.linalg.norm(box.center_px - middle)) / max(size)
        return box.score * box.side_px * (1 - 0.7 * min(off_centre, 1.0))

    return sorted(boxes, key=interest, reverse=True)


def _inverse(affine: Float[ndarray, "2 3"]) -> Float[ndarray, "2 3"]:
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])

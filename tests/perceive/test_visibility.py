import numpy as np
import pytest
import torch

from headcast.geometry import matrix_from_axis_angle
from headcast.perceive.topology import IRIS_CENTERS, LEFT_EYE, RIGHT_EYE, mirrored
from headcast.perceive.visibility import agreement, disagreement, self_visibility

RIGHT_CHEEK = [50, 101, 116, 117, 118, 123, 147, 187, 205, 207]


@pytest.fixture(scope="module")
def points(seen) -> np.ndarray:
    """The portrait's landmarks in three dimensions, about their middle."""
    return np.column_stack([seen.points_px, seen.depth_px]) - (*seen.points_px.mean(axis=0), 0)


def turned(points: np.ndarray, yaw_deg: float) -> np.ndarray:
    """Positive turns the face to the picture's right, where the subject's left is."""
    rotation = matrix_from_axis_angle(torch.tensor([0.0, -np.radians(yaw_deg), 0.0], dtype=torch.float64)).numpy()
    return (points @ rotation.T).astype(np.float32)


def test_a_face_seen_from_in_front_is_visible(points):
    visibility = self_visibility(turned(points, 0))
    assert visibility.mean() > 0.85
    assert visibility[RIGHT_CHEEK].min() > 0.9
    assert visibility[mirrored()[RIGHT_CHEEK]].min() > 0.9


@pytest.mark.parametrize("yaw_deg", [50, 70])
def test_the_far_cheek_of_a_turned_face_is_hidden(points, yaw_deg):
    to_left, to_right = self_visibility(turned(points, yaw_deg)), self_visibility(turned(points, -yaw_deg))
    left_cheek = mirrored()[RIGHT_CHEEK]
    assert max(to_left[left_cheek].mean(), to_right[RIGHT_CHEEK].mean()) < 0.4
    assert min(to_left[RIGHT_CHEEK].mean(), to_right[left_cheek].mean()) > 0.9


def test_the_nose_hides_what_is_behind_it(points):
    """The inner corner of the far eye faces the camera at 50° and is hidden by the bridge of the nose before it faces away."""
    inner_left = LEFT_EYE[1]
    visible = [self_visibility(turned(points, yaw))[inner_left] for yaw in range(0, 75, 5)]
    assert visible[0] > 0.9
    assert visible[-1] < 0.1
    assert sorted(visible, reverse=True) == pytest.approx(visible, abs=0.1)


def test_a_face_seen_from_behind_is_not_visible(points):
    assert self_visibility(turned(points, 180))[:468].mean() < 0.1


def test_closed_lids_hide_the_iris(points):
    closed = turned(points, 0)
    _, _, upper, lower = RIGHT_EYE
    closed[upper] = closed[lower]
    visibility = self_visibility(closed)
    right, left = IRIS_CENTERS
    assert visibility[right : right + 5].max() == 0
    assert visibility[left : left + 5].min() > 0.5


def test_visibility_does_not_depend_on_place_or_size(points):
    expected = self_visibility(turned(points, 35))
    moved = self_visibility(turned(points, 35) * np.float32(7.3) + np.array([1000, -50, 300], np.float32))
    assert np.abs(expected - moved).max() < 1e-3


def test_landmarks_on_which_two_looks_agree_are_trusted_and_others_are_not(points):
    first, face_px = points[:, :2], 200.0
    moved = first.copy()
    moved[RIGHT_CHEEK] += 20
    confidence = agreement(disagreement(first, moved), face_px)
    assert confidence[RIGHT_CHEEK].max() < 0.1
    assert confidence[mirrored()[RIGHT_CHEEK]].min() > 0.99
    everywhere = agreement(disagreement(first, first + np.array([0.022 * face_px, 0.0])), face_px)
    assert everywhere == pytest.approx(np.full(478, 0.25), abs=1e-6)


def test_a_face_of_few_pixels_may_disagree_by_a_fraction_of_one(points):
    assert agreement(np.full(478, 0.3), 12.0).min() > 0.6
    assert agreement(np.full(478, 0.3 * 200 / 12), 200.0).max() < 0.2

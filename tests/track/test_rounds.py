"""How much landmarks count beside colours follows from how far the head turns."""

from itertools import pairwise

import numpy as np
import pytest

from headcast.geometry import matrix_from_axis_angle
from headcast.track.light import AMBIENT
from headcast.track.observation import Moment, Observation
from headcast.track.person import Person
from headcast.track.person_by_colours import coarse_to_fine, turning
from headcast.track.person_fit import Keyframes
from headcast.track.points import FrameState
from headcast.track.rig import Rig


def _turned(degrees):
    import torch

    angles = np.radians(np.linspace(-degrees, degrees, 21))
    turns = matrix_from_axis_angle(torch.from_numpy(np.stack([0 * angles, angles, 0 * angles], 1))).numpy()
    states = tuple(FrameState(turn @ np.diag([1.0, -1.0, -1.0]), np.array([0, 0, 1.0]), np.zeros((0, 3)), np.zeros(0)) for turn in turns)
    person = Person(None, np.zeros(0), Rig.single(np.ones(2), np.zeros(2)), AMBIENT, np.zeros((0, 3)))
    return Keyframes(person, tuple(Moment(0, (Observation(0, (), np.zeros((0, 2)), np.zeros(0)),)) for _ in states), states)


@pytest.mark.parametrize("degrees", [5.0, 45.0])
def test_turning_is_the_spread_of_the_angles(degrees):
    spread = np.sqrt((np.linspace(-degrees, degrees, 21) ** 2).mean())
    assert np.degrees(turning(_turned(degrees))) == pytest.approx(spread, rel=1e-6)


def test_landmarks_count_more_for_a_still_head():
    still, turned = coarse_to_fine(3, 2, _turned(3.0), 256), coarse_to_fine(3, 2, _turned(60.0), 256)
    assert [how.level for how in still] == [2, 2, 1, 1, 0, 0]
    assert still[-1].landmarks == 8.0 and turned[-1].landmarks == 0.5
    assert all(coarse.robust <= fine.robust for coarse, fine in pairwise(still))


def test_landmarks_count_more_in_a_small_picture():
    large, small = coarse_to_fine(1, 1, _turned(60.0), 256), coarse_to_fine(1, 1, _turned(60.0), 128)
    assert small[0].landmarks == pytest.approx(2 * large[0].landmarks)

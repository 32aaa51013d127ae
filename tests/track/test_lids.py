"""Lids that closed from one frame to the next are found, whatever the frame before had."""

from dataclasses import replace

import numpy as np
import pytest

from headcast.heads import open_head
from headcast.track.config import TrackConfig
from headcast.track.frame import _landmark_motion, with_lids_tried
from headcast.track.light import AMBIENT
from headcast.track.observation import Moment, Observation, Picture, Window, picture_gradient
from headcast.track.person import Person, TrackedModel
from headcast.track.points import FrameState
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.view import view_of

_SIDE = 128
_CONFIG = TrackConfig()


@pytest.fixture(scope="module")
def scene():
    """A person without a texture that says anything: landmarks decide, and colours agree with either."""
    model = open_head()
    person = Person(
        TrackedModel.of(model, _CONFIG.sigmas), np.zeros(model.identity_count), Rig.single(np.full(2, 2.3 * _SIDE), np.full(2, _SIDE / 2)), AMBIENT,
        np.zeros((478, 3), np.float32), np.full((64, 64, 4), 0.5, np.float32),
    )  # fmt: skip
    state = FrameState(WORLD_FROM_CAMERA.copy(), np.array([0, 0, 0.5]), np.zeros((model.joint_count, 3)), np.zeros(model.expression_count))
    return person, state


def _blinking(person, state, left, right):
    names, expression = person.tracked.model.expression_names, state.expression.copy()
    expression[[names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]] = left, right
    return replace(state, expression=expression)


def _seen(person, state):
    """What a detector without faults and a camera see of a state."""
    window = Window(np.ones(2), np.zeros(2), (_SIDE, _SIDE))
    view = view_of(person, state, window)
    image = np.where((view.face >= 0)[..., None], np.float32(0.5), np.float32(0)) * np.ones(3, np.float32)
    picture = Picture(window, image, picture_gradient(image), (view.face >= 0).astype(np.float32))
    landmarks = _landmark_motion(person, state).pixels.astype(np.float32)
    return Moment(0, (Observation(0, (picture,), landmarks, np.ones(478, np.float32)),))


@pytest.mark.parametrize("lids", [(1, 1), (0, 1), (1, 0)])
def test_closed_lids_are_found_from_an_open_state(scene, lids):
    person, state = scene
    closed = _blinking(person, state, *lids)
    found = with_lids_tried(person, _seen(person, closed), state, _CONFIG)
    np.testing.assert_array_equal(found.expression, closed.expression)


def test_open_lids_are_found_from_a_closed_state(scene):
    person, state = scene
    found = with_lids_tried(person, _seen(person, state), _blinking(person, state, 1, 1), _CONFIG)
    np.testing.assert_array_equal(found.expression, state.expression)


def test_nothing_is_tried_where_the_opening_is_no_surprise(scene):
    person, state = scene
    half = _blinking(person, state, 0.5, 0.5)
    assert with_lids_tried(person, _seen(person, half), half, _CONFIG) is half

"""The share of independent pixels: all of them where residuals are white noise, few where they spread."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from headcast.heads import open_head
from headcast.track.config import TrackConfig
from headcast.track.evidence import independent_share, residuals
from headcast.track.light import AMBIENT
from headcast.track.observation import Moment, Observation, Picture, Window, picture_gradient
from headcast.track.person import Person, TrackedModel
from headcast.track.person_fit import Keyframes
from headcast.track.points import FrameState
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.view import view_of

_SIDE = 128


@pytest.fixture(scope="module")
def drawn():
    """A person, a state, and the picture that shows exactly that."""
    model = open_head()
    texture = np.concatenate([np.random.default_rng(0).uniform(0.3, 0.7, (256, 256, 3)), np.ones((256, 256, 1))], 2)
    texture = cv2.GaussianBlur(texture, (0, 0), 4).astype(np.float32)
    person = Person(
        TrackedModel.of(model, TrackConfig().sigmas), np.zeros(model.identity_count), Rig.single(np.full(2, 2.3 * _SIDE), np.full(2, _SIDE / 2)),
        AMBIENT, np.zeros((478, 3), np.float32), texture, color_sigma=0.02,
    )  # fmt: skip
    state = FrameState(WORLD_FROM_CAMERA.copy(), np.array([0, 0, 0.5]), np.zeros((model.joint_count, 3)), np.zeros(model.expression_count))
    black = np.zeros((_SIDE, _SIDE, 3), np.float32)
    picture = Picture(Window(np.ones(2), np.zeros(2), (_SIDE, _SIDE)), black, picture_gradient(black), np.ones((_SIDE, _SIDE), np.float32))
    residual, certainty = residuals(person, view_of(person, state, picture.window), picture)
    assert np.count_nonzero(certainty) > 2000
    return person, state, replace(picture, image=-residual)


def _share(drawn, noise):
    person, state, picture = drawn
    shown = replace(picture, image=picture.image + noise.astype(np.float32))
    observation = Observation(0, (shown,), np.zeros((478, 2), np.float32), np.ones(478, np.float32))
    return independent_share(Keyframes(person, (Moment(0, (observation,)),), (state,)))


def test_white_noise_counts_whole(drawn):
    noise = np.random.default_rng(1).normal(0, 0.02, (_SIDE, _SIDE, 3))
    assert _share(drawn, noise) == pytest.approx(1, abs=0.15)


def test_noise_that_spreads_counts_little(drawn):
    noise = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (_SIDE, _SIDE, 3)), (0, 0), 4)
    assert _share(drawn, 0.02 * noise / noise.std()) < 0.05


def test_without_a_texture_nothing_is_known(drawn):
    person, state, _ = drawn
    assert independent_share(Keyframes(person.changed(texture=None), (), (state,))) == 0

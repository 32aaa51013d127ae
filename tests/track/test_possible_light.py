"""Light stays what lamps can make, whatever it was solved from."""

import numpy as np
import pytest

from headcast.track.light import AMBIENT
from headcast.track.lighting import possible_lights


def test_light_that_lamps_can_make_is_only_scaled():
    light = np.zeros((9, 3))
    light[0], light[2] = 3.0, 2.0
    np.testing.assert_allclose(possible_lights(light[None])[0], light / 3, rtol=1e-6)


@pytest.mark.parametrize("mean", [0.01, 1e-9, -1.0])
def test_impossible_light_does_not_grow(mean):
    light = np.random.default_rng(0).normal(size=(9, 3))
    light[0] = mean
    for _ in range(20):
        light = possible_lights(light[None])[0]
    assert np.linalg.norm(light[1:4], axis=0).max() <= 2 + 1e-5
    np.testing.assert_allclose(light[0], AMBIENT[0])

"""Measures of likeness against numbers that are known otherwise."""

import numpy as np
import pytest

from headcast.evaluate.pictures import l1, l2, ms_ssim, psnr_of, ssim, ssim_map


@pytest.fixture
def picture():
    return np.random.default_rng(3).uniform(0, 1, (200, 220, 3)).astype(np.float32)


def _flat(value):
    return np.full((200, 220, 3), value, np.float32)


def test_equal_pictures_are_alike_in_every_measure(picture):
    assert l1(picture, picture) == l2(picture, picture) == 0
    assert psnr_of(0.0) == 100
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-6)
    assert ms_ssim(picture, picture) == pytest.approx(1, abs=1e-6)


def test_a_tenth_of_the_range_everywhere_is_20_db():
    assert l1(_flat(0.5), _flat(0.6)) == pytest.approx(0.1, abs=1e-6)
    assert psnr_of(l2(_flat(0.5), _flat(0.6))) == pytest.approx(20, abs=1e-4)


def test_flat_pictures_differ_in_brightness_alone():
    # Without variance only the first factor of the definition is left; variances are differences of 32-bit numbers.
    known = (2 * 0.3 * 0.7 + 1e-4) / (0.3**2 + 0.7**2 + 1e-4)
    assert ssim(_flat(0.3), _flat(0.7)) == pytest.approx(known, abs=2e-4)
    assert ms_ssim(_flat(0.3), _flat(0.7)) == pytest.approx(known**0.1333, abs=5e-4)


def test_a_pixels_similarity_is_that_of_its_weighted_window(picture):
    other = np.clip(picture + np.random.default_rng(4).normal(0, 0.2, picture.shape), 0, 1).astype(np.float32)
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    a, b = (p[45:56, 95:106].astype(np.float64) for p in (picture, other))
    mean_a, mean_b = ((weights[..., None] * p).sum((0, 1)) for p in (a, b))
    var_a, var_b = ((weights[..., None] * p**2).sum((0, 1)) - m**2 for p, m in ((a, mean_a), (b, mean_b)))
    both = (weights[..., None] * a * b).sum((0, 1)) - mean_a * mean_b
    known = ((2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4) / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4))).mean()
    assert ssim_map(picture, other)[50, 100] == pytest.approx(known, abs=1e-4)


def test_what_is_too_small_has_no_measure():
    assert ssim(*(np.zeros((10, 40, 3), np.float32),) * 2) is None
    assert ms_ssim(*(np.zeros((175, 300, 3), np.float32),) * 2) is None
    assert ms_ssim(*(np.zeros((176, 300, 3), np.float32),) * 2) == pytest.approx(1)

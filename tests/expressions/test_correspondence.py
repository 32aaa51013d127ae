"""Two faces meet where they are the same, lips and lids on their own side."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.errors import InputError
from headcast.expressions import correspond
from headcast.expressions.sides import sides
from headcast.expressions.warp import Warp


def test_the_points_of_another_person_are_found_again(arkit, flame, to_flame):
    """The FLAME file keeps the open head's vertices, so the truth is known; most places are within a millimetre and a half of it."""
    matched = to_flame.transfer.correspondence
    found = (arkit.template[arkit.faces[matched.faces]].double() * torch.from_numpy(matched.barycentric)[..., None]).sum(1)
    dropped = torch.zeros(len(arkit.template), dtype=torch.bool)
    for name in ("mouth_interior", "teeth", "tongue", "eye_sockets"):
        dropped |= arkit.regions[name]
    true = torch.unique(arkit.faces[~dropped[arkit.faces].any(1)])[matched.vertices]
    away = 1e3 * (found - arkit.template[true]).norm(dim=1).numpy()
    assert np.median(away) < 1.5 and np.percentile(away, 95) < 4.0
    assert matched.matched > 0.95 and matched.apart_m < 0.0005


def test_lips_and_lids_meet_their_own_side(arkit, flame, to_flame):
    matched = to_flame.transfer.correspondence
    here, there = sides(flame)[matched.vertices], sides(arkit)[arkit.faces.numpy()[matched.faces]]
    assert (here[:, None] * there >= 0).all()
    for column in range(3):
        assert (here[:, column] > 0).sum() > 20 and (here[:, column] < 0).sum() > 20


def test_upper_and_lower_lip_are_told_apart_though_they_touch(arkit):
    side = sides(arkit)[:, 0]
    marks = arkit.landmarks["mediapipe_478"]
    for numbers, sign in (((0, 13, 12), 1), ((17, 14, 15), -1)):
        for number in numbers:
            corners = arkit.faces[marks.faces[number]].numpy()
            assert (side[corners] == sign).any() and not (side[corners] == -sign).any(), f"landmark {number}"


def test_a_warp_meets_its_pairs_and_leaves_a_similarity_alone():
    rng = np.random.default_rng(0)
    source = rng.uniform(-0.1, 0.1, (200, 3))
    turned = 1.2 * source @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 0.03
    straight = Warp.between(source, turned, np.full(200, 0.001))
    np.testing.assert_allclose(straight(source), turned, atol=1e-9)
    assert np.abs(straight.pulls).max() < 1e-6
    bent = turned + 0.003 * np.sin(30 * source)
    np.testing.assert_allclose(Warp.between(source, bent, np.full(200, 0.001), stiffness_m=1e-6)(source), bent, atol=1e-5)


def test_a_model_without_landmarks_and_a_face_that_is_none_are_refused(arkit):
    with pytest.raises(InputError, match="needs the landmarks 'mediapipe_478'; found none on 'bare'"):
        correspond(arkit, replace(arkit, name="bare", landmarks={}))
    inside_out = replace(arkit, name="inside out", faces=arkit.faces.flip(1))
    with pytest.raises(InputError, match="found a counterpart for 0%"):
        correspond(inside_out, arkit)

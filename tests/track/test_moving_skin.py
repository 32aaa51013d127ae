"""Skin that moves by itself: what no expression makes is found frame by frame, and nothing where there is nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shown import shown_clip, some_person, turning_states
from test_rig import _CONFIG, SIDE, _around

from headcast.capture import Calibration, RigCapture
from headcast.errors import ConfigError
from headcast.geometry import vertex_normals
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.track.appearance import Texels, paint
from headcast.track.clip import Clip
from headcast.track.config import TrackConfig
from headcast.track.moving_heights import solve_moving_skin
from headcast.track.moving_skin import MovingSkin
from headcast.track.person_by_colours import skin_texels
from headcast.track.quality import measure_frame
from headcast.track.sight import all_sights

FRAMES, UNSEEN_CAMERA = 6, 2


@pytest.fixture(scope="module")
def swelling():
    """Heights (m) by vertex of a bump on one cheek, how much of it each frame has, and the normals."""
    model, plain = open_head(), some_person(np.random.default_rng(3), _around([0.0]))
    rest = model.shaped(torch.from_numpy(plain.identity).float()).vertices
    cheek = model.landmarks["mediapipe_478"].points(rest, model.faces)[205]
    height = (0.003 * torch.exp(-((rest - cheek).norm(dim=1) ** 2) / (2 * 0.01**2))).numpy()
    return height, np.clip(np.sin(np.linspace(0, 2 * np.pi, FRAMES)), 0, 1), vertex_normals(rest, model.faces).numpy()


def _solved(swelling, share: float):
    """Heights found (frames, vertices) on two of three cameras, and the third one's agreement (dB) with and without them."""
    height, curve, normals = swelling
    rig = _around([0.0, 0.5, -0.4])
    plain, states = some_person(np.random.default_rng(3), rig), turning_states(FRAMES, 0.25)
    modes = (share * height / height.max() * 1e-3)[:, None] * normals
    moving = plain.changed(moving=MovingSkin(modes[None].astype(np.float32), (3 * curve[:, None]).astype(np.float32)))
    clips = tuple(shown_clip(moving, states, SIDE, np.random.default_rng(5), camera) for camera in range(3))
    clip = Clip.of(RigCapture(clips, tuple(Calibration(f"camera_{camera}", None, None, None) for camera in range(3))), _CONFIG)
    seen = np.ones((3, FRAMES), bool)
    seen[UNSEEN_CAMERA] = False
    known, unseen = replace(clip, seen=seen), replace(clip, seen=~seen)
    texels = Texels.of(plain.tracked.surface, _CONFIG.texture_px)
    views = all_sights(plain, known.moments(None), states)
    painted = paint(plain.changed(fixed=frozenset({"light"})), texels, views, _CONFIG.sigmas.color, skin_texels(plain, texels))
    found = follow(solve_moving_skin(painted, known.moments, dict(enumerate(states)), clip.clock, _CONFIG))
    held_out = list(unseen.moments(None))
    agreement = [
        np.mean([measure_frame(one, moment, states[moment.frame_idx]).psnr_db for moment in held_out if curve[moment.frame_idx] > 0.5])
        for one in (painted, found)
    ]
    return np.stack([(found.moving.at(frame) * normals).sum(1) for frame in range(FRAMES)]), agreement


def test_a_cheek_that_swells_is_found_in_each_frame_and_helps_a_camera_that_was_not_used(swelling):
    """At 0.4 px/mm two views find a third of 2 mm; the rest is held back by the belief in small heights."""
    height, curve, _ = swelling
    found, (without, with_it) = _solved(swelling, 1.0)
    near, far = height > 0.0015, open_head().regions["face"].numpy() & (height < 0.0002)
    true = np.outer(curve, height)
    swollen = curve > 0.5
    assert found[swollen][:, near].mean() > 0.3 * true[swollen][:, near].mean()
    assert np.abs(found[curve < 0.01][:, near]).mean() < 0.25e-3
    assert np.abs(found[:, far]).mean() < 0.15e-3
    assert with_it > without


def test_skin_that_does_not_move_is_left_alone(swelling):
    found, (without, with_it) = _solved(swelling, 0.0)
    assert np.sqrt((found**2).mean()) < 0.1e-3
    assert with_it > without - 0.05


def test_a_few_modes_hold_all_heights():
    generator = np.random.default_rng(0)
    heights = generator.normal(size=(30, 2)) @ generator.normal(size=(2, 50)) * 1e-3
    normals = generator.normal(size=(80, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    chosen = np.arange(80) < 50
    skin = MovingSkin.of(heights, chosen, normals)
    assert len(skin.modes) == 2 and np.abs(skin.modes).max() <= 1e-3 + 1e-9
    np.testing.assert_allclose((skin.at(7) * normals).sum(1)[chosen], heights[7], atol=5e-5)
    assert not skin.at(7)[~chosen].any()


def test_dynamic_offsets_need_full_mode_and_colours():
    with pytest.raises(ConfigError, match="--dynamic-offsets on needs --mode full and colours, found mode 'fast'"):
        TrackConfig(mode="fast", dynamic_offsets="on")
    with pytest.raises(ConfigError, match="photometric False"):
        TrackConfig(photometric=False, dynamic_offsets="on")

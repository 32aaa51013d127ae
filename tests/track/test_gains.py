"""Exposure and white balance that differ from view to view are found, and taken for what they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shown import drifting_gains, exposed, shown_clip, some_person, turning_states

from headcast.capture import Calibration, RigCapture
from headcast.geometry import Transform, angle_between
from headcast.heads import open_head
from headcast.track import Track, TrackConfig, track_capture
from headcast.track.appearance import Texels, paint
from headcast.track.clip import Clip
from headcast.track.gain import robust_gain
from headcast.track.light import AMBIENT, sh_basis
from headcast.track.lighting import Brightness, Lighting, Unknown, possible_lights, solve_lighting
from headcast.track.person_by_colours import skin_texels
from headcast.track.points import rodrigues
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.sight import all_sights

LIGHT = np.array([1.0, 0.3, 0.25, -0.1, 0.1, 0.2, 0.0, -0.2, 0.05])
SIDE, FRAMES = 144, 6
_CONFIG = TrackConfig(mode="full", keyframes=FRAMES, rounds=3, focal_px=1.5 * SIDE)


def test_a_gain_is_found_though_a_hand_covers_a_fifth_of_the_face():
    rng = np.random.default_rng(0)
    modelled = rng.uniform(0.3, 0.7, (3000, 3)).astype(np.float32)
    gain = np.array([1.25, 1.0, 0.8])
    shown = gain * modelled + 0.02 * rng.standard_normal(modelled.shape)
    shown[:600] = 0.1
    found = robust_gain(shown.astype(np.float32), modelled, np.ones(3000, np.float32), 0.03, 0.1)
    np.testing.assert_allclose(found, gain, rtol=0.01)


def test_nothing_seen_is_a_gain_of_one():
    nothing = np.zeros((0, 3), np.float32)
    np.testing.assert_allclose(robust_gain(nothing, nothing, np.zeros(0, np.float32), 0.03, 0.1), 1)


def _turning(degrees, clips=1, texels=800, views=16):
    """What views of a turning ball show under one light or several, exposed differently; with albedo, lights and gains."""
    rng = np.random.default_rng(3)
    front = rng.standard_normal((texels, 3)) * [0.6, 0.6, 0.3] + [0, 0, 1]
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    angles = np.radians(np.tile(np.linspace(-degrees, degrees, views // clips), clips))
    turn = np.stack([[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]] for a in angles])
    normals = np.einsum("kij,tj->kti", turn, front)
    clip = np.repeat(np.arange(clips), views // clips)
    albedo = 0.5 + 0.15 * np.sin(9 * front[:, :1]) + 0.05 * rng.standard_normal((texels, 3))
    lights = np.stack([LIGHT, 0.6 * LIGHT * np.array([1, -1, 0.5, -1, 1, 0.2, 1, 1, 1])])[:clips, :, None] * np.ones(3)
    gains = np.exp(0.25 * rng.standard_normal((views, 3)))
    for one in range(clips):
        gains[clip == one] /= np.exp(np.log(gains[clip == one]).mean(0))
    color = albedo * gains[:, None] * np.einsum("ktb,kbc->ktc", sh_basis(normals), lights[clip])
    return Brightness.of(color ** (1 / 2.2), normals, np.ones(color.shape[:2]), clip), lights, gains


def _found(seen, lights, unknown):
    found = Lighting(np.tile(np.eye(9)[0][None, :, None], (len(lights), 1, 3)).astype(np.float32), np.ones((len(seen.weight), 3), np.float32))
    for _ in range(20):
        found = solve_lighting(seen, found, unknown)
        found = replace(found, lights=possible_lights(found.lights))
    return found


def test_light_and_gains_are_told_apart_by_a_turning_head():
    seen, lights, gains = _turning(45)
    found = _found(seen, lights, Unknown(gain_sigma=0.2))
    assert np.abs(found.gains / found.level / gains - 1).max() < 0.06
    assert np.abs(found.lights[0] - lights[0])[[2, 3, 5, 7]].max() < 0.12
    without = _found(seen, lights, Unknown())
    assert np.abs(without.lights[0] - lights[0])[[2, 3, 5, 7]].max() > 2 * np.abs(found.lights[0] - lights[0])[[2, 3, 5, 7]].max()


def test_clips_with_lights_of_their_own_share_one_albedo():
    seen, lights, gains = _turning(45, clips=2, views=24)
    even = replace(seen, color=seen.color / gains[:, None])
    found = _found(even, lights, Unknown())
    assert np.abs(found.lights - lights / lights[:, :1].mean(0))[:, [0, 2, 3, 5, 7]].max() < 0.08


@pytest.fixture(scope="module")
def clip():
    generator = np.random.default_rng(7)
    person = some_person(generator, Rig.single(np.full(2, 1.5 * SIDE), np.full(2, SIDE / 2)))
    return shown_clip(person, turning_states(FRAMES), SIDE, generator)


def _turn_error_deg(track: Track, clip) -> float:
    """Median error of the head's turn against its own mean."""
    truth = torch.from_numpy(np.stack([WORLD_FROM_CAMERA @ state.rotation for state in clip.states])).float()
    offset = truth.transpose(-1, -2) @ track.world_from_head.rotation
    return float(torch.rad2deg(angle_between(offset[:1].expand_as(offset), offset)).median())


@pytest.mark.slow
def test_a_clip_whose_exposure_changes_is_tracked_as_well_as_one_whose_does_not(clip, tmp_path):
    changed = exposed(clip, drifting_gains(FRAMES))
    clean = track_capture(clip, open_head(), _CONFIG).track
    without = track_capture(changed, open_head(), replace(_CONFIG, gains="off")).track
    track = track_capture(changed, open_head(), replace(_CONFIG, gains="on")).track
    assert track.psnr_db.median() > clean.psnr_db.median() - 1 > without.psnr_db.median() + 3
    assert _turn_error_deg(track, clip) < _turn_error_deg(clean, clip) + 0.1
    found = track.gains[0].numpy() / drifting_gains(FRAMES)
    assert np.abs(np.log(found / np.exp(np.log(found).mean(0)))).max() < 0.08
    track.save(tmp_path / "track.npz")
    assert torch.equal(Track.load(tmp_path / "track.npz").gains, track.gains)
    assert clean.gains is None and without.gains is None


@pytest.mark.slow
def test_cameras_of_a_rig_may_be_exposed_differently():
    angles = [0.0, 0.5, -0.5]
    rotation = np.stack([rodrigues(np.array([0.0, angle, 0.0])) for angle in angles])[:, None]
    target = np.array([0.0, 0.0, 0.5])
    rig = Rig(np.full((3, 2), 1.5 * SIDE), np.full((3, 2), SIDE / 2), rotation, target - rotation @ target, WORLD_FROM_CAMERA, np.zeros(3))
    generator = np.random.default_rng(3)
    person, states = some_person(generator, rig), turning_states(FRAMES, 0.25)
    gains = np.array([[1.0, 1.0, 1.0], [0.6, 0.7, 0.8], [0.95, 0.8, 0.65]])
    clips = tuple(exposed(shown_clip(person, states, SIDE, generator, camera), np.tile(gains[camera], (FRAMES, 1))) for camera in range(len(angles)))
    poses = [
        Transform(torch.from_numpy(turn @ WORLD_FROM_CAMERA.T), torch.from_numpy(shift))
        for turn, shift in zip(rig.rotation, rig.translation, strict=True)
    ]
    known = tuple(Calibration(f"camera_{camera}", rig.focal_px[camera], rig.center_px[camera], pose) for camera, pose in enumerate(poses))
    capture = RigCapture(clips, known)
    config = replace(_CONFIG, focal_px=None, offsets="off")
    track, without = (track_capture(capture, open_head(), replace(config, gains=gains)).track for gains in ("auto", "off"))
    ratio = track.gains.mean(1).numpy() / gains
    assert np.abs(ratio / ratio.mean(0) - 1).max() < 0.05
    assert track.psnr_db.median() > without.psnr_db.median() + 3
    truth = person.tracked.model.shaped(torch.from_numpy(person.identity).float()).vertices
    face = person.tracked.model.regions["face"]
    errors = [(one.head(person.tracked.model).vertices - truth)[face].norm(dim=-1).median() for one in (track, without)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("follows", [True, False], ids=["lamp on the camera", "lamp in the room"])
def test_a_light_that_goes_along_with_the_camera_is_told_from_one_that_stays(follows):
    """By a head that turns: on one that is still in its room, the light of the room is as well a part of the albedo."""
    poses = 8
    turns = np.stack([rodrigues(np.array([0.0, 0.25 * (pose - 4), 0.0])) for pose in range(poses)])[None]
    target = np.array([0.0, 0.0, 0.5])
    rig = Rig(np.full((1, 2), 1.5 * SIDE), np.full((1, 2), SIDE / 2), turns, target - turns @ target, WORLD_FROM_CAMERA, np.zeros(3))
    generator = np.random.default_rng(3)
    person = some_person(generator, rig)
    light = AMBIENT.copy()
    light[3] = 0.5
    person = person.changed(light=light, light_follows=follows)
    states = turning_states(poses, 0.6)
    clip = Clip.of(RigCapture.single(shown_clip(person, states, SIDE, generator)), _CONFIG)
    texels = Texels.of(person.tracked.surface, 256)
    nobody = person.changed(light=AMBIENT, texture=None, light_follows=not follows)
    seen = all_sights(nobody, list(clip.moments(None)), states)
    painted = paint(nobody, texels, seen, 0.035, skin_texels(nobody, texels))
    assert painted.light_follows == follows
    assert painted.light[3] / painted.light[0] == pytest.approx(0.5, abs=0.15)
    told = paint(nobody.changed(fixed=frozenset({"light_follows"})), texels, seen, 0.035, skin_texels(nobody, texels))
    assert told.light_follows != follows

"""Several clips of one person: one identity, solved from all of them; lights, cameras and poses of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shown import exposed, shown_clip, some_person, turning_states

from headcast.capture import Calibration, RigCapture
from headcast.geometry import Transform
from headcast.geometry.mesh import similarity_from_points
from headcast.heads import open_head
from headcast.track import Track, TrackConfig, track_capture, track_captures
from headcast.track.clips import Clips, rig_of_clip, rigs_together, values_of_clip
from headcast.track.light import AMBIENT
from headcast.track.person import Person
from headcast.track.points import rodrigues
from headcast.track.rig import WORLD_FROM_CAMERA, Rig

SIDE = 144
FRAMES = (6, 5)
FOCALS = (1.5 * SIDE, 2.2 * SIDE)
_CONFIG = TrackConfig(mode="full", keyframes=10, rounds=3)


def _single(focal: float) -> Rig:
    return Rig.single(np.full(2, focal), np.full(2, SIDE / 2))


def _pair(focal: float, known: bool) -> tuple[Rig, tuple[Calibration, ...]]:
    """Two cameras half a radian apart, somewhere in a world of their own."""
    rotation = np.stack([rodrigues(np.array([0.0, angle, 0.0])) for angle in (0.0, 0.5)])[:, None]
    target = np.array([0.0, 0.0, 0.5])
    world = rodrigues(np.array([0.1, 0.4, 0.0])) @ WORLD_FROM_CAMERA
    rig = Rig(np.full((2, 2), focal), np.full((2, 2), SIDE / 2), rotation, target - rotation @ target, world, np.array([0.3, 1.0, 0.2]))
    calibrations = []
    for camera in range(2):
        turn = rig.rotation[camera] @ world.T
        pose = Transform(torch.from_numpy(turn), torch.from_numpy(rig.translation[camera] - turn @ rig.world_translation))
        calibrations.append(Calibration(f"camera_{camera}", rig.focal_px[camera], rig.center_px[camera], pose if known else None))
    return rig, tuple(calibrations)


@pytest.fixture(scope="module")
def clips():
    """Monday and Tuesday: another lamp, another lens, half the exposure."""
    generator = np.random.default_rng(11)
    person = some_person(generator, _single(FOCALS[0]))
    evening = AMBIENT.copy()
    evening[3] = [0.35, 0.3, 0.25]
    monday = shown_clip(person, turning_states(FRAMES[0]), SIDE, generator)
    other = person.changed(rig=_single(FOCALS[1]), light=evening)
    tuesday = shown_clip(other, turning_states(FRAMES[1], 0.4), SIDE, generator)
    return monday, exposed(tuesday, np.full((FRAMES[1], 3), 0.5))


@pytest.fixture(scope="module")
def tracked(clips):
    return track_captures(clips, open_head(), _CONFIG)


@pytest.mark.slow
def test_clips_of_one_person_share_what_does_not_change(tracked):
    monday, tuesday = (result.track for result in tracked)
    assert torch.equal(monday.identity, tuesday.identity) and torch.equal(monday.landmark_offsets, tuesday.landmark_offsets)
    assert np.array_equal(tracked[0].albedo, tracked[1].albedo)
    assert (monday.frame_count, tuesday.frame_count) == FRAMES and monday.valid.all() and tuesday.valid.all()
    assert float(tuesday.time_s[0]) == 0 and len(tuesday.cameras) == 1


@pytest.mark.slow
def test_each_clip_keeps_its_own_light_and_lens(tracked):
    monday, tuesday = (result.track for result in tracked)
    level = [float(one.light[0].mean()) for one in (monday, tuesday)]
    assert level[1] / level[0] == pytest.approx(0.5, abs=0.1)
    assert float(tuesday.light[3, 0] / tuesday.light[0, 0]) > float(monday.light[3, 0] / monday.light[0, 0]) + 0.1
    focal = [float(one.camera.focal_px[0]) for one in (monday, tuesday)]
    assert focal[1] / focal[0] == pytest.approx(FOCALS[1] / FOCALS[0], rel=0.2)
    assert all(one.psnr_db.median() > 27 for one in (monday, tuesday))


@pytest.mark.slow
def test_heads_stand_where_each_clips_camera_saw_them(tracked, clips):
    for result, clip in zip(tracked, clips, strict=True):
        pixels = result.track.camera.project(result.track.landmarks(open_head())).numpy()
        assert np.median(np.linalg.norm(pixels - clip.landmarks_px, axis=-1)) < 1.5


def test_frames_of_all_clips_are_one_row(clips):
    both = Clips.of([RigCapture.single(clip) for clip in clips])
    assert both.frame_count == sum(FRAMES) and both.clip_of_camera == (0, 1) and both.cameras_at_once == 1
    first, second = both.captures
    assert first.found.tolist() == [True] * 6 + [False] * 5 and second.found.tolist() == [False] * 6 + [True] * 5
    assert np.flatnonzero(both.cuts).tolist() == [6] and (np.diff(both.main.time_s) > 0).all()
    (idx, picture, _), *_ = second.frames(np.array([8]))
    assert idx == 8 and np.array_equal(picture, clips[1].images[2])
    assert values_of_clip({1: "a", 7: "b"}, both, 1) == {1: "b"}


@pytest.mark.parametrize("known", [True, False])
def test_cameras_of_all_clips_are_found_again_in_one_rig(known):
    generator = np.random.default_rng(5)
    person = some_person(generator, _single(FOCALS[0]))
    alone = shown_clip(person, turning_states(3), SIDE, generator)
    rig, calibrations = _pair(FOCALS[1], known)
    rig = replace(rig, free_poses=not known)
    pair = tuple(shown_clip(person.changed(rig=rig), turning_states(2), SIDE, generator, camera) for camera in range(2))
    both = Clips.of([RigCapture.single(alone), RigCapture(pair, calibrations)])
    joined = rigs_together([_single(FOCALS[0]), rig], both)
    assert joined.clip_of_camera == (0, 1, 1) and joined.free_cameras == (() if known else (2,))
    back = rig_of_clip(joined, both, 1)
    for camera in range(2):
        # The same place and direction in the clip's own world.
        turns = [each.rotation[camera, 0] @ each.world_rotation.T for each in (back, rig)]
        np.testing.assert_allclose(turns[0], turns[1], atol=1e-12)
        shifts = [each.translation[camera, 0] - turn @ each.world_translation for each, turn in zip((back, rig), turns, strict=True)]
        np.testing.assert_allclose(shifts[0], shifts[1], atol=1e-12)


@pytest.mark.slow
def test_a_rig_and_a_single_camera_are_two_clips_of_one_person():
    generator = np.random.default_rng(5)
    person = some_person(generator, _single(FOCALS[0]))
    alone = shown_clip(person, turning_states(3), SIDE, generator)
    rig, calibrations = _pair(FOCALS[1], known=True)
    states = turning_states(3, 0.2)
    pair = tuple(shown_clip(person.changed(rig=rig), states, SIDE, generator, camera) for camera in range(2))
    single, several = (
        result.track for result in track_captures([alone, RigCapture(pair, calibrations)], open_head(), replace(_CONFIG, keyframes=6, rounds=2))
    )
    assert torch.equal(single.identity, several.identity) and several.camera_names == ("camera_0", "camera_1")
    truth = np.stack([rig.world_rotation @ state.translation + rig.world_translation for state in states])
    assert np.abs(several.world_from_head.translation.numpy() - truth).max() < 0.03
    for camera, calibration in zip(several.cameras, calibrations, strict=True):
        torch.testing.assert_close(camera.camera_from_world.matrix(), calibration.camera_from_world.matrix()[0].float(), atol=1e-4, rtol=0)


def _shape_error_mm(track: Track, person: Person) -> float:
    """Median over the face at rest, place and size taken away: one camera leaves both open."""
    model = open_head()
    face = model.regions["face"]
    found, right = (model.shaped(identity).vertices[face].double() for identity in (track.identity, torch.from_numpy(person.identity).float()))
    scale, turn, shift = similarity_from_points(found, right)
    return 1000 * float((scale * found @ turn.T + shift - right).norm(dim=1).median())


@pytest.mark.slow
def test_two_clips_tell_more_of_a_person_than_one():
    """People, lights and lenses that nothing was tuned on; means over three people."""
    alone, together = [], []
    for seed in (40, 41, 42):
        generator = np.random.default_rng(seed)
        person = some_person(generator, _single(FOCALS[0]))
        light = AMBIENT.copy()
        light[1:4] += 0.25 * generator.normal(size=(3, 1)).astype(np.float32)
        first = shown_clip(person, turning_states(8, 0.35), SIDE, generator)
        second = shown_clip(person.changed(rig=_single(FOCALS[1]), light=light), turning_states(8, -0.4), SIDE, generator)
        both = (first, exposed(second, np.full((8, 3), 0.7)))
        alone += [_shape_error_mm(track_capture(clip, open_head(), _CONFIG).track, person) for clip in both]
        together.append(_shape_error_mm(track_captures(both, open_head(), _CONFIG)[0].track, person))
    assert np.mean(together) < np.mean(alone)

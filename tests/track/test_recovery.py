"""The tracker finds again what it was shown: heads rendered by the tracker's own surface, with noisy landmarks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shown import shown_clip, some_person, turning_states

from headcast.errors import ConfigError, InputError
from headcast.geometry import Transform, angle_between, matrix_from_axis_angle
from headcast.heads import open_head
from headcast.track import TrackConfig, track_capture
from headcast.track.keyframes import choose_keyframes
from headcast.track.prefetch import ahead
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.sequence import Clock

SIDE, FRAMES = 224, 12


@pytest.fixture(scope="module")
def clip():
    generator = np.random.default_rng(7)
    person = some_person(generator, Rig.single(np.full(2, 1.5 * SIDE), np.full(2, SIDE / 2)))
    return shown_clip(person, turning_states(FRAMES), SIDE, generator)


@pytest.fixture(scope="module")
def tracked(clip):
    return track_capture(clip, open_head(), TrackConfig(mode="full", keyframes=12, focal_px=1.5 * SIDE))


def test_pose_relative_to_the_clips_own_mean_is_found(clip, tracked):
    """Half a degree: landmarks alone, half a pixel off, give about one."""
    truth = torch.from_numpy(np.stack([WORLD_FROM_CAMERA @ state.rotation for state in clip.states])).float()
    neck = open_head().joint_names.index("neck")
    found = tracked.track.world_from_head.rotation @ matrix_from_axis_angle(tracked.track.joint_rotations[:, neck])
    offset = truth.transpose(-1, -2) @ found
    error = torch.rad2deg(angle_between(offset[:1].expand_as(offset), offset)).median()
    assert error < 0.6


def test_landmarks_fall_where_they_were_shown(clip, tracked):
    points = tracked.track.landmarks(open_head())
    pixels = tracked.track.camera.project(points).numpy()
    assert np.median(np.linalg.norm(pixels - clip.landmarks_px, axis=-1)) < 1.0


def test_large_expressions_are_found(clip, tracked):
    names = open_head().expression_names
    truth = np.stack([state.expression for state in clip.states])
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp"):
        channel = names.index(name)
        assert np.corrcoef(truth[:, channel], tracked.track.expression[:, channel].numpy())[0, 1] > 0.85, name


def test_expressions_stay_within_their_bounds(tracked):
    expression, model = tracked.track.expression, open_head()
    assert (expression >= model.expression_lower - 1e-5).all() and (expression <= model.expression_upper + 1e-5).all()


def test_the_picture_is_explained(tracked):
    assert tracked.track.psnr_db.median() > 27


def test_a_given_focal_length_is_kept(clip, tracked):
    assert tracked.track.camera.focal_px[0] == pytest.approx(1.5 * SIDE, rel=1e-4)
    assert tracked.track.focal_sigma_px == 0


def test_a_lost_face_marks_its_frames_and_is_filled(clip):
    found = clip.found.copy()
    found[4:6] = False
    lost = replace(clip, found=found)
    track = track_capture(lost, open_head(), TrackConfig(mode="fast", photometric=False)).track
    assert (~track.valid).nonzero().flatten().tolist() == [4, 5]
    torch.testing.assert_close(track.expression[4], track.expression[3])
    assert torch.isfinite(track.world_from_head.translation).all()


def test_a_clip_without_a_face_is_an_input_error(clip):
    empty = replace(clip, found=np.zeros(FRAMES, bool))
    with pytest.raises(InputError, match="found none"):
        track_capture(empty, open_head(), TrackConfig())


def test_tracking_twice_gives_the_same(clip):
    first, second = (track_capture(clip, open_head(), TrackConfig(mode="fast", keyframes=4, rounds=1)).track for _ in range(2))
    torch.testing.assert_close(first.expression, second.expression)
    torch.testing.assert_close(first.world_from_head.rotation, second.world_from_head.rotation)


def test_keyframes_cover_the_turns(clip):
    chosen = choose_keyframes(clip.landmarks_px, clip.confidence, clip.found, 4)
    yaw = np.array([np.arctan2(state.rotation[0, 2], state.rotation[0, 0]) for state in clip.states])
    assert len(chosen) == 4 and np.ptp(yaw[chosen]) > 0.7 * np.ptp(yaw)


def test_motion_does_not_continue_over_a_cut():
    clock = Clock(np.arange(5) / 25, np.array([False, False, True, False, False]))
    assert clock.continues(0, 1) and not clock.continues(1, 2) and not clock.continues(0, 3) and clock.continues(2, 3)


def test_work_ahead_keeps_order_and_errors():
    def broken():
        yield 1
        yield 2
        raise ValueError("third")

    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(items)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="side_px"):
        TrackConfig(side_px=10)
    with pytest.raises(ConfigError, match="focal_px"):
        TrackConfig(focal_px=-1.0)


def test_transform_of_camera_is_the_default_one(tracked):
    camera = tracked.track.camera.camera_from_world
    torch.testing.assert_close(camera.rotation, Transform(torch.diag(torch.tensor([1.0, -1.0, -1.0])), torch.zeros(3)).rotation)

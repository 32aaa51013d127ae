"""Tracking goes by any landmark layout: heads rendered by the tracker's own surface, with that layout's points half a pixel off."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shown import shown_clip, some_person, turning_states

from headcast.capture import Calibration, RigCapture
from headcast.errors import ConfigError, InputError
from headcast.geometry import angle_between, matrix_from_axis_angle
from headcast.heads import open_head
from headcast.track import TrackConfig, track_capture
from headcast.track.marks import Marks
from headcast.track.rig import WORLD_FROM_CAMERA, Rig

SIDE, FRAMES = 160, 12
LAYOUTS = [("ibug_68",), ("wflw_98",), ("insightface_106",), ("mediapipe_478", "wflw_98")]
QUICK = {"focal_px": 1.5 * SIDE, "keyframes": 6, "texture_px": 256}


def a_clip(layouts):
    generator = np.random.default_rng(7)
    person = some_person(generator, Rig.single(np.full(2, 1.5 * SIDE), np.full(2, SIDE / 2)), layouts)
    return shown_clip(person, turning_states(FRAMES, 0.3), SIDE, generator)


def rotation_error_deg(track, clip):
    """Of the skull in each frame, once one rotation is taken away from all."""
    truth = torch.from_numpy(np.stack([WORLD_FROM_CAMERA @ state.rotation for state in clip.states])).float()
    neck = open_head().joint_names.index("neck")
    offset = truth.transpose(-1, -2) @ track.world_from_head.rotation @ matrix_from_axis_angle(track.joint_rotations[:, neck])
    return torch.rad2deg(angle_between(offset[:1].expand_as(offset), offset))


@pytest.mark.parametrize("layouts", LAYOUTS, ids="+".join)
def test_the_head_is_found_by_landmarks_alone(layouts):
    """Four degrees and a fiftieth of the picture's side: seventy points half a pixel off, no irises, no colours."""
    clip = a_clip(layouts)
    track = track_capture(clip, open_head(), TrackConfig(mode="fast", photometric=False, **QUICK)).track
    assert bool(track.valid.all()) and rotation_error_deg(track, clip).median() < 4
    expected = a_clip(("mediapipe_478",)).landmarks_px
    pixels = track.camera.project(track.landmarks(open_head())).numpy()
    assert np.median(np.linalg.norm(pixels - expected, axis=-1)) < SIDE / 50


@pytest.mark.slow
@pytest.mark.parametrize("layouts", [("ibug_68",), ("insightface_106",)], ids="+".join)
def test_colours_make_up_for_fewer_points(layouts):
    """Half a degree, as with MediaPipe's points (`test_recovery.py`)."""
    clip = a_clip(layouts)
    track = track_capture(clip, open_head(), TrackConfig(mode="fast", **QUICK)).track
    assert rotation_error_deg(track, clip).median() < 0.6
    assert np.allclose(track.landmark_offsets, 0), "offsets in a track are of MediaPipe's points, of which there are none"


def test_a_window_holds_the_forehead_that_a_layout_does_not_reach():
    whole, sparse = (Marks.of(names).outline(a_clip(names).landmarks_px) for names in (("mediapipe_478",), ("ibug_68",)))
    # Noise, and a forehead that is only guessed: a fortieth of the picture.
    assert np.abs(whole.min(1) - sparse.min(1))[:, 1].max() < SIDE / 20 and np.abs(whole.max(1) - sparse.max(1)).max() < SIDE / 40


def test_marks_of_mediapipe_are_as_they_are():
    marks = Marks.of(("mediapipe_478",))
    assert marks.eyes == (33, 263) and (marks.chin, marks.forehead) == (152, 10) and len(marks.relative) == 19
    assert len(Marks.of(("mediapipe_478", "wflw_98")).relative) == 19 + 11


def test_given_offsets_need_mediapipes_points(tmp_path):
    np.savez(tmp_path / "known.npz", landmark_offsets=np.zeros((478, 3)))
    with pytest.raises(ConfigError, match=r"expected a capture with MediaPipe's landmarks.* found one with ibug_68"):
        track_capture(a_clip(("ibug_68",)), open_head(), TrackConfig(given=tmp_path / "known.npz"))


def test_cameras_must_have_the_same_landmarks():
    clip = a_clip(("ibug_68",))
    other = replace(clip, layouts=("wflw_98",))
    with pytest.raises(InputError, match="the same landmarks from all cameras, found ibug_68 and wflw_98"):
        RigCapture((clip, other), (Calibration("a"), Calibration("b")))

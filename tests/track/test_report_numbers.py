"""The report's numbers and warnings follow from the track."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tracks import small_track

from headcast.capture import Capture
from headcast.geometry import Transform
from headcast.heads import open_head
from headcast.store import CapturePaths
from headcast.track.statistics import Summary, angles_deg, jitter, statistics


def _capture(count, cuts=(), warnings=()):
    """A capture of nothing but marks and words."""
    points, numbers, squares = np.zeros((count, 478, 2), np.float32), np.zeros((count, 478), np.float32), np.zeros((count, 4), np.float32)
    marks, never = np.isin(np.arange(count), list(cuts)), np.zeros(count, bool)
    return Capture(
        paths=CapturePaths(Path("capture")), source_path=Path("video.mp4"), size=(120, 160), source_size=(120, 160), crop=None,
        fps=25.0, source_fps=25.0, focal_hint_px=None, landmarks_px=points,
        depth_px=numbers, confidence=numbers, visibility=numbers, found=~never, cuts=marks, damaged=never, time_s=np.arange(count) / 25.0,
        box=squares, matte_windows=squares.astype(np.int32), source_frame_idx=np.arange(count), warnings=tuple(warnings),
    )  # fmt: skip


@pytest.fixture(scope="module")
def track():
    """Forty frames that turn evenly, so that nothing jitters but what a test adds."""
    steady = small_track(open_head(), frame_count=40, invalid=())
    count = steady.frame_count
    turn = torch.linspace(-0.4, 0.4, count)[:, None] * torch.tensor([0.0, 1.0, 0.0])
    place = torch.tensor([[0.0, 0.0, -0.7]]) + torch.linspace(0, 0.05, count)[:, None]
    return replace(
        steady,
        world_from_head=Transform.from_axis_angle(turn, place),
        expression=torch.linspace(0, 0.5, count)[:, None].expand(count, steady.expression.shape[1]).clone(),
        joint_rotations=torch.zeros_like(steady.joint_rotations),
        landmark_error_px=torch.full((count,), 0.4),
        interocular_px=torch.full((count,), 80.0),
        psnr_db=torch.full((count,), 33.0),
    )


def test_a_summary_knows_which_tail_is_worse():
    values = np.arange(101.0)
    assert Summary.of(values, "high") == Summary(50.0, 50.0, 90.0) and Summary.of(values, "low").worst_tenth == 10.0
    assert Summary.of(np.zeros(0), "high") is None


def test_even_motion_has_no_jitter(track):
    found = jitter(track, np.zeros(40, bool))
    assert set(found) == {"rotation_deg", "translation_mm", "expression", *(f"{name}_deg" for name in track.joint_names)}
    assert max(found.values()) < 0.01


def test_jitter_is_the_distance_from_the_middle_of_the_neighbours(track):
    """Every second frame is moved by 2 mm: each frame then lies 2 mm from the middle of its neighbours."""
    moved = track.world_from_head.translation.clone()
    moved[::2, 0] += 0.002
    shaken = replace(track, world_from_head=Transform(track.world_from_head.rotation, moved))
    assert jitter(shaken, np.zeros(40, bool))["translation_mm"] == pytest.approx(2.0, rel=1e-3)


def test_rotation_jitter_is_an_angle(track):
    wobble = Transform.from_axis_angle(torch.tensor([[np.radians(1.0), 0.0, 0.0]], dtype=torch.float32), torch.zeros(1, 3))
    rotation = track.world_from_head.rotation.clone()
    rotation[1::2] = rotation[1::2] @ wobble.rotation
    shaken = replace(track, world_from_head=Transform(rotation, track.world_from_head.translation))
    assert jitter(shaken, np.zeros(40, bool))["rotation_deg"] == pytest.approx(1.0, rel=1e-2)


def test_a_cut_is_no_jitter(track):
    moved = track.world_from_head.translation.clone()
    moved[20:] += 1.0
    jumped = replace(track, world_from_head=Transform(track.world_from_head.rotation, moved))
    assert jitter(jumped, _capture(40, cuts=[20]).cuts)["translation_mm"] < 0.01
    assert jitter(jumped, np.zeros(40, bool))["translation_mm"] > 10


def test_frames_without_a_face_are_left_out(track):
    valid = track.valid.clone()
    valid[5:8] = False
    error = track.landmark_error_px.clone()
    error[5:8] = 0.0
    found = statistics(replace(track, valid=valid, landmark_error_px=error), _capture(40))
    assert found.landmark_error_px.mean == pytest.approx(0.4) and found.landmark_error_percent.median == pytest.approx(0.5)


def test_a_clip_of_two_frames_has_no_jitter():
    assert jitter(small_track(open_head(), frame_count=2, invalid=()), np.zeros(2, bool)) == {}


def test_a_good_track_has_no_warnings(track):
    assert statistics(track, _capture(40)).warnings == ()


def test_warnings_name_the_frames(track):
    error, psnr = track.landmark_error_px.clone(), track.psnr_db.clone()
    error[[3, 4, 5, 9]] = 5.0
    psnr[30] = 20.0
    moved = replace(track, landmark_error_px=error, psnr_db=psnr, focal_sigma_px=0.5 * float(track.camera.focal_px[0]))
    found = {warned.message: warned.frames for warned in statistics(moved, _capture(40, warnings=["2 frames could not be decoded: 7–8"])).warnings}
    assert [frames for message, frames in found.items() if message.startswith("landmarks further")] == [(3, 4, 5, 9)]
    assert any(message.endswith("frames 3–5, 9") for message in found) and any(message.endswith("frames 30") for message in found)
    assert "2 frames could not be decoded: 7–8" in found and any("--focal-px" in message for message in found)


def test_a_jump_of_the_head_is_named(track):
    rotation = track.world_from_head.rotation.clone()
    rotation[12] = rotation[12] @ Transform.from_axis_angle(torch.tensor([0.0, 0.5, 0.0]), torch.zeros(3)).rotation
    jumped = replace(track, world_from_head=Transform(rotation, track.world_from_head.translation))
    named = [warned for warned in statistics(jumped, _capture(40)).warnings if "jumps" in warned.message]
    assert len(named) == 1 and 12 in named[0].frames


@pytest.mark.parametrize(("sigma", "said"), [(0.0, "given"), (0.01, "well determined"), (0.05, "fairly determined"), (0.3, "weakly determined")])
def test_confidence_of_the_focal_length_is_said_in_words(track, sigma, said):
    focal = float(track.camera.focal_px.mean())
    assert statistics(replace(track, focal_sigma_px=sigma * focal), _capture(40)).focal_confidence == said


@pytest.mark.parametrize(
    ("axis", "expected"), [((0.0, 1.0, 0.0), (20.0, 0.0, 0.0)), ((1.0, 0.0, 0.0), (0.0, 20.0, 0.0)), ((0.0, 0.0, 1.0), (0.0, 0.0, 20.0))]
)
def test_angles_are_against_facing_the_camera(track, axis, expected):
    """Turning about +Y is to the subject's left (+X of the head), about +X is down, about +Z is roll."""
    turn = Transform.from_axis_angle(np.radians(20) * torch.tensor([axis]), torch.tensor([[0.0, 0.0, -0.7]]))
    one = replace(track, world_from_head=turn)
    np.testing.assert_allclose(angles_deg(one)[0], expected, atol=1e-3)

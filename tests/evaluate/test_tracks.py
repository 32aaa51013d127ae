"""Evaluation: a perfect track has no error, a known error is measured as what it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.cli.main import main
from headcast.errors import InputError
from headcast.evaluate import evaluate_track
from headcast.evaluate.curves import correlation
from headcast.evaluate.synth import MotionConfig, SynthConfig, draw_frames, synthetic_clip, truth_of
from headcast.geometry import Transform, matrix_from_axis_angle
from headcast.heads import open_head
from headcast.store import About, RunPaths, SyntheticPaths, read_json
from headcast.track import Track

_CONFIG = SynthConfig(frames=24, size=(96, 96), texture_px=64, seed=1, fps=6.0, motion=MotionConfig(yaw_deg=30.0))


@pytest.fixture(scope="module")
def clip():
    return synthetic_clip(open_head(), _CONFIG)


@pytest.fixture(scope="module")
def truth(clip):
    return truth_of(clip, list(draw_frames(clip)))


@pytest.fixture(scope="module")
def perfect(clip):
    model, count = clip.model, _CONFIG.frames
    zeros = torch.zeros(count)
    return Track(
        model_name="open",
        identity=clip.identity,
        expression=clip.pose.expression,
        expression_names=model.expression_names,
        joint_rotations=clip.pose.joint_rotations,
        joint_names=model.joint_names,
        world_from_head=clip.pose.world_from_head,
        cameras=(clip.camera,),
        focal_sigma_px=0.0,
        time_s=torch.arange(count) / _CONFIG.fps,
        valid=torch.ones(count, dtype=torch.bool),
        light=clip.light,
        landmark_offsets=torch.zeros(478, 3),
        landmark_error_px=zeros,
        interocular_px=zeros,
        psnr_db=zeros,
        silhouette_iou=zeros,
    )


def test_a_perfect_track_has_no_error(perfect, truth):
    found = evaluate_track(perfect, open_head(), truth)
    assert found.same_model and found.valid_frames == found.frames == 24
    for value in (found.rotation_deg, found.rotation_relative_deg, found.landmarks_px, found.surface_mm, found.head_surface_mm, found.gaze_deg):
        assert value < 2e-2, "32-bit numbers"
    assert found.jitter_rotation_deg < 2e-2 and found.jitter_landmarks_px < 1e-3 and found.focal_error_percent < 1e-4
    assert abs(found.scale - 1) < 1e-4 and found.blink_correlation > 0.999
    assert len(found.expression_correlation) > 10 and min(found.expression_correlation.values()) > 0.999
    assert found.blinks_found[0] == found.blinks_found[1] > 0


def test_a_turned_head_is_measured_in_degrees_and_forgiven_as_an_offset(perfect, truth):
    turn = matrix_from_axis_angle(torch.tensor([0.0, float(np.deg2rad(3.0)), 0.0]))
    turned = replace(perfect, world_from_head=Transform(perfect.world_from_head.rotation @ turn, perfect.world_from_head.translation))
    found = evaluate_track(turned, open_head(), truth)
    assert abs(found.rotation_deg - 3.0) < 0.02
    # The neck joint stands between head and skull, so that the offset seen from the skull varies a little.
    assert found.rotation_relative_deg < 0.7
    assert found.landmarks_px > 0.1


def test_a_larger_head_farther_away_differs_in_scale_only(perfect, truth, clip):
    """One camera cannot tell the two apart; only a model without joints and with a scale of its own can do it exactly."""
    bigger = replace(
        open_head(),
        template=open_head().template * 1.1,
        identity_basis=open_head().identity_basis * 1.1,
        expression_basis=open_head().expression_basis * 1.1,
        joint_template=open_head().joint_template * 1.1,
        joint_identity_basis=open_head().joint_identity_basis * 1.1,
        joint_expression_basis=open_head().joint_expression_basis * 1.1,
    )
    farther = replace(perfect, world_from_head=Transform(perfect.world_from_head.rotation, perfect.world_from_head.translation * 1.1))
    found = evaluate_track(farther, bigger, truth)
    assert found.landmarks_px < 1e-2 and found.surface_mm < 1e-2 and abs(found.scale - 1 / 1.1) < 1e-4


def test_another_mesh_of_the_same_surface_has_no_surface_error(perfect, truth):
    """Faces and vertices in another order: no vertex has a known counterpart, the surface is the same."""
    order = np.random.default_rng(0).permutation(truth.vertices.shape[1])
    place = np.argsort(order)
    other = replace(
        truth,
        vertices=truth.vertices[:, order],
        faces=place[truth.faces][::-1],
        visible=truth.visible[:, order],
        face_region=truth.face_region[order],
    )
    # Every third frame is enough, and three times as fast.
    perfect = replace(perfect, valid=torch.arange(24) % 3 == 0)
    found = evaluate_track(perfect, open_head(), other)
    assert not found.same_model and found.rotation_deg is None
    assert found.surface_mm < 0.05 and found.head_surface_mm < 0.05 and abs(found.scale - 1) < 2e-3
    moved = replace(perfect, identity=perfect.identity + 1.0)
    assert evaluate_track(moved, open_head(), other).surface_mm > 0.3


def test_a_wrong_shape_is_measured_in_millimetres(perfect, truth):
    """Noise of 2 mm along each axis on every vertex: the distance has a median of 1.54 standard deviations (Maxwell)."""
    model = open_head()
    noise = torch.randn(model.template.shape, generator=torch.Generator().manual_seed(0)) * 2e-3
    found = evaluate_track(perfect, replace(model, template=model.template + noise), truth)
    assert abs(found.surface_mm - 1.54 * 2) < 0.3
    assert abs(found.head_surface_mm - 1.54 * 2) < 0.3


def test_a_frame_that_is_not_valid_does_not_count(perfect, truth):
    broken = perfect.world_from_head.translation.clone()
    broken[7] += 5.0
    valid = perfect.valid.clone()
    valid[7] = False
    hurt = replace(perfect, world_from_head=Transform(perfect.world_from_head.rotation, broken), valid=valid)
    found = evaluate_track(hurt, open_head(), truth)
    assert found.valid_frames == 23 and found.surface_mm < 2e-2
    assert np.isnan(found.per_frame["surface_mm"][7]) and found.as_json()["per_frame"]["surface_mm"][7] is None


def test_jitter_is_the_shaking_of_the_error(perfect, truth):
    shaking = torch.zeros(24, 3)
    shaking[::2, 1], shaking[1::2, 1] = np.deg2rad(0.5), -np.deg2rad(0.5)
    rotation = perfect.world_from_head.rotation @ matrix_from_axis_angle(shaking)
    found = evaluate_track(replace(perfect, world_from_head=Transform(rotation, perfect.world_from_head.translation)), open_head(), truth)
    # Second differences of ±0.5, ∓0.5, ±0.5 have the size 2.
    assert 1.6 < found.jitter_rotation_deg < 2.4


def test_a_missed_expression_has_no_correlation(perfect, truth):
    name = max(
        (name for name in truth.expression_names if not name.startswith("eye")),
        key=lambda n: truth.expression[:, truth.expression_names.index(n)].std(),
    )
    flat = perfect.expression.clone()
    flat[:, perfect.expression_names.index(name)] = 0.3
    found = evaluate_track(replace(perfect, expression=flat), open_head(), truth)
    assert found.worst_expression == (name, 0.0)


def test_halves_of_an_expression_stand_for_the_whole(perfect, truth):
    names = tuple({"cheekPuff": "cheekPuffLeft", "tongueOut": "cheekPuffRight"}.get(name, name) for name in truth.expression_names)
    expression = truth.expression.copy()
    puff = names.index("cheekPuffLeft")
    expression[:, names.index("cheekPuffRight")] = expression[:, puff]
    found = evaluate_track(perfect, open_head(), replace(truth, expression_names=names, expression=expression))
    assert found.expression_correlation.get("cheekPuff", 1.0) > 0.999
    assert correlation(np.arange(5.0), -np.arange(5.0)) == pytest.approx(-1)


def test_tracks_that_cannot_be_compared_are_refused(perfect, truth):
    per_frame = ("vertices", "landmarks", "landmarks_visible", "time_s", "expression", "joint_rotations", "gaze", "visible")
    transforms = ("world_from_head", "world_from_skull")
    shorter = replace(truth, **{name: getattr(truth, name)[:-1] for name in (*per_frame, *transforms)})
    with pytest.raises(InputError, match="23 frames, found 24"):
        evaluate_track(perfect, open_head(), shorter)
    with pytest.raises(InputError, match="valid frames"):
        evaluate_track(replace(perfect, valid=torch.zeros(24, dtype=torch.bool)), open_head(), truth)


def test_the_command_prints_measures_beside_bars_and_writes_them(perfect, truth, tmp_path, capsys):
    run, made = RunPaths(tmp_path / "run"), SyntheticPaths(tmp_path / "clip")
    perfect.save(run.track)
    About("track", 1, {}, {"finished": True}).save(run.about)
    truth.save(made.truth)
    assert main(["evaluate", "track", str(run.root), "--truth", str(made.root)]) == 0
    said = capsys.readouterr().out
    assert "rotation, median (deg)" in said and "≤ 0.5" in said and "not met" not in said
    assert read_json(run.evaluation)["surface_mm"] < 0.02
    assert main(["evaluate", "track", str(run.root), "--truth", str(tmp_path / "nothing")]) == 2
    assert "expected the file" in capsys.readouterr().err

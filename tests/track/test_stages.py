"""Stages: lists that make sense, the usual ones against their story told straight, work that is cut off and goes on, frames without all stages."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from shown import shown_clip, some_person, turning_states
from threadpoolctl import threadpool_limits

from headcast.capture import RigCapture
from headcast.errors import ConfigError, FormatError
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.track import TrackConfig, stage_steps, track_capture, track_steps
from headcast.track.appearance import Texels, paint
from headcast.track.clip import Clip
from headcast.track.evidence import independent_share
from headcast.track.moving_skin import MovingSkin
from headcast.track.offsets import solve_offsets
from headcast.track.person import Person
from headcast.track.person_by_colours import coarse_to_fine, skin_texels, solve_by_colours
from headcast.track.person_fit import Keyframes, descend, pose_from_landmarks
from headcast.track.pipeline import _first_person, _shared_prior
from headcast.track.points import FrameState
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.scene import ARRAYS, Scene, stages_in
from headcast.track.sequence import linearise, smooth, track_forward
from headcast.track.sight import all_sights
from headcast.track.stages import STAGES, check_continued

SIDE, FRAMES = 128, 7
_QUICK = {"keyframes": 4, "rounds": 1, "texture_px": 128}


@pytest.fixture(scope="module")
def clip():
    generator = np.random.default_rng(11)
    return shown_clip(some_person(generator, _rig(1)), turning_states(FRAMES, 0.3), SIDE, generator)


@pytest.fixture(scope="module")
def two_cameras():
    """Nobody knows where they stand."""
    generator = np.random.default_rng(12)
    person = some_person(generator, _rig(2))
    clips = tuple(shown_clip(person, turning_states(4, 0.2), SIDE, generator, camera) for camera in range(2))
    single = RigCapture.single(clips[0])
    return RigCapture(clips, tuple(replace(single.calibrations[0], name=name) for name in ("left", "right")))


def _rig(cameras: int) -> Rig:
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, 0, 0.4], [0, 0, 0], [-0.4, 0, 0]], dtype=torch.float64)).numpy()
    rotation = np.stack([np.eye(3), turn])[:cameras, None]
    target = np.array([0.0, 0.0, 0.5])
    return Rig(
        np.full((cameras, 2), 1.5 * SIDE), np.full((cameras, 2), SIDE / 2), rotation, target - rotation @ target, WORLD_FROM_CAMERA, np.zeros(3)
    )


def _arrays(result) -> dict[str, np.ndarray]:
    """Everything that a track and its texture hold."""
    track = result.track
    named = {name: getattr(track, name) for name in ("identity", "expression", "joint_rotations", "light", "landmark_offsets", "offsets", "valid")}
    named |= {name: getattr(track, name) for name in ("landmark_error_px", "psnr_db", "silhouette_iou")}
    named |= {"rotation": track.world_from_head.rotation, "translation": track.world_from_head.translation, "albedo": result.albedo}
    named |= {f"focal {camera}": one.focal_px for camera, one in enumerate(track.cameras)}
    named |= {f"camera {camera}": one.camera_from_world.matrix() for camera, one in enumerate(track.cameras)}
    return {name: np.asarray(value) for name, value in named.items() if value is not None}


def _assert_same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


# --- lists


def test_the_usual_lists():
    def names(**settings):
        return [stage.spec for stage in TrackConfig(rounds=8, **settings).stage_list(sees_height=False)]

    assert names(mode="fast") == ["landmarks:15", "all:3", "sequential:1"]
    assert names(mode="full") == ["landmarks:15", "all:8", "sequential:1", "all:12", "global:2"]
    assert names(mode="full", offsets="on") == ["landmarks:15", "all:8", "sequential:1", "all:12", "offsets:4", "global:2"]
    assert names(mode="full", photometric=False) == ["landmarks:15", "sequential:1"]
    assert "offsets:4" in [stage.spec for stage in TrackConfig().stage_list(sees_height=True)]


def test_the_first_stage_by_colours_goes_from_coarse_to_fine_and_later_ones_stay_fine():
    stages = TrackConfig(stages=("landmarks", "sequential", "all:5", "all:6")).stage_list(sees_height=False)
    assert [(stage.label, stage.times, stage.levels) for stage in stages if stage.name == "all"] == [("all", 5, 3), ("all 2", 6, 1)]


@pytest.mark.parametrize(
    ("stages", "settings", "said"),
    [
        ((), {}, r"expected at least one stage out of landmarks, rigid, all, .* found none"),
        (("landmark",), {}, r"expected stages out of landmarks, .* found 'landmark'"),
        (("landmarks:0",), {}, r"expected a whole number from 1 on after 'landmarks:', found 'landmarks:0'"),
        (("landmarks", "all:"), {}, r"expected a whole number from 1 on after 'all:', found 'all:'"),
        (("landmarks", "sequential:2"), {}, r"'sequential', which follows the frames once, found 'sequential:2'"),
        (("sequential",), {}, r"stage 'sequential' needs poses to start from: put 'landmarks' or 'rigid' before it"),
        (("landmarks", "all", "global"), {}, r"stage 'global' refines all frames together: put 'sequential' before it"),
        (("landmarks", "sequential", "global"), {}, r"a texture that nothing has painted: put 'all' or 'texture' before it"),
        (("landmarks", "all", "sequential"), {"photometric": False}, r"stage 'all' compares colours, and --no-photometric leaves them out"),
        (("landmarks", "offsets"), {"offsets": "off"}, r"expected stage 'offsets' or --offsets off, found both"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(stages, settings, said):
    with pytest.raises(ConfigError, match=said):
        TrackConfig(stages=stages, **settings)


def test_offsets_without_anything_to_see_them_by_are_refused(clip):
    with pytest.raises(ConfigError, match="needs colours or measured depth"):
        track_capture(clip, open_head(), TrackConfig(stages=("landmarks", "sequential", "offsets"), photometric=False))


def test_a_list_goes_on_where_it_begins_as_the_run_did():
    check_continued(["landmarks:15"], ["landmarks:15", "sequential:1"])
    for asked in (["landmarks:9", "sequential:1"], [], ["rigid:15", "landmarks:15"]):
        with pytest.raises(ConfigError, match="expected stages that go on from those of the run, 'landmarks:15', found"):
            check_continued(["landmarks:15"], asked)


# --- the usual lists, told straight


def _told_straight(clip, config: TrackConfig) -> tuple[Person, dict[int, FrameState]]:
    """Landmarks, colours, frames; in full mode colours again, offsets, two refinements of all frames, the albedo from all over the clip."""
    rig, model = RigCapture.single(clip), open_head()
    seen = Clip.of(rig, config)
    config = replace(config, color_information=config.color_information * min(1.0, seen.side_px / 256) ** 2)
    person = _first_person(rig, model, config)
    prior, texels = _shared_prior(rig, person, config), Texels.of(person.tracked.surface, config.texture_px)
    moments = tuple(seen.moments(seen.keyframes(config.keyframes)))
    keyframes = Keyframes(person, moments, tuple(pose_from_landmarks(person, moment) for moment in moments))
    *_, (keyframes, _) = descend(keyframes, prior, config, 15)
    rounds = config.rounds if config.mode == "full" else -(-config.rounds // 3)
    levels = len(moments[0].views[0].levels)
    *_, (_, keyframes) = solve_by_colours(keyframes, texels, prior, config, coarse_to_fine(levels, rounds, keyframes, seen.side_px), "")
    evidence = float(np.clip(independent_share(keyframes) / 0.06, 0.5, 4.0))
    config = replace(config, color_information=config.color_information * evidence)
    frames = np.flatnonzero(seen.usable)
    states = {m.frame_idx: state for _, m, state in track_forward(keyframes.person, seen.moments, frames, seen.clock, config, "", {})}
    if config.mode == "fast":
        return keyframes.person, states
    before = keyframes.person
    keyframes = replace(keyframes, states=tuple(states[moment.frame_idx] for moment in moments))
    again = coarse_to_fine(1, config.rounds * 3 // 2, keyframes, seen.side_px)
    *_, (_, keyframes) = solve_by_colours(keyframes, texels, prior, config, again, "")
    skin, spread = skin_texels(keyframes.person, texels), seen.spread()
    person = solve_offsets(keyframes, texels, skin, config)
    for steps, whose in (((2, 2), before), ((1,), None)):
        fits = {idx: fit for _, idx, fit in linearise(person, seen.moments, states, config, steps, "", whose)}
        states = smooth(person, fits, seen.clock, config)
        lit = person.changed(fixed=person.fixed | {"light"})
        painted = paint(lit, texels, all_sights(lit, spread, [states[m.frame_idx] for m in spread]), config.sigmas.color, skin)
        person = painted.changed(fixed=person.fixed)
    return person, states


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_the_usual_lists_are_the_story_told_straight_to_the_last_bit(clip, mode):
    config = TrackConfig(mode=mode, offsets="on", **_QUICK)
    with threadpool_limits(1, user_api="blas"):  # as the tracker has it: how many threads share a sum shows in its last bits
        person, states = _told_straight(clip, config)
    result = track_capture(clip, open_head(), config)
    track = result.track
    np.testing.assert_array_equal(track.identity.numpy(), person.identity.astype(np.float32))
    np.testing.assert_array_equal(track.light.numpy(), person.light)
    np.testing.assert_array_equal(result.albedo_certainty, person.texture[..., 3])
    np.testing.assert_array_equal(track.expression.numpy(), np.stack([states[idx].expression for idx in range(FRAMES)]).astype(np.float32))
    assert (track.offsets is not None) == (mode == "full")
    if mode == "full":
        np.testing.assert_array_equal(track.offsets.numpy(), person.offsets)


# --- cut off and gone on


def _kept(capture, config: TrackConfig, folder) -> tuple[list, dict[str, np.ndarray]]:
    """The files of all scenes that a track could go on from, and what it ends with."""
    files = []

    def keep(step) -> None:
        if step.checkpoint is not None:
            files.append(folder / f"{len(files)}.npz")
            step.checkpoint.save(files[-1])

    return files, _arrays(follow(track_steps(capture, open_head(), config), keep))


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_going_on_from_any_checkpoint_ends_with_the_same_arrays(clip, mode, tmp_path, monkeypatch):
    monkeypatch.setattr(stage_steps, "_PART_FRAMES", 3)
    config = TrackConfig(mode=mode, offsets="on", **_QUICK)
    files, whole = _kept(clip, config, tmp_path)
    begun = [stages_in(file)[-1] for file in files]
    assert begun[:5] == ["landmarks:15", "all:1", "sequential:1", "sequential:1", "sequential:1"]
    assert begun[5:] == ([] if mode == "fast" else ["all:1", "offsets:4", "global:2", "global:2"])
    for file in files[1::2]:
        _assert_same(_arrays(follow(track_steps(clip, open_head(), config, file))), whole)


def test_several_cameras_go_on_too(two_cameras, tmp_path):
    config = TrackConfig(mode="full", **_QUICK)
    files, whole = _kept(two_cameras, config, tmp_path)
    assert "offsets" in whole and len(files) == 7
    for file in (files[0], files[4]):
        _assert_same(_arrays(follow(track_steps(two_cameras, open_head(), config, file))), whole)


def test_stages_may_be_added_behind_those_that_are_done(clip, tmp_path):
    files, _ = _kept(clip, TrackConfig(mode="fast", **_QUICK), tmp_path)
    longer = TrackConfig(mode="fast", stages=("landmarks", "all", "sequential", "all", "global:1"), **_QUICK)
    whole = _arrays(track_capture(clip, open_head(), longer))
    _assert_same(_arrays(follow(track_steps(clip, open_head(), longer, files[-1]))), whole)
    other = TrackConfig(mode="fast", stages=("landmarks", "sequential"), **_QUICK)
    with pytest.raises(ConfigError, match="expected stages that go on from those of the run, 'landmarks:15 all:1 sequential:1'"):
        follow(track_steps(clip, open_head(), other, files[-1]))


# --- other lists


def test_without_frames_that_were_followed_keyframes_are_the_track(clip):
    track = track_capture(clip, open_head(), TrackConfig(stages=("rigid:4", "landmarks"), **_QUICK)).track
    assert int(track.valid.sum()) == 4 and bool((track.landmark_error_px[track.valid] > 0).all())


def test_rigid_moves_heads_and_cameras_and_nothing_else(clip):
    track = track_capture(clip, open_head(), TrackConfig(stages=("rigid",), **_QUICK)).track
    assert not track.identity.any() and not track.expression.any() and not track.joint_rotations.any() and not track.landmark_offsets.any()
    guess = _first_person(RigCapture.single(clip), open_head(), TrackConfig()).focal_px
    assert float(track.camera.focal_px[0]) != pytest.approx(guess[0], rel=1e-3)


def test_texture_paints_and_moves_nothing(clip):
    plain = track_capture(clip, open_head(), TrackConfig(stages=("landmarks", "sequential"), **_QUICK))
    painted = track_capture(clip, open_head(), TrackConfig(stages=("landmarks", "sequential", "texture"), **_QUICK))
    assert plain.albedo is None and painted.albedo is not None and float(painted.track.psnr_db.median()) > 20
    np.testing.assert_array_equal(painted.track.expression, plain.track.expression)
    np.testing.assert_array_equal(painted.track.identity, plain.track.identity)


def test_frames_follow_a_person_who_changed_after_them(clip):
    """Their landmarks stay where they were; without that, they would lie where another person's do."""
    track = track_capture(clip, open_head(), TrackConfig(stages=("landmarks", "sequential", "all"), **_QUICK)).track
    points = track.camera.project(track.landmarks(open_head())).numpy()
    assert np.median(np.linalg.norm(points - clip.landmarks_px, axis=-1)) < 1.5


def test_frames_are_refined_together_by_landmarks_alone(clip):
    config = TrackConfig(stages=("landmarks", "sequential"), photometric=False, **_QUICK)
    plain = track_capture(clip, open_head(), config).track
    refined = track_capture(clip, open_head(), replace(config, stages=("landmarks", "sequential", "global:3"))).track
    assert not torch.equal(refined.expression, plain.expression)
    assert float(refined.landmark_error_px.median()) < 1.05 * float(plain.landmark_error_px.median())


# --- the file


@pytest.fixture(scope="module")
def scene_file(clip, tmp_path_factory):
    config = TrackConfig(mode="fast", stages=("landmarks", "all", "sequential", "all"), **_QUICK)
    files, _ = _kept(clip, config, tmp_path_factory.mktemp("scenes"))
    return files[-1], _first_person(RigCapture.single(clip), open_head(), config)


def test_a_scene_comes_back_as_it_was_saved(scene_file, tmp_path):
    file, start = scene_file
    Scene.load(file, start, FRAMES).save(tmp_path / "again.npz")
    with np.load(file) as first, np.load(tmp_path / "again.npz") as second:
        _assert_same(dict(second), dict(first))
        assert set(first.files) <= set(ARRAYS) and "before_identity" in first.files


def test_everything_that_a_person_and_a_frame_have_is_kept():
    """What is not in the file is made anew: the model, what is held, how far gains stray, through which camera the person is looked at."""
    made_anew = {"tracked", "fixed", "gain_sigma", "camera", "camera_pose"}
    made_anew |= {"lights"}  # of several clips, whose work is not kept within tracking
    assert {field.name for field in fields(Person)} - made_anew - {"rig", "moving"} <= set(ARRAYS)
    assert {f"moving_{field.name}" for field in fields(MovingSkin)} <= set(ARRAYS)
    assert {f"rig_{field.name}" for field in fields(Rig)} - {"rig_clip_of_camera", "rig_known_clips"} <= set(ARRAYS)
    assert {f"frame_{field.name}" for field in fields(FrameState)} <= set(ARRAYS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"identity": None}, r"expected the arrays \['identity'\]"),
        ({"strange": np.zeros(2)}, r"found \['strange'\] among them"),
        ({"identity": np.zeros(3)}, r"expected 'identity' with axes"),
        ({"light": np.zeros((9, 3), np.int64)}, r"expected 'light' of kind 'f', found int64"),
        ({"light": np.full((9, 3), np.nan)}, r"'light' holds 27 values that are not finite"),
        ({"schema": np.array(7)}, r"expected a checkpoint of schema 1, found 7"),
        ({"model": np.array("flame")}, r"expected a checkpoint of model 'open head', found 'flame'"),
        ({"seen": np.ones((1, FRAMES + 1), bool)}, r"expected 'seen' with axes"),
        ({"keyframe_idx": np.array([0, 1, 2, 99])}, r"expected 'keyframe_idx' from 0 to 6"),
    ],
)
def test_a_file_that_is_no_checkpoint_of_this_clip_is_refused(change, said, scene_file, tmp_path):
    file, start = scene_file
    with np.load(file) as stored:
        arrays = {name: value for name, value in {**stored, **change}.items() if value is not None}
    np.savez(tmp_path / "changed.npz", **arrays)
    with pytest.raises(FormatError, match=said):
        Scene.load(tmp_path / "changed.npz", start, FRAMES)


def test_every_stage_has_work():
    from headcast.track.pipeline import _WORK

    assert set(_WORK) == set(STAGES)

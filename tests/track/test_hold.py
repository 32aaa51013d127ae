"""What is held stays, in every solver, to the last bit; the rest is solved around it."""

from dataclasses import replace

import numpy as np
import pytest
from shown import shown_clip, some_person, turning_states

from headcast.capture import RigCapture
from headcast.errors import ConfigError
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.track import TrackConfig, track_capture, track_steps
from headcast.track.clip import Clip
from headcast.track.hold import held_in_frames, held_of_all
from headcast.track.person_fit import pose_from_landmarks
from headcast.track.pipeline import _first_person
from headcast.track.rig import Rig
from headcast.track.stages import OF_FRAMES, UNKNOWNS

SIDE, FRAMES = 96, 5
_EVERY_SOLVER = ("landmarks:3", "all:1", "sequential", "all:1", "global:2")


@pytest.fixture(scope="module")
def clip():
    generator = np.random.default_rng(21)
    person = some_person(generator, Rig.single(np.full(2, 1.5 * SIDE), np.full(2, SIDE / 2)))
    return shown_clip(person, turning_states(FRAMES, 0.3), SIDE, generator)


def _scenes(clip, config: TrackConfig) -> list:
    """The scene behind every stage."""
    scenes = []
    follow(track_steps(clip, open_head(), config), lambda step: step.checkpoint is not None and scenes.append(step.checkpoint))
    return scenes


def _value(state, name: str) -> np.ndarray:
    """What a frame's state has of an unknown."""
    if name in ("rotation", "translation", "expression"):
        return getattr(state, name)
    joints = open_head().joint_names
    return state.joint_rotations[[place for place, joint in enumerate(joints) if joint == name or (name == "eyes" and joint.endswith("_eye"))]]


@pytest.mark.parametrize("names", [("rotation", "neck", "expression"), ("translation", "jaw", "eyes")])
def test_unknowns_of_frames_stay_in_every_solver(names, clip):
    config = TrackConfig(hold=names, stages=_EVERY_SOLVER, keyframes=3, texture_px=128)
    start = _first_person(RigCapture.single(clip), open_head(), config)
    moments = {moment.frame_idx: moment for moment in Clip.of(RigCapture.single(clip), config).moments(None)}
    scenes, moved = _scenes(clip, config), set()
    followed = next(scene for scene in scenes if scene.stages[-1:] == ("sequential:1",)).person
    for scene in scenes:
        keyframe_idx = scene.keyframe_idx.tolist()
        for idx, state in (*zip(keyframe_idx, scene.keyframe_states, strict=True), *scene.states.items()):
            whose = followed if scene.states else start
            first = pose_from_landmarks(whose, moments[idx])
            moved |= {name for name in OF_FRAMES if not np.array_equal(_value(state, name), _value(first, name))}
    assert moved == OF_FRAMES - set(names)


@pytest.mark.parametrize("names", [("identity", "light"), ("focal_px", "landmark_offsets")])
def test_shared_unknowns_stay_at_their_start_in_every_stage(names, clip):
    config = TrackConfig(hold=names, stages=_EVERY_SOLVER, keyframes=3, texture_px=128)
    start = _first_person(RigCapture.single(clip), open_head(), config)
    moved = set()
    for scene in _scenes(clip, config):
        shared = {"identity", "focal_px", "light", "landmark_offsets"}
        moved |= {name for name in shared if not np.array_equal(getattr(scene.person, name), getattr(start, name))}
    assert moved == shared - set(names)


def test_a_given_value_is_kept_to_the_last_bit(clip, tmp_path):
    identity = 0.3 * np.random.default_rng(2).normal(size=open_head().identity_count)
    albedo = np.random.default_rng(3).uniform(0.2, 0.6, (128, 128, 3))
    np.savez(tmp_path / "known.npz", identity=identity, albedo=albedo)
    config = TrackConfig(given=tmp_path / "known.npz", hold=("texture", "identity"), stages=_EVERY_SOLVER, keyframes=3, texture_px=128)
    start = _first_person(RigCapture.single(clip), open_head(), config)
    for scene in _scenes(clip, config):
        np.testing.assert_array_equal(scene.person.identity, identity)
        np.testing.assert_array_equal(scene.person.texture, start.texture)


def test_a_focal_length_that_is_held_at_a_guess_is_not_called_given(clip):
    config = TrackConfig(hold=("focal_px",), stages=("landmarks", "sequential"), keyframes=3)
    held = track_capture(clip, open_head(), config).track
    assert held.focal_sigma_px == pytest.approx(0.2 * float(held.camera.focal_px.mean()), rel=1e-5)
    given = track_capture(clip, open_head(), replace(config, focal_px=150.0)).track
    assert given.focal_sigma_px == 0 and given.camera.focal_px.tolist() == [150.0, 150.0]


def test_poses_of_cameras_stay_where_heads_put_them():
    rig = Rig(np.full((2, 2), 144.0), np.full((2, 2), 48.0), *_two_poses(), np.diag([1.0, -1, -1]), np.zeros(3), free_poses=True)
    person = some_person(np.random.default_rng(4), rig).changed(fixed=frozenset({"cameras"}))
    assert held_in_frames(person) is None
    assert held_of_all(person).tolist() == [False] * (len(person.identity) + 2) + [True] * 6


def _two_poses() -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.eye(3), (2, 1, 1, 1)), np.zeros((2, 1, 3))


def test_nothing_held_costs_nothing(clip):
    assert held_in_frames(clip.person) is None and held_of_all(clip.person) is None


def test_what_cannot_be_held_is_refused(clip):
    with pytest.raises(ConfigError, match=r"expected what to hold out of identity, focal_px, .* found 'nose'"):
        TrackConfig(hold=("nose",))
    with pytest.raises(ConfigError, match="a texture can only be held where it is known: give its albedo with --given"):
        track_capture(clip, open_head(), TrackConfig(hold=("texture",)))
    assert TrackConfig(hold=UNKNOWNS).hold == UNKNOWNS

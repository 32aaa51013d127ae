"""Several cameras, known, half known and unknown; cameras that move; measured depth; offsets of the skin."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shown import shown_clip, some_person, turning_states

from headcast.capture import Calibration, RigCapture
from headcast.errors import InputError
from headcast.geometry import Transform, angle_between, vertex_normals
from headcast.heads import open_head
from headcast.track import Track, TrackConfig, track_capture
from headcast.track.appearance import Texels
from headcast.track.calibrate import known_rig, rig_from_heads
from headcast.track.clip import Clip
from headcast.track.consensus import agreeing
from headcast.track.depth import depth_equations, depth_residuals
from headcast.track.frame import _landmark_motion, with_shared
from headcast.track.observation import Window
from headcast.track.offsets import solve_offsets
from headcast.track.person_by_colours import skin_texels
from headcast.track.person_fit import Keyframes
from headcast.track.points import rodrigues
from headcast.track.rig import WORLD_FROM_CAMERA, Rig
from headcast.track.sight import sights
from headcast.track.view import view_of

SIDE, FRAMES = 144, 5
_CONFIG = TrackConfig(mode="full", keyframes=5, rounds=3)


def _around(angles: list[float], poses: int = 1) -> Rig:
    """Cameras on an arc around a head half a metre before the first; each pose goes a little further round."""
    count = len(angles)
    rotation, translation = np.empty((count, poses, 3, 3)), np.empty((count, poses, 3))
    target = np.array([0.0, 0.0, 0.5])
    for camera, angle in enumerate(angles):
        for pose in range(poses):
            rotation[camera, pose] = rodrigues(np.array([0.0, angle + 0.12 * pose, 0.05 * camera]))
            translation[camera, pose] = target - rotation[camera, pose] @ target
    center = np.full((count, 2), SIDE / 2)
    return Rig(np.full((count, 2), 1.5 * SIDE), center, rotation, translation, WORLD_FROM_CAMERA, np.zeros(3))


def _recorded(rig: Rig, seed: int = 3, **known) -> RigCapture:
    generator = np.random.default_rng(seed)
    person = some_person(generator, rig)
    states = turning_states(FRAMES, 0.25)
    clips = tuple(shown_clip(person, states, SIDE, generator, camera) for camera in range(rig.camera_count))
    calibrations = []
    for camera in range(rig.camera_count):
        turn = rig.rotation[camera] @ rig.world_rotation.T
        pose = Transform(torch.from_numpy(turn), torch.from_numpy(rig.translation[camera] - turn @ rig.world_translation))
        calibrations.append(Calibration(f"camera_{camera}", rig.focal_px[camera], rig.center_px[camera], pose))
    return RigCapture(clips, tuple(calibrations), **known)


def _unposed(capture: RigCapture) -> RigCapture:
    return replace(capture, calibrations=tuple(replace(one, camera_from_world=None) for one in capture.calibrations))


def _errors_mm(track: Track, capture: RigCapture) -> np.ndarray:
    """Distances of the face's vertices from the truth, in the world, without any alignment."""
    model, clip = open_head(), capture.main
    rig = clip.person.rig
    face = np.flatnonzero(model.regions["face"].numpy())
    truth = []
    for state in clip.states:
        rotation, place = rig.world_rotation @ state.rotation, rig.world_rotation @ state.translation + rig.world_translation
        pose = track.pose(0)
        pose = replace(
            pose, expression=torch.from_numpy(state.expression).float(), joint_rotations=torch.zeros_like(pose.joint_rotations),
            world_from_head=Transform(torch.from_numpy(rotation).float(), torch.from_numpy(place).float()),
        )  # fmt: skip
        truth.append(model.shaped(torch.from_numpy(clip.person.identity).float()).posed(pose).vertices)
    found = track.head(model).posed(track.pose()).vertices
    return 1000 * (found - torch.stack(truth)).norm(dim=-1)[:, face].numpy()


@pytest.fixture(scope="module")
def known():
    return _recorded(_around([0.0, 0.5, -0.5]))


@pytest.fixture(scope="module")
def tracked(known):
    return track_capture(known, open_head(), _CONFIG).track


def test_known_cameras_give_the_head_in_the_world_without_any_alignment(known, tracked):
    """One camera alone is off by centimetres in depth; half a pixel of noise is 1 mm here."""
    assert np.median(_errors_mm(tracked, known)) < 1.5


def test_the_track_knows_all_cameras(known, tracked, tmp_path):
    assert tracked.camera_names == ("camera_0", "camera_1", "camera_2") and len(tracked.cameras) == 3
    for camera, calibration in zip(tracked.cameras, known.calibrations, strict=True):
        torch.testing.assert_close(camera.camera_from_world.matrix(), calibration.camera_from_world.matrix()[0].float(), atol=1e-5, rtol=0)
    tracked.save(tmp_path / "track.npz")
    back = Track.load(tmp_path / "track.npz")
    assert back.camera_names == tracked.camera_names
    for one, other in zip(back.cameras, tracked.cameras, strict=True):
        torch.testing.assert_close(one.camera_from_world.matrix(), other.camera_from_world.matrix())
        torch.testing.assert_close(one.focal_px, other.focal_px)


def test_unknown_poses_are_found_from_the_head(known):
    track = track_capture(_unposed(known), open_head(), _CONFIG).track
    first, truth = track.cameras[0].camera_from_world, known.calibrations[0].camera_from_world
    for camera, calibration in zip(track.cameras[1:], known.calibrations[1:], strict=True):
        found = camera.camera_from_world @ first.inverse()
        right = calibration.camera_from_world[0] @ truth[0].inverse()
        assert torch.rad2deg(angle_between(found.rotation.double(), right.rotation)) < 1.5
        # The head's size is not seen by cameras at unknown places: their distance is as well known as that.
        assert float((found.translation.double() - right.translation).norm() / right.translation.norm()) < 0.1


def test_a_camera_that_moves_on_a_known_path_does_not_move_the_head():
    capture = _recorded(_around([0.0], poses=FRAMES))
    track = track_capture(capture, open_head(), _CONFIG).track
    assert track.cameras[0].focal_px.shape == (FRAMES, 2)
    truth = torch.stack([torch.from_numpy(WORLD_FROM_CAMERA @ state.translation) for state in capture.main.states])
    assert float((track.world_from_head.translation.double() - truth).norm(dim=-1).median()) < 0.03
    moved = track.camera_at(FRAMES - 1).camera_from_world.rotation
    torch.testing.assert_close(moved, capture.calibrations[0].camera_from_world.rotation[-1].float(), atol=1e-5, rtol=0)


def test_depth_says_how_far_the_head_is():
    capture = _recorded(_around([0.0]))
    known = _unposed(replace(capture, depths=(lambda idx: capture.main.depths[idx],)))
    track = track_capture(known, open_head(), _CONFIG).track
    truth = torch.tensor([state.translation[2] for state in capture.main.states])
    assert float((-track.world_from_head.translation[:, 2].double() - truth).abs().median()) < 0.003


def test_depth_equations_are_the_derivative_of_the_distance_along_the_normal():
    capture = _recorded(_around([0.0]))
    person, state, unknowns = capture.main.person, capture.main.states[1], capture.main.person.tracked.unknowns
    known = replace(capture, depths=(lambda idx: capture.main.depths[idx],))
    picture = next(iter(Clip.of(known, _CONFIG).moments(np.array([1])))).views[0].levels[0]
    away = replace(state, translation=state.translation + np.array([0.001, 0.0, 0.002]))
    view = view_of(person, away, picture.window)
    chosen, residual, target = depth_residuals(person, view, picture)
    assert len(chosen) > 500 and np.median(residual) == pytest.approx(0.0018, abs=4e-4)
    equations = depth_equations(person, view, picture, 10.0, 1.0, shared=False)

    def cost(at):
        points = view_of(person, at, picture.window).motion.camera_points[chosen]
        return 0.5 * (((target - points) * view.normals[chosen]).sum(1) ** 2 * person.tracked.surface.vertex_weight[chosen]).sum() / 10.0**2

    smile = unknowns.expression.start + person.tracked.model.expression_names.index("mouthSmileLeft")
    for unknown, size in ((0, 1e-3), (1, 1e-3), (2, 1e-3), (3, 2e-4), (4, 2e-4), (5, 2e-4), (smile, 1e-2)):
        change = np.zeros(unknowns.count)
        change[unknown] = size
        numeric = (cost(away.moved(change, unknowns)) - cost(away.moved(-change, unknowns))) / (2 * size)
        scale = abs(equations.right[:6]).max() if unknown < 6 else abs(numeric)
        assert -equations.right[unknown] == pytest.approx(numeric, abs=0.02 * scale), unknown


def test_a_cameras_own_unknowns_move_pixels_as_finite_differences_say(known):
    rig = replace(known.main.person.rig, free_poses=True)
    person, state = known.main.person.changed(rig=rig), known.main.states[2]
    moment = next(iter(Clip.of(known, _CONFIG).moments(np.array([2]))))
    own, size = person.tracked.unknowns.count + len(person.identity), 1e-4

    def pixels(changed):
        return [_landmark_motion(sight.person, sight.state).pixels for sight in sights(person.changed(rig=changed), moment, state)]

    columns = []
    for sight in sights(person, moment, state):
        motion = _landmark_motion(sight.person, sight.state)
        local = with_shared(motion.derivatives(), motion.pixels - sight.person.center_px, person.tracked.landmarks.identity_basis)
        columns.append(sight.turned.of_clip(local)[..., own:])
    for unknown in range(rig.unknown_count):
        change = np.zeros(rig.unknown_count)
        change[unknown] = size
        for column, after, before in zip(columns, pixels(rig.moved(change)), pixels(rig.moved(-change)), strict=True):
            numeric = (after.astype(np.float64) - before) / (2 * size)
            np.testing.assert_allclose(column[..., unknown], numeric, atol=5e-3 * max(np.abs(numeric).max(), 100.0))


def test_turning_the_head_in_the_rig_moves_pixels_as_finite_differences_say(known):
    person, state, unknowns = known.main.person, known.main.states[2], known.main.person.tracked.unknowns
    moment = next(iter(Clip.of(known, _CONFIG).moments(np.array([2]))))
    rows = [sight.turned.of_frame(_landmark_motion(sight.person, sight.state).derivatives().jacobian) for sight in sights(person, moment, state)]
    for unknown in range(6):
        change = np.zeros(unknowns.count)
        change[unknown] = 1e-4
        both = [
            [_landmark_motion(s.person, s.state).pixels for s in sights(person, moment, state.moved(sign * change, unknowns))] for sign in (1, -1)
        ]
        for row, after, before in zip(rows, *both, strict=True):
            numeric = (after.astype(np.float64) - before) / 2e-4
            np.testing.assert_allclose(row[..., unknown], numeric, atol=5e-3 * max(np.abs(numeric).max(), 100.0))


def test_a_bump_on_the_skin_is_found_from_several_sides(known):
    """On one cheek, 3 mm high and a centimetre wide; the frames' states are known."""
    model, rig, generator = open_head(), known.main.person.rig, np.random.default_rng(3)
    plain = some_person(generator, rig)
    shaped = model.shaped(torch.from_numpy(plain.identity).float()).vertices
    cheek = model.landmarks["mediapipe_478"].points(shaped, model.faces)[205]
    height = (0.003 * torch.exp(-((shaped - cheek).norm(dim=1) ** 2) / (2 * 0.01**2))).numpy()
    normals = vertex_normals(shaped, model.faces).numpy()
    bumpy, states = plain.changed(offsets=(height[:, None] * normals).astype(np.float32)), turning_states(FRAMES, 0.25)
    clips = tuple(shown_clip(bumpy, states, SIDE, generator, camera) for camera in range(3))
    clip = Clip.of(replace(known, captures=clips), _CONFIG)
    keyframes = Keyframes(plain, tuple(clip.moments(None)), states)
    texels = Texels.of(plain.tracked.surface, _CONFIG.texture_px)
    found = solve_offsets(keyframes, texels, skin_texels(plain, texels), _CONFIG).offsets
    along = (found * normals).sum(1)
    near = height > 0.0015
    assert along[near].mean() > 0.5 * height[near].mean()
    rest = model.regions["face"].numpy() & (height < 0.0002)
    assert np.abs(along[rest]).mean() < 0.3e-3
    assert np.abs(found[model.regions["teeth"].numpy()]).max() < 1e-4


def test_millimetres_taken_for_metres_are_refused(known):
    def far(one):
        return replace(one, camera_from_world=Transform(one.camera_from_world.rotation, 1000 * one.camera_from_world.translation))

    wrong = replace(known, calibrations=tuple(map(far, known.calibrations)))
    with pytest.raises(InputError, match=r"about 0\.00\d+ m \(millimetres are 0\.001\)"):
        track_capture(wrong, open_head(), _CONFIG)
    unknown = track_capture(replace(wrong, unit_m=None), open_head(), replace(_CONFIG, photometric=False)).track
    assert 0.4 < float(unknown.world_from_head.translation.norm(dim=-1).mean()) < 0.65


def test_poses_in_other_axes_are_refused(known):
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))

    def opengl(one):
        return replace(one, camera_from_world=Transform(flip @ one.camera_from_world.rotation @ flip, one.camera_from_world.translation))

    turned = replace(known, calibrations=(known.calibrations[0], *map(opengl, known.calibrations[1:])))
    with pytest.raises(InputError, match=r"OpenCV"):
        track_capture(turned, open_head(), _CONFIG)


def test_a_camera_that_sees_something_else_is_not_believed(known):
    fooled = known.captures[2].landmarks_px.copy()
    fooled[3] += 60
    clips = (*known.captures[:2], replace(known.captures[2], landmarks_px=fooled))
    capture = replace(known, captures=clips)
    person = known.main.person.changed(rig=known_rig(capture))
    seen = agreeing(person, capture)
    assert not seen[2, 3] and seen.sum() == 3 * FRAMES - 1


def test_cameras_that_never_meet_are_named(known):
    clips = [replace(clip, found=np.zeros(FRAMES, bool)) for clip in known.captures]
    clips[0].found[:3] = True
    clips[1].found[3:] = True
    clips[2].found[:3] = True
    capture = _unposed(replace(known, captures=tuple(clips)))
    person = known.main.person.changed(rig=known_rig(capture))
    moments = list(Clip.of(capture, _CONFIG).moments(None))
    with pytest.raises(InputError, match="'camera_1' never does"):
        rig_from_heads(person, moments, capture)


def test_recordings_of_different_length_are_refused(known):
    short = replace(known.captures[1], images=known.captures[1].images[:4])
    with pytest.raises(InputError, match="camera_1 4"):
        replace(known, captures=(known.captures[0], short, known.captures[2]))


def test_the_windows_of_all_cameras_are_square(known):
    moment = next(iter(Clip.of(known, _CONFIG).moments(None)))
    assert [view.camera for view in moment.views] == [0, 1, 2]
    assert all(isinstance(view.levels[0].window, Window) and view.levels[0].image.shape[0] == view.levels[0].image.shape[1] for view in moment.views)

"""What every avatar has: pictures to learn from, a folder, and what is said where one is broken."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from headcast.avatars import BaselineAvatar, Footage, Portrait, check_same_model, load_avatar, parsed_steps, save_avatar
from headcast.errors import FormatError, InputError
from headcast.parse import of_labels
from headcast.solve.step import follow
from headcast.store import AvatarPaths, read_json, write_arrays, write_json
from headcast.track.run import Run


@pytest.fixture
def saved(parsed_run, tmp_path):
    paths = AvatarPaths(tmp_path / "avatar")
    save_avatar(BaselineAvatar.of(parsed_run), paths, {}, {})
    return paths


def test_frames_show_the_head_without_clothes(parsed_run):
    frames = list(Footage.of(parsed_run).shots())
    assert [frame.frame_idx for frame in frames] == list(range(12))
    for frame in frames:
        cloth = of_labels(frame.labels, ("cloth",)) > 0
        assert frame.image.shape == (*frame.camera.size, 3) and frame.image.min() >= 0 and frame.image.max() <= 1
        assert (frame.head <= frame.person).all() and frame.head.max() > 0.99
        assert frame.head[cloth].mean() < 0.1 and frame.person[cloth].mean() > 0.9
        assert np.allclose(frame.on_white(frame.head)[frame.person == 0], 1)


def test_a_window_shows_what_the_whole_frame_shows_there(parsed_run):
    whole = next(Footage.of(parsed_run).shots([3]))
    footage = Footage.of(parsed_run, around_head=True)
    part = next(footage.shots([3]))
    assert footage.window.width < whole.image.shape[1]
    assert np.array_equal(part.image, footage.window.cut(whole.image))
    points = parsed_run.track.landmarks(parsed_run.model, 3)
    corner = torch.tensor([footage.window.left, footage.window.top])
    assert torch.allclose(part.camera.project(points), whole.camera.project(points) - corner, atol=1e-3)


def test_smaller_pictures_keep_the_view(parsed_run):
    small, whole = next(Footage.of(parsed_run, largest_px=100).shots([2])), next(Footage.of(parsed_run).shots([2]))
    assert max(small.image.shape) == 100
    points = parsed_run.track.landmarks(parsed_run.model, 2)
    assert torch.allclose(small.camera.project(points) / 100, whole.camera.project(points) / 256, atol=1e-4)


def test_frames_without_a_tracked_face_are_left_out(parsed_run):
    valid = parsed_run.track.valid.clone()
    valid[:4] = False
    footage = Footage.of(replace(parsed_run, track=replace(parsed_run.track, valid=valid)))
    assert [frame.frame_idx for frame in footage.shots([1, 3, 5, 7])] == [5, 7]


def test_labels_are_asked_for_and_made(portrait_run, tmp_path):
    if not portrait_run.paths.parsing.about.is_file():
        with pytest.raises(InputError, match="expected labels of every frame, found none; run: headcast parse"):
            Footage.of(portrait_run)


def test_labels_of_an_earlier_track_are_refused(parsed_run, tmp_path):
    about = read_json(parsed_run.paths.parsing.about)
    about["inputs"]["track"]["sha256"] = "0" * 64
    kept = parsed_run.paths.parsing.about.read_text()
    write_json(parsed_run.paths.parsing.about, about)
    try:
        with pytest.raises(InputError, match="belong to an earlier track"):
            Footage.of(Run.open(parsed_run.paths.root))
    finally:
        parsed_run.paths.parsing.about.write_text(kept)
    assert not list(parsed_steps_of(parsed_run))


def parsed_steps_of(run):
    steps = []
    follow(parsed_steps(run), steps.append)
    return steps


def test_a_saved_avatar_shows_the_same(parsed_run, saved):
    made, read = BaselineAvatar.of(parsed_run), load_avatar(saved.root)
    frame = next(Footage.of(parsed_run).shots([5]))
    a, b = (avatar.render(frame.pose, frame.camera) for avatar in (made, read))
    assert torch.equal(a.color, b.color) and torch.equal(a.alpha, b.alpha) and torch.equal(a.depth, b.depth)
    assert a.depth[a.alpha == 1].min() > 0.1


def test_a_background_shows_where_the_avatar_does_not():
    portrait = Portrait(torch.full((2, 2, 3), 0.25), torch.full((2, 2), 0.5), torch.ones(2, 2))
    assert torch.allclose(portrait.over(torch.tensor([1.0, 0.0, 0.5])), torch.tensor([0.75, 0.25, 0.5]))


def test_the_baseline_looks_like_the_recorded_face(parsed_run):
    frame = next(Footage.of(parsed_run).shots([5]))
    shown = BaselineAvatar.of(parsed_run).render(frame.pose, frame.camera).color.numpy()
    nose = of_labels(frame.labels, ("nose",)) > 0
    assert np.abs(shown - frame.image)[nose].mean() < 0.1


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda about: about.update(schema=99), FormatError, "update Headcast"),
        (lambda about: about.update(kind="track"), InputError, "expected a folder of kind 'avatar', found one of kind 'track'"),
        (lambda about: about["details"].update(avatar="hologram"), FormatError, "found 'hologram': update Headcast"),
        (lambda about: about["details"].update(finished=False), InputError, "was not finished"),
        (lambda about: about["details"].pop("vertices"), FormatError, "expected avatar, model and vertices"),
        (lambda about: about["details"].update(vertices=7), InputError, "of 7 vertices, found one of"),
    ],
)
def test_a_folder_that_is_no_avatar_of_ours_is_refused(saved, change, error, said):
    about = read_json(saved.about)
    change(about)
    write_json(saved.about, about)
    with pytest.raises(error, match=said):
        load_avatar(saved.root)


def test_broken_arrays_are_refused(saved):
    with np.load(saved.arrays) as stored:
        arrays = dict(stored)
    write_arrays(saved.arrays, {**arrays, "light": arrays["light"][:4]})
    with pytest.raises(FormatError, match="expected 'light' with axes"):
        load_avatar(saved.root)
    saved.arrays.write_bytes(saved.arrays.read_bytes()[:200])
    with pytest.raises(FormatError, match="cannot be read as arrays"):
        load_avatar(saved.root)
    saved.about.write_text(json.dumps({"kind": "avatar"}))
    with pytest.raises(FormatError, match="expected kind, schema"):
        load_avatar(saved.root)


def test_nothing_and_a_file_are_no_avatars(tmp_path):
    with pytest.raises(InputError, match="found nothing"):
        load_avatar(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="found a file"):
        load_avatar(tmp_path / "file")


def test_a_run_of_another_head_model_is_refused(parsed_run):
    avatar = BaselineAvatar.of(parsed_run)
    with pytest.raises(InputError, match="expected a run of the avatar's head model 'open head', found one of 'other'"):
        check_same_model(avatar, replace(parsed_run.model, name="other"), parsed_run.paths.root)

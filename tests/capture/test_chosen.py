"""Frames that are taken out of a recording, and crops, keep their times and their places."""

import json
import shutil

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import number_of, numbered, talking, with_face, write_video

from headcast.capture import Capture, PrepareConfig, open_source, prepare, prepare_steps
from headcast.capture.chosen import ChosenSource, choose_frames
from headcast.errors import ConfigError, InputError
from headcast.perceive import Window

COUNT = 30


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("chosen") / "talk.mp4", talking(COUNT), options={"g": "10", "crf": "12"})


@pytest.fixture(scope="module")
def whole(recording, tmp_path_factory) -> Capture:
    return prepare(recording, tmp_path_factory.mktemp("whole") / "capture")


@given(st.integers(1, 400), st.floats(1, 120), st.integers(1, 50), st.integers(-450, 450), st.integers(-450, 450))
def test_chosen_frames_ascend_within_the_span(count, fps, every, first, end):
    try:
        chosen = choose_frames(count, fps, every, None, f"{first}:{end}")
    except ConfigError:
        assert not list(range(count))[first:end]
        return
    assert chosen.tolist() == list(range(count))[first:end][::every]


@given(st.integers(2, 400), st.floats(1, 120), st.floats(0.1, 1))
def test_a_rate_takes_frames_evenly(count, fps, share):
    chosen = choose_frames(count, fps, 1, fps * share, None)
    assert (np.diff(chosen) >= 1).all() and chosen[0] == 0 and chosen[-1] < count
    # Each is at most half a frame from where an even clock puts it.
    assert np.abs(chosen - np.minimum(np.arange(len(chosen)) / share, count - 1)).max() <= 0.5 + 1e-6
    assert count - 1 - chosen[-1] <= 1 / share + 0.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (PrepareConfig(every=0), "--every"),
        (PrepareConfig(every=2, fps=5.0), "found both"),
        (PrepareConfig(fps=60.0), "at most that of the recording"),
        (PrepareConfig(frames="7"), "A:B"),
        (PrepareConfig(frames="20:10"), "chooses none of the recording's 30 frames"),
        (PrepareConfig(downscales=(2, 0)), "--downscales"),
        (PrepareConfig(downscales=(2, 2)), "--downscales"),
    ],
)
def test_settings_that_choose_nothing_are_said_before_anything_is_written(recording, tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        prepare(recording, tmp_path / "capture", settings)
    assert not (tmp_path / "capture").exists()


def test_a_chosen_source_gives_the_same_pictures_at_their_own_times(tmp_path):
    source = open_source(write_video(tmp_path / "n.mp4", numbered(20)))
    frame_idx = np.array([3, 4, 9, 17])
    chosen = ChosenSource(source, frame_idx, Window(8, 4, 40, 44))
    frames = list(chosen.frames())
    assert [number_of(cv2.copyMakeBorder(f.image, 4, 0, 8, 16, cv2.BORDER_REPLICATE)) for f in frames] == frame_idx.tolist()
    assert [f.frame_idx for f in frames] == [0, 1, 2, 3] and frames[0].image.shape == (44, 40, 3) == (*chosen.size, 3)
    np.testing.assert_allclose([f.time_s for f in frames], (frame_idx - 3) / 25, atol=1e-6)
    assert [f.frame_idx for f in chosen.select([1, 3])] == [1, 3]
    assert chosen.metadata.fps == pytest.approx(25 * 3 / 14)


def test_every_third_frame_of_a_part_is_prepared_as_the_recording_shows_it(recording, whole, tmp_path):
    capture = prepare(recording, tmp_path / "capture", PrepareConfig(every=3, frames="6:24"))
    assert capture.source_frame_idx.tolist() == list(range(6, 24, 3)) and capture.fps == pytest.approx(25 / 3)
    np.testing.assert_allclose(capture.time_s, whole.time_s[6:24:3] - whole.time_s[6], atol=1e-6)
    shift = np.linalg.norm(capture.landmarks_px - whole.landmarks_px[6:24:3], axis=-1).max()
    assert capture.found.all() and shift < 4, "the same faces, followed over other neighbours"
    theirs = dict((idx, image) for idx, image, _ in whole.frames([6, 9]))
    ours = dict((idx, image) for idx, image, _ in Capture.open(tmp_path / "capture").frames([0, 1]))
    assert (ours[0] == theirs[6]).all() and (ours[1] == theirs[9]).all()


def test_a_crop_holds_the_head_and_says_where_it_lies(recording, whole, tmp_path):
    pictures = [cv2.copyMakeBorder(with_face((240, 280), 20 + k, 20), 100, 60, 50, 200, cv2.BORDER_CONSTANT, value=(90, 90, 90)) for k in range(8)]
    video = write_video(tmp_path / "wide.mp4", pictures)
    uncut, cut = prepare(video, tmp_path / "uncut"), prepare(video, tmp_path / "cut", PrepareConfig(crop=True))
    window = cut.crop
    assert cut.size == (window.height, window.width) and window.width % 2 == window.height % 2 == 0 and cut.source_size == (400, 530)
    assert cut.size[0] < 400 and cut.size[1] < 530
    off = np.linalg.norm(cut.in_source(cut.landmarks_px) - uncut.landmarks_px, axis=-1)
    assert off.max() < 3, "the inverse leads back to the same face"
    np.testing.assert_allclose(cut.center_px, (265 - window.left, 200 - window.top))
    assert uncut.center_px == (265, 200)
    image = next(cut.frames([5]))[1]
    assert (image == window.cut(next(uncut.frames([5]))[1])).all()


def test_a_crop_without_a_face_is_said(tmp_path):
    video = write_video(tmp_path / "empty.mp4", numbered(5))
    with pytest.raises(InputError, match="--crop needs a face"):
        prepare(video, tmp_path / "capture", PrepareConfig(crop=True))


def test_a_cropped_sampled_preparation_goes_on_where_it_stopped(recording, tmp_path):
    config = PrepareConfig(every=2, crop=True, part_frames=4)
    expected = prepare(recording, tmp_path / "whole", config)
    steps = prepare_steps(recording, tmp_path / "broken", config)
    next(step for step in steps if step.stage == "perceive" and step.done == 7)
    steps.close()
    again = prepare(recording, tmp_path / "broken", config, resume=True)
    assert (again.landmarks_px == expected.landmarks_px).all() and again.crop == expected.crop
    assert (again.source_frame_idx == expected.source_frame_idx).all()


def test_other_frames_are_other_settings(recording, tmp_path):
    prepare(recording, tmp_path / "capture", PrepareConfig(every=10))
    with pytest.raises(InputError, match="other settings"):
        prepare(recording, tmp_path / "capture", PrepareConfig(every=15))


def test_smaller_pictures_and_a_preview_lie_beside_the_capture_and_can_be_added_later(recording, tmp_path):
    folder = tmp_path / "capture"
    prepare(recording, folder, PrepareConfig(every=10))
    capture = prepare(recording, folder, PrepareConfig(every=10, downscales=(1, 4), preview=True))
    full, small = (cv2.imread(str(capture.paths.picture(factor, 2)))[..., ::-1] for factor in (1, 4))
    assert (full == next(capture.frames([2]))[1]).all() and small.shape == (60, 70, 3)
    assert len(list((folder / "images_4").iterdir())) == capture.frame_count == 3
    with av.open(str(capture.paths.preview)) as video:
        assert len(list(video.decode(video=0))) == 3
    (folder / "images_mine").mkdir()
    prepare(recording, folder, PrepareConfig(every=15), overwrite=True)
    assert not (folder / "images").exists() and not (folder / "preview.mp4").exists() and (folder / "images_mine").exists()


def test_captures_of_earlier_versions_open_as_they_were(whole, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(whole.paths.root, folder)
    about = json.loads((folder / "about.json").read_text())
    about["schema"] = 1
    for name in ("source_size", "source_fps", "crop"):
        del about["details"][name]
    (folder / "about.json").write_text(json.dumps(about))
    with np.load(folder / "landmarks.npz") as stored:
        arrays = {name: stored[name] for name in stored.files if name != "source_frame"}
    np.savez(folder / "landmarks.npz", **arrays)
    old = Capture.open(folder)
    assert old.source_size == old.size and old.crop is None and old.source_frame_idx.tolist() == list(range(COUNT))
    assert (next(old.frames([7]))[1] == next(whole.frames([7]))[1]).all()

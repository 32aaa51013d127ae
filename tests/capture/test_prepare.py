import json

import cv2
import numpy as np
import pytest
from recordings import numbered, portrait, talking, with_face, write_video

from headcast.capture import Capture, PrepareConfig, prepare, prepare_steps
from headcast.errors import FormatError, InputError
from headcast.perceive import FollowConfig
from headcast.solve.step import follow
from headcast.store import CapturePaths


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("recording") / "talk.mp4", talking(12))


@pytest.fixture(scope="module")
def capture(recording, tmp_path_factory) -> Capture:
    return prepare(recording, tmp_path_factory.mktemp("capture") / "capture")


def test_a_capture_has_one_entry_per_frame(capture):
    assert capture.frame_count == 12
    assert capture.size == (240, 280)
    assert capture.fps == pytest.approx(25)
    assert capture.found.all()
    assert not capture.cuts.any()
    assert capture.landmarks_px.shape == (12, 478, 2)
    assert capture.time_s == pytest.approx(np.arange(12) / 25)
    assert capture.warnings == ()
    assert 0.4 < np.median(capture.confidence) <= 1


def test_landmarks_drift_with_the_face(capture):
    """One pixel to the right per frame."""
    drift = np.diff(capture.landmarks_px.mean(axis=1), axis=0)
    assert drift.mean(axis=0) == pytest.approx([1, 0], abs=0.1)
    assert np.abs(drift - drift.mean(axis=0)).max() < 0.6


def test_frames_come_with_their_mattes(capture):
    frames = list(capture.frames())
    assert [idx for idx, _, _ in frames] == list(range(12))
    for idx, image, matte in frames:
        assert image.shape == (240, 280, 3)
        assert matte.shape == (240, 280)
        columns, rows = capture.landmarks_px[idx].astype(int).T
        assert np.median(matte[rows, columns]) > 240
        assert matte[60:200, 250:].max() < 40
    chosen = list(capture.frames([2, 7, 11]))
    assert [idx for idx, _, _ in chosen] == [2, 7, 11]
    assert all((image == frames[idx][1]).all() and (matte == frames[idx][2]).all() for idx, image, matte in chosen)


def test_the_stored_matte_lies_in_its_window(capture):
    stored = capture.matte_window(5)
    whole = capture.matte(5)
    inside = stored.window.cut(whole)
    assert (inside == stored.alpha).all()
    assert whole.sum() == inside.sum()


def test_the_folder_says_what_it_is_and_needs_only_numpy_to_read(capture):
    about = json.loads(capture.paths.about.read_text())
    assert (about["kind"], about["schema"]) == ("capture", 3)
    assert len(about["inputs"]["source"]["sha256"]) == 64
    with np.load(capture.paths.landmarks, allow_pickle=False) as arrays:
        assert arrays["landmarks_px"].shape == (12, 478, 2)
    assert len(list(capture.paths.mattes.iterdir())) == 12
    assert not capture.paths.parts.exists()
    assert not [path for path in capture.paths.root.rglob("*") if path.name.startswith(".")]


def test_each_frame_is_a_step(recording, tmp_path):
    seen = []
    follow(prepare_steps(recording, tmp_path / "capture"), seen.append)
    assert [step.frame_idx for step in seen] == list(range(12))
    assert {(step.stage, step.total) for step in seen} == {("perceive", 12)}
    assert [step.done for step in seen] == list(range(1, 13))


def test_a_finished_capture_is_opened_and_not_made_again(recording, capture):
    before = {path: path.stat().st_mtime_ns for path in capture.paths.root.rglob("*")}
    seen = []
    again = prepare(recording, capture.paths.root, readers=(seen.append,))
    assert {path: path.stat().st_mtime_ns for path in capture.paths.root.rglob("*")} == before
    assert (again.landmarks_px == capture.landmarks_px).all()
    assert [step.message for step in seen] == [f"using the landmarks and mattes already in {capture.paths.root}"]


def test_a_folder_of_another_recording_is_refused_and_can_be_overwritten(recording, tmp_path):
    other = write_video(tmp_path / "other.mp4", talking(3))
    prepare(other, tmp_path / "capture")
    (tmp_path / "capture" / "my notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"capture of another recording \(.*other\.mp4\)\. Use --overwrite or another folder"):
        prepare(recording, tmp_path / "capture")
    assert prepare(recording, tmp_path / "capture", overwrite=True).frame_count == 12
    assert (tmp_path / "capture" / "my notes.txt").read_text() == "mine"
    assert len(list(CapturePaths(tmp_path / "capture").mattes.iterdir())) == 12


def test_other_settings_are_refused(recording, capture):
    config = PrepareConfig(follow=FollowConfig(second_look_every=1))
    with pytest.raises(InputError, match=r"made with other settings\. Use --overwrite"):
        prepare(recording, capture.paths.root, config)


def test_a_folder_with_something_else_is_refused(recording, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"expected an empty folder, found \['thesis\.txt'\]"):
        prepare(recording, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_where_the_folder_should_be_is_refused(recording, tmp_path):
    (tmp_path / "capture").write_text("a file")
    with pytest.raises(InputError, match="expected a folder to write to, found a file"):
        prepare(recording, tmp_path / "capture")


def test_a_video_without_a_face_is_prepared_and_says_so(tmp_path):
    capture = prepare(write_video(tmp_path / "a.mp4", numbered(5)), tmp_path / "capture")
    assert not capture.found.any()
    assert capture.warnings == ("no face was found in any frame",)
    assert [matte.max() for _, _, matte in capture.frames()] == [0] * 5


def test_a_face_that_is_away_for_a_while_marks_its_frames(tmp_path):
    away = np.full((240, 280, 3), 90, np.uint8)
    away[:, 200:] = with_face((240, 280), 20, 20)[:, 200:]
    clip = [*talking(4), away, away, away, *talking(4)]
    capture = prepare(write_video(tmp_path / "a.mp4", clip), tmp_path / "capture")
    assert capture.found.tolist() == [True] * 4 + [False] * 3 + [True] * 4
    assert capture.warnings[0] == "no face was found in 3 of 11 frames: 4–6"
    assert capture.landmarks_px[4:7].max() == 0
    assert capture.matte_window(5) is None
    assert capture.matte(5).max() == 0


def test_a_cut_is_marked(tmp_path):
    after = [255 - with_face((240, 280), 90, 20 + k, mirrored=True) for k in range(4)]
    clip = [*talking(4), *(255 - (255 - picture) for picture in after)]
    clip[4:] = [np.where(picture == 90, 10, picture).astype(np.uint8) for picture in (with_face((240, 280), 90, 20 + k, True, 250) for k in range(4))]
    capture = prepare(write_video(tmp_path / "a.mp4", clip), tmp_path / "capture")
    assert capture.cuts.tolist() == [k == 4 for k in range(8)]
    assert capture.found.all()
    assert capture.warnings == ("a new shot or another face starts at frame 4",)


def test_a_single_photo_is_a_capture_of_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), portrait()[..., ::-1])
    capture = prepare(tmp_path / "a.png", tmp_path / "capture")
    assert (capture.frame_count, capture.fps, capture.found.tolist()) == (1, None, [True])
    assert len(list(capture.frames())) == 1


def test_alpha_of_a_picture_folder_is_the_matte(tmp_path):
    (tmp_path / "in").mkdir()
    alpha = np.random.default_rng(1).integers(0, 256, (200, 180)).astype(np.uint8)
    for k in range(2):
        cv2.imwrite(str(tmp_path / "in" / f"{k}.png"), np.dstack([portrait()[..., ::-1], alpha]))
    capture = prepare(tmp_path / "in", tmp_path / "capture")
    stored = capture.matte_window(1)
    assert (stored.alpha == stored.window.cut(alpha)).all()


def test_a_recording_that_has_gone_is_named_and_can_be_named_anew(tmp_path):
    path = write_video(tmp_path / "a.mp4", talking(2))
    prepare(path, tmp_path / "capture")
    path.rename(tmp_path / "b.mp4")
    capture = Capture.open(tmp_path / "capture")
    with pytest.raises(InputError, match=r"found nothing at .*a\.mp4"):
        list(capture.frames())
    assert len(list(Capture.open(tmp_path / "capture", tmp_path / "b.mp4").frames())) == 2


def test_a_recording_that_has_changed_is_noticed(tmp_path):
    path = write_video(tmp_path / "a.mp4", talking(2))
    prepare(path, tmp_path / "capture")
    write_video(path, numbered(2))
    with pytest.raises(InputError, match="the recording has changed since it was prepared: expected frames of 280×240, found 64×48"):
        list(Capture.open(tmp_path / "capture").frames())


@pytest.mark.parametrize("name", ["landmarks.npz", "about.json", "mattes/000001.png"])
def test_a_damaged_capture_is_refused_with_the_file_named(tmp_path, name):
    prepare(write_video(tmp_path / "a.mp4", talking(3)), tmp_path / "capture")
    damaged = tmp_path / "capture" / name
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(FormatError, match=damaged.name):
        list(Capture.open(tmp_path / "capture").frames())


def test_a_folder_that_is_no_capture_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder that Headcast made \(kind 'capture'\)"):
        Capture.open(tmp_path)


def test_a_recurrent_matting_network_goes_on_with_its_states(tmp_path):
    """The tiny network's opacity grows by a tenth from frame to frame: a broken preparation has to remember how far it was."""
    tiny_networks = pytest.importorskip("tiny_networks", reason="the onnx packages are not installed")
    video = write_video(tmp_path / "talk.mp4", talking(12))
    network = tiny_networks.recurrent(tmp_path / "rvm.onnx")
    config = PrepareConfig(part_frames=4, matting=f"rvm:{network}")
    expected = prepare(video, tmp_path / "whole", config)
    middle = [int(expected.matte(idx).max()) for idx in range(9)]
    np.testing.assert_allclose(np.diff(middle), 25.5, atol=1)
    steps = prepare_steps(video, tmp_path / "broken", config)
    next(step for step in steps if step.done == 6)
    steps.close()
    again = prepare(video, tmp_path / "broken", config, resume=True)
    assert all((again.matte(idx) == expected.matte(idx)).all() for idx in range(12))


def test_another_network_under_the_same_name_is_another_setting(tmp_path):
    tiny_networks = pytest.importorskip("tiny_networks", reason="the onnx packages are not installed")
    network = tiny_networks.weighted(tmp_path / "net.onnx", (1, 0, 0), 0)
    config = PrepareConfig(matting=f"modnet:{network}")
    first = config.key()
    moved = tmp_path / "elsewhere.onnx"
    moved.write_bytes(network.read_bytes())
    assert PrepareConfig(matting=f"modnet:{moved}").key() == first
    tiny_networks.weighted(network, (0, 1, 0), 0)
    assert config.key() != first and "matting" not in PrepareConfig().key()

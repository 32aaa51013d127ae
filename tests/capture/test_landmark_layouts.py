"""Captures say which landmarks they hold: MediaPipe's, those of networks that the user brings, or both."""

import json
import shutil

import numpy as np
import pytest
from recordings import talking, write_video

from headcast.capture import Capture, PrepareConfig, prepare
from headcast.cli.main import main
from headcast.errors import FormatError

pytest.importorskip("onnx", reason="the test extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
import tiny_networks

COUNT = 4


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("talking") / "clip.mp4", talking(COUNT))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return tiny_networks.bright_places(tmp_path_factory.mktemp("network") / "star.onnx", 98, 256, -1.0)


@pytest.fixture(scope="module")
def both(clip, network, tmp_path_factory):
    return prepare(clip, tmp_path_factory.mktemp("both") / "capture", PrepareConfig(landmarks=("mediapipe", f"star:{network}")))


def test_the_points_of_each_source_stand_one_after_another(both, clip, tmp_path):
    alone = prepare(clip, tmp_path / "capture")
    assert both.layouts == ("mediapipe_478", "wflw_98") and alone.layouts == ("mediapipe_478",)
    assert both.landmarks_px.shape == (COUNT, 576, 2) and both.confidence.shape == (COUNT, 576)
    np.testing.assert_array_equal(both.landmarks_px[:, :478], alone.landmarks_px)
    assert bool(both.found.all()) and (both.box == alone.box).all()


def test_a_capture_of_68_points_is_tracked_from_the_command_line(clip, tmp_path):
    """Points of the mean head, wherever the face is: what counts is that a run of such a capture goes through to its report, labels and video."""
    network = tiny_networks.mean_face(tmp_path / "fan.onnx", tiny_networks.a_face())
    arguments = ["--mode", "fast", "--no-photometric", "--keyframes", "2", "--prepare.landmarks", f"fan:{network}"]
    assert main(["track", str(clip), "--out", str(tmp_path / "run"), *arguments]) == 0
    assert Capture.open(tmp_path / "run" / "capture").layouts == ("ibug_68",)
    assert main(["parse", str(tmp_path / "run")]) == 0


def test_a_network_that_sees_no_face_leaves_none_to_track(clip, tmp_path, capsys):
    network = tiny_networks.bright_maps(tmp_path / "fan.onnx", 68)
    assert main(["track", str(clip), "--out", str(tmp_path / "run"), "--prepare.landmarks", f"fan:{network}"]) == 2
    assert "expected a face in at least one of the 4 frames" in " ".join(capsys.readouterr().err.split())


def test_another_choice_of_landmarks_is_another_capture(both, clip, network, capsys):
    assert main(["prepare", str(clip), "--out", str(both.paths.root), "--landmarks", f"star:{network}"]) == 2
    assert "made with other settings" in " ".join(capsys.readouterr().err.split())


def test_captures_of_layout_2_hold_mediapipes_points(both, tmp_path):
    folder = changed(both, tmp_path, lambda arrays: {name: value for name, value in arrays.items() if name != "layouts"}, 478)
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, "schema": 2}))
    assert Capture.open(folder).layouts == ("mediapipe_478",)


@pytest.mark.parametrize(
    ("layouts", "words"),
    [(["wflw_98"], "expected the 98 landmarks of wflw_98, found 576"), (["dlib_5"], "different landmark layouts out of .*found 'dlib_5'")],
)
def test_landmarks_that_are_not_what_a_capture_says_are_refused(layouts, words, both, tmp_path):
    folder = changed(both, tmp_path, lambda arrays: {**arrays, "layouts": np.array(layouts)})
    with pytest.raises(FormatError, match=words):
        Capture.open(folder)


def changed(capture, tmp_path, change, count=576):
    folder = tmp_path / "changed"
    shutil.copytree(capture.paths.root, folder)
    with np.load(folder / "landmarks.npz") as stored:
        arrays = change({name: stored[name] for name in stored.files})
    marks = ("landmarks_px", "depth_px", "confidence", "visibility")
    np.savez(folder / "landmarks.npz", **{name: value[:, :count] if name in marks else value for name, value in arrays.items()})
    return folder

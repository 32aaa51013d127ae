"""A run is labelled, read back frame by frame, and said what is wrong where it is."""

from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image
from portrait_clips import FASTEST, moving_portrait, portrait, write_video

from headcast.capture.cameras import KIND, SCHEMA
from headcast.cli.main import main
from headcast.errors import FormatError, InputError
from headcast.parse import LABEL_OF, ParseConfig, of_labels, parse, read_normals, read_parsing
from headcast.parse.channels import write_normals
from headcast.parse.view import View
from headcast.perceive import Window
from headcast.store import RunPaths, write_json
from headcast.track.run import Run


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parse")
    blank = [np.full((256, 256, 3), 90, np.uint8)]
    write_video(folder / "video.mp4", moving_portrait(5) + blank)
    assert main(["track", str(folder / "video.mp4"), "--out", str(folder / "run"), *FASTEST]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def labelled(tracked):
    assert main(["parse", str(tracked)]) == 0
    return Run.open(tracked)


def test_every_frame_has_labels_and_normals_of_its_size(labelled):
    for frame_idx in range(labelled.capture.frame_count):
        parsing = read_parsing(labelled, frame_idx)
        assert parsing.labels.shape == parsing.confidence.shape == labelled.capture.size
        assert read_normals(labelled, frame_idx).shape == (*labelled.capture.size, 3)


def test_a_portrait_has_a_face_hair_or_hat_and_clothes(labelled):
    parsing = read_parsing(labelled, 1)
    share = {name: (parsing.labels == number).mean() for name, number in LABEL_OF.items()}
    assert all(share[name] > 0 for name in ("skin", "nose", "left_eye", "right_eye", "upper_lip", "lower_lip", "neck"))
    assert share["hair"] > 0.02 and share["cloth"] > 0.05 and share["skin"] > 0.05
    assert share["hat"] == share["glasses"] == 0


def test_eyes_lie_around_the_landmarks(labelled):
    assert_eyes_lie_around_the_landmarks(labelled, 1)


def assert_eyes_lie_around_the_landmarks(run, frame_idx):
    labels, points = read_parsing(run, frame_idx).labels, run.capture.landmarks_px[frame_idx]
    for name, landmark in (("left_eye", 473), ("right_eye", 468)):
        row, column = np.argwhere(labels == LABEL_OF[name]).mean(0)
        # An eye here is about 12 pixels wide.
        assert np.hypot(column + 0.5 - points[landmark, 0], row + 0.5 - points[landmark, 1]) < 5


def test_of_several_cameras_that_move_the_first_ones_pictures_are_labelled(tmp_path, capsys):
    poses, cameras = np.tile(np.eye(4), (4, 1, 1)), []
    # About 60 pixels from the first frame to the last: labels drawn with the first pose would miss the eyes.
    poses[:, 0, 3] = 0.04 * np.arange(4)
    for name, shift_px in (("front", 0.0), ("side", 24.0)):
        write_video(tmp_path / f"{name}.mp4", [portrait(shift_px=shift_px)] * 4)
        # The portrait's face is 0.58 m away from a lens of 320 pixels.
        own = poses.copy()
        own[:, 0, 3] += shift_px * 0.58 / 320
        cameras.append({"name": name, "pictures": f"{name}.mp4", "focal_px": 320, "camera_from_world": own.tolist()})
    write_json(tmp_path / "cameras.json", {"kind": KIND, "schema": SCHEMA, "cameras": cameras})
    assert main(["track", str(tmp_path / "cameras.json"), "--out", str(tmp_path / "run"), *FASTEST]) == 0
    assert main(["parse", str(tmp_path / "run"), "--no-preview"]) == 0
    assert "of 2 cameras only the pictures of the first, 'front'" in capsys.readouterr().out
    run = Run.open(tmp_path / "run")
    assert run.track.valid.all()
    for frame_idx in range(4):
        assert_eyes_lie_around_the_landmarks(run, frame_idx)


def test_a_frame_without_a_face_is_background_nobody_trusts(labelled):
    assert not labelled.track.valid[5]
    parsing = read_parsing(labelled, 5)
    assert not parsing.labels.any() and not parsing.confidence.any() and not read_normals(labelled, 5).any()


def test_normals_are_where_the_head_is_bare(labelled):
    labels, normals = read_parsing(labelled, 1).labels, read_normals(labelled, 1)
    known = np.linalg.norm(normals, axis=-1)
    assert np.allclose(known[known > 0], 1, atol=1e-4)
    assert (known[of_labels(labels, ("hair", "cloth", "background")) > 0] > 0).mean() < 0.01
    assert (known[labels == LABEL_OF["nose"]] > 0).mean() > 0.95


def test_anyone_can_read_the_labels_with_their_colours(labelled):
    with Image.open(labelled.paths.parsing.labels(0)) as picture:
        assert picture.mode == "P" and len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 5


def test_the_preview_shows_every_frame(labelled):
    with av.open(str(labelled.paths.parsing.preview)) as video:
        assert len(list(video.decode(video=0))) == labelled.capture.frame_count


def test_labelling_twice_needs_a_word(labelled, capsys):
    assert main(["parse", str(labelled.paths.root)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    parse(labelled, ParseConfig(preview=False), overwrite=True)
    assert not labelled.paths.parsing.preview.is_file() and read_parsing(labelled, 0).labels.any()


def test_a_run_without_labels_says_how_to_make_them(labelled, tmp_path):
    with pytest.raises(InputError, match="headcast parse"):
        read_parsing(replace(labelled, paths=RunPaths(tmp_path)), 0)


def test_a_frame_beyond_the_last_and_a_broken_file_are_named(labelled):
    with pytest.raises(InputError, match="frame 99"):
        read_parsing(labelled, 99)
    paths = labelled.paths.parsing
    kept = paths.labels(3).read_bytes()
    paths.labels(3).write_bytes(kept[:60])
    with pytest.raises(FormatError, match=r"labels.000003"):
        read_parsing(labelled, 3)
    Image.fromarray(np.full(labelled.capture.size, 77, np.uint8)).save(paths.labels(3))
    with pytest.raises(FormatError, match="77"):
        read_parsing(labelled, 3)
    paths.labels(3).write_bytes(kept)


def test_normals_survive_their_file(labelled):
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(*labelled.capture.size, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[:10] = 0
    paths = labelled.paths.parsing
    kept = paths.normals(4).read_bytes()
    write_normals(paths, 4, normals)
    # Half a step of 1/32767.
    np.testing.assert_allclose(read_normals(labelled, 4), normals, atol=2e-5)
    paths.normals(4).write_bytes(kept)


def test_an_enlarged_window_keeps_its_labels():
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 10:20] = 17
    view = View(Window(4, 6, 60, 40), (80, 100), np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8))
    whole = view.whole_labels(labels)
    expected = np.zeros((80, 100), np.uint8)
    expected[6 + 10 : 6 + 30, 4 + 20 : 4 + 40] = 17
    # Corners are rounded by less than a pixel.
    assert (whole != expected).sum() <= 4 and set(np.unique(whole)) == {0, 17}


def test_networks_that_the_user_brings_label_and_give_normals(labelled, tmp_path):
    tiny_networks = pytest.importorskip("tiny_networks", reason="the onnx packages are not installed")
    labels, normals = tiny_networks.chooser(tmp_path / "l.onnx"), tiny_networks.direction(tmp_path / "n.onnx")
    before = read_parsing(labelled, 1).labels
    parse(labelled, ParseConfig(labels=f"bisenet:{labels}", normals=f"face_normals:{normals}", preview=False), overwrite=True)
    parsing, image = read_parsing(labelled, 1), next(labelled.capture.frames([1]))[1]
    # The tiny network knows hair where red is above ImageNet's mean, and an eye where green is.
    assert set(np.unique(parsing.labels)) <= {0, 4, 5, 17} and not np.array_equal(parsing.labels, before)
    assert not parsing.labels[labelled.capture.matte(1) == 0].any()
    found = read_normals(labelled, 1)
    known = (np.linalg.norm(found, axis=-1) > 0) & (parsing.labels > 0)
    expected = image * np.array([1.0, -1, -1])
    expected /= np.maximum(np.linalg.norm(expected, axis=-1, keepdims=True), 1e-6)
    assert known.any() and np.median(np.abs(found[known] - expected[known])) < 0.05
    parse(labelled, overwrite=True)


def test_a_network_that_is_none_leaves_the_labels_that_are_there(labelled, capsys):
    kept = read_parsing(labelled, 1).labels
    assert main(["parse", str(labelled.paths.root), "--labels", "unet:x.onnx", "--overwrite"]) == 2
    assert "bisenet:FILE" in capsys.readouterr().err
    assert (read_parsing(labelled, 1).labels == kept).all()

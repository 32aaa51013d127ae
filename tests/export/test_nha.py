"""Data sets of Neural Head Avatars: what that program loads is what was labelled, and reading undoes writing."""

import json

import numpy as np
import pytest
from PIL import Image
from portrait_clips import FASTEST, moving_portrait, write_video

from headcast.cli.main import main
from headcast.errors import FormatError, InputError
from headcast.export import nha_frames, read_nha
from headcast.parse import LABEL_OF, read_normals, read_parsing
from headcast.track.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nha")
    pictures = moving_portrait(3)
    pictures.insert(1, np.full((256, 256, 3), 90, np.uint8))
    write_video(folder / "video.mp4", pictures)
    assert main(["track", str(folder / "video.mp4"), "--out", str(folder / "run"), *FASTEST]) == 0
    assert main(["export", str(folder / "run"), "--to", "nha"]) == 2, "it is not labelled yet"
    assert main(["parse", str(folder / "run")]) == 0
    return Run.open(folder / "run")


@pytest.fixture(scope="module")
def written(run):
    assert main(["export", str(run.paths.root), "--to", "nha"]) == 0
    return run.paths.exports / "nha"


def test_only_frames_with_a_face_are_written_under_their_own_numbers(run, written):
    expected = [idx + 1 for idx in np.flatnonzero(run.track.valid.numpy())]
    assert nha_frames(written) == expected and len(expected) == 3
    split = json.loads((written / "split.json").read_text())
    assert split["train"] + split["val"] == expected and split["val"]
    assert json.loads((written / "transforms.json").read_text()) == {"scale": {"w_in": 256, "w_out": 256, "h_in": 256, "h_out": 256}}


def test_files_hold_what_that_program_expects(run, written):
    number = nha_frames(written)[0]
    place = written / f"frame_{number:04d}"
    assert sorted(path.name for path in place.iterdir()) == [
        "alpha_0000.png", "image_0000.png", "keypoints_static_0000.json", "normals_0000.png", "parsing_0000.png", "seg_0000.png",
    ]  # fmt: skip
    parsing = np.array(Image.open(place / "parsing_0000.png"))
    # That program's numbers: left eye 4 lies around the subject's left eye, iBUG landmarks 42 to 47.
    marks = np.array(json.loads((place / "keypoints_static_0000.json").read_text())["people"][0]["face_keypoints_2d"]).reshape(68, 3)
    rows, columns = np.nonzero(parsing == 4)
    assert np.hypot(columns.mean() - marks[42:48, 0].mean(), rows.mean() - marks[42:48, 1].mean()) < 4
    assert set(np.unique(np.array(Image.open(place / "seg_0000.png")))) == {0, 101}
    segments, cloth = np.array(Image.open(place / "seg_0000.png")), parsing == 16
    assert not segments[cloth | (parsing == 0)].any() and (segments[(parsing > 0) & ~cloth] == 101).all()


def test_the_nose_faces_the_viewer_and_the_chin_downwards_in_its_normals(written):
    place = written / f"frame_{nha_frames(written)[0]:04d}"
    normals = np.array(Image.open(place / "normals_0000.png")).astype(float) / 255 * 2 - 1
    parsing = np.array(Image.open(place / "parsing_0000.png"))
    assert normals[parsing == LABEL_OF["nose"]][:, 2].mean() > 0.5
    assert normals[parsing == LABEL_OF["neck"]][:, 1].mean() < normals[parsing == LABEL_OF["nose"]][:, 1].mean() + 0.5
    assert (np.array(Image.open(place / "normals_0000.png"))[parsing == 0] == 0).all()


def test_reading_undoes_writing(run, written):
    for number in nha_frames(written):
        idx = number - 1
        frame, parsing, normals = read_nha(written, number), read_parsing(run, idx), read_normals(run, idx)
        _, image, matte = next(run.capture.frames([idx]))
        assert (frame.image == image).all() and (frame.alpha == matte).all() and (frame.labels == parsing.labels).all()
        known = np.linalg.norm(normals, axis=-1) > 0
        # Eight bits: half a step of 2/255, and the length that rounding changes.
        np.testing.assert_allclose(frame.normals[known], normals[known], atol=0.012)
        assert not frame.normals[~known].any()
        np.testing.assert_allclose(frame.irises_px, run.capture.landmarks_px[idx, [468, 473]], atol=1e-3)
        assert np.linalg.norm(frame.landmarks_px[[36, 45]] - run.capture.landmarks_px[idx, [33, 263]], axis=-1).max() < 6


def test_what_that_program_itself_writes_can_be_read(written, tmp_path):
    """No soft matte, marks with irises missing, labels without a palette."""
    place = tmp_path / "frame_0000"
    place.mkdir()
    source = written / f"frame_{nha_frames(written)[0]:04d}"
    for path in source.iterdir():
        if path.name != "alpha_0000.png":
            (place / path.name).write_bytes(path.read_bytes())
    Image.fromarray(np.array(Image.open(source / "parsing_0000.png"))).save(place / "parsing_0000.png")
    value = json.loads((place / "keypoints_static_0000.json").read_text())
    value["people"][0]["iris_keypoints_2d"] = [-1] * 6
    (place / "keypoints_static_0000.json").write_text(json.dumps(value))
    frame = read_nha(tmp_path, 0)
    assert frame.alpha is None and frame.irises_px is None and frame.labels.any()


def test_broken_data_sets_are_named(written, tmp_path):
    with pytest.raises(InputError, match="frame_0000"):
        nha_frames(tmp_path)
    place = tmp_path / "frame_0007"
    place.mkdir()
    for path in (written / f"frame_{nha_frames(written)[0]:04d}").iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    (place / "keypoints_static_0000.json").write_text('{"people": []}')
    with pytest.raises(FormatError, match="people"):
        read_nha(tmp_path, 7)
    Image.fromarray(np.full((256, 256), 44, np.uint8)).save(place / "parsing_0000.png")
    with pytest.raises(FormatError, match="44"):
        read_nha(tmp_path, 7)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / "seg_0000.png")
    with pytest.raises(FormatError, match="seg"):
        read_nha(tmp_path, 7)


def test_a_file_of_parameters_has_no_pictures(run, written, capsys):
    assert main(["export", str(run.paths.root), "--to", "nha"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    (written / "mine.txt").write_text("keep")
    assert main(["export", str(run.paths.root), "--to", "nha", "--overwrite"]) == 2
    assert "mine.txt" in capsys.readouterr().err
    (written / "mine.txt").unlink()

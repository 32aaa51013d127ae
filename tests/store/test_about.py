"""A folder says what it is, and a reader believes nothing else."""

import json

import pytest

from headcast.errors import FormatError, InputError
from headcast.store.about import About, InputFile


@pytest.fixture
def about(tmp_path):
    (tmp_path / "video.mp4").write_bytes(b"frames")
    return About("track", 1, {"video": InputFile.of(tmp_path / "video.mp4")}, {"mode": "fast"})


def test_about_load_undoes_save(about, tmp_path):
    about.save(tmp_path / "about.json")
    assert About.load(tmp_path / "about.json", "track", 1) == about


def test_about_names_the_versions_that_made_the_folder(about, tmp_path):
    about.save(tmp_path / "about.json")
    made_by = json.loads((tmp_path / "about.json").read_text())["made_by"]
    assert made_by["numpy"].startswith("1.") and set(made_by) >= {"headcast", "python", "torch", "mediapipe"}


def test_inputs_are_the_same_when_their_bytes_are(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "c").write_bytes(b"2")
    a, b, c = (InputFile.of(tmp_path / name) for name in "abc")
    assert a.same_contents(b) and not a.same_contents(c)


def test_a_folder_of_pictures_is_another_input_when_a_picture_changes(tmp_path):
    (tmp_path / "0.png").write_bytes(b"1")
    before = InputFile.of(tmp_path)
    (tmp_path / "0.png").write_bytes(b"2")
    assert not before.same_contents(InputFile.of(tmp_path))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            '{"kind": "capture", "schema": 1, "inputs": {}, "details": {}}',
            InputError,
            "expected a folder of kind 'track', found one of kind 'capture'",
        ),
        (
            '{"kind": "track", "schema": 9, "inputs": {}, "details": {}}',
            FormatError,
            "the folder has layout 9, this Headcast .* knows up to 1: update",
        ),
        ('{"kind": "track"}', FormatError, "expected kind, schema, inputs and details, found"),
        ("[]", FormatError, "expected kind, schema, inputs and details, found"),
        ('{"kind": ', FormatError, "is not valid JSON"),
    ],
)
def test_a_folder_of_another_kind_is_refused(tmp_path, text, error, message):
    (tmp_path / "about.json").write_text(text)
    with pytest.raises(error, match=message):
        About.load(tmp_path / "about.json", "track", 1)


def test_a_folder_without_about_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder that Headcast made \(kind 'track'\); there is no about.json in"):
        About.load(tmp_path / "about.json", "track", 1)

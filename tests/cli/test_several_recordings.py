"""`headcast track` of several recordings of one person: ordinary runs with one identity, or one panel that names what is wrong."""

import numpy as np
import pytest
from portrait_clips import FASTEST, moving_portrait, write_video
from test_bad_input import _panel, _without_face

from headcast.cli.main import main
from headcast.store import read_json
from headcast.track import Track
from headcast.track.clip_runs import clip_name
from headcast.track.run import Run


def _track(sources, out, *more):
    return main(["track", *map(str, sources), "--out", str(out), *FASTEST, *more])


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    folder = tmp_path_factory.mktemp("days")
    return [write_video(folder / f"{name}.mp4", moving_portrait(count)) for name, count in (("monday", 4), ("tuesday", 3))]


@pytest.fixture(scope="module")
def both(days, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "both"
    assert _track(days, out) == 0
    return out


def test_each_recording_becomes_a_run_and_the_identity_is_one(both):
    monday, tuesday = (Run.open(both / name) for name in ("monday", "tuesday"))
    assert (monday.track.frame_count, tuesday.track.frame_count) == (4, 3)
    np.testing.assert_array_equal(monday.track.identity, tuesday.track.identity)
    assert read_json(monday.paths.config)["together"] == ["monday", "tuesday"]
    assert monday.paths.overlay.is_file() and tuesday.paths.report_html.is_file()
    assert tuesday.capture.frame_count == 3 and float(tuesday.track.time_s[0]) == 0


def test_finished_runs_are_used_as_they_are_and_half_finished_ones_are_finished(both, days):
    before = {name: (both / name / "track.npz").stat().st_mtime_ns for name in ("monday", "tuesday")}
    assert _track(days, both, "--resume") == 0
    assert {name: (both / name / "track.npz").stat().st_mtime_ns for name in before} == before
    about = both / "tuesday" / "about.json"
    text = about.read_text()
    about.write_text(text.replace('"finished": true', '"finished": false'))
    (both / "tuesday" / "report.html").unlink()
    assert _track(days, both, "--resume") == 0
    assert (both / "tuesday" / "report.html").is_file()
    assert {name: (both / name / "track.npz").stat().st_mtime_ns for name in before} == before


def test_runs_are_not_written_over(both, days, capsys):
    assert _track(days, both) == 2
    assert "expected an empty folder" in _panel(capsys)
    assert _track(days, both, "--resume", "--keyframes", "3") == 2
    assert "keyframes was 4, asked 3" in _panel(capsys)


def test_other_company_is_another_request(both, days, capsys):
    """A run of one clip alone is not the run that shares its identity."""
    assert _track(days[:1], both / "monday", "--resume") == 2
    assert "together" in _panel(capsys)


def test_two_recordings_of_one_name_are_refused(days, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "monday.mp4"
    twin.write_bytes(days[0].read_bytes())
    assert _track([days[0], twin], tmp_path / "both") == 2
    assert "found 'monday' twice" in _panel(capsys)
    assert not (tmp_path / "both").exists()


def test_a_recording_that_cannot_be_read_leaves_nothing_behind(days, tmp_path, capsys):
    assert _track([days[0], tmp_path / "missing.mp4"], tmp_path / "both") == 2
    assert "missing.mp4" in _panel(capsys)
    assert not (tmp_path / "both").exists()


def test_the_recording_without_a_face_is_named(days, tmp_path, capsys):
    noise = write_video(tmp_path / "noise.mp4", _without_face())
    assert _track([days[0], noise], tmp_path / "both") == 2
    assert "found none in the 3 frames of 'noise'" in _panel(capsys)


def test_a_folder_that_is_a_run_holds_no_others(both, days, capsys):
    assert _track(days, both / "monday") == 2
    assert "found one that holds a run itself" in _panel(capsys)


def test_recordings_are_called_by_their_files_or_folders(tmp_path):
    (tmp_path / "frames").mkdir()
    assert clip_name(tmp_path / "monday.mp4") == "monday"
    assert clip_name(tmp_path / "frames") == "frames"
    assert clip_name(tmp_path / "frames" / "color_*.png") == "frames"
    assert clip_name(tmp_path / "rig" / "cameras.json") == "rig"


def test_exports_of_such_runs_combine_without_a_word(both, tmp_path, capsys):
    for name in ("monday", "tuesday"):
        assert main(["export", str(both / name), "--to", "nerf", "--out", str(tmp_path / name)]) == 0
    capsys.readouterr()
    assert main(["combine", str(tmp_path / "monday"), str(tmp_path / "tuesday"), "--out", str(tmp_path / "union")]) == 0
    assert "identity" not in capsys.readouterr().out


def test_a_track_of_many_is_read_as_any_other(both):
    assert Track.load(both / "tuesday" / "track.npz").camera_names == ("camera",)

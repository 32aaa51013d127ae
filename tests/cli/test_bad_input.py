"""Whatever a person gives: one clear panel and exit code 2, or the right result; never a traceback, nothing lost."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from portrait_clips import FAST, FASTEST, moving_portrait, portrait, write_video

from headcast.cli.main import main
from headcast.heads import open_head
from headcast.heads._model_arrays import arrays_from_model
from headcast.solve.step_log import read_steps
from headcast.store import read_json
from headcast.track import Track


def _track(source, out, *more):
    return main(["track", str(source), "--out", str(out), *FASTEST, *more])


def _panel(capsys) -> str:
    """What the one panel on standard error says, on one line."""
    text = capsys.readouterr().err
    assert "Traceback" not in text and text.count("╭") == 1, text
    inside = [line.strip("│ ") for line in text[text.index("╭") :].splitlines() if line.startswith("│")]
    return " ".join(" ".join(inside).split())


def _without_face(frame_count=3, size=(96, 128)):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3), dtype=np.uint8) for _ in range(frame_count)]


def test_no_file(tmp_path, capsys):
    assert _track(tmp_path / "missing.mp4", tmp_path / "run") == 2
    assert "missing.mp4" in _panel(capsys)


def test_an_empty_file(tmp_path, capsys):
    (tmp_path / "empty.mp4").touch()
    assert _track(tmp_path / "empty.mp4", tmp_path / "run") == 2
    assert "empty.mp4" in _panel(capsys)


def test_a_text_file_named_mp4(tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    assert _track(tmp_path / "text.mp4", tmp_path / "run") == 2
    assert "text.mp4" in _panel(capsys)


def test_a_truncated_video_without_its_index(portrait_clip, tmp_path, capsys):
    (tmp_path / "cut.mp4").write_bytes(portrait_clip.read_bytes()[:-2000])
    assert _track(tmp_path / "cut.mp4", tmp_path / "run") == 2
    assert "cut.mp4" in _panel(capsys)


def test_a_video_whose_end_is_damaged_is_tracked_as_far_as_it_goes(tmp_path):
    """A transport stream has no index at its end: what is there can be shown."""
    whole = write_video(tmp_path / "whole.ts", moving_portrait(16))
    (tmp_path / "cut.ts").write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    assert _track(tmp_path / "cut.ts", tmp_path / "run") == 0
    track = Track.load(tmp_path / "run" / "track.npz")
    assert 2 <= track.frame_count < 16 and track.valid.sum() >= 2


def test_a_failed_start_does_not_block_the_next_try(tmp_path, portrait_clip, capsys):
    assert _track(tmp_path / "missing.mp4", tmp_path / "run") == 2
    _panel(capsys)
    assert _track(portrait_clip, tmp_path / "run") == 0


def test_a_video_without_a_face(tmp_path, capsys):
    source = write_video(tmp_path / "noise.mp4", _without_face())
    assert _track(source, tmp_path / "run") == 2
    assert "expected a face in at least one of the 3 frames, found none" in _panel(capsys)


def test_two_faces_one_is_followed(tmp_path):
    pair = [np.concatenate([picture, picture[:, ::-1]], axis=1) for picture in moving_portrait(6, (192, 192))]
    assert _track(write_video(tmp_path / "two.mp4", pair), tmp_path / "run") == 0
    track = Track.load(tmp_path / "run" / "track.npz")
    across = track.camera.project(track.world_from_head.translation[:, None])[:, 0, 0]
    assert bool(track.valid.all()) and float(across.max() - across.min()) < 40


def test_a_face_that_disappears_marks_frames_and_stops_nothing(tmp_path):
    pictures = moving_portrait(9)
    pictures[3:6] = [np.full_like(pictures[0], 90)] * 3
    assert _track(write_video(tmp_path / "gone.mp4", pictures), tmp_path / "run") == 0
    track = Track.load(tmp_path / "run" / "track.npz")
    assert track.valid.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    messages = [warning["message"] for warning in read_json(tmp_path / "run" / "report.json")["warnings"]]
    assert any("3–5" in message for message in messages)


def test_a_video_of_one_frame(tmp_path):
    assert _track(write_video(tmp_path / "one.mp4", moving_portrait(1)), tmp_path / "run") == 0
    assert Track.load(tmp_path / "run" / "track.npz").valid.tolist() == [True]


def test_odd_sizes(tmp_path):
    assert _track(write_video(tmp_path / "odd.mp4", moving_portrait(3, (241, 207))), tmp_path / "run") == 0
    assert Track.load(tmp_path / "run" / "track.npz").camera.size == (241, 207)


def test_pictures_of_16_pixels(tmp_path, capsys):
    source = write_video(tmp_path / "tiny.mp4", [portrait((16, 16))] * 2)
    code = _track(source, tmp_path / "run")
    assert code == 2 and "found none" in _panel(capsys)


@pytest.mark.slow
def test_pictures_of_4k(tmp_path):
    source = write_video(tmp_path / "large.mp4", [portrait((2160, 3840), shift) for shift in (0, 20)])
    assert _track(source, tmp_path / "run") == 0
    track = Track.load(tmp_path / "run" / "track.npz")
    assert bool(track.valid.all()) and track.camera.size == (2160, 3840)
    assert float((track.landmark_error_px / track.interocular_px).max()) < 0.05


def test_an_output_folder_with_something_else_is_left_alone(portrait_clip, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    for more in ([], ["--resume"], ["--overwrite"]):
        assert _track(portrait_clip, tmp_path, *more) == 2
        _panel(capsys)
    assert (tmp_path / "thesis.txt").read_text() == "years of work" and len(list(tmp_path.iterdir())) == 1


@pytest.fixture(scope="module")
def uninterrupted(portrait_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert _track(portrait_clip, folder) == 0
    return Track.load(folder / "track.npz")


def test_a_run_is_not_overwritten_without_asking(portrait_run, portrait_clip, capsys):
    before = portrait_run.paths.track.read_bytes()
    assert _track(portrait_clip, portrait_run.paths.root) == 2
    assert "Use --resume to go on with the run in it, --overwrite to start anew, or another folder" in _panel(capsys)
    assert portrait_run.paths.track.read_bytes() == before


def test_an_output_that_is_a_file(portrait_clip, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert _track(portrait_clip, tmp_path / "file") == 2
    assert "expected a folder to write to, found a file at" in _panel(capsys)


def test_resuming_with_other_settings_or_another_video_is_refused(portrait_run, tmp_path, capsys):
    root = portrait_run.paths.root
    assert main(["track", str(portrait_run.capture.source_path), "--out", str(root), *FAST, "--focal-px", "300", "--resume"]) == 2
    assert "the run was begun with other settings (track.focal_px was None, asked 300.0)" in _panel(capsys)
    other = write_video(tmp_path / "other.mp4", moving_portrait(4))
    assert main(["track", str(other), "--out", str(root), *FAST, "--resume"]) == 2
    assert "another recording" in _panel(capsys)


def test_resume_and_overwrite_together_are_refused(portrait_clip, tmp_path, capsys):
    assert _track(portrait_clip, tmp_path / "run", "--resume", "--overwrite") == 2
    assert "expected one of them, found both" in _panel(capsys)


def test_settings_out_of_range_are_refused(portrait_clip, tmp_path, capsys):
    assert _track(portrait_clip, tmp_path / "run", "--focal-px", "-3") == 2
    assert "focal_px must be positive, found -3.0" in _panel(capsys)


def test_a_model_that_is_not_there_says_where_it_comes_from(portrait_clip, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HEADCAST_MODELS", str(tmp_path))
    assert _track(portrait_clip, tmp_path / "run", "--model", "flame2020") == 2
    panel = _panel(capsys)
    assert "flame2020.pkl or generic_model.pkl from https://flame.is.tue.mpg.de" in panel and "licence" in panel and str(tmp_path) in panel


def test_models_with_missing_or_impossible_numbers_are_refused_before_anything_is_written(portrait_clip, tmp_path, capsys):
    whole = arrays_from_model(open_head())
    holed = whole | {"template": np.where(whole["template"] > 0.05, np.nan, whole["template"])}
    for name, arrays, said in (("holed.npz", holed, "not finite"), ("less.npz", {k: v for k, v in whole.items() if k != "faces"}, "'faces'")):
        np.savez(tmp_path / name, **arrays)
        assert _track(portrait_clip, tmp_path / "run", "--model", str(tmp_path / name)) == 2
        panel = _panel(capsys)
        assert said in panel and name in panel and not (tmp_path / "run").exists()


def test_a_model_that_tries_to_run_code_is_refused_and_runs_nothing(portrait_clip, tmp_path, capsys):
    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"v_template": Runs()}))
    assert _track(portrait_clip, tmp_path / "run", "--model", str(tmp_path / "evil.pkl")) == 2
    assert "nothing of it was run" in _panel(capsys)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "run").exists()


@pytest.mark.parametrize("limit", [3_000, 20_000, 60_000])
def test_a_full_disk(portrait_clip, tmp_path, limit):
    """The limit on file sizes stands for a full disk; it strikes in different files. With room again, --resume finishes the run."""

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "headcast", "track", str(portrait_clip), "--out", str(tmp_path / "run"), *FASTEST]
    found = subprocess.run(command, capture_output=True, text=True, preexec_fn=small_disk, env={**os.environ, "COLUMNS": "200"}, check=False)
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr and found.stderr.count("╭") == 1 and "Free some disk space" in found.stderr
    assert not [path for path in (tmp_path / "run").rglob("*.tmp*")]
    assert main([*command[3:], "--resume"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["config.json", "about.json", "landmarks.npz", "checkpoint.npz", "track.npz", "overlay.mp4", "report.json", "report.html"]
)
def test_a_kill_just_before_a_file_gets_its_name_loses_nothing(uninterrupted, portrait_clip, tmp_path, name):
    trap = f"""
import os, sys
rename = os.replace
os.replace = lambda old, new: os._exit(9) if str(new).endswith({name!r}) else rename(old, new)
from headcast.cli.main import main
main(sys.argv[1:])
"""
    command = ["track", str(portrait_clip), "--out", str(tmp_path / "run"), *FASTEST]
    assert subprocess.run([sys.executable, "-c", trap, *command], capture_output=True, check=False).returncode == 9
    assert main([*command, "--resume"]) == 0
    found = Track.load(tmp_path / "run" / "track.npz")
    np.testing.assert_allclose(found.world_from_head.translation, uninterrupted.world_from_head.translation, atol=1e-4)
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.startswith(".")], "no half-written files"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["perceive", "landmarks", "sequential", "overlay"])
def test_killed_at_any_stage_then_resumed_gives_the_same_track(uninterrupted, portrait_clip, tmp_path, stage):
    folder = tmp_path / "run"
    command = ["track", str(portrait_clip), "--out", str(folder), *FASTEST]
    process = subprocess.Popen([sys.executable, "-m", "headcast", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = folder / "steps.jsonl"
    while process.poll() is None and not (log.is_file() and any(step.stage == stage for step, _ in read_steps(log))):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main([*command, "--resume"]) == 0
    found, expected = Track.load(folder / "track.npz"), uninterrupted
    assert found.valid.tolist() == expected.valid.tolist()
    np.testing.assert_allclose(found.world_from_head.translation, expected.world_from_head.translation, atol=1e-4)
    np.testing.assert_allclose(found.expression, expected.expression, atol=2e-2)
    assert read_json(folder / "report.json")["frames"] == 12 and (folder / "overlay.mp4").is_file()
    assert {step.stage for step, _ in read_steps(log)} >= {"perceive", "landmarks", "sequential", "overlay"}

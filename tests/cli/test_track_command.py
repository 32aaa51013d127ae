"""`headcast track` leaves a folder that says everything that was promised."""

import json
import re

import av
import numpy as np
import pytest
from portrait_clips import FAST

from headcast.cli.main import main
from headcast.solve.step_log import read_steps, stage_seconds
from headcast.track import Track

_LANDMARK_TERMS = {"landmarks", "prior"}
_COLOUR_TERMS = {"landmarks", "photometric", "prior"}


def test_the_folder_holds_track_overlay_report_and_log(portrait_run):
    names = {path.name for path in portrait_run.paths.root.iterdir()}
    assert names >= {
        "checkpoint.npz",
        "about.json",
        "config.json",
        "track.npz",
        "albedo.npz",
        "albedo.png",
        "overlay.mp4",
        "report.html",
        "report.json",
        "steps.jsonl",
    }
    assert portrait_run.track.frame_count == 12 and bool(portrait_run.track.valid.all())


def test_the_report_has_every_field(portrait_run):
    report = json.loads(portrait_run.paths.report_json.read_text())
    assert set(report) == {
        "schema", "headcast", "source", "image_size", "fps", "model", "mode", "frames", "valid_frames", "landmark_error_px",
        "landmark_error_percent_of_interocular", "psnr_db", "silhouette_iou", "jitter", "focal_px", "focal_sigma_px", "focal_confidence",
        "keyframes", "stages", "seconds", "total_seconds", "frames_per_second", "peak_memory_mb", "cores", "warnings",
    }  # fmt: skip
    assert report["frames"] == report["valid_frames"] == 12 and report["mode"] == "fast" and report["image_size"] == [256, 256]
    assert 0 < report["landmark_error_percent_of_interocular"]["median"] < 5
    assert report["psnr_db"]["median"] > 20 and 0 < report["silhouette_iou"]["median"] <= 1
    assert {"rotation_deg", "translation_mm", "expression", "neck_deg", "jaw_deg"} <= set(report["jitter"])
    assert report["frames_per_second"] == pytest.approx(12 / report["total_seconds"])
    assert report["peak_memory_mb"] > 50
    assert {"perceive", "overlay"} <= set(report["seconds"]) and report["total_seconds"] == pytest.approx(sum(report["seconds"].values()))


def test_a_head_that_never_turns_says_little_about_the_focal_length_however_well_its_colours_fit(portrait_run):
    report = json.loads(portrait_run.paths.report_json.read_text())
    assert report["focal_confidence"] == "weakly determined" and report["focal_sigma_px"] > 0.1 * report["focal_px"]
    assert any("says little about the focal length" in warning["message"] for warning in report["warnings"])


def test_seconds_in_the_report_are_those_of_the_log(portrait_run):
    assert json.loads(portrait_run.paths.report_json.read_text())["seconds"] == stage_seconds(portrait_run.paths.steps)


def test_the_page_needs_nothing_from_elsewhere(portrait_run):
    page = portrait_run.paths.report_html.read_text()
    wanted = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)|url\(([^)]+)\)|@import""", page)
    assert {first[:10] for first, second in wanted} <= {"data:image", "overlay.mp"}
    assert "<script" not in page and "http" not in re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", page)
    assert page.count('<figure class="panels">') >= 3 and page.count("<svg") == 7


def test_the_overlay_has_every_frame_at_its_time(portrait_run):
    with av.open(str(portrait_run.paths.overlay)) as container:
        stream = container.streams.video[0]
        frames = [(float(frame.pts * stream.time_base), frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
    assert len(frames) == 12
    np.testing.assert_allclose([time for time, _ in frames], portrait_run.track.time_s.numpy(), atol=2e-3)
    height, width = frames[0][1].shape[:2]
    assert width == 4 * height and height % 2 == 0


def test_the_overlay_shows_the_recording_then_the_head_over_it_then_the_head_alone(portrait_run):
    with av.open(str(portrait_run.paths.overlay)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    recorded, fitted, left, right = np.split(picture, 4, axis=1)
    middle = slice(len(recorded) // 3, 2 * len(recorded) // 3)
    assert np.abs(recorded - fitted)[middle, middle].mean() > 10
    corner = (slice(0, 12), slice(0, 12))
    for side in (left, right):
        assert side[corner].mean() < 40 and side[middle, middle].mean() > 60


def test_the_log_and_the_curves_tell_of_every_stage(portrait_run):
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    stages = {step.stage for step, _ in read_steps(portrait_run.paths.steps)}
    assert {"perceive", "landmarks", "all", "sequential", "overlay"} <= stages
    events = EventAccumulator(str(portrait_run.paths.tensorboard))
    events.Reload()
    curves = set(events.Tags()["scalars"])
    for stage, terms in {"landmarks": _LANDMARK_TERMS, "all": _COLOUR_TERMS, "sequential": {*_COLOUR_TERMS, "inliers"}}.items():
        assert {f"{stage}/{term}" for term in terms} | {f"seconds/{stage}"} <= curves
    assert [event.step for event in events.Scalars("sequential/photometric")] == list(range(12))
    assert all(np.isfinite(event.value) for event in events.Scalars("all/photometric"))
    begun = [event.tensor_proto.string_val[0].decode() for event in events.Tensors("stages/text_summary")]
    assert [stage for stage in begun if stage in ("landmarks", "all", "sequential", "overlay")] == ["landmarks", "all", "sequential", "overlay"]


def test_resuming_a_finished_run_changes_nothing(portrait_run, portrait_clip):
    before = {path: path.stat().st_mtime_ns for path in portrait_run.paths.root.rglob("*") if path.is_file() and path.name != "config.json"}
    assert main(["track", str(portrait_clip), "--out", str(portrait_run.paths.root), *FAST, "--resume"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in portrait_run.paths.root.rglob("*") if path.is_file() and path.name != "config.json"}


def test_a_given_focal_length_is_kept(portrait_clip, tmp_path):
    assert main(["track", str(portrait_clip), "--out", str(tmp_path / "run"), *FAST, "--focal-px", "500"]) == 0
    track = Track.load(tmp_path / "run" / "track.npz")
    np.testing.assert_allclose(track.camera.focal_px.numpy(), 500, rtol=1e-4)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["focal_confidence"] == "given"


def test_a_capture_is_tracked_as_its_recording_is(portrait_clip, portrait_run, tmp_path, capsys):
    assert main(["prepare", str(portrait_clip), "--out", str(tmp_path / "capture")]) == 0
    command = ["track", str(tmp_path / "capture"), "--out", str(tmp_path / "run"), *FAST]
    assert main(command) == 0
    assert "using the landmarks and mattes of" in capsys.readouterr().err
    track = Track.load(tmp_path / "run" / "track.npz")
    np.testing.assert_allclose(track.world_from_head.translation, portrait_run.track.world_from_head.translation, atol=1e-4)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["source"] == str(portrait_clip)
    assert main([*command, "--resume"]) == 0


def test_a_run_is_no_recording(portrait_run, tmp_path, capsys):
    assert main(["track", str(portrait_run.paths.root), "--out", str(tmp_path / "run"), *FAST]) == 2
    assert "expected a folder of kind 'capture', found one of kind 'track'" in " ".join(capsys.readouterr().err.replace("│", "").split())
    assert not (tmp_path / "run").exists()


def _panel(capsys) -> str:
    return " ".join(capsys.readouterr().err.replace("│", "").split())


@pytest.fixture(scope="module")
def begun(portrait_clip, tmp_path_factory):
    """A finished run of two stages, and its command."""
    folder = tmp_path_factory.mktemp("stages") / "run"
    command = ["track", str(portrait_clip), "--out", str(folder), *FAST]
    assert main([*command, "--stages", "landmarks", "sequential"]) == 0
    return command, folder


def test_stages_that_were_chosen_are_worked_through_and_reported(begun):
    _, folder = begun
    report = json.loads((folder / "report.json").read_text())
    assert report["stages"] == ["landmarks:15", "sequential:1"] and report["psnr_db"] is None
    assert {"landmarks", "sequential"} <= set(report["seconds"]) and not (folder / "albedo.npz").exists()
    assert "landmarks:15 sequential:1" in (folder / "report.html").read_text()


def test_stages_are_added_to_a_finished_run_and_other_ones_refused(begun, portrait_clip, tmp_path, capsys):
    command, folder = begun
    assert main([*command, "--resume", "--stages", "rigid", "sequential"]) == 2
    assert "expected stages that go on from those of the run, 'landmarks:15 sequential:1', found 'rigid:15 sequential:1'" in _panel(capsys)
    assert main([*command, "--resume", "--stages", "landmarks", "sequential", "--keyframes", "5"]) == 2
    assert "keyframes was 4, asked 5" in _panel(capsys)
    longer = ["--stages", "landmarks", "sequential", "texture", "global:1"]
    assert main([*command, "--resume", *longer]) == 0
    assert "going on from the checkpoint: landmarks:15 sequential:1" in _panel(capsys)
    report = json.loads((folder / "report.json").read_text())
    assert report["stages"] == ["landmarks:15", "sequential:1", "texture:2", "global:1"]
    assert [name for name in report["seconds"] if name in ("landmarks", "sequential", "texture", "global epoch 1")] == [
        "landmarks", "sequential", "texture", "global epoch 1",
    ]  # fmt: skip
    assert main(["track", str(portrait_clip), "--out", str(tmp_path / "at-once"), *FAST, *longer]) == 0
    one, other = Track.load(folder / "track.npz"), Track.load(tmp_path / "at-once" / "track.npz")
    np.testing.assert_array_equal(one.expression, other.expression)
    np.testing.assert_array_equal(one.world_from_head.translation, other.world_from_head.translation)
    before = (folder / "track.npz").stat().st_mtime_ns
    assert main([*command, "--resume", *longer]) == 0 and (folder / "track.npz").stat().st_mtime_ns == before
    (folder / "checkpoint.npz").unlink()
    assert main([*command, "--resume", *longer, "global"]) == 2
    assert "expected checkpoint.npz to go on from, found none" in _panel(capsys)


def test_a_list_of_stages_that_makes_no_sense_leaves_nothing_behind(portrait_clip, tmp_path, capsys):
    for stages, said in (((), "expected at least one stage"), (("landmarks", "global"), "put 'sequential' before it"), (("lips",), "found 'lips'")):
        assert main(["track", str(portrait_clip), "--out", str(tmp_path / "run"), *FAST, "--stages", *stages]) == 2
        assert said in _panel(capsys) and not (tmp_path / "run").exists()

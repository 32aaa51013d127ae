"""`headcast export` from a finished run, and of files of Video Head Tracker."""

import numpy as np
import pytest
from small_tracks import small_track
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.cli.main import main
from headcast.export import write_vht
from headcast.heads.flame import load_flame, load_flame_root


@pytest.mark.parametrize(("name", "place"), [("arrays", "arrays.npz"), ("obj", "obj/frame_000011.obj"), ("ply", "ply/frame_000011.ply")])
def test_exports_land_in_the_runs_own_folder_and_are_not_replaced_without_asking(portrait_run, name, place, capsys):
    command = ["export", str(portrait_run.paths.root), "--to", name]
    assert main(command) == 0
    assert (portrait_run.paths.exports / place).is_file()
    capsys.readouterr()
    assert main(command) == 2
    assert "Use --overwrite to replace it" in " ".join(capsys.readouterr().err.replace("│", "").split())
    assert main([*command, "--overwrite"]) == 0


def test_arrays_of_a_run_hold_its_frames(portrait_run, tmp_path):
    assert main(["export", str(portrait_run.paths.root), "--to", "arrays", "--out", str(tmp_path / "a.npz")]) == 0
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert arrays["vertices"].shape == (12, len(portrait_run.model.template), 3) and arrays["valid"].all()
        inside = arrays["landmarks_478"] @ arrays["camera_from_world"][:3, :3].T + arrays["camera_from_world"][:3, 3]
        pixels = inside[..., :2] / inside[..., 2:] * arrays["focal_px"] + arrays["center_px"]
    away = np.linalg.norm(pixels - portrait_run.capture.landmarks_px, axis=-1).mean(1)
    np.testing.assert_allclose(away, portrait_run.track.landmark_error_px, rtol=0.05, atol=0.05)


def test_a_folder_with_something_else_is_not_overwritten(portrait_run, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["export", str(portrait_run.paths.root), "--to", "ply", "--out", str(tmp_path), "--overwrite"]) == 2
    assert "found notes.txt" in capsys.readouterr().err and (tmp_path / "notes.txt").is_file()


def test_a_run_with_the_open_head_has_no_flame_parameters(portrait_run, tmp_path, capsys):
    assert main(["export", str(portrait_run.paths.root), "--to", "vht", "--out", str(tmp_path / "a.npz")]) == 2
    assert "holds parameters of the FLAME model" in capsys.readouterr().err


def test_a_file_of_video_head_tracker_is_exported_like_a_run(tmp_path):
    model_file = tmp_path / "flame2020.pkl"
    write_flame_pickle(model_file, flame_arrays())
    model, root = load_flame(model_file), load_flame_root(model_file)
    track = small_track(model, frame_count=2, invalid=())
    write_vht(track, model, root, tmp_path / "tracked_flame_params.npz", np.zeros(1, np.float32))
    command = ["export", str(tmp_path / "tracked_flame_params.npz"), "--model", str(model_file), "--to", "ply", "--out", str(tmp_path / "ply")]
    assert main(command) == 0
    assert sorted(path.name for path in (tmp_path / "ply").iterdir()) == ["frame_000000.ply", "frame_000001.ply"]

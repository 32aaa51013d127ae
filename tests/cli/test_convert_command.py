"""`headcast convert`: curves of one model, run or file, become those of another."""

import json

import numpy as np
import pytest
from flame_schema import flame_schema, with_landmarks, write_flame_schema

from headcast.cli.main import main
from headcast.export import ARKIT_NAMES, ArkitCurves, read_arkit
from headcast.export.arkit import arkit_text
from headcast.heads import open_head
from headcast.heads._model_arrays import write_model


@pytest.fixture(scope="module")
def flame_file(tmp_path_factory):
    """FLAME's layout and expressions with landmarks, as kept after they were found: nothing is searched here."""
    folder = tmp_path_factory.mktemp("models")
    made = flame_schema(open_head())
    write_flame_schema(made, folder / "flame_schema.npz")
    write_model(folder / "flame.npz", with_landmarks(made, folder / "flame_schema.npz", open_head()))
    return folder / "flame.npz"


@pytest.fixture
def curves_file(tmp_path):
    expression = np.zeros((4, 52), np.float32)
    expression[:, ARKIT_NAMES.index("jawOpen")] = [0, 0.2, 0.5, 0.4]
    expression[2, ARKIT_NAMES.index("mouthSmileLeft")] = 0.6
    angles = np.zeros((4, 3, 3))
    angles[:, 0, 0] = [0, 0.1, 0.2, 0.3]
    path = tmp_path / "curves.csv"
    path.write_text(arkit_text(ArkitCurves(np.arange(4) / 30, expression, angles)))
    return path


def test_curves_go_to_flame_and_back(curves_file, flame_file, tmp_path, capsys):
    there, back, report = tmp_path / "flame.npz", tmp_path / "back.csv", tmp_path / "report.json"
    command = ["convert", str(curves_file), "--from", "arkit", "--to", str(flame_file), "--out", str(there), "--report", str(report)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "missing in the target: tongueOut" in said and f"wrote {there}" in said
    with np.load(there) as found:
        assert found["expr"].shape[0] == 4 and found["jaw_pose"][2, 0] > 0.1
        np.testing.assert_allclose(found["rotation"][:, 1], [0, 0.1, 0.2, 0.3], atol=1e-5)
    values = json.loads(report.read_text())
    assert values["missing"] == ["tongueOut"] and len(values["expressions"]) == 52 and values["matched"] > 0.95
    assert main(["convert", str(there), "--from", str(flame_file), "--to", "arkit", "--out", str(back)]) == 0
    before, after = read_arkit(curves_file), read_arkit(back)
    assert np.abs(before.expression - after.expression).mean() < 0.02
    np.testing.assert_allclose(after.time_s, before.time_s, atol=1e-3)
    np.testing.assert_allclose(after.angles[:, 0], before.angles[:, 0], atol=1e-4)


def test_a_run_of_the_open_head_is_written_as_it_is(portrait_run, tmp_path, capsys):
    run = str(portrait_run.paths.root)
    assert main(["convert", run, "--to", "arkit", "--out", str(tmp_path / "a.csv")]) == 0
    assert main(["export", run, "--to", "arkit", "--out", str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_a_run_goes_to_another_model_with_a_page(portrait_run, flame_file, tmp_path):
    out, report = tmp_path / "a.npz", tmp_path / "report.html"
    assert main(["convert", str(portrait_run.paths.root), "--to", str(flame_file), "--out", str(out), "--report", str(report)]) == 0
    with np.load(out) as found:
        assert len(found["expr"]) == portrait_run.track.frame_count
    page = report.read_text()
    assert "jawOpen" in page and "Missing in the target: tongueOut" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--to", "arkit", "--out", "a.npz"], "ends in .csv"),
        (["--to", "open", "--out", "a.csv"], "ends in .npz"),
        (["--to", "open", "--out", "a.npz"], "add --from arkit"),
        (["--to", "open", "--out", "a.npz", "--from", "arkit", "--report", "r.pdf"], "ends in .html or .json"),
        (["--to", "open", "--out", "a.npz", "--from", "arkit", "--report", "r.html"], "nothing to report"),
        (["--to", "martian", "--out", "a.npz", "--from", "arkit"], "martian"),
        (["--to", "open", "--out", "a.npz", "--from", "arkit", "--fps", "0"], "fps must be above 0"),
        (["--to", "open", "--out", "taken.npz", "--from", "arkit"], "--overwrite"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(curves_file, change, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.npz").write_text("mine")
    before = sorted(tmp_path.iterdir())
    assert main(["convert", str(curves_file), *change]) == 2
    panel = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert words in panel
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "taken.npz").read_text() == "mine"


def test_a_run_knows_its_model_and_nothing_is_nothing(portrait_run, tmp_path, capsys):
    out = str(tmp_path / "a.npz")
    assert main(["convert", str(portrait_run.paths.root), "--from", "arkit", "--to", "open", "--out", out]) == 2
    assert "knows its own head model" in " ".join(capsys.readouterr().err.split())
    assert main(["convert", str(tmp_path / "none.csv"), "--from", "arkit", "--to", "open", "--out", out]) == 2
    assert "found nothing" in " ".join(capsys.readouterr().err.split())

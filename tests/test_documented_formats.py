"""docs/formats.md names every array and field that Headcast writes, and the exports' tables name nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest

from headcast.avatars.mesh.mesh_avatar import _SCHEMA as MESH_AVATAR
from headcast.capture.capture import ARRAYS as CAPTURE
from headcast.cli.main import main
from headcast.evaluate.truth import _SCHEMA as TRUTH
from headcast.export.vht import _SCHEMA as VHT
from headcast.solve.step_log import read_steps
from headcast.store import read_json
from headcast.track.scene import ARRAYS as CHECKPOINT
from headcast.track.track import _RIG_SCHEMA as RIG
from headcast.track.track import _SCHEMA as TRACK

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    """From a heading that starts with the title to the next heading of any kind."""
    return re.search(rf"^#+ {re.escape(title)}[^\n]*\n(.*?)(?=^#+ |\Z)", PAGE, re.M | re.S).group(1)


def _named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9_A-Z]+)`", text))


def _first_column(text: str) -> set[str]:
    return {name for line in text.splitlines() if line.startswith("| `") for name in _named(line.split("|")[1])}


@pytest.mark.parametrize(
    ("title", "arrays"),
    [("track.npz", TRACK), ("Capture", CAPTURE), ("tracked_flame_params.npz", VHT), ("Synthetic clip", set(TRUTH) - set(TRACK) - {"model"})],
)
def test_every_array_is_named(title, arrays):
    extra = _first_column(_section("arrays.npz")) if title == "Synthetic clip" else set()
    assert set(arrays) - extra <= _named(_section(title))


def test_the_table_of_a_track_holds_its_arrays_and_nothing_else():
    assert _first_column(_section("track.npz")) == set(TRACK) | set(RIG)


def test_the_table_of_a_mesh_avatar_holds_its_arrays_and_nothing_else():
    assert _first_column(_section("avatar.npz of a mesh avatar")) == set(MESH_AVATAR)


def test_the_table_of_a_checkpoint_holds_its_arrays_and_nothing_else():
    before = {name for name in CHECKPOINT if name.startswith("before_")}
    assert _first_column(_section("checkpoint.npz")) == set(CHECKPOINT) - before


def test_the_table_of_the_arrays_export_holds_its_arrays_and_nothing_else(portrait_run, tmp_path):
    assert main(["export", str(portrait_run.paths.root), "--to", "arrays", "--out", str(tmp_path / "a.npz")]) == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert _first_column(_section("arrays.npz")) == set(arrays.files) | set(RIG)


def test_every_field_of_the_report_is_named(portrait_run):
    assert _first_column(_section("report.json")) == set(read_json(portrait_run.paths.report_json))


def test_every_word_of_the_log_is_named(portrait_run):
    assert list(read_steps(portrait_run.paths.steps))
    words = set(re.findall(r'"(\w+)":', portrait_run.paths.steps.read_text())) - {"found", "inliers", "psnr_db"}
    assert words <= _named(_section("steps.jsonl"))


def test_every_file_of_a_run_is_named(portrait_run):
    for child in portrait_run.paths.root.iterdir():
        assert child.name in PAGE, child.name

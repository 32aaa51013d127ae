"""Without an optional package the rest works, and what needs it says how to get it before anything is written."""

import sys

import pytest
from portrait_clips import FASTEST

from headcast.cli.main import main


def _said(capsys) -> str:
    return " ".join(capsys.readouterr().err.replace("│", "").split())


def test_view_without_viser(portrait_run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "viser", None)
    assert main(["view", str(portrait_run.paths.root)]) == 2
    assert "headcast view needs the package 'viser', which is not installed. Run: pip install 'headcast[view]'" in _said(capsys)


def test_curves_without_tensorboard(portrait_clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main(["track", str(portrait_clip), "--out", str(tmp_path / "run"), *FASTEST, "--tensorboard"]) == 2
    assert "--tensorboard needs the package 'tensorboard'" in _said(capsys) and not (tmp_path / "run").exists()


def test_curves_can_be_read_by_tensorboard(portrait_run):
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="the tensorboard extra is not installed")
    events = module.EventAccumulator(str(portrait_run.paths.tensorboard))
    events.Reload()
    assert "overlay" in events.Tags()["images"]
    found = events.Scalars("perceive/found")
    assert [one.step for one in found] == list(range(12)) and all(one.value == 1 for one in found)

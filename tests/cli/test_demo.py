"""`headcast demo` runs the whole chain and says where everything is."""

import re
from pathlib import Path

import numpy as np
import pytest

from headcast.cli.main import main


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "Use --overwrite to replace an earlier demo" in " ".join(capsys.readouterr().err.replace("│", "").split())
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_the_demo_leaves_two_runs_and_arrays_and_names_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    said = capsys.readouterr().out
    named = [Path(path) for path in re.findall(r"(?:report|overlay|arrays)\s+(\S+)", said)]
    assert len(named) == 5 and all(path.is_file() for path in named)
    with np.load(tmp_path / "demo" / "video" / "run" / "exports" / "arrays.npz", allow_pickle=False) as arrays:
        assert arrays["valid"].all() and len(arrays["vertices"]) == 48
    landmarks_px = float(re.search(r"landmarks ([\d.]+) px", said).group(1))
    # Measured 1 to 2 px on this clip; a broken link in the chain gives tens.
    assert landmarks_px < 4

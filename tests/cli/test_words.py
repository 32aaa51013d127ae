"""What a person reads: help of every verb and the panels, compared with files in `words`.

After a change that is meant, write them anew: HEADCAST_UPDATE_WORDS=1 python -m pytest tests/cli/test_words.py
"""

import errno
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headcast
from headcast.cli.main import VERBS, main
from headcast.errors import InputError, MissingAssetError, MissingExtraError

WORDS = Path(__file__).parent / "words"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def _same_words(name: str, text: str) -> None:
    text = "\n".join(line.rstrip() for line in _STYLE.sub("", text).splitlines()).strip() + "\n"
    text = text.replace(headcast.__version__, "VERSION")
    if os.environ.get("HEADCAST_UPDATE_WORDS"):
        (WORDS / name).write_text(text, encoding="utf-8")
    assert text == (WORDS / name).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def one_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")


def test_help(capsys):
    assert main(["--help"]) == 0
    _same_words("help.txt", capsys.readouterr().out)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    _same_words(f"help_{verb}.txt", capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["track", "avatar"])
def test_help_of_what_can_be_evaluated(kind, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", kind, "--help"])
    assert ended.value.code == 0
    _same_words(f"help_evaluate_{kind}.txt", capsys.readouterr().out)


@pytest.mark.parametrize("verb", VERBS)
def test_the_overview_says_of_a_verb_what_its_own_help_says_first(verb):
    function = getattr(importlib.import_module(f"headcast.cli.{verb}"), verb)
    assert inspect.getdoc(function).splitlines()[0] == VERBS[verb]


def test_help_and_version_import_nothing_heavy():
    """So that they come at once."""
    code = "import sys; from headcast.cli.main import main; main(['--help']); main(['--version']); print(sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"headcast {headcast.__version__}" in found
    loaded = found.splitlines()[-1]
    assert not [name for name in ("torch", "numpy", "numba", "mediapipe", "av", "tyro", "cv2") if f"'{name}'" in loaded]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("unknown_verb", ["trak"]),
        ("unknown_verb_like_nothing", ["fly"]),
        ("view_nothing", ["view", "not-there"]),
        ("export_nothing", ["export", "not-there", "--to", "arrays"]),
        ("track_nothing", ["track", "not-there.mp4", "--out", "run"]),
        ("prepare_nothing", ["prepare", "not-there.mp4", "--out", "capture"]),
        ("evaluate_nothing", ["evaluate", "track", "not-there", "--truth", "not-there-either"]),
    ],
)
def test_panels_of_mistyped_commands(name, arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    _same_words(f"{name}.txt", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("input", InputError("expected a video, found a folder of songs: music")),
        ("missing_extra", MissingExtraError("headcast view", "viser", "view")),
        ("missing_asset", MissingAssetError("the model 'x' is not here. Get x.pkl from https://example.org; licence: CC-BY-4.0. Put it into models")),
        ("full_disk", OSError(errno.ENOSPC, "No space left on device", "run/track.npz")),
        ("no_graphics_library", ImportError("libGL.so.1: cannot open shared object file: No such file or directory")),
        ("interrupted", KeyboardInterrupt()),
    ],
)
def test_panels_of_trouble(name, error, capsys, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(sys.modules["headcast.cli.main"], "_run", fail)
    assert main(["track", "video.mp4"]) == (130 if isinstance(error, KeyboardInterrupt) else 2)
    _same_words(f"trouble_{name}.txt", capsys.readouterr().err)


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EIO, "Input/output error"), ImportError("No module named 'nonsense'")])
def test_a_bug_keeps_its_traceback(error, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(sys.modules["headcast.cli.main"], "_run", fail)
    with pytest.raises(type(error), match=str(error.args[-1])):
        main(["track"])


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_reader_that_leaves_early_is_no_trouble(option):
    """As in `headcast --help | head -1`: whoever read has gone before anything is written."""
    command = f"(sleep 0.3; exec {sys.executable} -m headcast {option}) | true"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert found.returncode == 0 and not found.stderr

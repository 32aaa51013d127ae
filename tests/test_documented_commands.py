"""Every `headcast` command and every Python block in README and docs runs, in order, on a short clip."""

import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from made_heads import write_scan
from PIL import Image
from portrait_clips import moving_portrait, portrait, write_video

from headcast.cli.main import VERBS, main

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(bash|python)[^\n]*\n(.*?)^```", re.M | re.S)


def _blocks(page: Path) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def _commands(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("headcast ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the pages speak of: a video, a photo, a folder of pictures, a scan. Commands that were run already are remembered."""
    folder = tmp_path_factory.mktemp("documented")
    write_video(folder / "video.mp4", moving_portrait(6, (192, 192)))
    Image.fromarray(portrait((256, 256))).save(folder / "photo.jpg")
    write_scan(folder)
    (folder / "frames").mkdir()
    for k, picture in enumerate(moving_portrait(3)):
        Image.fromarray(picture).save(folder / "frames" / f"{k:03d}.png")
    return folder, set()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_everything_on_the_page_runs(page, workplace, monkeypatch, capsys):
    folder, done = workplace
    monkeypatch.chdir(folder)
    names: dict = {}
    for kind, text in _blocks(page):
        if kind == "python":
            exec(compile(text, str(page), "exec"), names)
            continue
        for command in _commands(text):
            if tuple(command) not in done:
                _run(command[1:])
                done.add(tuple(command))
    capsys.readouterr()


def _run(arguments: list[str]) -> None:
    if arguments[0] != "view":
        assert main(arguments) == 0, f"headcast {shlex.join(arguments)}"
        return
    # What a shell starts in the background ignores interrupts, and so would what is started from there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen([sys.executable, "-m", "headcast", *arguments], stdout=subprocess.PIPE, text=True) as process:
        url = next(found.group() for line in process.stdout if (found := re.search(r"open (http://\S+)", line)))
        with urllib.request.urlopen(url.removeprefix("open "), timeout=20) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_commands_in_running_text_name_verbs_that_exist():
    """Also those that are not in a block, such as `headcast doctor`."""
    for page in PAGES:
        for verb in re.findall(r"`headcast ([a-z]+)", page.read_text(encoding="utf-8")):
            assert verb in VERBS, f"{page.name} speaks of 'headcast {verb}'"


def test_tests_and_flags_in_running_text_exist():
    tests = {name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)}
    flags = {flag for path in (ROOT / "tests" / "cli" / "words").glob("help_*.txt") for flag in re.findall(r"--[a-z][a-z.-]*", path.read_text())}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"`(test_\w+)`", text)) <= tests, page.name
        assert all((ROOT / path).exists() for path in re.findall(r"`(tests/[\w/.]+)`", text)), page.name
        assert set(re.findall(r"`(--[a-z][a-z.-]*)", text)) <= flags, page.name


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_arrays_are_used_with_numpy_alone():
    """The guide promises that NumPy is enough: its blocks import nothing else."""
    text = "".join(block for kind, block in _blocks(ROOT / "docs" / "guides" / "use-the-arrays.md") if kind == "python")
    assert set(re.findall(r"^\s*(?:import|from)\s+([\w.]+)", text, re.M)) == {"numpy"}

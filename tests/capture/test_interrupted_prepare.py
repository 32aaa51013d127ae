"""What is left when a preparation is killed or the disk is full, and that it goes on as if nothing had been."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from recordings import talking, with_face, write_video

from headcast.capture import Capture, PrepareConfig, prepare, prepare_steps
from headcast.errors import InputError
from headcast.store import CapturePaths

PART = 8
FRAMES = 30
CHILD = """
import sys
from headcast.capture import PrepareConfig, prepare_steps
{limit}
for step in prepare_steps(sys.argv[1], sys.argv[2], PrepareConfig(part_frames={part}), resume=True):
    print(step.done, flush=True)
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """The face is away for a while and comes back."""
    pictures = talking(FRAMES)
    pictures[14:18] = [np.full((240, 280, 3), 90, np.uint8)] * 4
    pictures[20:] = [with_face((240, 280), 60 - k, 25) for k in range(10)]
    return write_video(tmp_path_factory.mktemp("recording") / "talk.mp4", pictures, options={"g": "10", "crf": "12"})


@pytest.fixture(scope="module")
def expected(recording, tmp_path_factory) -> Capture:
    return prepare(recording, tmp_path_factory.mktemp("whole") / "capture", PrepareConfig(part_frames=1000))


def same(capture: Capture, expected: Capture) -> None:
    for name in ("landmarks_px", "depth_px", "confidence", "visibility", "found", "cuts", "time_s", "box", "matte_windows"):
        assert (getattr(capture, name) == getattr(expected, name)).all(), name
    assert all((capture.matte(idx) == expected.matte(idx)).all() for idx in range(FRAMES))
    assert capture.warnings == expected.warnings
    assert not capture.paths.parts.exists()
    assert not [path for path in capture.paths.root.rglob("*") if path.name.startswith(".")], "no half-written files"


@pytest.mark.parametrize("stop_at", [3, 9, 17, 25])
def test_a_preparation_that_is_broken_off_goes_on_to_the_same_result(recording, expected, tmp_path, stop_at):
    config = PrepareConfig(part_frames=PART)
    steps = prepare_steps(recording, tmp_path / "capture", config)
    for step in steps:
        if step.done == stop_at:
            steps.close()
            break
    seen = []
    capture = prepare(recording, tmp_path / "capture", config, resume=True, readers=(seen.append,))
    same(capture, expected)
    assert stop_at < PART or seen[0].done >= stop_at // PART * PART


def test_a_killed_preparation_goes_on_to_the_same_result(recording, expected, tmp_path):
    folder = tmp_path / "capture"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(limit="", part=PART), str(recording), str(folder)], stdout=subprocess.PIPE, text=True
    )
    for line in child.stdout:
        if int(line) >= PART + 5:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    time.sleep(0.1)
    assert list(CapturePaths(folder).parts.glob("frames_*.npz")), "the first part was written"
    with pytest.raises(InputError, match="was not finished; run the same command with --resume"):
        Capture.open(folder)
    config = PrepareConfig(part_frames=PART)
    with pytest.raises(InputError, match=r"unfinished capture of this recording\. Use --resume to go on or --overwrite to start anew"):
        prepare(recording, folder, config)
    same(prepare(recording, folder, config, resume=True), expected)


@pytest.mark.parametrize("write", [1, 2, 12, 31, 32])
def test_a_kill_at_any_write_loses_nothing(recording, expected, tmp_path, write):
    """The process ends, without any clean-up, just before its n-th file gets its name. The writes are: what is being prepared, a matte
    for each of 26 frames with a face, three parts, the landmarks, and what was prepared."""
    folder = tmp_path / "capture"
    trap = f"""
import itertools, os
calls, rename = itertools.count(1), os.replace
os.replace = lambda *paths: os._exit(9) if next(calls) == {write} else rename(*paths)
"""
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(limit=trap, part=PART), str(recording), str(folder)], stdout=subprocess.DEVNULL, check=False
    )
    assert child.returncode == 9
    same(prepare(recording, folder, PrepareConfig(part_frames=PART), resume=True), expected)


def test_a_full_disk_is_said_in_one_sentence_and_loses_nothing(recording, expected, tmp_path):
    """Files may not grow beyond 60 kB, which the mattes do not reach and the first part does."""
    folder = tmp_path / "capture"
    limit = "import resource, numba; import headcast.perceive; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(limit=limit, part=PART), str(recording), str(folder)], capture_output=True, text=True, check=False
    )
    assert child.returncode != 0
    assert "HeadcastError: could not write" in child.stderr
    assert child.stderr.rstrip().endswith("Free some disk space or choose another folder.")
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")], "no half-written files"
    same(prepare(recording, folder, PrepareConfig(part_frames=PART), resume=True), expected)


def test_overwrite_starts_an_unfinished_one_anew(recording, expected, tmp_path):
    config = PrepareConfig(part_frames=PART)
    steps = prepare_steps(recording, tmp_path / "capture", config)
    next(step for step in steps if step.done == 10)
    steps.close()
    same(prepare(recording, tmp_path / "capture", config, overwrite=True), expected)


def test_resume_in_an_empty_folder_is_a_start(recording, expected, tmp_path):
    same(prepare(recording, tmp_path / "capture", PrepareConfig(part_frames=PART), resume=True), expected)

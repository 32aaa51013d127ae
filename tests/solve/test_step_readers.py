"""Readers of a loop's steps: the log survives kills, times stages, and the curves hold what the steps said."""

import errno
import json

import numpy as np
import pytest

from headcast.errors import HeadcastError
from headcast.solve.step import Step, follow
from headcast.solve.step_curves import StepCurves
from headcast.solve.step_log import StepLog, read_steps, stage_seconds


def _loop():
    yield Step("perceive", 1, 2, {"faces": 1.0}, frame_idx=0)
    yield Step("perceive", 2, 2, {"faces": 0.0}, frame_idx=1)
    yield Step("solve", 1, 1, {"cost": 2.5}, message="solved")
    return "result"


def test_follow_shows_every_step_to_every_reader_and_returns_the_result():
    first, second = [], []
    assert follow(_loop(), first.append, second.append) == "result"
    assert first == second == list(_loop())


def test_a_log_gives_back_the_steps(tmp_path):
    with StepLog(tmp_path / "steps.jsonl") as log:
        follow(_loop(), log)
    assert [step for step, _ in read_steps(tmp_path / "steps.jsonl")] == list(_loop())


def test_seconds_of_a_stage_are_the_sum_of_its_steps(tmp_path):
    path = tmp_path / "steps.jsonl"
    lines = [("a", 1.0), ("b", 0.25), ("a", 2.0)]
    path.write_text("".join(json.dumps({"stage": s, "done": 1, "total": 1, "seconds": t}) + "\n" for s, t in lines))
    assert stage_seconds(path) == {"a": 3.0, "b": 0.25}


def test_going_on_with_a_killed_log_drops_only_the_half_line(tmp_path):
    path = tmp_path / "steps.jsonl"
    with StepLog(path) as log:
        follow(_loop(), log)
    whole = path.read_text()
    path.write_text(whole[:-12])
    assert len(list(read_steps(path))) == 2
    with StepLog(path, keep=True) as log:
        log(Step("solve", 1, 1))
    assert [step.stage for step, _ in read_steps(path)] == ["perceive", "perceive", "solve"]


def test_a_new_log_replaces_the_old_one(tmp_path):
    for _ in range(2):
        with StepLog(tmp_path / "steps.jsonl") as log:
            log(Step("solve", 1, 1))
    assert len(list(read_steps(tmp_path / "steps.jsonl"))) == 1


def test_a_full_disk_is_an_error_for_a_person(tmp_path):
    log = StepLog(tmp_path / "steps.jsonl")

    class Full:
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    log._stream.close()
    log._stream = Full()
    with pytest.raises(HeadcastError, match=r"could not write .*steps.jsonl: No space left on device. Free some disk space"):
        log(Step("solve", 1, 1))


def test_curves_hold_the_terms_and_pictures(tmp_path):
    pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with StepCurves(tmp_path) as curves:
        follow(_loop(), curves)
        curves.picture("overlay", 7, np.full((4, 6, 3), 200, np.uint8))
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("perceive/faces")] == [(0, 1.0), (1, 0.0)]
    assert [(e.step, e.value) for e in events.Scalars("solve/cost")] == [(1, 2.5)]
    assert [(event.step, event.tensor_proto.string_val[0]) for event in events.Tensors("stages/text_summary")] == [(0, b"perceive"), (2, b"solve")]
    assert {"seconds/perceive", "seconds/solve"} <= set(events.Tags()["scalars"])
    (shown,) = events.Images("overlay")
    assert (shown.step, shown.width, shown.height) == (7, 6, 4)

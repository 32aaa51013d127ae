"""The event log of a run: one line of JSON per step, readable while it grows and after a kill."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from headcast.errors import HeadcastError
from headcast.solve.step import Step


class StepLog:
    """Appends steps to a file, each with the seconds since the step before it. A reader for `follow`; use it as a context."""

    def __init__(self, path: Path, keep: bool = False):
        """Starts a new log, or with `keep` goes on with the one that is there, without the half line a kill may have left."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if keep and path.is_file():
            whole = path.read_bytes()
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])
        self._stream: IO[str] = open(path, "a" if keep else "w", encoding="utf-8")  # noqa: SIM115  (closed by __exit__)
        self._last = time.perf_counter()

    def __call__(self, step: Step) -> None:
        now = time.perf_counter()
        entry: dict[str, object] = {"stage": step.stage, "done": step.done, "total": step.total, "seconds": round(now - self._last, 6)}
        if step.frame_idx is not None:
            entry["frame_idx"] = step.frame_idx
        if step.terms:
            entry["terms"] = {name: float(value) for name, value in step.terms.items()}
        if step.message:
            entry["message"] = step.message
        try:
            self._stream.write(json.dumps(entry) + "\n")
            self._stream.flush()
        except OSError as error:
            raise HeadcastError(f"could not write {self._path}: {error.strerror}. Free some disk space or choose another folder.") from error
        self._last = now

    def __enter__(self) -> "StepLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def read_steps(path: Path) -> Iterator[tuple[Step, float]]:
    """The steps of a log and the seconds each took; a half line at the end of a growing or killed log is left out."""
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            if not line.endswith("\n"):
                return
            entry = json.loads(line)
            step = Step(
                entry["stage"], entry["done"], entry["total"], entry.get("terms", {}), entry.get("frame_idx"), entry.get("message", "")
            )  # fmt: skip
            yield step, entry["seconds"]


def stage_seconds(path: Path) -> dict[str, float]:
    """Seconds per stage, in the order in which the stages began, summed over all the processes that wrote the log."""
    total: dict[str, float] = {}
    for step, seconds in read_steps(path):
        total[step.stage] = total.get(step.stage, 0.0) + seconds
    return total

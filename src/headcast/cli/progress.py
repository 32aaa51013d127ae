"""A progress bar per stage on the terminal; a line per stage and message where the output is not a terminal."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from headcast.solve.step import Step


class ProgressBar:
    """Shows steps on standard error. A reader for `follow`; use it as a context."""

    def __init__(self, console: Console | None = None):
        self._console = console or Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), console=self._console
        )
        self._stage: str | None = None
        self._task: TaskID | None = None
        self._began = time.perf_counter()

    def __call__(self, step: Step) -> None:
        if step.stage != self._stage:
            self._end_stage()
            self._stage, self._began = step.stage, time.perf_counter()
            if self._console.is_terminal:
                self._task = self._bars.add_task(step.stage, total=step.total or None)
        if step.message:
            self._console.print(f"{step.stage}: {step.message}", soft_wrap=True, markup=False)
        if self._task is not None:
            self._bars.update(self._task, completed=step.done, total=step.total or None)

    def __enter__(self) -> "ProgressBar":
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_stage()
        if self._console.is_terminal:
            self._bars.stop()

    def _end_stage(self) -> None:
        """Without a terminal: one line per finished stage."""
        if self._stage is not None and not self._console.is_terminal:
            self._console.print(f"{self._stage}: {time.perf_counter() - self._began:.1f} s", markup=False)

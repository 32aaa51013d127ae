"""TensorBoard curves and pictures of a run."""

import time
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from headcast.errors import MissingExtraError
from headcast.solve.step import Step


class StepCurves:
    """Writes each term of each stage as a curve over the stage's progress. A reader for `follow`; use it as a context.

    Where a stage begins, its name is written as text, and where it ends its seconds, over all steps so far. The folder is made with the first step.
    """

    def __init__(self, folder: Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("--tensorboard", "tensorboard", "tensorboard") from error
        self._open = lambda: SummaryWriter(str(folder))
        self._writer: Any = None
        self._stage: str | None = None
        self._steps = 0
        self._began = self._last = time.perf_counter()

    def __call__(self, step: Step) -> None:
        self._writer = self._writer or self._open()
        if step.stage != self._stage:
            self._end_stage()
            self._writer.add_text("stages", step.stage, self._steps)
            self._stage = step.stage
        self._steps += 1
        for name, value in step.terms.items():
            self._writer.add_scalar(f"{step.stage}/{name}", value, step.done if step.frame_idx is None else step.frame_idx)
        self._last = time.perf_counter()

    def picture(self, name: str, step: int, image: UInt8[ndarray, "height width 3"]) -> None:
        """Adds a picture (sRGB)."""
        self._writer = self._writer or self._open()
        self._writer.add_image(name, image, step, dataformats="HWC")

    def __enter__(self) -> "StepCurves":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._end_stage()
            self._writer.close()

    def _end_stage(self) -> None:
        """Says how long the stage took, from the last step of the one before to its own: a step comes when its work is done."""
        if self._stage is not None:
            self._writer.add_scalar(f"seconds/{self._stage}", self._last - self._began, self._steps)
        self._began = self._last

"""TensorBoard curves of a run's steps."""

from pathlib import Path

from headcast.errors import MissingExtraError
from headcast.solve.step import Step


class StepCurves:
    """Writes each term of each stage as a curve over the stage's progress. A reader for `follow`; use it as a context."""

    def __init__(self, folder: Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("--tensorboard", "tensorboard", "tensorboard") from error
        self._writer = SummaryWriter(str(folder))

    def __call__(self, step: Step) -> None:
        for name, value in step.terms.items():
            self._writer.add_scalar(f"{step.stage}/{name}", value, step.done if step.frame_idx is None else step.frame_idx)

    def __enter__(self) -> "StepCurves":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

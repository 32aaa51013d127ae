"""`headcast convert`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from headcast.cli.progress import ProgressBar
from headcast.errors import ConfigError, InputError
from headcast.export import Performance, read_performance, write_performance
from headcast.expressions import Conversion, convert_expressions, report_row, worst_first, write_report
from headcast.heads import HeadModel, open_head
from headcast.solve.step import follow
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run

_SHOWN = 8
"""Expressions in the printed table."""


def convert(
    source: tyro.conf.Positional[Path],
    to: str,
    out: Path,
    from_: Annotated[str | None, tyro.conf.arg(name="from", metavar="SPACE")] = None,
    report: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None,
    fps: float = 30.0,
    overwrite: bool = False,
) -> None:
    """Turn the expressions of one head model into those of another.

    Args:
        source: Folder of a finished run, ARKit's 52 expressions as .csv, or a model's coefficients over time as .npz.
        to: Whose expressions to write: arkit, or a head model by name or path (open, flame, gnm, ict).
        out: File to write: .csv for arkit, .npz for head models.
        from_: Whose expressions a file holds: arkit, or a head model by name or path. Runs know their own.
        report: Where to write what every expression loses, in mm: .html or .json.
        fps: Frames per second of an .npz that has no times.
        overwrite: Replace the files.
    """
    if fps <= 0:
        raise ConfigError(f"fps must be above 0, found {fps}")
    for path, endings in ((out, (".csv",) if to == "arkit" else (".npz",)), (report, (".html", ".json"))):
        _admit(path, endings, overwrite)
    model, performance = _opened(source, from_, fps)
    target = _space(to)
    console = Console(highlight=False, soft_wrap=True)
    if model.name != target.name:
        conversion = convert_expressions(model, target)
        with ProgressBar() as bar:
            pose = follow(conversion.steps(performance.pose), bar)
        _tell(console, conversion, conversion.frame_error_mm(performance.pose, pose))
        if report is not None:
            write_report(conversion, report)
            console.print(f"wrote {report}", markup=False)
        performance = Performance(performance.time_s, pose)
    elif report is not None:
        raise ConfigError(f"there is nothing to report: {to!r} has the expressions of {model.name!r} already. Leave out --report.")
    write_performance(performance, target, out)
    console.print(f"wrote {out}", markup=False)


def _opened(source: Path, space: str | None, fps: float) -> tuple[HeadModel, Performance]:
    """The model and the poses of a run or a file."""
    if source.is_dir():
        if space is not None:
            raise ConfigError(f"a run knows its own head model; leave out --from {space}")
        run = Run.open(source)
        return run.model, Performance.of_track(run.track)
    if not source.is_file():
        raise InputError(f"expected the folder of a run, a .csv or an .npz, found nothing: {source}")
    if space is None:
        raise ConfigError(f"a file does not say whose expressions it holds; add --from arkit, or --from with a head model: {source}")
    model = _space(space)
    return model, read_performance(source, model, fps)


def _space(name: str) -> HeadModel:
    return open_head() if name == "arkit" else load_model_for_tracking(name)


def _admit(path: Path | None, endings: tuple[str, ...], overwrite: bool) -> None:
    if path is None:
        return
    if path.suffix not in endings:
        raise ConfigError(f"expected a name that ends in {' or '.join(endings)}, found {path}")
    if path.is_dir():
        raise InputError(f"expected a file to write to, found a folder: {path}")
    if path.exists() and not overwrite:
        raise InputError(f"there is something already. Use --overwrite to replace it, or another place: {path}")


def _tell(console: Console, conversion: Conversion, frame_error_mm: np.ndarray) -> None:
    """The worst expressions, what is missing, and how the clip came over."""
    table = Table(box=None, pad_edge=False)
    for column in ("expression", "mean, mm", "worst, mm", "motion, mm", "largest, mm", "gaze, °", "kept"):
        table.add_column(column, justify="left" if column == "expression" else "right")
    for error in worst_first(conversion.errors)[:_SHOWN]:
        table.add_row(*report_row(error))
    console.print(table)
    mean = float(np.mean([error.mean_mm for error in conversion.errors]))
    console.print(f"each expression alone: {mean:.2f} mm off on average over the face, {conversion.worst.name} most", markup=False)
    if conversion.missing:
        console.print(f"missing in the target: {', '.join(conversion.missing)}", markup=False)
    worst = int(frame_error_mm.argmax())
    console.print(f"this clip: {frame_error_mm.mean():.2f} mm off on average, most in frame {worst} ({frame_error_mm[worst]:.2f} mm)", markup=False)

"""`headcast evaluate`."""

from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headcast.evaluate.bars import Bar, bars_of
from headcast.evaluate.tracks import TrackEvaluation, evaluate_track
from headcast.evaluate.truth import Truth
from headcast.store import SyntheticPaths, write_json
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run


def evaluate(kind: tyro.conf.Positional[Literal["track"]], run: tyro.conf.Positional[Path], truth: Path) -> None:
    """Compare a run with the truth.

    Args:
        kind: What to compare: a track.
        run: Folder of a finished run of 'headcast track'.
        truth: Folder of the clip that 'headcast synth' made.
    """
    finished = Run.open(run)
    known = Truth.load(SyntheticPaths(truth).truth)
    evaluation = evaluate_track(finished.track, load_model_for_tracking(finished.track.model_name), known)
    write_json(finished.paths.evaluation, evaluation.as_json())
    console = Console(highlight=False, soft_wrap=True)
    console.print(evaluation_table(evaluation))
    console.print(f"written: {finished.paths.evaluation}", markup=False)


def evaluation_table(evaluation: TrackEvaluation) -> Table:
    """Measures beside their bars."""
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "found", "bar", ""):
        table.add_column(column, justify="right" if column in ("found", "bar") else "left")
    for bar in bars_of(evaluation):
        table.add_row(bar.measure, _number(bar.found), _bar(bar), _verdict(bar))
    return table


def _number(value: float) -> str:
    return f"{value:.3g}"


def _bar(bar: Bar) -> str:
    if bar.limit is None:
        return ""
    return f"{'≥' if bar.at_least else '≤'} {bar.limit:g}"


def _verdict(bar: Bar) -> Text:
    if bar.met is None:
        return Text("")
    return Text("met", style="green") if bar.met else Text("not met", style="red")

"""`headcast evaluate`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headcast.cli.progress import ProgressBar
from headcast.evaluate.avatars import REGIONS, AvatarEvaluation, EvaluationConfig
from headcast.evaluate.bars import Bar, bars_of
from headcast.evaluate.compare import compare_avatar
from headcast.evaluate.tracks import TrackEvaluation, evaluate_track
from headcast.evaluate.truth import Truth
from headcast.solve.step import follow
from headcast.store import SyntheticPaths, write_json
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run


@dataclass(frozen=True)
class OfTrack:
    """Compare a run with the truth of a clip that 'headcast synth' made."""

    run: tyro.conf.Positional[Path]
    """Folder of a finished run of 'headcast track'."""
    truth: Path
    """Folder of the clip that 'headcast synth' made."""


@dataclass(frozen=True)
class OfAvatar:
    """Compare an avatar with a recording of its person, frames that trained and frames held out apart."""

    avatar: tyro.conf.Positional[Path]
    """Folder of a finished avatar."""
    run: tyro.conf.Positional[Path]
    """Folder of the finished run to compare with."""
    split: Path | None = None
    """JSON file with the frames that trained ("train") and that are held out ("val"); the avatar's own split, if not given."""
    config: Annotated[EvaluationConfig, tyro.conf.arg(name="")] = field(default_factory=EvaluationConfig)


_Request = (
    Annotated[OfTrack, tyro.conf.subcommand("track", prefix_name=False)] | Annotated[OfAvatar, tyro.conf.subcommand("avatar", prefix_name=False)]
)


def evaluate(what: Annotated[_Request, tyro.conf.arg(name="")]) -> None:
    """Compare a run with the truth, or an avatar with a recording."""
    console = Console(highlight=False, soft_wrap=True)
    if isinstance(what, OfTrack):
        _of_track(what, console)
    else:
        _of_avatar(what, console)


def _of_track(asked: OfTrack, console: Console) -> None:
    finished = Run.open(asked.run)
    known = Truth.load(SyntheticPaths(asked.truth).truth)
    evaluation = evaluate_track(finished.track, load_model_for_tracking(finished.track.model_name), known)
    write_json(finished.paths.evaluation, evaluation.as_json())
    console.print(evaluation_table(evaluation))
    console.print(f"written: {finished.paths.evaluation}", markup=False)


def _of_avatar(asked: OfAvatar, console: Console) -> None:
    with ProgressBar() as bar:
        evaluation, paths = follow(compare_avatar(asked.avatar, asked.run, asked.split, asked.config), bar)
    console.print(avatar_table(evaluation))
    console.print(f"page:    {paths.page}\nvideo:   {paths.comparison}\nnumbers: {paths.values}", markup=False)


def avatar_table(evaluation: AvatarEvaluation) -> Table:
    """PSNR and SSIM of every avatar, protocol and region."""
    table = Table(box=None, pad_edge=False)
    for column in ("avatar", "frames", "region", "PSNR dB", "SSIM"):
        table.add_column(column, justify="right" if column in ("PSNR dB", "SSIM") else "left")
    for name, protocols in evaluation.means.items():
        for protocol, regions in protocols.items():
            for region in REGIONS:
                if region in regions:
                    found = regions[region]
                    similar = found["ssim"]
                    table.add_row(name, protocol, region, f"{found['psnr_db']:.2f}", "" if similar is None else f"{similar:.4f}")
    return table


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

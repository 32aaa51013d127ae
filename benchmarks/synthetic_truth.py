"""Renders clips whose every parameter is known, tracks them with the open head, and prints how far off the tracks are.

    python benchmarks/synthetic_truth.py --out FOLDER [--open 4] [--foreign MODEL --foreign-clips 2] [--mode full]

Clips and runs stay in the folder and are used again; remove them to start anew.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from headcast.evaluate import TrackEvaluation, Truth, evaluate_track
from headcast.evaluate.bars import bars_of
from headcast.evaluate.synth import MotionConfig, SynthConfig, synthetic_clip, write_clip
from headcast.evaluate.synth.occluders import OccluderKind
from headcast.solve.step import follow
from headcast.store import RunPaths, SyntheticPaths, write_json
from headcast.track.config import TrackConfig
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run, RunRequest, track_recording

_OCCLUDERS: tuple[tuple[OccluderKind, ...], ...] = ((), (), ("glasses",), ("hand", "microphone"))
"""What gets in the way, clip by clip: half of the clips are free."""


def clip_folder(out: Path, model_name: str, seed: int, frames: int) -> Path:
    """The folder of a clip, drawn where it is not there yet."""
    folder = out / f"{Path(model_name).stem}-{seed}-{frames}"
    if not SyntheticPaths(folder).truth.is_file():
        config = SynthConfig(seed=seed, frames=frames, motion=MotionConfig(yaw_deg=45.0), occluders=_OCCLUDERS[seed % len(_OCCLUDERS)])
        began = time.perf_counter()
        follow(write_clip(synthetic_clip(load_model_for_tracking(model_name), config), folder))
        print(f"{folder.name}: drawn in {time.perf_counter() - began:.1f} s")
    return folder


def tracked(folder: Path, mode: str) -> Run:
    """The finished run on a clip."""
    run = folder / f"run-{mode}"
    return track_recording(RunRequest(SyntheticPaths(folder).video, config=TrackConfig(mode=mode)), run, resume=run.exists())


def evaluated(folder: Path, mode: str) -> TrackEvaluation:
    began = time.perf_counter()
    run = tracked(folder, mode)
    evaluation = evaluate_track(run.track, load_model_for_tracking(run.track.model_name), Truth.load(SyntheticPaths(folder).truth))
    write_json(RunPaths(run.paths.root).evaluation, evaluation.as_json())
    print(f"{folder.name}: tracked and evaluated in {time.perf_counter() - began:.1f} s")
    return evaluation


def summary(evaluations: dict[str, TrackEvaluation]) -> Table:
    """A row per measure, a column per clip, the median over clips and the bar."""
    table = Table(box=None)
    table.add_column("measure")
    rows = {name: {_plain(bar.measure): bar for bar in bars_of(evaluation)} for name, evaluation in evaluations.items()}
    for name in evaluations:
        table.add_column(name, justify="right")
    table.add_column("median", justify="right")
    table.add_column("bar", justify="right")
    measures = list(dict.fromkeys(measure for row in rows.values() for measure in row))
    for measure in measures:
        bars = [row.get(measure) for row in rows.values()]
        known = [bar for bar in bars if bar is not None]
        limit = next((bar for bar in known if bar.limit is not None), None)
        middle = float(np.median([bar.found for bar in known]))
        shown = "" if limit is None else f"{'≥' if limit.at_least else '≤'} {limit.limit:g}"
        table.add_row(measure, *[_cell(bar) for bar in bars], f"{middle:.3g}", shown)
    return table


def _plain(measure: str) -> str:
    """Without what differs from clip to clip."""
    return "blinks found" if measure.startswith("blinks") else measure.split(" (", 1)[0] if measure.startswith("lowest") else measure


def _cell(bar) -> str:
    if bar is None:
        return "–"
    return f"[{'green' if bar.met else 'red'}]{bar.found:.3g}[/]" if bar.met is not None else f"{bar.found:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--open", type=int, default=4, help="clips of the open head")
    parser.add_argument("--foreign", help="another head model, by name or path, to render and track with the open head")
    parser.add_argument("--foreign-clips", type=int, default=2)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--mode", choices=("fast", "full"), default="full")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=200)
    groups = {"open head": ("open", arguments.open)}
    if arguments.foreign:
        groups["another head"] = (arguments.foreign, arguments.foreign_clips)
    for title, (model_name, count) in groups.items():
        seeds = range(arguments.first_seed, arguments.first_seed + count)
        folders = [clip_folder(arguments.out, model_name, seed, arguments.frames) for seed in seeds]
        console.print(f"\n[bold]{title}[/bold], tracked with the open head, mode {arguments.mode}")
        console.print(summary({folder.name: evaluated(folder, arguments.mode) for folder in folders}))


if __name__ == "__main__":
    main()

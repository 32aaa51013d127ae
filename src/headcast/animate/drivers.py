"""Whatever can drive a head, as a performance in that head's numbers: runs, videos, ARKit's curves, key poses, a phone."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from headcast.animate.key_poses import read_key_poses
from headcast.animate.live_link import curves_of, listen
from headcast.avatars.rest import neutral_pose, seen_from
from headcast.capture.sound import has_sound
from headcast.errors import ConfigError, InputError
from headcast.export import Performance
from headcast.export.performance import performance_of_arkit, read_performance
from headcast.expressions import convert_expressions, has_arkit_expressions
from headcast.geometry import Transform
from headcast.heads import HeadModel, HeadPose, open_head
from headcast.solve.step import Result, Step
from headcast.solve.step_log import StepLog
from headcast.store import About, RunPaths, sha256_of
from headcast.track import TrackConfig
from headcast.track.run import KIND, SCHEMA, Run, RunRequest, begin_run, finish_run, run_steps

LIVE = "live"
"""`live` or `live:PORT` instead of a file listens to the Live Link Face app."""
LIVE_PORT = 11111


@dataclass(frozen=True)
class Driver:
    """A performance for one head model, seen by its camera: +X right, +Y down, +Z forward."""

    performance: Performance
    rest: HeadPose
    """How the driver's head looks and is turned at rest."""
    sound: Path | None = None
    """A recording whose sound belongs to it."""
    identity: str = ""
    """SHA-256 of the track that it comes from; empty where it comes from no track."""


def driver_steps(source: str, model: HeadModel, beside: Path, fps: float = 30.0, resume: bool = True) -> Generator[Step, None, Driver]:
    """A driver for heads of this model; the generator's value.

    Args:
        source: A finished run's folder, ARKit's curves (.csv), a model's coefficients (.npz), key poses (.json), `live` or `live:PORT`, or a
            recording, which is then tracked.
        model: Of the head that is driven.
        beside: Folder for the track of a recording.
        fps: Of files that say no times.

    Raises:
        InputError, FormatError, ConfigError: what `source` says is not there or not understood.
    """
    path = Path(source)
    if source == LIVE or source.startswith(f"{LIVE}:"):
        return (yield from _live_steps(source, model))
    if path.is_dir() and (path / "about.json").is_file():
        return (yield from _of_run(Run.open(path), model))
    if path.suffix == ".json" and path.is_file():
        return _facing(read_key_poses(path, model, fps), model)
    if path.suffix in (".csv", ".npz") and path.is_file():
        return (yield from _of_curves(path, model, fps))
    if not path.exists():
        raise InputError(f"expected a run, a recording, a .csv, an .npz, key poses as .json or {LIVE}:PORT; found nothing at {source}")
    return (yield from _of_run((yield from _tracked_steps(path, model, beside)), model))


def _tracked_steps(recording: Path, model: HeadModel, folder: Path) -> Generator[Step, None, Run]:
    """Tracks a recording, or goes on with its track."""
    request = RunRequest(recording, model.name, TrackConfig(mode="fast"))
    paths = RunPaths(folder)
    begun = paths.about.is_file()
    paths = begin_run(request, folder, resume=begun, overwrite=False)
    if not About.load(paths.about, KIND, SCHEMA).details.get("finished"):
        with StepLog(paths.steps, keep=begun) as log:
            samples = yield from _heard(run_steps(request, paths), log)
        finish_run(request, paths, samples)
    return Run.open(folder)


def _heard(steps: Generator[Step, None, Result], reader: Callable[[Step], None]) -> Generator[Step, None, Result]:
    """The same steps, which a reader hears on the way."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        reader(step)
        yield step


def _of_run(run: Run, model: HeadModel) -> Generator[Step, None, Driver]:
    track = run.track
    pose = seen_from(track.pose(), track.camera)
    if run.model.name != model.name:
        pose = yield from convert_expressions(run.model, model).steps(pose)
    performance = Performance((track.time_s - track.time_s[0]).numpy().astype(np.float64), pose)
    rest = neutral_pose(pose, model, track.valid.numpy())
    source = Path(str(About.load(run.paths.about, KIND, SCHEMA).details["source"])) if run.recorded else None
    sound = source if source is not None and source.is_file() and has_sound(source) else None
    return Driver(performance, rest, sound, sha256_of(run.paths.track))


def _of_curves(path: Path, model: HeadModel, fps: float) -> Generator[Step, None, Driver]:
    """Rest is where all numbers are zero: that is how such files are meant."""
    if path.suffix == ".csv" and not has_arkit_expressions(model):
        performance = read_performance(path, open_head(), fps)
        pose = yield from convert_expressions(open_head(), model).steps(performance.pose)
        return _facing(Performance(performance.time_s, pose), model)
    return _facing(read_performance(path, model, fps), model)


def _live_steps(source: str, model: HeadModel) -> Generator[Step, None, Driver]:
    """What the app sends until it stops."""
    _, _, port = source.partition(":")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"expected a port from 1 to 65535 as in {LIVE}:{LIVE_PORT}, found {port!r}")
    frames = []
    yield Step("receive", 0, 0, message=f"waiting for the Live Link Face app at UDP port {port or LIVE_PORT}; it ends when the app stops")
    for frame in listen(int(port or LIVE_PORT)):
        frames.append(frame)
        yield Step("receive", len(frames), 0)
    shown = model if has_arkit_expressions(model) else open_head()
    performance = performance_of_arkit(curves_of(frames), shown)
    if shown is not model:
        performance = replace(performance, pose=(yield from convert_expressions(shown, model).steps(performance.pose)))
    return _facing(performance, model)


def _facing(performance: Performance, model: HeadModel) -> Driver:
    """A driver whose head looks straight at the camera where a file says that it is not turned, and rests where all its numbers are zero."""

    def seen(pose: HeadPose) -> HeadPose:
        facing = Transform(torch.diag(torch.tensor([1.0, -1.0, -1.0])), torch.zeros(3))
        return replace(pose, world_from_head=facing @ pose.world_from_head)

    return Driver(replace(performance, pose=seen(performance.pose)), seen(model.neutral_pose()))

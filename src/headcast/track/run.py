"""A tracking run as a folder: begun, worked through, finished, killed and resumed, opened again."""

import os
import resource
import shutil
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from PIL import Image

from headcast.capture import CAPTURE_SCHEMA, Capture, PrepareConfig, RigCapture
from headcast.capture.rigs import RigChoice
from headcast.errors import ConfigError, InputError
from headcast.heads import HeadModel, load_head
from headcast.solve.step import Step, follow
from headcast.solve.step_curves import StepCurves
from headcast.solve.step_log import StepLog, stage_seconds
from headcast.store import About, InputFile, RunPaths, half_written, read_arrays, read_json, replace_file, write_arrays, write_json
from headcast.track.compilation import compiling
from headcast.track.config import TrackConfig
from headcast.track.given import Given
from headcast.track.models import load_model_for_tracking
from headcast.track.overlay import write_overlay
from headcast.track.pipeline import TrackResult, track_steps
from headcast.track.recording import check_recording, open_rig, perceive_steps
from headcast.track.report import Work, sample_frames, write_report
from headcast.track.scene import Scene, stages_in
from headcast.track.stages import check_continued, check_order
from headcast.track.statistics import statistics
from headcast.track.track import Track

KIND = "track"
FIT_KIND = "fit"
"""A static head's fit: a run of one frame without a recording."""
SCHEMA = 1


@dataclass(frozen=True)
class RunRequest:
    """What to track, with what, and how."""

    source: Path
    """Video, animated GIF, photo, folder of pictures, pattern, or a Capture folder."""
    model: str = "open"
    """Head model by name or path, as `load_model_for_tracking` takes it."""
    config: TrackConfig = field(default_factory=TrackConfig)
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    choice: RigChoice = field(default_factory=RigChoice)
    """What of a recording of known cameras is tracked."""
    together: tuple[str, ...] = ()
    """Names of all clips that the person is solved from, this one's among them; empty where there is only this one."""

    def settings(self) -> dict[str, Any]:
        """What config.json holds."""
        together = {"together": list(self.together)} if self.together else {}
        chosen = {} if self.choice == RigChoice() else {"choice": _plain(asdict(self.choice))}
        return {"model": self.model, "track": _plain(asdict(self.config)), "prepare": _plain(asdict(self.prepare)), **chosen, **together}


@dataclass(frozen=True)
class Run:
    """A finished run."""

    paths: RunPaths
    track: Track
    model: HeadModel

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Reads a finished run; raises `InputError` where the folder is something else or unfinished."""
        paths = RunPaths(Path(folder))
        if not paths.root.is_dir():
            raise InputError(f"expected the folder of a tracking run, found {'a file' if paths.root.exists() else 'nothing'} at {paths.root}")
        kind = FIT_KIND if paths.about.is_file() and read_json(paths.about).get("kind") == FIT_KIND else KIND
        if not About.load(paths.about, kind, SCHEMA).details.get("finished"):
            if kind == FIT_KIND:
                raise InputError(f"the fit was not finished; run the same headcast fit command with --overwrite. Folder: {paths.root}")
            raise InputError(f"the run was not finished; run the same headcast track command with --resume. Folder: {paths.root}")
        track = Track.load(paths.track)
        return cls(paths, track, load_model_for_tracking(track.model_name))

    @cached_property
    def recorded(self) -> bool:
        """Whether there was a recording; a static head's fit has none."""
        return self.paths.capture.root.is_dir() or self.paths.cameras.is_file()

    @cached_property
    def capture(self) -> Capture:
        """The first camera's."""
        return self.captures[0]

    @cached_property
    def captures(self) -> tuple[Capture, ...]:
        """One per camera of the track."""
        return tuple(one for one in self.rig.captures if isinstance(one, Capture))

    @cached_property
    def rig(self) -> RigCapture:
        if not self.recorded:
            raise InputError(f"a run of a recording is needed here; the fit of a static head has none: {self.paths.root}")
        return open_rig(self.paths)

    @cached_property
    def albedo(self) -> Float32[ndarray, "side side 3"] | None:
        """Linear albedo in the model's atlas, where colours were solved."""
        return read_arrays(self.paths.albedo)["albedo"] if self.paths.albedo.is_file() else None

    @cached_property
    def albedo_picture(self) -> UInt8[ndarray, "side side 3"] | None:
        """The albedo as sRGB bytes."""
        return np.asarray(Image.open(self.paths.albedo_picture)) if self.paths.albedo_picture.is_file() else None


def track_recording(
    request: RunRequest,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    readers: tuple[Callable[[Step], None], ...] = (),
) -> Run:
    """The whole of `headcast track`: a recording in, a finished run folder out.

    A finished folder of the same recording and settings is used as it is with `resume`; with more stages behind its own, it goes on with these.
    After a kill, `resume` keeps what was perceived and every stage that had ended. `overwrite` removes what an earlier run wrote, and nothing else.
    With `tensorboard`, the steps are also written as curves, and some frames of the overlay as pictures.
    """
    curves = (StepCurves(RunPaths(folder).tensorboard),) if tensorboard else ()
    paths = begin_run(request, folder, resume=resume, overwrite=overwrite)
    if resume and is_finished(paths):
        follow(perceive_steps(request.source, paths, request.prepare, request.choice), *readers)  # refuses another recording
        return Run.open(folder)
    with ExitStack() as opened:
        own = [opened.enter_context(reader) for reader in (StepLog(paths.steps, keep=resume), *curves)]
        samples = follow(run_steps(request, paths), _CheckpointWriter(paths.checkpoint), *own, *readers)
        for curve in curves:
            for frame_idx, picture in samples.items():
                curve.picture("overlay", frame_idx, picture)
    return finish_run(request, paths, samples)


def begin_run(request: RunRequest, folder: Path, *, resume: bool, overwrite: bool) -> RunPaths:
    """Makes the folder a run of this request, or goes on with one.

    Raises `InputError` where the folder may not be touched. A recording or a head model that cannot be read is found out first, so that
    a mistyped command leaves nothing behind.
    """
    paths, leftovers = check_run(request, folder, resume=resume, overwrite=overwrite)
    for leftover in leftovers:
        leftover.unlink()
    if overwrite:
        _clear(paths)
    write_json(paths.config, request.settings())
    if not paths.about.is_file():
        About(KIND, SCHEMA, {}, {"source": str(request.source), "finished": False}).save(paths.about)
    return paths


def check_run(request: RunRequest, folder: Path, *, resume: bool, overwrite: bool) -> tuple[RunPaths, list[Path]]:
    """Raises what keeps a run of this request from being begun in a folder; gives its paths and what a killed run left half written."""
    paths = RunPaths(folder)
    if resume and overwrite:
        raise ConfigError("--resume goes on with what is there and --overwrite throws it away: expected one of them, found both")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder to write to, found a file at {folder}")
    leftovers = half_written(folder)
    if folder.is_dir() and set(folder.iterdir()) - set(leftovers):
        _admit(request, paths, resume, overwrite)
    check_recording(request.source, request.prepare, request.choice)
    given = Given.of(request.config, load_head(request.model))
    check_order(request.config.stage_list(sees_height=True), request.config.photometric, given.texture is not None)
    return paths, list(leftovers)


def run_steps(request: RunRequest, paths: RunPaths) -> Generator[Step, None, Mapping[int, UInt8[ndarray, "height width 3"]]]:
    """Perceives, tracks and draws, one `Step` per unit of work; the generator's value is pictures for the report, by frame."""
    with compiling() as compilation:
        if compilation is not None:
            yield Step("compile", 0, 0, message="first run on this machine: kernels are compiled, about ten seconds, and kept for later runs")
        rig = yield from perceive_steps(request.source, paths, request.prepare, request.choice)
        if compilation is not None:
            yield from compilation.finish_steps()
    model = load_model_for_tracking(request.model)
    if is_tracked(paths, request, rig):
        yield Step("track", 1, 1, message="using the track that is already there")
    else:
        begun = paths.checkpoint if paths.checkpoint.is_file() else None
        if begun is not None:
            yield Step("track", 0, 0, message=f"going on from the checkpoint: {' '.join(stages_in(begun))}")
        keep_result(paths, rig, (yield from track_steps(rig, model, request.config, begun)))
    return (yield from draw_steps(paths, rig, model))


def is_tracked(paths: RunPaths, request: RunRequest, rig: RigCapture) -> bool:
    """Whether the run holds the track that is asked for, finished or not."""
    return About.load(paths.about, KIND, SCHEMA).details.get("stages") == _specs(request, rig)


def is_finished(paths: RunPaths) -> bool:
    return bool(About.load(paths.about, KIND, SCHEMA).details.get("finished"))


def keep_result(paths: RunPaths, rig: RigCapture, result: TrackResult) -> None:
    """Writes what tracking found."""
    about = About.load(paths.about, KIND, SCHEMA)
    if result.albedo is not None:
        save_albedo(paths, result.albedo.astype(np.float32), result.albedo_certainty)
    result.track.save(paths.track)
    details = {**about.details, "keyframes": list(result.keyframes), "stages": list(result.stages), "peak_memory_mb": peak_memory_mb()}
    About(KIND, SCHEMA, _inputs(rig), details).save(paths.about)


def draw_steps(paths: RunPaths, rig: RigCapture, model: HeadModel) -> Generator[Step, None, Mapping[int, UInt8[ndarray, "height width 3"]]]:
    """Draws the overlays of a tracked run; the generator's value is pictures for the report, by frame."""
    track = Track.load(paths.track)
    albedo = read_arrays(paths.albedo)["albedo"] if paths.albedo.is_file() else None
    captures = [one for one in rig.captures if isinstance(one, Capture)]
    samples = sample_frames(track, statistics(track, captures[0]))
    pictures = yield from write_overlay(track, model, captures[0], albedo, paths.overlay, keep=samples)
    for camera, name in enumerate(track.camera_names[1:], start=1):
        paths.overlays.mkdir(exist_ok=True)
        yield from write_overlay(track, model, captures[camera], albedo, paths.camera_overlay(name), camera_idx=camera)
    return pictures


def _specs(request: RunRequest, rig: RigCapture) -> list[str]:
    """The stages of the request, as a run of this recording has them."""
    return [stage.spec for stage in request.config.stage_list(rig.sees_height)]


class _CheckpointWriter:
    """Keeps what a step says that the work could go on from. A reader for `follow`."""

    def __init__(self, path: Path):
        self._path = path

    def __call__(self, step: Step) -> None:
        if isinstance(step.checkpoint, Scene):
            step.checkpoint.save(self._path)


def _inputs(rig: RigCapture) -> dict[str, InputFile]:
    """The recordings by name: "source", or the cameras' names where there are several."""
    several = len(rig.captures) > 1
    captures = zip(rig.captures, rig.calibrations, strict=True)
    return {
        known.name if several else "source": About.load(one.paths.about, "capture", CAPTURE_SCHEMA).inputs["source"]
        for one, known in captures
        if isinstance(one, Capture)
    }


def finish_run(request: RunRequest, paths: RunPaths, samples: Mapping[int, UInt8[ndarray, "height width 3"]]) -> Run:
    """Writes the report and marks the run finished."""
    about = About.load(paths.about, KIND, SCHEMA)
    track, rig = Track.load(paths.track), open_rig(paths)
    capture = rig.main
    assert isinstance(capture, Capture)
    peak = max(peak_memory_mb(), float(about.details["peak_memory_mb"]))
    work = Work(
        request.config.mode, stage_seconds(paths.steps), peak, tuple(about.details["keyframes"]), tuple(about.details["stages"]), usable_cores()
    )
    write_report(track, capture, work, samples, paths)
    About(KIND, SCHEMA, about.inputs, {**about.details, "finished": True}).save(paths.about)
    return Run.open(paths.root)


def peak_memory_mb() -> float:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _admit(request: RunRequest, paths: RunPaths, resume: bool, overwrite: bool) -> None:
    """Lets a folder that is not empty pass where the user allowed it and it is a run; clears it for `overwrite`."""
    if not resume and not overwrite:
        raise InputError(
            f"expected an empty folder. Use --resume to go on with the run in it, --overwrite to start anew, or another folder: {paths.root}"
        )
    if not paths.about.is_file() and not paths.config.is_file():
        found = ", ".join(sorted(child.name for child in paths.root.iterdir())[:5])
        raise InputError(
            f"expected the folder of a tracking run, found {found}. Headcast touches only what it made; choose another folder: {paths.root}"
        )
    if paths.about.is_file():
        About.load(paths.about, KIND, SCHEMA)
    if overwrite:
        return
    asked, begun = request.settings(), read_json(paths.config) if paths.config.is_file() else request.settings()
    if _but_stages(asked) != _but_stages(begun):
        raise InputError(
            f"the run was begun with other settings ({_differences(_but_stages(begun), _but_stages(asked))}). "
            f"Repeat its command with --resume, or use --overwrite or another folder: {paths.root}"
        )
    if asked != begun:
        _admit_stages(request, paths)


def _admit_stages(request: RunRequest, paths: RunPaths) -> None:
    """Lets another list of stages pass where it goes on from what was solved; a finished run is unfinished then."""
    if not paths.about.is_file():
        return
    about = About.load(paths.about, KIND, SCHEMA)
    if not paths.checkpoint.is_file():
        if "keyframes" in about.details:
            raise InputError(f"expected {paths.checkpoint.name} to go on from, found none; use --overwrite or another folder: {paths.root}")
        return
    specs = _specs(request, open_rig(paths))
    check_continued(stages_in(paths.checkpoint), specs)
    if about.details.get("stages") != specs:
        kept = {name: value for name, value in about.details.items() if name not in ("stages", "keyframes")}
        About(KIND, SCHEMA, about.inputs, {**kept, "finished": False}).save(paths.about)


def _but_stages(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that must stay the same while a run goes on."""
    return {**settings, "track": {name: value for name, value in settings["track"].items() if name != "stages"}}


def _clear(paths: RunPaths) -> None:
    """Removes what a run writes, `about.json` last, so that a kill in between leaves a folder that can be cleared again."""
    for folder in (paths.capture.root, paths.camera_captures, paths.parsing.root, paths.overlays, paths.tensorboard, paths.exports):
        if folder.is_dir():
            shutil.rmtree(folder)
    for file in (
        paths.config, paths.cameras, paths.track, paths.albedo, paths.albedo_picture, paths.checkpoint, paths.steps,
        paths.overlay, paths.report_json, paths.report_html, paths.evaluation, paths.about,
    ):  # fmt: skip
        file.unlink(missing_ok=True)


def save_albedo(paths: RunPaths, albedo: Float32[ndarray, "side side 3"], certainty: Float32[ndarray, "side side"] | None) -> None:
    """Writes the arrays and the picture."""
    write_arrays(paths.albedo, {"albedo": albedo} if certainty is None else {"albedo": albedo, "certainty": certainty.astype(np.float32)})
    shown = np.where(albedo <= 0.0031308, 12.92 * albedo, 1.055 * np.clip(albedo, 0, None) ** (1 / 2.4) - 0.055)
    with replace_file(paths.albedo_picture) as temporary:
        Image.fromarray((np.clip(shown, 0, 1) * 255).round().astype(np.uint8)).save(temporary)


def _plain(value: Any) -> Any:
    """The same value as JSON gives it back."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _differences(begun: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> str:
    """Settings that differ, as "mode was 'fast', asked 'full'"."""
    parts = []
    for name in sorted(set(begun) | set(asked)):
        before, after = begun.get(name), asked.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            nested = _differences(before, after, f"{prefix}{name}.")
            parts += [nested] if nested else []
        elif before != after:
            parts.append(f"{prefix}{name} was {before!r}, asked {after!r}")
    return "; ".join(parts)

"""The whole of `headcast avatar`: a run or a recording in, a finished avatar folder out."""

import shutil
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from headcast.avatars.avatar import KIND, SCHEMA, Avatar, save_avatar
from headcast.avatars.frames import Footage, parsed_steps
from headcast.avatars.gaussian import GaussianConfig, gaussian_steps
from headcast.avatars.kinds import load_avatar
from headcast.avatars.mesh.build import MeshConfig, mesh_steps
from headcast.avatars.rest import AtRest
from headcast.avatars.split import Split
from headcast.errors import ConfigError, InputError
from headcast.solve.step import Step, follow
from headcast.solve.step_log import StepLog, stage_seconds
from headcast.store import About, AvatarPaths, InputFile, RunPaths, half_written, read_json, write_json
from headcast.track.run import FIT_KIND, Run, RunRequest, peak_memory_mb, track_recording
from headcast.track.run import KIND as RUN_KIND

KindName = Literal["mesh", "gaussian"]
_LEAST = 4
"""Training frames with a tracked face below which there is nothing to learn from."""
_MOST_LOST = 0.5
"""Share of the training frames without a tracked face above which something is wrong with the track."""


@dataclass(frozen=True)
class AvatarRequest:
    """What to build, from what, and how."""

    source: Path
    """Folder of a finished run, or a recording, which is tracked first."""
    kind: KindName = "mesh"
    split: Path | None = None
    """Which frames train; `Split.usual` without it."""
    largest_px: int = 512
    """Longer side above which pictures are made smaller for training."""
    mesh: MeshConfig = field(default_factory=MeshConfig)
    gaussian: GaussianConfig = field(default_factory=GaussianConfig)

    def __post_init__(self) -> None:
        if self.largest_px < 64:
            raise ConfigError(f"largest_px must be at least 64, found {self.largest_px}")

    def settings(self) -> dict[str, Any]:
        """What config.json holds."""
        split = None if self.split is None else str(self.split)
        own = self.gaussian if self.kind == "gaussian" else self.mesh
        return {"source": str(self.source), "kind": self.kind, "split": split, "largest_px": self.largest_px, self.kind: asdict(own)}


def build_avatar(
    request: AvatarRequest, folder: Path, *, resume: bool = False, overwrite: bool = False, readers: tuple[Callable[[Step], None], ...] = ()
) -> tuple[Avatar, AvatarPaths]:
    """Builds an avatar and writes its folder.

    A finished folder of the same request is used as it is with `resume`; after a kill, `resume` keeps what was tracked and labelled.

    Raises:
        InputError: the folder may not be touched, or the run has too little to learn from.
    """
    paths = _begun(request, folder, resume, overwrite)
    if resume and About.load(paths.about, KIND, SCHEMA).details.get("finished"):
        return load_avatar(folder), paths
    run = _run(request.source, paths, resume, readers)
    split = _split(request, run)
    began, used = time.perf_counter(), time.process_time()
    with StepLog(paths.steps, keep=False) as log:
        avatar = follow(_steps(request, run, split), log, *readers)
    facts = {
        "training_frames": len(split.train),
        "held_out_frames": len(split.held_out),
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "seconds_per_stage": dict(stage_seconds(paths.steps)),
        "peak_memory_mb": peak_memory_mb(),
    }
    split.write(paths.split)
    AtRest.of(run.track, run.model).save(paths.rest)
    save_avatar(avatar, paths, facts, {"track": InputFile.of(run.paths.track)})
    return avatar, paths


def _steps(request: AvatarRequest, run: Run, split: Split) -> Generator[Step, None, Avatar]:
    yield from parsed_steps(run)
    footage = Footage.of(run, around_head=True, largest_px=request.largest_px)
    if request.kind == "gaussian":
        return (yield from gaussian_steps(footage, split.train, request.gaussian))
    return (yield from mesh_steps(footage, split.train, request.mesh))


def _begun(request: AvatarRequest, folder: Path, resume: bool, overwrite: bool) -> AvatarPaths:
    """The folder, admitted and marked as an avatar that is not finished."""
    paths = AvatarPaths(folder)
    if resume and overwrite:
        raise ConfigError("--resume goes on with what is there and --overwrite throws it away: expected one of them, found both")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder to write to, found a file at {folder}")
    if not request.source.exists() and not any(sign in request.source.name for sign in "*?["):
        raise InputError(f"expected a finished run or a recording, found nothing at {request.source}")
    leftovers = half_written(folder)
    if folder.is_dir() and set(folder.iterdir()) - set(leftovers):
        _admit(request, paths, resume, overwrite)
    for leftover in leftovers:
        leftover.unlink()
    if overwrite:
        _clear(paths)
    write_json(paths.config, request.settings())
    if not paths.about.is_file():
        About(KIND, SCHEMA, {}, {"finished": False}).save(paths.about)
    return paths


def _admit(request: AvatarRequest, paths: AvatarPaths, resume: bool, overwrite: bool) -> None:
    if not resume and not overwrite:
        raise InputError(
            f"expected an empty folder. Use --resume to go on with the avatar in it, --overwrite to start anew, or another folder: {paths.root}"
        )
    if not paths.about.is_file():
        found = ", ".join(sorted(child.name for child in paths.root.iterdir())[:5])
        raise InputError(f"expected the folder of an avatar, found {found}. Headcast touches only what it made; choose another folder: {paths.root}")
    About.load(paths.about, KIND, SCHEMA)
    if resume and paths.config.is_file() and read_json(paths.config) != request.settings():
        raise InputError(
            f"the avatar was begun with other settings. Repeat its command with --resume, or use --overwrite or another folder: {paths.root}"
        )


def _clear(paths: AvatarPaths) -> None:
    """Removes what a build writes, `about.json` last, so that a kill in between leaves a folder that can be cleared again."""
    for folder in (paths.run, paths.evaluation.root):
        if folder.is_dir():
            shutil.rmtree(folder)
    for file in (paths.config, paths.split, paths.arrays, paths.rest, paths.steps, paths.about):
        file.unlink(missing_ok=True)


def _run(source: Path, paths: AvatarPaths, resume: bool, readers: tuple[Callable[[Step], None], ...]) -> Run:
    """The run that is named, or that of the recording, tracked into the avatar's folder."""
    about = RunPaths(source).about
    if about.is_file() and read_json(about).get("kind") in (RUN_KIND, FIT_KIND):
        return Run.open(source)
    return track_recording(RunRequest(source), paths.run, resume=resume, readers=readers)


def _split(request: AvatarRequest, run: Run) -> Split:
    """Which frames train, checked for whether they are enough; only those with a tracked face."""
    if not run.recorded:
        raise InputError(f"a run of a recording is needed here; the fit of a static head has none: {run.paths.root}")
    count = run.track.frame_count
    split = Split.usual(count) if request.split is None else Split.read(request.split, count)
    usable = split.among((run.track.valid.numpy() & run.capture.found).nonzero()[0].tolist())
    if len(usable.train) < _LEAST:
        raise InputError(
            f"expected at least {_LEAST} training frames with a tracked face, found {len(usable.train)} among the {len(split.train)} that train of "
            f"{count}. Record a longer clip, or name other frames with --split FILE: {run.paths.root}"
        )
    if len(usable.train) < (1 - _MOST_LOST) * len(split.train):
        raise InputError(
            f"expected a tracked face in most training frames, found it in {len(usable.train)} of {len(split.train)}. "
            f"See {run.paths.report_html} for what went wrong, or name frames with --split FILE"
        )
    return usable

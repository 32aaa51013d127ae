"""Several recordings of one person as runs that share who it is: an ordinary run folder for each, solved together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from headcast.capture import RigCapture
from headcast.errors import ConfigError, InputError
from headcast.solve.step import Step, follow
from headcast.solve.step_curves import StepCurves
from headcast.solve.step_log import StepLog
from headcast.store import RunPaths
from headcast.track.clips import Clips
from headcast.track.compilation import compiling
from headcast.track.models import load_model_for_tracking
from headcast.track.pipeline import track_clips_steps
from headcast.track.recording import perceive_steps
from headcast.track.run import Run, RunRequest, begin_run, check_run, draw_steps, finish_run, is_finished, is_tracked, keep_result

Readers = tuple[Callable[[Step], None], ...]


def clip_name(source: Path) -> str:
    """What a recording is called: its file's name without the ending, or its folder's for pictures and for a file that is called 'cameras'."""
    whole = source.absolute()
    numbered = any(mark in whole.name for mark in "*?%[")
    if numbered or whole.name == "cameras.json":
        return whole.parent.name
    return whole.name if whole.is_dir() else whole.stem


def requests_of(sources: Sequence[Path], request: RunRequest) -> dict[str, RunRequest]:
    """A request for each recording, by name.

    Raises:
        ConfigError: two recordings have one name.
    """
    named: dict[str, Path] = {}
    for source in sources:
        name = clip_name(source)
        if name in named:
            raise ConfigError(f"expected recordings of different names, found {name!r} twice; rename one of them: {named[name]}, {source}")
        named[name] = source
    return {name: RunRequest(source, request.model, request.config, request.prepare, request.choice, tuple(named)) for name, source in named.items()}


def track_recordings(
    sources: Sequence[Path],
    request: RunRequest,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    readers: Readers = (),
) -> dict[str, Run]:
    """`headcast track` of several recordings of one person: finished run folders `folder/NAME`, with one identity, by name.

    Everything is as with `track_recording`: what cannot be read or may not be touched is found out before anything is written, `resume` goes on
    with what was perceived and tracked, `overwrite` removes what earlier runs wrote in the folders of these names.

    Args:
        request: Model and settings of all; its source is left out of account.

    Raises:
        ConfigError: two recordings have one name.
        InputError: one of them shows no face, or one of the folders may not be touched.
    """
    requests = requests_of(sources, request)
    if (folder / "about.json").is_file() or (folder / "config.json").is_file():
        raise InputError(f"expected a folder for several runs, found one that holds a run itself; choose another: {folder}")
    for name, one in requests.items():
        check_run(one, folder / name, resume=resume, overwrite=overwrite)
    every = {name: begin_run(one, folder / name, resume=resume, overwrite=overwrite) for name, one in requests.items()}
    with ExitStack() as opened:
        own: dict[str, Readers] = {}
        for name, paths in every.items():
            curves = (StepCurves(paths.tensorboard),) if tensorboard else ()
            kept = StepLog(paths.steps, keep=resume)
            own[name] = (*(opened.enter_context(reader) for reader in (kept, *curves)), *readers)
        rigs = _perceived(requests, every, own)
        if all(is_finished(paths) for paths in every.values()):
            return {name: Run.open(paths.root) for name, paths in every.items()}
        model = load_model_for_tracking(request.model)
        if not all(is_tracked(every[name], request, Clips.of(list(rigs.values()))) for name in every):
            logs = tuple(reader for one in own.values() for reader in one[: len(one) - len(readers)])
            results = follow(track_clips_steps(list(rigs.values()), model, request.config), *logs, *readers)
            for (name, paths), result in zip(every.items(), results, strict=True):
                keep_result(paths, rigs[name], result)
        samples = {name: follow(draw_steps(paths, rigs[name], model), *own[name]) for name, paths in every.items()}
    return {name: finish_run(one, every[name], samples[name]) for name, one in requests.items()}


def _perceived(requests: dict[str, RunRequest], every: dict[str, RunPaths], own: dict[str, Readers]) -> dict[str, RigCapture]:
    rigs = {}
    with compiling() as compilation:
        for name, one in requests.items():
            rig = follow(perceive_steps(one.source, every[name], one.prepare, one.choice), *own[name])
            if not rig.found.any():
                raise InputError(
                    f"expected a face in every recording, found none in the {rig.frame_count} frames of {name!r}. "
                    f"Leave it out, or see whether the head is visible and large enough: {one.source}"
                )
            rigs[name] = rig
        if compilation is not None:
            follow(compilation.finish_steps(), *own[next(iter(own))])
    return rigs

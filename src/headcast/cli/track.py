"""`headcast track`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.capture import PrepareConfig
from headcast.capture.rigs import RigChoice
from headcast.cli.progress import ProgressBar
from headcast.store import read_json
from headcast.track.clip_runs import track_recordings
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording


def track(
    video: tyro.conf.Positional[Path],
    out: Path,
    more: tyro.conf.Positional[tuple[Path, ...]] = (),
    config: Annotated[TrackConfig, tyro.conf.arg(name="")] = TrackConfig(),  # noqa: B008
    choice: Annotated[RigChoice, tyro.conf.arg(name="")] = RigChoice(),  # noqa: B008
    model: str = "open",
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    prepare: PrepareConfig = PrepareConfig(),  # noqa: B008
) -> None:
    """Track the head through a video: pose, expression, shape, looks and camera, with a report.

    Args:
        video: Video, animated GIF, photo, folder of pictures, a pattern such as 'folder/color_*.png', what 'headcast prepare' wrote, or a recording
            that 'headcast cameras' understands.
        more: Further recordings of the same person, who is then solved from all of them; light, camera and poses are each recording's own.
        out: Folder to write the run to; of several recordings, a run in a folder of each one's name in it.
        model: Head model: 'open' (shipped), a name that 'headcast doctor' lists, or a path.
        resume: Go on with a run that was interrupted, or behind the --stages of one that is finished; other settings must be the same.
        overwrite: Remove what an earlier run wrote to the folder and start anew.
        tensorboard: Also write TensorBoard curves.
    """
    request = RunRequest(video, model, config, prepare, choice)
    how = {"resume": resume, "overwrite": overwrite, "tensorboard": tensorboard}
    with ProgressBar() as bar:
        if more:
            runs = track_recordings((video, *more), request, out, **how, readers=(bar,))
        else:
            runs = {"": track_recording(request, out, **how, readers=(bar,))}
    for name, run in runs.items():
        if name:
            Console(highlight=False).print(f"\n{name}", markup=False)
        tell(run)


def tell(run: Run) -> None:
    """Says how it went, where things are and what may come next."""
    report = read_json(run.paths.report_json)
    console = Console(highlight=False, soft_wrap=True)
    error = report["landmark_error_percent_of_interocular"]
    agreement = "" if error is None else f", landmark error {error['median']:.2f} % of the eye distance"
    console.print(
        f"{report['valid_frames']} of {report['frames']} frames tracked{agreement}, {report['frames_per_second']:.1f} frames/s", markup=False
    )
    for warning in report["warnings"]:
        console.print(f"note: {warning['message']}", markup=False)
    console.print(f"report: {run.paths.report_html}\nvideo:  {run.paths.overlay}\ntrack:  {run.paths.track}", markup=False)
    console.print(f"next:   headcast view {run.paths.root}   or   headcast export {run.paths.root} --to arrays", markup=False)

"""`headcast prepare`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast import capture
from headcast.capture import PrepareConfig
from headcast.cli.progress import ProgressBar


def prepare(
    video: tyro.conf.Positional[Path],
    out: Path,
    config: Annotated[PrepareConfig, tyro.conf.arg(name="")] = PrepareConfig(),  # noqa: B008
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Detect landmarks and mattes in a recording and keep them in a folder.

    Args:
        video: Video, animated GIF, photo, folder of pictures, or a pattern such as 'folder/color_*.png'.
        out: Folder to write the capture to.
        resume: Go on with a preparation that was interrupted.
        overwrite: Remove what an earlier preparation wrote to the folder and start anew.
    """
    with ProgressBar() as bar:
        made = capture.prepare(video, out, config, resume=resume, overwrite=overwrite, readers=(bar,))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{made.found.sum()} of {made.frame_count} frames show a face, {made.size[1]}×{made.size[0]}", markup=False)
    for warning in made.warnings:
        console.print(f"note: {warning}", markup=False)
    console.print(f"capture: {made.paths.root}", markup=False)

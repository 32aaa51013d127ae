"""`headcast synth`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.cli.progress import ProgressBar
from headcast.evaluate.synth import SynthConfig, prepare_folder, synthetic_clip, write_clip
from headcast.solve.step import follow
from headcast.track.models import load_model_for_tracking


def synth(
    out: Path,
    config: Annotated[SynthConfig, tyro.conf.arg(name="")] = SynthConfig(),  # noqa: B008
    model: str = "open",
    overwrite: bool = False,
) -> None:
    """Render a video of a head whose every parameter is known.

    Args:
        out: Folder to write video.mp4 (one per camera, and cameras.json, where there are several), truth.npz, albedo.png and about.json to.
        model: Head model: 'open' (shipped), a name that 'headcast doctor' lists, or a path.
        overwrite: Replace the clip that is in the folder.
    """
    prepare_folder(out, overwrite)
    clip = synthetic_clip(load_model_for_tracking(model), config)
    with ProgressBar() as bar:
        paths = follow(write_clip(clip, out), bar)
    console = Console(highlight=False, soft_wrap=True)
    pictures = str(paths.pictures / "*.png" if config.png else paths.cameras if config.cameras > 1 else paths.video)
    console.print(f"{config.frames} frames of seed {config.seed}\npictures: {pictures}\ntruth:    {paths.truth}", markup=False)
    console.print(f"next:     headcast track {pictures!r} --out RUN   and   headcast evaluate track RUN --truth {out}", markup=False)

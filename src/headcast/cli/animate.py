"""`headcast animate`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.animate import AnimateConfig, animate_steps
from headcast.cli.progress import ProgressBar
from headcast.errors import ConfigError, InputError
from headcast.solve.step import follow


def animate(
    avatar: tyro.conf.Positional[Path],
    by: str,
    out: Path,
    config: Annotated[AnimateConfig, tyro.conf.arg(name="")] = AnimateConfig(),  # noqa: B008
    overwrite: bool = False,
) -> None:
    """Drive an avatar and write the video.

    Args:
        avatar: Folder of a finished avatar.
        by: Who drives it: the folder of a finished run, a recording (which is tracked first), ARKit's curves as .csv, a model's coefficients as .npz,
            key poses as .json, or live:PORT for the Live Link Face app.
        out: Video to write, .mp4.
        overwrite: Replace an earlier video and its layers.
    """
    if out.suffix.lower() not in (".mp4", ".mov", ".mkv"):
        raise ConfigError(f"expected a name that ends in .mp4, .mov or .mkv, found {out}")
    if out.exists() and not overwrite:
        raise InputError(f"there is something already. Use --overwrite to replace it, or another place: {out}")
    with ProgressBar() as bar:
        follow(animate_steps(avatar, by, out, config), bar)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"video:  {out}", markup=False)
    if config.layers:
        console.print(f"layers: {out.with_suffix('.layers')}", markup=False)

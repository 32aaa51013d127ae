"""`headcast parse`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast import parse as parsing
from headcast.cli.progress import ProgressBar
from headcast.parse import NETWORK_ONLY, ParseConfig
from headcast.track.run import Run


def parse(
    run: tyro.conf.Positional[Path],
    config: Annotated[ParseConfig, tyro.conf.arg(name="")] = ParseConfig(),  # noqa: B008
    overwrite: bool = False,
) -> None:
    """Label what each pixel of a finished run shows (skin, eyes, hair, cloth …) and which way its surface faces.

    Args:
        run: Folder of a finished run.
        overwrite: Replace earlier labels and normals.
    """
    with ProgressBar() as bar:
        opened = Run.open(run)
        made = parsing.parse(opened, config, overwrite=overwrite, readers=(bar,))
    console = Console(highlight=False, soft_wrap=True)
    if config.labels is None:
        console.print(f"note: {', '.join(NETWORK_ONLY)} have no labels of their own: they count as what they lie on", markup=False)
    names = opened.track.camera_names
    if len(names) > 1:
        console.print(f"note: of {len(names)} cameras only the pictures of the first, {names[0]!r}, are labelled", markup=False)
    if config.preview:
        console.print(f"video:  {made.preview}", markup=False)
    console.print(f"labels and normals: {made.root}", markup=False)

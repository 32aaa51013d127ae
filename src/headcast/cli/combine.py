"""`headcast combine`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from headcast.export import combine as combined


def combine(
    datasets: tyro.conf.Positional[tuple[Path, ...]],
    out: Annotated[Path, tyro.conf.arg(metavar="PATH")],
    division: Literal["random-group", "random-single", "last"] = "random-group",
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Combine data sets of one person into one to train on.

    Args:
        datasets: Folders that 'headcast export --to nerf' wrote, of one person.
        out: Folder to write to. It names the pictures where they are, by relative paths: move it together with the data sets.
        division: Which sequences are for testing. random-group: one of every ten. random-single: one of all. last: the last. A single data set
            keeps its own division.
        seed: Of the random choice.
        overwrite: Replace an earlier union.
    """
    union = combined(datasets, out, division, seed, overwrite)
    console = Console(highlight=False, soft_wrap=True)
    for note in union.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"train: {', '.join(union.train)}", markup=False)
    console.print(f"test:  {', '.join(union.test)}", markup=False)
    console.print(f"wrote {out}", markup=False)

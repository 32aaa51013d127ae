"""`headcast export`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.capture import Capture
from headcast.cli.progress import ProgressBar
from headcast.export import (
    FORMATS,
    ColmapConfig,
    FlashavatarConfig,
    FormatName,
    ImavatarConfig,
    InstaConfig,
    NerfConfig,
    NerfstudioConfig,
    chosen_config,
    default_place,
    export_track,
    flame_file,
    formats_help,
    places_help,
    read_vht,
)
from headcast.heads import load_head
from headcast.heads.flame import load_flame_root
from headcast.solve.step import follow
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run


def export(
    run: tyro.conf.Positional[Path],
    to: Annotated[FormatName, tyro.conf.arg(help=formats_help())],
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help=places_help())] = None,
    model: str = "flame",
    overwrite: bool = False,
    nerf: NerfConfig = NerfConfig(),  # noqa: B008
    nerfstudio: NerfstudioConfig = NerfstudioConfig(),  # noqa: B008
    colmap: ColmapConfig = ColmapConfig(),  # noqa: B008
    insta: InstaConfig = InstaConfig(),  # noqa: B008
    imavatar: ImavatarConfig = ImavatarConfig(),  # noqa: B008
    flashavatar: FlashavatarConfig = FlashavatarConfig(),  # noqa: B008
) -> None:
    """Write a finished run in another format.

    Args:
        run: Folder of a finished run, or a tracked_flame_params.npz that Video Head Tracker wrote.
        model: The FLAME model of a tracked_flame_params.npz; runs know their own.
        overwrite: Replace an earlier export.
        nerf: What --to nerf writes.
        nerfstudio: What --to nerfstudio writes.
        colmap: What --to colmap writes.
        insta: What --to insta writes.
        imavatar: What --to imavatar writes.
        flashavatar: What --to flashavatar writes.
    """
    config = chosen_config(
        to, {"nerf": nerf, "nerfstudio": nerfstudio, "colmap": colmap, "insta": insta, "imavatar": imavatar, "flashavatar": flashavatar}
    )
    captures: tuple[Capture, ...] = ()
    opened = None
    if run.suffix == ".npz":
        # Landmarks take a minute to find on a model that is new here; only arrays hold any, and only conversion to ARKit's expressions asks for them.
        head = load_model_for_tracking(model) if to in ("arrays", "arkit") else load_head(model)
        track, albedo, folder = read_vht(run, head, load_flame_root(flame_file(head))), None, run.parent
    else:
        opened = Run.open(run)
        head, track, folder = opened.model, opened.track, run
        captures = opened.captures if FORMATS[to].needs_recording else ()
        albedo = opened.paths.albedo_picture if opened.paths.albedo_picture.is_file() else None
    place = out if out is not None else default_place(folder, to)
    with ProgressBar() as bar:
        follow(export_track(track, head, to, place, albedo, overwrite, captures, config, opened), bar)
    Console(highlight=False, soft_wrap=True).print(f"wrote {place}", markup=False)

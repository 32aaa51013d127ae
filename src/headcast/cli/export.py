"""`headcast export`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.cli.progress import ProgressBar
from headcast.errors import ConfigError
from headcast.export import FormatName, NerfConfig, default_place, export_track, flame_file, read_vht
from headcast.heads import load_head
from headcast.heads.flame import load_flame_root
from headcast.solve.step import follow
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run


def export(
    run: tyro.conf.Positional[Path],
    to: FormatName,
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None,
    model: str = "flame",
    overwrite: bool = False,
    nerf: NerfConfig = NerfConfig(),  # noqa: B008
) -> None:
    """Write a finished run in another format.

    Args:
        run: Folder of a finished run, or a tracked_flame_params.npz that Video Head Tracker wrote.
        to: arkit: ARKit's 52 expressions over time as CSV, as the Live Link Face app writes it. arrays: one npz for NumPy. glb: a rigged, textured,
            animated head for Blender, game engines and browsers. nerf: pictures, mattes, cameras and heads for training radiance fields and 3D
            Gaussians. nha: the data set of Neural Head Avatars, of a run that 'headcast parse' labelled. obj, ply: one mesh file per frame. vht:
            tracked_flame_params.npz of Video Head Tracker (FLAME runs).
        out: File (arkit, arrays, glb, vht) or folder (nerf, nha, obj, ply) to write to; in the run's own 'exports' folder if not given.
        model: The FLAME model of a tracked_flame_params.npz; runs know their own.
        overwrite: Replace an earlier export.
        nerf: What --to nerf writes.
    """
    if nerf != NerfConfig() and to != "nerf":
        raise ConfigError(f"--nerf options are for --to nerf, found --to {to}")
    capture = opened = None
    if run.suffix == ".npz":
        # Landmarks take a minute to find on a model that is new here; only arrays hold any.
        head = load_model_for_tracking(model) if to == "arrays" else load_head(model)
        track, albedo, folder = read_vht(run, head, load_flame_root(flame_file(head))), None, run.parent
    else:
        opened = Run.open(run)
        head, track, folder = opened.model, opened.track, run
        capture = opened.capture if to == "nerf" else None
        albedo = opened.paths.albedo_picture if opened.paths.albedo_picture.is_file() else None
    place = out if out is not None else default_place(folder, to)
    with ProgressBar() as bar:
        follow(export_track(track, head, to, place, albedo, overwrite, capture, nerf, opened), bar)
    Console(highlight=False, soft_wrap=True).print(f"wrote {place}", markup=False)

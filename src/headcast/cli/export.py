"""`headcast export`."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from headcast.avatars import AtRest, check_same_model, is_avatar, load_avatar
from headcast.capture import Capture
from headcast.cli.progress import ProgressBar
from headcast.errors import ConfigError
from headcast.export import (
    AVATAR_FORMATS,
    FORMATS,
    AvatarFormatName,
    ColmapConfig,
    FlashavatarConfig,
    FormatName,
    ImavatarConfig,
    InstaConfig,
    NerfConfig,
    NerfstudioConfig,
    chosen_config,
    default_place,
    export_avatar,
    export_track,
    flame_file,
    formats_help,
    places_help,
    read_vht,
)
from headcast.heads import load_head
from headcast.heads.flame import load_flame_root
from headcast.solve.step import follow
from headcast.store import AvatarPaths
from headcast.track.models import load_model_for_tracking
from headcast.track.run import Run


def export(
    run: tyro.conf.Positional[Path],
    to: Annotated[FormatName | AvatarFormatName, tyro.conf.arg(help=formats_help())],
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help=places_help())] = None,
    model: str = "flame",
    overwrite: bool = False,
    poses: Path | None = None,
    nerf: NerfConfig = NerfConfig(),  # noqa: B008
    nerfstudio: NerfstudioConfig = NerfstudioConfig(),  # noqa: B008
    colmap: ColmapConfig = ColmapConfig(),  # noqa: B008
    insta: InstaConfig = InstaConfig(),  # noqa: B008
    imavatar: ImavatarConfig = ImavatarConfig(),  # noqa: B008
    flashavatar: FlashavatarConfig = FlashavatarConfig(),  # noqa: B008
) -> None:
    """Write a finished run, or an avatar, in another format.

    Args:
        run: Folder of a finished run or avatar, or a tracked_flame_params.npz that Video Head Tracker wrote.
        model: The FLAME model of a tracked_flame_params.npz; runs know their own.
        overwrite: Replace an earlier export.
        poses: Folder of a finished run: an avatar is written in each of its frames, one file each, instead of at rest.
        nerf: What --to nerf writes.
        nerfstudio: What --to nerfstudio writes.
        colmap: What --to colmap writes.
        insta: What --to insta writes.
        imavatar: What --to imavatar writes.
        flashavatar: What --to flashavatar writes.
    """
    if is_avatar(run):
        place = _avatar(run, to, out, overwrite, poses)
        Console(highlight=False, soft_wrap=True).print(f"wrote {place}", markup=False)
        return
    if to in AVATAR_FORMATS or poses is not None:
        raise ConfigError(f"{'--poses' if poses is not None else f'--to {to}'} is for avatars, found something else: {run}")
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


def _avatar(folder: Path, to: FormatName | AvatarFormatName, out: Path | None, overwrite: bool, poses: Path | None) -> Path:
    """Writes an avatar; gives the place."""
    if to not in AVATAR_FORMATS:
        raise ConfigError(f"--to {to} is for runs; avatars are written as {', '.join(AVATAR_FORMATS)}: {folder}")
    avatar, paths = load_avatar(folder), AvatarPaths(folder)
    track = None
    if poses is not None:
        driver = Run.open(poses)
        check_same_model(avatar, driver.model, poses)
        track = driver.track
    name = "splats" if track is not None else f"head{AVATAR_FORMATS[to].suffix}"
    place = out if out is not None else paths.exports / name
    with ProgressBar() as bar:
        follow(export_avatar(avatar, AtRest.load(paths.rest, avatar.model), to, place, overwrite, track), bar)
    return place

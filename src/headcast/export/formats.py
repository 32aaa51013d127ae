"""Every format by its short name, as one table: what `headcast export --to` offers, and what its help says."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from headcast.capture import Capture
from headcast.errors import ConfigError
from headcast.export.arkit import export_arkit
from headcast.export.arrays import export_arrays
from headcast.export.avatar_formats import AVATAR_FORMATS
from headcast.export.bvh import export_bvh
from headcast.export.colmap import OWN_FILES as COLMAP_FILES
from headcast.export.colmap import ColmapConfig, export_colmap
from headcast.export.flashavatar import OWN_FILES as FLASHAVATAR_FILES
from headcast.export.flashavatar import FlashavatarConfig, export_flashavatar
from headcast.export.gltf import export_glb
from headcast.export.imavatar import OWN_FILES as IMAVATAR_FILES
from headcast.export.imavatar import ImavatarConfig, export_imavatar
from headcast.export.insta import OWN_FILES as INSTA_FILES
from headcast.export.insta import InstaConfig, export_insta
from headcast.export.nerf import OWN_FILES as NERF_FILES
from headcast.export.nerf import NerfConfig, export_nerf
from headcast.export.nerfstudio import OWN_FILES as NERFSTUDIO_FILES
from headcast.export.nerfstudio import NerfstudioConfig, export_nerfstudio
from headcast.export.nha import OWN_FILES as NHA_FILES
from headcast.export.nha import export_nha
from headcast.export.obj import export_obj
from headcast.export.order import Order
from headcast.export.ply import export_ply
from headcast.export.room import make_room
from headcast.export.usd import export_usd
from headcast.export.vht import export_vht
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import RunPaths
from headcast.track import Track
from headcast.track.run import Run

FormatName = Literal[
    "arkit", "arrays", "bvh", "colmap", "flashavatar", "glb", "imavatar", "insta", "nerf", "nerfstudio", "nha", "obj", "ply", "usd", "vht"
]


@dataclass(frozen=True)
class Format:
    """One format: adding one is one entry in `FORMATS` and its name in `FormatName`."""

    help: str
    place: str
    """File or folder inside the run's folder of exports."""
    write: Callable[[Order], Generator[Step, None, None]]
    own_files: tuple[str, ...] = ()
    """What an export to a folder consists of, as patterns; empty for formats that are one file."""
    config: type | None = None
    """Its settings, which the command line shows under the format's name."""
    needs_recording: bool = False
    """It holds the recording's pictures."""
    first_camera: bool = False
    """Of runs with several cameras it holds the first only."""

    @property
    def folder(self) -> bool:
        return bool(self.own_files)


def _data_set(
    name: FormatName, help: str, write: Callable[[Order], Generator[Step, None, None]], own_files: tuple[str, ...], config: type | None = None,
    first_camera: bool = False,
) -> Format:  # fmt: skip
    """A folder of the format's own name that holds the recording's pictures."""
    return Format(help, name, write, own_files, config, needs_recording=True, first_camera=first_camera)


FORMATS: dict[FormatName, Format] = {
    "arkit": Format(
        "ARKit's 52 expressions over time as CSV, as the Live Link Face app writes it", "arkit.csv", lambda o: export_arkit(o.track, o.model, o.out)
    ),
    "arrays": Format("one npz for NumPy", "arrays.npz", lambda o: export_arrays(o.track, o.model, o.out)),
    "bvh": Format("motion of head, neck, jaw and eyes as a skeleton", "head.bvh", lambda o: export_bvh(o.track, o.model, o.out)),
    "colmap": _data_set(
        "colmap",
        "a COLMAP model of the head at rest and a moving camera, with pictures and masks, for 3D Gaussians",
        lambda o: export_colmap(o.track, o.model, o.captures, o.out, o.config, o.albedo),
        COLMAP_FILES,
        ColmapConfig,
    ),
    "flashavatar": _data_set(
        "flashavatar",
        "FlashAvatar's folders, with metrical-tracker's .frame files (FLAME runs)",
        lambda o: export_flashavatar(o.track, o.model, o.capture, o.flame_root, o.out, o.config),
        FLASHAVATAR_FILES,
        FlashavatarConfig,
        first_camera=True,
    ),
    "glb": Format(
        "a rigged, textured, animated head for Blender, game engines and browsers",
        "head.glb",
        lambda o: export_glb(o.track, o.model, o.out, o.albedo),
    ),
    "imavatar": _data_set(
        "imavatar",
        "flame_params.json, pictures and masks for IMavatar, PointAvatar and SplattingAvatar (FLAME runs)",
        lambda o: export_imavatar(o.track, o.model, o.capture, o.flame_root, o.out, o.config),
        IMAVATAR_FILES,
        ImavatarConfig,
        first_camera=True,
    ),
    "insta": _data_set(
        "insta",
        "INSTA's data set: cut-out pictures, a mesh, depth and face parts per frame",
        lambda o: export_insta(o.track, o.model, o.capture, o.out, o.config),
        INSTA_FILES,
        InstaConfig,
        first_camera=True,
    ),
    "nerf": _data_set(
        "nerf",
        "pictures, mattes, cameras and heads for GaussianAvatars and other radiance fields and 3D Gaussians",
        lambda o: export_nerf(o.track, o.model, o.captures, o.out, o.config, o.flame_root_if_any),
        NERF_FILES,
        NerfConfig,
    ),
    "nerfstudio": _data_set(
        "nerfstudio",
        "transforms.json, pictures and masks for nerfstudio: the head at rest and a moving camera",
        lambda o: export_nerfstudio(o.track, o.model, o.captures, o.out, o.config, o.albedo),
        NERFSTUDIO_FILES,
        NerfstudioConfig,
    ),
    "nha": _data_set(
        "nha",
        "the data set of Neural Head Avatars, of a run that 'headcast parse' labelled",
        lambda o: export_nha(o.run, o.out, o.flame_file_if_any),
        NHA_FILES,
        first_camera=True,
    ),
    "obj": Format(
        "one textured mesh file per frame",
        "obj",
        lambda o: export_obj(o.track, o.model, o.out, o.albedo_picture),
        ("frame_*.obj", "head.mtl", "albedo.png"),
    ),
    "ply": Format("one coloured mesh file per frame", "ply", lambda o: export_ply(o.track, o.model, o.out, o.albedo), ("frame_*.ply",)),
    "usd": Format(
        "the rigged, textured, animated head as USDZ",
        "head.usdz",
        lambda o: export_usd(o.track, o.model, o.out, o.albedo_picture),
    ),
    "vht": Format(
        "tracked_flame_params.npz of Video Head Tracker (FLAME runs)",
        "tracked_flame_params.npz",
        lambda o: export_vht(o.track, o.model, o.flame_file, o.out, o.albedo),
        first_camera=True,
    ),
}


def formats_help() -> str:
    """What every format is, in a sentence each."""
    return " ".join(f"{name}: {entry.help}." for name, entry in (*FORMATS.items(), *AVATAR_FORMATS.items()))


def places_help() -> str:
    """Which formats are files and which folders."""
    files, folders = (", ".join(name for name, entry in FORMATS.items() if entry.folder == folder) for folder in (False, True))
    splats = ", ".join(AVATAR_FORMATS)
    return (
        f"File ({files}, {splats}) or folder ({folders}, and splats with --poses) to write to; in the run's or avatar's own 'exports' if not given."
    )


def default_place(run_folder: Path, name: FormatName) -> Path:
    """Where an export goes that nobody named a place for."""
    return RunPaths(run_folder).exports / FORMATS[name].place


def chosen_config(name: FormatName, configs: dict[str, Any]) -> Any:
    """The settings of a format among those of all; raises `ConfigError` where others were given that would do nothing."""
    for other, config in configs.items():
        if other != name and config != type(config)():
            raise ConfigError(f"--{other} options are for --to {other}, found --to {name}")
    return configs.get(name)


def export_track(
    track: Track, model: HeadModel, name: FormatName, out: Path, albedo_picture: Path | None = None, overwrite: bool = False,
    captures: Sequence[Capture] = (), config: Any = None, run: Run | None = None,
) -> Generator[Step, None, None]:  # fmt: skip
    """Writes a track in another format, one `Step` per piece.

    Args:
        model: the head model that the track was made with, landmarks included.
        out: a file or a folder, as `FORMATS` says.
        albedo_picture: sRGB picture in the model's atlas, where there is one.
        captures: the recordings, one per camera, for data sets with pictures.
        config: the format's settings; its defaults where not given.
        run: all of the run, for data sets with labels and normals.
    """
    entry = FORMATS[name]
    if config is None and entry.config is not None:
        config = entry.config()
    # What a format needs is asked for here; nothing is written before the first step.
    steps = entry.write(Order(track, model, out, albedo_picture, tuple(captures), config, run))
    make_room(out, name, entry.own_files, overwrite)
    yield from steps
    if entry.first_camera and len(track.cameras) > 1:
        yield Step("export", 1, 1, message=f"of {len(track.cameras)} cameras only the first, {track.camera_names[0]!r}, is in the export")

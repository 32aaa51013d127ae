"""Every format by its short name: what `headcast export --to` offers."""

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from headcast.capture import Capture
from headcast.errors import InputError
from headcast.export.arkit import export_arkit
from headcast.export.arrays import export_arrays
from headcast.export.flame_texture import fit_flame_texture
from headcast.export.gltf import export_glb
from headcast.export.nerf import OWN_FILES as NERF_FILES
from headcast.export.nerf import NerfConfig, export_nerf
from headcast.export.nha import OWN_FILES as NHA_FILES
from headcast.export.nha import export_nha
from headcast.export.obj import export_obj
from headcast.export.ply import export_ply
from headcast.export.vht import require_flame, write_vht
from headcast.heads import HeadModel
from headcast.heads.flame import load_flame_root
from headcast.heads.library import find_head
from headcast.solve.step import Step
from headcast.store import RunPaths
from headcast.track import Track
from headcast.track.run import Run

FormatName = Literal["arkit", "arrays", "glb", "nerf", "nha", "obj", "ply", "vht"]
_PLACES: dict[FormatName, str] = {
    "arkit": "arkit.csv",
    "arrays": "arrays.npz",
    "glb": "head.glb",
    "nerf": "nerf",
    "nha": "nha",
    "obj": "obj",
    "ply": "ply",
    "vht": "tracked_flame_params.npz",
}
_TEXTURE_COUNT = 100
"""Texture coefficients that Video Head Tracker keeps by default."""


_FOLDERS = ("nerf", "nha", "obj", "ply")


def default_place(run_folder: Path, name: FormatName) -> Path:
    """Where an export goes that nobody named a place for."""
    return RunPaths(run_folder).exports / _PLACES[name]


def export_track(
    track: Track, model: HeadModel, name: FormatName, out: Path, albedo_picture: Path | None = None, overwrite: bool = False,
    capture: Capture | None = None, nerf: NerfConfig | None = None, run: Run | None = None,
) -> Generator[Step, None, None]:  # fmt: skip
    """Writes a track in another format, one `Step` per piece.

    Args:
        model: the head model that the track was made with, landmarks included.
        out: a file for arkit, arrays, glb and vht, a folder for nerf, nha, obj and ply.
        albedo_picture: sRGB picture in the model's atlas, where there is one.
        capture: the recording, for nerf.
        nerf: what a data set holds.
        run: all of the run, for nha.
    """
    _make_room(out, name, overwrite)
    albedo = None if albedo_picture is None else np.asarray(Image.open(albedo_picture))
    if name == "arkit":
        yield from export_arkit(track, model, out)
    elif name == "arrays":
        yield from export_arrays(track, model, out)
    elif name == "glb":
        yield from export_glb(track, model, out, albedo)
    elif name == "nerf":
        if capture is None:
            raise InputError("a data set needs the recording's pictures; expected the folder of a run, found a file of parameters")
        root = load_flame_root(flame_file(model)) if model.about.get("family") == "FLAME" else None
        yield from export_nerf(track, model, capture, out, nerf or NerfConfig(), root)
    elif name == "nha":
        yield from _export_nha(run, out, albedo)
    elif name == "obj":
        yield from export_obj(track, model, out, albedo_picture)
    elif name == "ply":
        yield from export_ply(track, model, out, albedo)
    else:
        yield from _export_vht(track, model, out, albedo)


def flame_file(model: HeadModel) -> Path:
    """The file of a FLAME model; raises `InputError` for other models."""
    require_flame(model)
    file = find_head(model.name)
    if file is None:
        raise InputError(f"expected the FLAME file that the track was made with, found nothing for {model.name!r}")
    return file


def _export_nha(run: Run | None, out: Path, albedo: UInt8[ndarray, "height width 3"] | None) -> Generator[Step, None, None]:
    if run is None:
        raise InputError("a data set needs the recording's pictures; expected the folder of a run, found a file of parameters")
    yield from export_nha(run, out)
    if run.model.about.get("family") == "FLAME":
        yield from _export_vht(run.track, run.model, out / _PLACES["vht"], albedo)
    else:
        yield Step("export", 1, 1, message=f"{_PLACES['vht']} is left out: that program wants FLAME's parameters, the run has {run.model.name!r}")


def _export_vht(track: Track, model: HeadModel, out: Path, albedo: UInt8[ndarray, "height width 3"] | None) -> Generator[Step, None, None]:
    file = flame_file(model)
    texture_file = file.parent / "FLAME_texture.npz"
    notes = []
    if albedo is not None and texture_file.is_file():
        texture = fit_flame_texture(albedo, texture_file, _TEXTURE_COUNT)
    else:
        texture = np.zeros(_TEXTURE_COUNT, np.float32)
        notes.append(f"texture coefficients are zero: fitting them needs a solved albedo and FLAME_texture.npz beside {file.name}")
    moved = write_vht(track, model, load_flame_root(file), out, texture)
    if moved:
        notes.append(f"{moved} joint angles lay outside of that program's limits and were moved to them")
    yield Step("export", 1, 1, message="; ".join(notes))


def _make_room(out: Path, name: FormatName, overwrite: bool) -> None:
    folder = name in _FOLDERS
    taken = any(out.iterdir()) if out.is_dir() else out.exists()
    if out.exists() and out.is_dir() != folder:
        raise InputError(f"expected {'a folder' if folder else 'a file'} to write {name} to, found {'a folder' if out.is_dir() else 'a file'}: {out}")
    if not taken:
        return
    if not overwrite:
        raise InputError(f"there is something already. Use --overwrite to replace it, or another place: {out}")
    if folder:
        _clear(out, name)


def _clear(folder: Path, name: FormatName) -> None:
    """Removes an earlier export of the same kind; refuses where there is anything else."""
    names = {"nerf": NERF_FILES, "nha": NHA_FILES}.get(name, ("head.mtl", "albedo.png"))
    frames = "frame_[0-9]*[0-9]" if name == "nha" else f"frame_*.{name}"
    own = [*folder.glob(frames), *(folder / file for file in names if (folder / file).exists())]
    others = sorted(child.name for child in folder.iterdir() if child not in own)
    if others:
        raise InputError(f"expected nothing but an earlier export, found {', '.join(others[:5])}. Choose another folder: {folder}")
    shutil.rmtree(folder)

"""Finds and reads a head model by name or path, whatever it is."""

import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headcast.errors import FormatError, MissingAssetError
from headcast.heads._model_arrays import read_model
from headcast.heads.flame import flame_companions, is_flame, load_flame
from headcast.heads.gnm import is_gnm, load_gnm
from headcast.heads.ict import is_ict, is_ict_folder, load_ict
from headcast.heads.model import HeadModel
from headcast.heads.open_head import open_head

OPEN_HEAD = "open"


@dataclass(frozen=True)
class Asset:
    """A model that the user brings."""

    files: tuple[str, ...]
    """Names it usually has, the preferred first."""
    source: str
    licence: str


ASSETS = {
    "flame2023": Asset(("flame2023.pkl", "flame2023_no_jaw.pkl"), "https://flame.is.tue.mpg.de (free registration)", "FLAME licence, non-commercial"),
    "flame2023_Open": Asset(("flame2023_Open.pkl",), "https://flame.is.tue.mpg.de (free registration)", "CC-BY-4.0"),
    "flame2020": Asset(("flame2020.pkl", "generic_model.pkl"), "https://flame.is.tue.mpg.de (free registration)", "FLAME licence, non-commercial"),
    "flame": Asset(
        ("flame2023_Open.pkl", "flame2023.pkl", "flame2023_no_jaw.pkl", "flame2020.pkl", "generic_model.pkl", "flame.npz"),
        "https://flame.is.tue.mpg.de (free registration)",
        "CC-BY-4.0 for FLAME 2023 Open, otherwise non-commercial",
    ),
    "gnm": Asset(("gnm_head.npz", "gnm_head_v3.npz"), "https://huggingface.co/google/gnm-v3", "Apache-2.0"),
    "ict": Asset(
        ("ICT-FaceKit", "FaceXModel", "ict_facekit.npz", "ict_facekit_light_fp16.npz"), "https://github.com/ICT-VGL/ICT-FaceKit (clone it)", "MIT"
    ),
}
"""Models by short name: what `load_head` looks for and what it says when nothing is there."""


def model_folders() -> tuple[Path, ...]:
    """Where models are looked for: the folders in `$HEADCAST_MODELS`, then `headcast/models` in the user's data folder."""
    named = [Path(part) for part in os.environ.get("HEADCAST_MODELS", "").split(os.pathsep) if part]
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (*named, data / "headcast" / "models")


def load_head(name_or_path: str | Path) -> HeadModel:
    """The head model of that name: "open", a short name of `ASSETS`, a file or folder in `model_folders()`, or a path.

    The model's `name` is one that this function understands, so a track that keeps it can find its model again.

    Raises:
        MissingAssetError: nothing is there; the message says where the file comes from and where to put it.
        FormatError: the file is not a head model that Headcast reads.
    """
    if str(name_or_path) in (OPEN_HEAD, open_head().name):
        return open_head()
    path = find_head(name_or_path)
    if path is None:
        raise MissingAssetError(_what_is_missing(str(name_or_path)))
    model = _read(path)
    return replace(model, name=str(name_or_path) if not Path(name_or_path).exists() else str(path.resolve()))


def find_head(name_or_path: str | Path) -> Path | None:
    """The file or folder that `load_head` would read; None where there is none, and for the open head, which is shipped."""
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    if path.is_absolute():
        return None
    asset = ASSETS.get(str(name_or_path))
    names = asset.files if asset else (str(name_or_path), *(f"{name_or_path}{suffix}" for suffix in (".pkl", ".npz")))
    return next((found for folder in model_folders() for name in names if (found := folder / name).exists()), None)


def files_of_head(path: Path) -> list[Path]:
    """The file or folder of a model and whatever beside it the reader looks at: what decides the result of `load_head`."""
    return [path, *(flame_companions(path) if path.is_file() else [])]


def available_heads() -> dict[str, Path | None]:
    """Every short name and what was found for it; None where nothing was. For `headcast doctor`."""
    return {name: find_head(name) for name in ASSETS}


def _read(path: Path) -> HeadModel:
    if path.is_dir():
        if is_ict_folder(path):
            return load_ict(path)
        raise FormatError(f"expected a head model: a folder with generic_neutral_mesh.obj (ICT-FaceKit), found another folder: {path}")
    if path.suffix == ".pkl":
        return load_flame(path)
    if path.suffix != ".npz":
        raise FormatError(f"expected a head model as .pkl (FLAME), .npz (FLAME, GNM, ICT, Headcast) or folder (ICT-FaceKit), found {path}")
    names = _names(path)
    for is_kind, load in ((is_flame, load_flame), (is_gnm, load_gnm), (is_ict, load_ict), (_is_headcast, read_model)):
        if is_kind(names):
            return load(path)
    raise FormatError(f"expected the arrays of a FLAME, GNM, ICT or Headcast head model, found {sorted(names)[:12]}, in {path}")


def _names(path: Path) -> set[str]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return set(stored.files)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise FormatError(f"cannot be read as arrays ({error}); it was cut short or is another kind of file: {path}") from error


def _is_headcast(names: set[str]) -> bool:
    return {"template", "identity_basis", "identity_basis_step"} <= names


def _what_is_missing(name: str) -> str:
    folders = " or ".join(str(folder) for folder in model_folders())
    asset = ASSETS.get(name)
    if asset is None:
        return (
            f"expected a head model: 'open' (shipped), one of {', '.join(sorted(ASSETS))}, or a path; found nothing for {name!r}. "
            f"Models that you bring are looked for in {folders}"
        )
    files = " or ".join(asset.files)
    return f"the head model {name!r} is not here. Get {files} from {asset.source}; licence: {asset.licence}. Put it into {folders}"

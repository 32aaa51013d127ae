"""The kinds of avatar that there are, and reading any of them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from headcast.avatars.avatar import KIND, SCHEMA, Avatar
from headcast.avatars.baseline import BaselineAvatar
from headcast.avatars.gaussian.avatar import GaussianAvatar
from headcast.avatars.mesh.mesh_avatar import MeshAvatar
from headcast.errors import FormatError, InputError
from headcast.heads import HeadModel
from headcast.store import About, AvatarPaths, read_arrays, read_json
from headcast.track.models import load_model_for_tracking

KINDS: Mapping[str, type[Avatar]] = MappingProxyType({kind.kind: kind for kind in (BaselineAvatar, MeshAvatar, GaussianAvatar)})
"""Every kind by its name."""


def is_avatar(folder: Path) -> bool:
    """Whether a folder is an avatar's, finished or not."""
    about = AvatarPaths(folder).about
    return about.is_file() and read_json(about).get("kind") == KIND


def load_avatar(folder: str | Path) -> Avatar:
    """Reads a finished avatar.

    Raises:
        InputError: the folder is something else, or the avatar was not finished.
        FormatError: it is newer than this Headcast, or broken.
        MissingAssetError: its head model is not here.
    """
    paths = AvatarPaths(Path(folder))
    if not paths.root.is_dir():
        raise InputError(f"expected the folder of an avatar, found {'a file' if paths.root.exists() else 'nothing'} at {paths.root}")
    about = About.load(paths.about, KIND, SCHEMA)
    if not about.details.get("finished"):
        raise InputError(f"the avatar was not finished; run the same headcast avatar command with --resume. Folder: {paths.root}")
    try:
        kind, name, vertices = str(about.details["avatar"]), str(about.details["model"]), int(about.details["vertices"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"expected avatar, model and vertices among the details, found {about.details!r:.200}, in {paths.about}") from error
    if kind not in KINDS:
        raise FormatError(f"expected an avatar of kind {', '.join(KINDS)}, found {kind!r}: update Headcast to read {paths.root}")
    model = load_model_for_tracking(name)
    if len(model.template) != vertices:
        raise InputError(
            f"the avatar was made with a head model {name!r} of {vertices} vertices, found one of {len(model.template)}. "
            f"Bring the same model back, or build the avatar again: {paths.root}"
        )
    return KINDS[kind].of_arrays(read_arrays(paths.arrays), model, paths.arrays)


def check_same_model(avatar: Avatar, model: HeadModel, run: Path) -> None:
    """Raises `InputError` where an avatar and a run speak of different heads: their poses mean different things."""
    own = avatar.model
    if own.name != model.name or len(own.template) != len(model.template) or own.expression_names != model.expression_names:
        raise InputError(
            f"expected a run of the avatar's head model {own.name!r}, found one of {model.name!r}. Track the recording with --model {own.name}: {run}"
        )

"""Room for what is written: places that are free, or hold nothing but an earlier export of the same kind."""

import shutil
from pathlib import Path

from headcast.errors import InputError


def make_room(out: Path, what: str, own_files: tuple[str, ...], overwrite: bool) -> None:
    """Clears a place for an export, a folder where it has `own_files` (patterns), otherwise a file.

    Raises `InputError` where something is there and `overwrite` is not, or where a folder holds anything else.
    """
    folder = bool(own_files)
    taken = any(out.iterdir()) if out.is_dir() else out.exists()
    if out.exists() and out.is_dir() != folder:
        raise InputError(f"expected {'a folder' if folder else 'a file'} to write {what} to, found {'a folder' if out.is_dir() else 'a file'}: {out}")
    if not taken:
        return
    if not overwrite:
        raise InputError(f"there is something already. Use --overwrite to replace it, or another place: {out}")
    if folder:
        _clear(out, own_files)


def _clear(folder: Path, own_files: tuple[str, ...]) -> None:
    own = {file for pattern in own_files for file in folder.glob(pattern)}
    others = sorted(child.name for child in folder.iterdir() if child not in own)
    if others:
        raise InputError(f"expected nothing but an earlier export, found {', '.join(others[:5])}. Choose another folder: {folder}")
    shutil.rmtree(folder)

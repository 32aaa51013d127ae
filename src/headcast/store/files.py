"""Atomic writes and checked reads of arrays and JSON; a killed process leaves the old file or the new one, never half of one."""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from headcast.errors import FormatError, HeadcastError, InputError

Axis = str | int
"""In a schema: a number that an axis must have, or a name that stands for the same number everywhere in the file."""


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; when the block ends well it becomes `path`, otherwise it is removed.

    The temporary name keeps the suffix, so that writers which look at it choose the right format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise HeadcastError(f"could not write {path}: {error.strerror or error}. Free some disk space or choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)


def half_written(folder: Path) -> list[Path]:
    """Temporary files that killed processes left in the folder itself."""
    return [child for child in folder.glob(".*.tmp.*") if re.fullmatch(r"\..+\.\d+\.tmp\.[^.]+", child.name)]


def write_text(path: Path, text: str) -> None:
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; raises `InputError` where it is missing and `FormatError` where it is broken."""
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not valid JSON ({error}); it was cut short or edited. Make it again with --overwrite.") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], compress: bool = False) -> None:
    """Writes an npz that holds exactly these arrays; object arrays are refused."""
    plain = {name: np.asarray(value) for name, value in arrays.items()}
    for name, value in plain.items():
        assert value.dtype != object, f"array {name!r} would need pickle"
    # NumPy's own savez leaves its zip file open when the disk is full, and that complains once more when it is collected.
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with replace_file(path) as temporary, zipfile.ZipFile(temporary, "w", kind) as archive:
        for name, value in plain.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, value, allow_pickle=False)


def read_arrays(path: Path, schema: Mapping[str, Sequence[Axis]] | None = None, optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an npz. With a schema: every named array must be there (unless optional), with the stated
    number of axes, and axes of the same name must have the same length. Values that are not finite are refused."""
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError) as error:
        raise FormatError(f"{path} cannot be read as arrays ({error}); it was cut short or is another kind of file.") from error
    if schema is not None:
        check_arrays(arrays, schema, optional, path)
    return arrays


def check_arrays(arrays: Mapping[str, np.ndarray], schema: Mapping[str, Sequence[Axis]], optional: Sequence[str], path: Path) -> None:
    """Raises `FormatError` unless the arrays have the names, axes and finite values of the schema; for `read_arrays` and foreign formats."""
    missing = sorted(set(schema) - set(arrays) - set(optional))
    if missing:
        raise FormatError(f"expected the arrays {missing}, found {sorted(arrays)}, in {path}")
    lengths: dict[str, int] = {}
    for name, axes in schema.items():
        if name not in arrays:
            continue
        value = arrays[name]
        fits = value.ndim == len(axes) and all(
            length == (axis if isinstance(axis, int) else lengths.setdefault(axis, length)) for axis, length in zip(axes, value.shape, strict=False)
        )
        if not fits:
            known = {axis: length for axis, length in lengths.items() if axis in axes}
            raise FormatError(f"expected {name!r} with axes {tuple(axes)}{f' {known}' if known else ''}, found shape {value.shape}, in {path}")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise FormatError(f"{name!r} holds {int((~np.isfinite(value)).sum())} values that are not finite, in {path}")


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

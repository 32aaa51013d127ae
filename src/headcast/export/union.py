"""Several data sets of one person as one: tables that name the pictures where they are, by relative paths, and say which sequences are for testing.

The layout is VHAP's union, which GaussianAvatars reads: `transforms_{train,val,test}.json`, a canonical head, and lists of the sequences' names.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headcast.errors import ConfigError, FormatError, InputError
from headcast.export.posed_pictures import read_table
from headcast.export.room import make_room
from headcast.store import read_arrays, replace_file, write_json, write_text

_GROUP = 10
"""Sequences of which one is for testing, with `random-group`."""
_CANONICAL = ("canonical_flame_param.npz", "canonical_head_param.npz")
_LISTS = ("sequences_trainval.txt", "sequences_test.txt")
_TABLES = tuple(f"transforms{split}.json" for split in ("", "_train", "_val", "_test"))
OWN_FILES = (*_TABLES, *_CANONICAL, *_LISTS)
_OWN_NUMBERS = ("timestep_index_original", "timestep_id")
"""What means something in one sequence only."""
_SAME = 1e-5
"""How far identity coefficients may be from each other to be the same."""


@dataclass(frozen=True)
class Recorded:
    """One data set of a union."""

    folder: Path
    frames: list[dict[str, Any]]
    common: dict[str, Any]
    """What its table says of all frames."""
    test: frozenset[str]
    """Pictures that are for testing within it."""
    val_cameras: frozenset[int]
    canonical: Path

    @classmethod
    def open(cls, folder: Path) -> "Recorded":
        """Reads a data set; raises `InputError` or `FormatError` where it is none."""
        tables = {name: read_table(folder / f"transforms{name}.json") for name in ("", "_test", "_val")}
        frames, test, val = (tables[name].get("frames", []) for name in ("", "_test", "_val"))
        lacking = [number for number, entry in enumerate(frames) if not {"timestep_index", "file_path"} <= set(entry)]
        if not frames or lacking:
            raise FormatError(f"expected frames with timestep_index and file_path, found {len(frames)}, {len(lacking)} of them without, in {folder}")
        canonical = next((folder / name for name in _CANONICAL if (folder / name).is_file()), None)
        if canonical is None:
            raise InputError(f"expected a data set with {' or '.join(_CANONICAL)}, as --to nerf writes it, found neither in {folder}")
        common = {name: value for name, value in tables[""].items() if name not in ("frames", "timestep_indices", "camera_indices")}
        cameras = frozenset(int(entry.get("camera_index", 0)) for entry in val)
        return cls(folder, frames, common, frozenset(entry["file_path"] for entry in test), cameras, canonical)


@dataclass(frozen=True)
class Union:
    """What was written."""

    train: tuple[str, ...]
    """Names of the sequences to train on."""
    test: tuple[str, ...]
    differing: tuple[str, ...]
    """Names of the sequences whose identity is not the first one's."""
    notes: tuple[str, ...]


def combine(
    folders: Sequence[Path],
    out: Path,
    division: Literal["random-group", "random-single", "last"] = "random-group",
    seed: int = 0,
    overwrite: bool = False,
) -> Union:
    """Writes the union of data sets that `--to nerf` wrote (or VHAP); nothing is copied but the canonical head of the first.

    Args:
        division: random-group: of every ten sequences one is for testing. random-single: one of all. last: the last. A single sequence keeps its
            own division.

    Raises:
        ConfigError: a sequence is named twice.
        InputError: a folder is no data set, or their heads are of different models.
    """
    resolved = [folder.resolve() for folder in folders]
    if not folders or len(set(resolved)) < len(resolved):
        raise ConfigError(f"expected one or more data sets, each once, found {[str(folder) for folder in folders]}")
    sequences = [Recorded.open(folder) for folder in folders]
    differing = _differing(sequences)
    tested = _tested(len(sequences), division, seed)
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "val": [], "test": []}
    first_step = 0
    for number, sequence in enumerate(sequences):
        steps = {step: first_step + place for place, step in enumerate(sorted({entry["timestep_index"] for entry in sequence.frames}))}
        for entry in sequence.frames:
            part = _part(entry, sequence, number in tested, alone=len(sequences) == 1)
            parts[part].append(_moved(entry, sequence, out, steps[entry["timestep_index"]]))
        first_step += len(steps)
    make_room(out, "a union", OWN_FILES, overwrite)
    _write(out, sequences, parts, tested)
    names = _names(sequences)
    return Union(
        train=tuple(name for number, name in enumerate(names) if number not in tested or len(names) == 1),
        test=tuple(name for number, name in enumerate(names) if number in tested or len(names) == 1),
        differing=tuple(names[number] for number in differing),
        notes=_notes(names, differing, sequences[0]),
    )


def _tested(count: int, division: str, seed: int) -> frozenset[int]:
    """Numbers of the sequences that are for testing; none where there is only one."""
    if count == 1:
        return frozenset()
    if division == "last":
        return frozenset({count - 1})
    rng = np.random.default_rng(seed)
    if division == "random-single":
        return frozenset({int(rng.integers(count))})
    return frozenset(int(rng.integers(first, min(first + _GROUP, count))) for first in range(0, count, _GROUP) if count - first > 1 or first == 0)


def _part(entry: dict[str, Any], sequence: Recorded, tested: bool, alone: bool) -> str:
    if tested or (alone and entry["file_path"] in sequence.test):
        return "test"
    return "val" if int(entry.get("camera_index", 0)) in sequence.val_cameras else "train"


def _moved(entry: dict[str, Any], sequence: Recorded, out: Path, timestep: int) -> dict[str, Any]:
    """An entry as the union has it: its own time step, its files seen from the union, its sequence's lens written out."""
    kept = {name: value for name, value in {**sequence.common, **entry}.items() if name not in _OWN_NUMBERS}
    paths = {
        name: Path(os.path.relpath((sequence.folder / value).resolve(), out.resolve())).as_posix()
        for name, value in kept.items()
        if name.endswith("_path") and isinstance(value, str)
    }
    return {**kept, **paths, "timestep_index": timestep}


def _names(sequences: Sequence[Recorded]) -> list[str]:
    """The folders' names; with their parents' where two are alike."""
    short = [sequence.folder.resolve().name for sequence in sequences]
    return [name if short.count(name) == 1 else sequence.folder.resolve().as_posix() for name, sequence in zip(short, sequences, strict=True)]


def _differing(sequences: Sequence[Recorded]) -> list[int]:
    """Numbers of the sequences whose identity is not the first one's; raises `InputError` where they are of different head models."""
    first = read_arrays(sequences[0].canonical)
    found = []
    for number, sequence in enumerate(sequences[1:], start=1):
        other = read_arrays(sequence.canonical)
        if sequence.canonical.name != sequences[0].canonical.name or str(first.get("model", "")) != str(other.get("model", "")):
            raise InputError(
                f"expected heads of one model, found {sequences[0].canonical.name} {first.get('model', '')!s} and "
                f"{sequence.canonical.name} {other.get('model', '')!s}: {sequences[0].folder}, {sequence.folder}"
            )
        same = all(_alike(first.get(name), other.get(name)) for name in ("shape", "identity", "static_offset"))
        if not same:
            found.append(number)
    return found


def _alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and bool(np.abs(one - other).max(initial=0) < _SAME)


def _notes(names: Sequence[str], differing: Sequence[int], first: Recorded) -> tuple[str, ...]:
    if not differing:
        return ()
    others = ", ".join(names[number] for number in differing)
    return (
        f"the identity of {others} differs from that of {names[0]}: each sequence keeps its own in its files, but GaussianAvatars takes shape and "
        f"static offset of the first time step, which is {names[0]}'s, for all. Track the recordings with one identity (--given) for a better union.",
    )


def _write(out: Path, sequences: Sequence[Recorded], parts: dict[str, list[dict[str, Any]]], tested: frozenset[int]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with replace_file(out / sequences[0].canonical.name) as temporary:
        shutil.copyfile(sequences[0].canonical, temporary)
    names = _names(sequences)
    alone = len(names) == 1
    for file, chosen in zip(_LISTS, (lambda number: number not in tested, lambda number: number in tested or alone), strict=True):
        write_text(out / file, "".join(f"{name}\n" for number, name in enumerate(names) if chosen(number)))
    everything = sorted((entry for entries in parts.values() for entry in entries), key=lambda entry: (entry["timestep_index"], entry["file_path"]))
    for split, entries in {"_train": parts["train"], "_val": parts["val"], "_test": parts["test"], "": everything}.items():
        table = {
            **sequences[0].common,
            "timestep_indices": sorted({entry["timestep_index"] for entry in entries}),
            "camera_indices": sorted({int(entry.get("camera_index", 0)) for entry in entries}),
            "frames": entries,
        }
        write_json(out / f"transforms{split}.json", table)

"""Values that people and other programs write into files about cameras, checked: numbers of a shape, names of pictures, rigid motions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from headcast.errors import FormatError


def numbers(value: Any, shape: tuple[int | None, ...], key: str, where: str) -> Float64[ndarray, "..."]:
    """Finite numbers in an array of that shape, None for any length; raises `FormatError` for everything else."""
    try:
        array = np.array(value)
    except ValueError:
        array = np.array(None)
    fits = array.ndim == len(shape) and all(wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "iuf" or not fits or not np.isfinite(array).all():
        wanted = " × ".join("any" if length is None else str(length) for length in shape) or "one"
        raise FormatError(f"expected finite numbers ({wanted}) as {key}, found {short(value)}, of {where}")
    return array.astype(np.float64)


def positive(value: Any, key: str, where: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise FormatError(f"expected {key} above zero, found {value!r}, in {where}")
    return float(value)


def whole(value: Any, key: str, where: str, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != round(value) or value < least:
        raise FormatError(f"expected a whole number of at least {least} as {key}, found {short(value)}, of {where}")
    return int(value)


def names(value: Any, key: str, where: str) -> str | tuple[str, ...]:
    """One name, or several."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and value and all(isinstance(name, str) and name for name in value):
        return tuple(value)
    raise FormatError(f"expected {key} to be a name or a list of names, found {short(value)}, of {where}")


def camera_name(value: Any, where: object) -> str:
    """The name of a camera, which becomes that of a folder."""
    unusable = '/\\#:*?"<>|'
    if not isinstance(value, str) or not value or not value.isprintable() or any(sign in value for sign in unusable) or value.startswith("."):
        raise FormatError(f"expected the name of a camera to be usable as the name of a folder, found {value!r}, in {where}")
    return value


def an_object(value: Any, what: str, where: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FormatError(f"expected {what} as an object, found {short(value)}, in {where}")
    return value


def a_list(value: Any, what: str, where: object) -> Sequence[Any]:
    """A list that is not empty."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise FormatError(f"expected a list of {what}, found {short(value)}, in {where}")
    return value


def refuse_unknown(found: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(found) - known)
    if unknown:
        raise FormatError(f"expected any of {', '.join(sorted(known))}, found {', '.join(map(repr, unknown))}, in {where}")


def rigid(matrices: Float64[ndarray, "*poses 4 4"], where: str) -> Float64[ndarray, "stacked 4 4"]:
    """One or more rigid motions; raises `FormatError` for others."""
    stacked = matrices.reshape(-1, 4, 4)
    turns = stacked[:, :3, :3]
    off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    bad = np.flatnonzero((off > 1e-3) | (np.linalg.det(turns) < 0) | (np.abs(stacked[:, 3] - [0, 0, 0, 1]).max(1) > 1e-6))
    if len(bad):
        raise FormatError(
            f"expected rigid motions (4×4: a rotation without mirroring, a translation, 0 0 0 1), found {stacked[bad[0]].round(4).tolist()} "
            f"as pose {bad[0]} of {where}"
        )
    return stacked


def short(value: Any) -> str:
    """A value as text for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

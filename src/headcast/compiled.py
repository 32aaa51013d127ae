"""Functions that Numba compiles: on their first call, or before it where they declare what they are called with; kept on disk for later runs."""

import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any

import llvmlite.binding
import numba

_DECLARED: dict[str, tuple[Any, tuple]] = {}


def compiled(signature: str = "", **options: Any) -> Callable[[FunctionType], Any]:
    """Decorates a function that Numba compiles; dividing by zero gives what IEEE 754 says.

    It lets go of the interpreter while it runs, unless it is a `parallel` one: two of those at once would end the process where Numba's threads are
    the simplest kind.

    Args:
        signature: the types of its arguments in Numba's notation, `f4[:,::1], i8`; with it `compile_declared` compiles it before its
            first call. Other types are compiled when they come.
        options: of `numba.njit`. `parallel` costs a second of compiling or more; see `headcast.threads` for another way.
    """

    def decorate(function: FunctionType) -> Any:
        settings = {"nogil": not options.get("parallel"), "error_model": "numpy", **options}
        try:
            dispatcher = numba.njit(cache=True, **settings)(function)
        except RuntimeError:  # no folder where the compiled function could be kept
            dispatcher = numba.njit(**settings)(function)
        if signature:
            types, _ = numba.core.sigutils.normalize_signature(f"({signature},)")
            _DECLARED[f"{function.__module__}.{function.__name__}"] = dispatcher, types
        return dispatcher

    return decorate


def declared() -> Mapping[str, tuple[Any, tuple]]:
    """Compiled functions of all imported modules that declare their types, and these types, by name."""
    return MappingProxyType(_DECLARED)


def compile_declared(claims: Path) -> Iterator[str]:
    """Compiles the declared functions that no other process has claimed, longest first, and yields their names.

    Args:
        claims: a folder that the processes which share the work have in common.
    """
    for name in sorted(_DECLARED, key=lambda name: (-_length(_DECLARED[name][0]), name)):
        with suppress(FileExistsError):
            (claims / name).touch(exist_ok=False)
            dispatcher, types = _DECLARED[name]
            dispatcher.compile(types)
            yield name


def _length(dispatcher: Any) -> int:
    """How much there is to compile: the function's own code and that of the compiled functions which it names."""
    function = dispatcher.py_func
    named = [function.__globals__.get(name) for name in function.__code__.co_names]
    return len(function.__code__.co_code) + sum(_length(other) for other in named if hasattr(other, "py_func"))


def completion_mark() -> Path | None:
    """The file that says that all declared functions are on disk, compiled from these sources for this machine; None where none can be kept."""
    folders = [dispatcher.stats.cache_path for dispatcher, _ in _DECLARED.values()]
    if not folders or None in folders:
        return None
    digest = hashlib.sha256(f"{numba.__version__} {platform.python_version()} {llvmlite.binding.get_host_cpu_name()}".encode())
    for path in sorted({Path(dispatcher.py_func.__code__.co_filename) for dispatcher, _ in _DECLARED.values()}):
        digest.update(path.read_bytes())
    return Path(folders[0]) / f"headcast-{digest.hexdigest()[:16]}.compiled"

"""Compiles the plain Python functions of this folder for a machine, so that one source serves CPU and CUDA.

A body may call other bodies by name: when it is compiled, those names are bound to the versions compiled for the same machine.

Compiled CPU drivers are kept on disk. Numba renews such a cache when the driver's own file changes, but not when a body it
calls does; therefore the name under which a driver is kept carries a fingerprint of every source file in this folder.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import FunctionType

import numba

from headcast.compiled import compiled

_PACKAGE = __package__


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_FINGERPRINT = _fingerprint()


def linked(function: FunctionType, compile_body: Callable[[FunctionType], Callable]) -> FunctionType:
    """A copy of a function in which the bodies it names are replaced by compiled ones; shape checkers around it are taken off."""
    function = inspect.unwrap(function)
    bodies = {
        name: compile_body(value)
        for name in function.__code__.co_names
        if isinstance(value := function.__globals__.get(name), FunctionType) and value.__module__.startswith(_PACKAGE)
    }
    copy = FunctionType(function.__code__, {**function.__globals__, **bodies}, function.__name__, function.__defaults__)
    copy.__qualname__, copy.__module__, copy.__doc__ = function.__qualname__, function.__module__, function.__doc__
    return copy


@cache
def cpu_body(function: FunctionType, fastmath: frozenset[str] = frozenset()) -> Callable:
    """A body compiled for the CPU."""
    compile_body = partial(cpu_body, fastmath=fastmath)
    options = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "forceinline": True}
    return numba.njit(fastmath=set(fastmath) or False, **options)(linked(function, compile_body))


def cpu_driver(signature: str = "", parallel: bool = True, fastmath: frozenset[str] = frozenset()) -> Callable[[FunctionType], Callable]:
    """Decorates a loop over bodies that is compiled for the CPU, with `prange` spread over the threads.

    Args:
        signature: see `compiled`.
        fastmath: liberties with floating-point numbers, by LLVM's names, that the compiler may take in the loop and its bodies.
    """

    def decorate(function: FunctionType) -> Callable:
        driver = linked(function, partial(cpu_body, fastmath=fastmath))
        driver.__qualname__ = f"{function.__qualname__}_{_FINGERPRINT}"
        return compiled(signature, parallel=parallel, fastmath=set(fastmath) or False)(driver)

    return decorate

"""Compiled loops on several threads.

Numba's own parallel loops type a loop twice and cost a second or more of compiling each; the loops here release the interpreter instead, and threads
that sleep between calls run a piece each. What a loop computes must not depend on how it is cut.
"""

import itertools
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import numba
from threadpoolctl import threadpool_limits

P, S, R = ParamSpec("P"), TypeVar("S"), TypeVar("R")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS, thread_name_prefix="headcast")


def with_quiet_blas(steps: Callable[P, Generator[S, None, R]]) -> Callable[P, Generator[S, None, R]]:
    """Decorates a generator whose matrices are small: while it runs, BLAS works in the calling thread.

    NumPy's own threads gain nothing there, and spin: they take the core that the compiled loops wait for.
    """

    @wraps(steps)
    def quiet(*arguments: P.args, **named: P.kwargs) -> Generator[S, None, R]:
        with threadpool_limits(1, user_api="blas"):
            return (yield from steps(*arguments, **named))

    return quiet


def meanwhile(function: Callable, *arguments: Any) -> Future:
    """Calls a function that lets go of the interpreter, as compiled ones with `nogil` and NumPy's do, on another thread."""
    return _pool().submit(function, *arguments)


def in_parts(loop: Callable, count: int, *arguments: Any) -> None:
    """Calls `loop(first, last, *arguments)` with consecutive parts of range(count), one per thread, and returns when all are done.

    `loop` is compiled with `nogil` and writes to the arrays among its arguments, each part to places of its own.
    """
    parts = max(min(numba.get_num_threads(), count), 1)
    (first, last), *others = itertools.pairwise(part * count // parts for part in range(parts + 1))
    running = [_pool().submit(loop, *other, *arguments) for other in others]
    loop(first, last, *arguments)
    for other in running:
        other.result()

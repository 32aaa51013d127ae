"""Compiled loops on several threads.

Numba's own parallel loops type a loop twice and cost a second or more of compiling each; the loops here release the interpreter instead, and threads
that sleep between calls run a piece each. What a loop computes must not depend on how it is cut.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial, wraps
from typing import Any, Generic, ParamSpec, TypeVar

import numba
from threadpoolctl import threadpool_limits

P, S, R = ParamSpec("P"), TypeVar("S"), TypeVar("R")


_PARTS_PER_THREAD = 2


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


@dataclass(frozen=True)
class Errand(Generic[R]):
    """A call that another thread makes if one is free."""

    call: Callable[[], R]
    running: "Future[R]"

    def result(self) -> R:
        """What the call gave; it is made here where no thread has begun it."""
        return self.call() if self.running.cancel() else self.running.result()


def meanwhile(function: Callable[..., R], *arguments: Any) -> Errand[R]:
    """Calls a function that lets go of the interpreter, as compiled ones and NumPy's do, on another thread."""
    call = partial(function, *arguments)
    return Errand(call, _pool().submit(call))


def mapped(function: Callable[[S], R], items: Iterable[S]) -> Iterator[R]:
    """`function` of each item, in their order, worked out on all threads and a few items ahead."""
    if numba.get_num_threads() == 1:
        yield from map(function, items)
        return
    errands: deque[Errand[R]] = deque()
    try:
        for item in items:
            errands.append(meanwhile(function, item))
            if len(errands) > numba.get_num_threads():
                yield errands.popleft().result()
        while errands:
            yield errands.popleft().result()
    finally:
        for errand in errands:
            errand.running.cancel()


def in_parts(loop: Callable, count: int, *arguments: Any, grain: int = 1) -> None:
    """Calls `loop(first, last, *arguments)` with consecutive parts of range(count) on all threads, and returns when all are done.

    Each thread takes the next part when it has done one, so that a thread which finds no free core holds nobody up. `loop` is compiled with
    `nogil` and writes to the arrays among its arguments, each part to places of its own. No part is smaller than `grain`: waking a thread takes
    a tenth of a millisecond.
    """
    threads = numba.get_num_threads()
    parts = max(min(_PARTS_PER_THREAD * threads, count // grain), 1) if threads > 1 else 1
    waiting = iter([(part * count // parts, (part + 1) * count // parts) for part in range(parts)])

    def work() -> None:
        for first, last in waiting:
            loop(first, last, *arguments)

    helpers = [_pool().submit(work) for _ in range(min(threads, parts) - 1)]
    work()
    for helper in helpers:
        if not helper.cancel():
            helper.result()

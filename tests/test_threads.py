"""Loops and calls on several threads give what one thread gives, in the same order, and never wait for each other in a circle."""

import time

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from headcast.threads import in_parts, mapped, meanwhile, with_quiet_blas


@pytest.fixture(params=[1, 2])
def threads(request):
    before = numba.get_num_threads()
    numba.set_num_threads(min(request.param, before))
    yield request.param
    numba.set_num_threads(before)


@pytest.mark.parametrize(("count", "grain"), [(0, 1), (1, 1), (3, 1), (1000, 1), (1000, 400), (10, 64)])
def test_every_place_is_visited_once(threads, count, grain):
    visits = np.zeros(count, int)

    def loop(first, last, array):
        assert last - first >= min(grain, count)
        array[first:last] += 1

    in_parts(loop, count, visits, grain=grain)
    assert (visits == 1).all()


def test_results_keep_the_order_of_the_items(threads):
    def slow_at_first(item):
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(mapped(slow_at_first, range(9))) == [item * item for item in range(9)]


def test_items_are_taken_a_few_at_a_time(threads):
    taken = []
    results = mapped(lambda item: item, (taken.append(item) or item for item in range(100)))
    assert next(results) == 0
    assert len(taken) <= numba.get_num_threads() + 2
    results.close()


def test_calls_inside_calls_end(threads):
    def nested(item):
        parts = np.zeros(8)
        in_parts(lambda first, last: parts.__setitem__(slice(first, last), item), 8)
        return parts.sum() + meanwhile(lambda: item).result()

    assert list(mapped(nested, range(12))) == [9 * item for item in range(12)]


def test_an_error_reaches_the_caller(threads):
    def fails(item):
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(mapped(fails, range(3)))
    with pytest.raises(ValueError, match="part"):
        in_parts(lambda first, last: (_ for _ in ()).throw(ValueError("part")), 4)
    with pytest.raises(ValueError, match="item 7"):
        meanwhile(fails, 7).result()


def test_blas_has_one_thread_while_the_generator_runs_and_its_own_number_afterwards():
    def blas_threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    @with_quiet_blas
    def steps():
        yield blas_threads()
        return "done"

    before, generator = blas_threads(), steps()
    assert set(next(generator)) <= {1}
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert end.value.value == "done" and blas_threads() == before

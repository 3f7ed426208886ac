"""Slices shared among threads: all rows once, errors come out, a task may share, a fork starts its own threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import numba
import pytest

from research.core._tasks import share

WAIT = 20.0  # seconds after which a thread counts as stuck


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    yield
    numba.set_num_threads(before)


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 1000])
def test_every_row_is_done_once(n: int) -> None:
    done = [0] * n

    def work(rows: slice) -> None:
        for i in range(rows.start, rows.stop):
            done[i] += 1

    share(n, work)
    assert done == [1] * n


def test_an_error_of_any_slice_comes_out_and_the_next_call_works() -> None:
    def work(rows: slice) -> None:
        if rows.start == 60:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        share(160, work)
    test_every_row_is_done_once(100)


def test_a_task_may_share_and_callers_may_meet() -> None:
    def work(rows: slice) -> None:
        test_every_row_is_done_once(20)

    callers = [threading.Thread(target=share, args=(100, work), daemon=True) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT)
    assert not any(caller.is_alive() for caller in callers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_starts_its_own_threads() -> None:
    test_every_row_is_done_once(100)
    child = os.fork()
    if child == 0:
        threading.Timer(WAIT, os._exit, (1,)).start()
        try:
            test_every_row_is_done_once(100)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

"""Independent tasks shared among threads: slices of rows, each written by one call of a kernel that lets the GIL go.

A compiled parallel loop around a large body compiles that body again; threads outside it do not. The number of threads
is numba's, and no result depends on it. The threads wait for the next call (to start them anew costs 0.2 ms); a process
that forks starts its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from research.core._jit import n_threads

_pools: list[ThreadPoolExecutor] = []
_inside = threading.local()  # .work: this thread works for a call of `share`
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


def _pool() -> ThreadPoolExecutor:
    if not _pools:
        _pools.append(ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="research"))
    return _pools[0]


def share(n_rows: int, work: Callable[[slice], None], *, small: bool = False) -> None:
    """Call work(rows) for slices that cover range(n_rows), on all threads; `small` work stays in this thread."""
    threads = 1 if small or getattr(_inside, "work", False) else n_threads()
    if threads == 1 or n_rows < 2:
        work(slice(0, n_rows))
        return
    step = max(1, n_rows // (8 * threads))
    slices = iter([slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)])

    def drain() -> None:
        _inside.work = True
        try:
            for rows in slices:  # the next of a list is one step for the interpreter: no slice is given twice
                work(rows)
        finally:
            _inside.work = False

    helpers = [_pool().submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        failed = [helper.exception() for helper in helpers if not helper.cancel()]
    for error in failed:
        if error is not None:
            raise error

"""Independent tasks shared among threads: slices of rows, each written by one call of a kernel that lets the GIL go.

A compiled parallel loop around a large body compiles that body again; threads outside it do not. The number of threads
is numba's, and no result depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from research.core._jit import n_threads


def share(n_rows: int, work: Callable[[slice], None], *, small: bool = False) -> None:
    """Call work(rows) for slices that cover range(n_rows), on all threads; `small` work stays in this thread."""
    threads = 1 if small else n_threads()
    if threads == 1 or n_rows < 2:
        work(slice(0, n_rows))
        return
    step = max(1, n_rows // (8 * threads))
    slices = [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, slices):
            pass

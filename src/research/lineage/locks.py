"""One process at a time: an advisory lock on a file, released by the system when its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, *, wait_s: float | None = None) -> Iterator[bool]:
    """Hold the lock on `path`; yields False when it was not free within `wait_s` (None waits for ever)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as handle:
        got = _acquire(handle.fileno(), wait_s)
        try:
            yield got
        finally:
            if got:
                fcntl.flock(handle, fcntl.LOCK_UN)


def _acquire(number: int, wait_s: float | None) -> bool:
    if wait_s is None:
        fcntl.flock(number, fcntl.LOCK_EX)
        return True
    end = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)

"""ipykernel's standard output, whose `flush` waits for its other thread only when something was written.

A kernel flushes both streams twice a cell; each flush is a turn of two threads, most of them for nothing.
"""

from __future__ import annotations

import os
from typing import Any

from ipykernel.iostream import OutStream


class Stream(OutStream):
    """`sys.stdout` or `sys.stderr` of a recorded kernel."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._unsent, self._of = True, os.getpid()
        super().__init__(*arguments, **named)

    def write(self, string: str) -> int | None:
        self._unsent = True
        return super().write(string)

    def flush(self) -> None:
        if self._unsent or os.getpid() != self._of:
            self._unsent = False  # before the flush: what is written meanwhile waits for the next one
            super().flush()

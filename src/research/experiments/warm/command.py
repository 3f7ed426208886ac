"""A command of `research` in a child of the warm process: what takes longest, its imports, has been done.

The child has the caller's directory, variables and files; it ends with its caller, and says what code it ended with.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any


def work(request: Mapping[str, Any], descriptors: list[int]) -> None:
    """Run `research ARGUMENTS` on the given standard input, output and error. Call in a process of its own."""
    from research.experiments.warm import child

    stdin, stdout, stderr = descriptors
    child.surround(request, stdout, stderr)
    os.dup2(stdin, 0)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=os.isatty(stream.fileno()))  # type: ignore[union-attr]
    sys.argv = ["research", *request["arguments"]]
    if sys.path[0] == "":
        del sys.path[0]
    code = importlib.import_module(request["entry"]).main(request["arguments"])  # the doors lie above this room
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)

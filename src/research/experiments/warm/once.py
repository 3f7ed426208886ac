"""`python -P -m research.experiments.warm.once NUMBER PARENT`: one run, asked for on that descriptor, and fresh."""

from __future__ import annotations

import importlib
import os
import socket
import sys


def main() -> None:
    """Take one request, and keep its run."""
    control = socket.socket(fileno=int(sys.argv[1]))
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    from research.experiments import witness

    witness.install()
    from research.experiments.warm import keeper, wire

    keeper.die_with(int(sys.argv[2]))
    for name in ("child", "shell"):  # what every run needs; the request may come later
        importlib.import_module(f"research.experiments.warm.{name}")
    request, descriptors = wire.receive(control)
    if request is not None:
        for number in (1, 2):
            os.dup2(descriptors[-1], number)
        keeper.keep(control, request, descriptors, _work)


def _work(request: dict[str, object], descriptors: list[int]) -> None:
    from research.experiments.warm import server

    server.work(request, descriptors)


if __name__ == "__main__":
    main()

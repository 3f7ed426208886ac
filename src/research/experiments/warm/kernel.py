"""A Jupyter kernel in a child of the warm process, or in a fresh one: ipykernel's own, on sockets it is given.

A recorded run has the witness, no history and no settings of a user; a kernel for JupyterLab has what every kernel
has.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Mapping
from typing import Any

RECORDED = (
    "--HistoryManager.enabled=False",
    "--IPKernelApp.outstream_class=research.experiments.warm.stream.Stream",
    "--Kernel._execute_sleep=0.0",  # for clients that do not wait until the kernel says that it is idle; ours does
)


def work(request: Mapping[str, Any], descriptors: list[int]) -> None:
    """Be the kernel of `request["connection"]` until it is shut down. Call in a process of its own."""
    from research.experiments.warm import child

    (log,) = descriptors
    child.surround(request, log, log)
    os.environ["JPY_PARENT_PID"] = str(os.getppid())  # the keeper
    serve(["-f", request["connection"]], recorded=bool(request.get("recorded")))


def serve(arguments: list[str], *, recorded: bool) -> None:
    """Run ipykernel's application with `arguments`."""
    from research.experiments import witness
    from research.experiments.checkout import assert_source

    assert_source()
    crash_log = os.fdopen(os.dup(2), "w")
    had = "debugpy" in sys.modules
    if not had:
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # half of the start-up; none attaches to a run
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize([*arguments, *(RECORDED if recorded else [])])
    if not had:
        del sys.modules["debugpy"]
    faulthandler.enable(crash_log)  # ipykernel has sent it into a stream that dies with the process
    if "" not in sys.path:
        sys.path.insert(0, "")  # the notebook's folder, as in JupyterLab; `research` is already imported
    if os.environ.get("RESEARCH_HERMETIC"):
        from research.experiments import hermetic

        hermetic.enter_from_environment()
    if os.environ.get("RESEARCH_HERMETIC"):
        from research.experiments import hermetic

        hermetic.enter_from_environment()
    if recorded:
        witness.begin()
    app.start()

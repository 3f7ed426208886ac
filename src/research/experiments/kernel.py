"""`python -m research.experiments.kernel -f FILE`: an IPython kernel that is watched, and that dies with its parent.

It is our own, so that a run depends on no installed kernel specification, no profile and no start-up file of a
user; in JupyterLab the same notebooks run on the standard kernel.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys

from research.experiments import witness
from research.experiments.checkout import assert_source


def _die_with_parent() -> None:
    """Linux kills this process when the runner ends, whatever way; elsewhere ipykernel asks once a second."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.environ.get("JPY_PARENT_PID") not in (None, str(os.getppid())):
            os._exit(1)  # the parent ended before the line above


def main() -> None:
    """Start the kernel; returns when it is shut down."""
    _die_with_parent()
    assert_source()
    crash_log = os.fdopen(os.dup(2), "w")
    witness.install()
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # half of the start-up, for a debugger that none attaches
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize([*sys.argv[1:], "--HistoryManager.enabled=False"])
    del sys.modules["debugpy"]
    faulthandler.enable(crash_log)  # ipykernel has sent it into a stream that dies with the process
    if "" not in sys.path:
        sys.path.insert(0, "")  # the notebook's folder, as in JupyterLab; `research` is already imported
    if os.environ.get("RESEARCH_HERMETIC"):
        from research.experiments import hermetic

        hermetic.enter_from_environment()
    witness.begin()
    app.start()


if __name__ == "__main__":
    main()

"""`python -m research.experiments.kernel -f FILE`: an IPython kernel that is watched, and that dies with its parent.

It is our own, so that a run depends on no installed kernel specification, no profile and no start-up file of a
user; in JupyterLab the same notebooks run on the standard kernel.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from research.errors import RunError
from research.experiments import witness


def _die_with_parent() -> None:
    """Linux kills this process when the runner ends, whatever way; elsewhere ipykernel asks once a second."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.environ.get("JPY_PARENT_PID") not in (None, str(os.getppid())):
            os._exit(1)  # the parent ended before the line above


def _assert_source() -> None:
    """In a clean checkout, the code must come from there and not from what is installed."""
    wanted = os.environ.get("RESEARCH_SOURCE")
    if wanted and not Path(__file__).resolve().is_relative_to(Path(wanted).resolve()):
        raise RunError(f"research must be imported from {wanted}; got {Path(__file__).resolve()}.")


def main() -> None:
    """Start the kernel; returns when it is shut down."""
    _die_with_parent()
    _assert_source()
    witness.install()
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize([*sys.argv[1:], "--HistoryManager.enabled=False"])
    witness.begin()
    app.start()


if __name__ == "__main__":
    main()

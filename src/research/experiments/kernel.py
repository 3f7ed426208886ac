"""`python -m research.experiments.kernel -f FILE`: an IPython kernel that is watched, and that dies with its parent.

It is our own, so that a run depends on no installed kernel specification, no profile and no start-up file of a
user; in JupyterLab the same notebooks run on the standard kernel. On Linux a run forks it from a warm process, or
starts it under a keeper; elsewhere it is started as it stands here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from research.experiments import witness


def _die_with_parent() -> None:
    """Linux kills this process when the runner ends, whatever way; elsewhere ipykernel asks once a second."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.environ.get("JPY_PARENT_PID") not in (None, str(os.getppid())):
            os._exit(1)  # the parent ended before the line above


def main() -> None:
    """Start the kernel; returns when it is shut down."""
    _die_with_parent()
    witness.install()
    from research.experiments.warm.kernel import serve

    serve(sys.argv[1:], recorded=True)


if __name__ == "__main__":
    main()

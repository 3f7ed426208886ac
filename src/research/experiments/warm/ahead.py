"""A fresh interpreter started ahead of its request, so that it loads its libraries while the command loads its own.

`research run` starts one as soon as it knows that no warm process will serve it. Standard library only: the command
reads this before it imports anything of the framework.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping

FIXED = {"OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # unless set
HASH_SEED = {"PYTHONHASHSEED": "0"}  # always
_started: tuple[subprocess.Popen[bytes], socket.socket, dict[str, str]] | None = None


def launch(env: Mapping[str, str], log: int = subprocess.DEVNULL) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """An interpreter that waits for one request on the socket; it ends with this process, or when the socket does."""
    mine, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        call = [sys.executable, "-P", "-m", "research.experiments.warm.once", str(number), str(os.getpid())]
        process = subprocess.Popen(
            call,
            stdin=subprocess.DEVNULL,
            stdout=log,  # it turns to the log of its run when it hears of it
            stderr=log,
            env=dict(env),
            pass_fds=(number,),
        )
    return process, mine


def start() -> None:
    """Start one for this process; `take` gives it away."""
    global _started
    env = {**FIXED, **os.environ, **HASH_SEED}
    try:
        _started = (*launch(env), env)
    except OSError:  # then the run starts its own, and says why it can't
        _started = None


def take(env: Mapping[str, str], log: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The interpreter started ahead, when it began with what `env` asks for; else a new one that writes to `log`."""
    global _started
    from research.experiments.warm import place

    found, _started = _started, None
    if found is not None:
        process, link, began = found
        if place.start_environment(began) == place.start_environment(dict(env)) and process.poll() is None:
            return process, link
        link.close()
        process.kill()
        process.wait()
    return launch(env, log)

"""`python -P -m research.experiments.warm.server SOCKET`: loads the libraries once, then forks a run for each request.

It has one thread and runs no numeric code itself, so that a fork is safe. It ends when nobody has asked for a while,
when its checkout is gone, when it is told to, and when a file that it has loaded was changed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from research.experiments.warm import keeper, wire

IDLE_S = 900.0
PATIENCE_S = 5.0  # for a client that connects and says nothing
START = {  # variables of the warm process: no thread but its own
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
LIBRARIES = (
    "numpy",
    "pandas",
    "scipy.optimize",
    "scipy.stats",
    "scipy.special",
    "scipy.interpolate",
    "pyarrow.parquet",
    "pydantic",
    "annotated_types",
    "pandera.pandas",
    "ruamel.yaml",
    "rfc8785",
    "numba",
    "numba.np.ufunc.parallel",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "jinja2",
    "rich.console",
    "rich.markup",
    "rich.progress",
    "rich.table",
    "sqlite3",
    "typer.main",
    "stack_data",
    "pygments.formatters.terminal256",
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "ipykernel.kernelapp",
    "research.experiments.jsonable",
    "research.experiments.checkout",
    "research.experiments.warm.child",
    "research.experiments.warm.shell",
)


class Server:
    """The process that waits."""

    def __init__(self, listener: socket.socket, path: Path) -> None:
        self._listener, self._path = listener, path
        self._runs: set[int] = set()
        self._couriers: set[int] = set()
        self._started = self._asked = time.monotonic()
        self._count = 0
        self._leaving = ""
        self._files = _Files()
        self._idle = float(os.environ.get("RESEARCH_WARM_IDLE", IDLE_S))

    def serve(self) -> None:
        """Until it is time to leave and the last run has ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        wake, other = socket.socketpair()
        for end in (wake, other):
            end.setblocking(False)
        signal.set_wakeup_fd(other.fileno())
        self._wakers = (wake, other)
        while not (self._leaving and not self._runs):
            listening = [] if self._leaving else [self._listener]
            ready, _, _ = select.select([wake, *listening], [], [], 5.0)
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    wake.recv(4096)
            self._reap()
            if self._listener in ready:
                self._accept()
            self._look_around()

    def _reap(self) -> None:
        for group in (self._runs, self._couriers):
            for pid in list(group):
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0]:
                        group.discard(pid)
                        self._asked = time.monotonic()

    def _look_around(self) -> None:
        if self._runs or self._leaving:
            return
        if time.monotonic() - self._asked > self._idle:
            self._leave("idle")
        elif not Path(__file__).exists() or not self._is_at_path():
            self._leave("gone")

    def _is_at_path(self) -> bool:
        """Whether the socket's name still leads here."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def _inode(self) -> int:
        if not hasattr(self, "_number"):
            self._number = self._path.stat().st_ino
        return self._number

    def _leave(self, why: str) -> None:
        """No more requests; what runs may end."""
        self._leaving = why
        if self._is_at_path():
            self._path.unlink(missing_ok=True)
        self._listener.close()

    def _accept(self) -> None:
        try:
            link, _ = self._listener.accept()
        except OSError:
            return
        with link:
            try:
                link.settimeout(PATIENCE_S)
                if _peer(link) != os.getuid():
                    return
                request, descriptors = wire.receive(link)
                link.settimeout(None)
            except (OSError, ValueError):
                return
            try:
                if isinstance(request, dict):
                    self._asked = time.monotonic()
                    self._answer(link, request, descriptors)
            except OSError:
                pass
            finally:
                for number in descriptors:
                    os.close(number)

    def _answer(self, link: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        what = request.get("do")
        if what == "state":
            wire.send(link, self._state())
        elif what == "stop":
            self._leave("told to")
            wire.send(link, self._state())
        elif changed := self._files.changed():
            self._leave(f"{changed} changed")
            wire.send(link, {"stale": changed})
        elif what == "courier":
            wire.send(link, {"pid": self._send_courier(request)})
        elif what in WORK:
            self._fork(link, request, descriptors)

    def _fork(self, link: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        me = os.getpid()
        pid = os.fork()
        if pid:
            self._runs.add(pid)
            self._count += 1
            return
        keeper.die_with(me)
        self._be_forked()
        keeper.keep(link, request, descriptors, work)

    def _send_courier(self, request: dict[str, Any]) -> int:
        """A process that tells of runs; it need not end with this one."""
        pid = os.fork()
        if pid:
            self._couriers.add(pid)
            return pid
        try:
            os.setsid()
            self._be_forked()
            os.environ.clear()
            os.environ.update(request["env"])
            from research.experiments import courier
            from research.project import Project

            courier.serve(Project(Path(request["root"])))
        finally:
            os._exit(0)

    def _be_forked(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._listener, *self._wakers):
            end.close()

    def _state(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "running": len(self._runs),
            "served": self._count,
            "age_s": time.monotonic() - self._started,
            "idle_s": time.monotonic() - self._asked,
            "ends_after_s": self._idle,
            "memory": _memory(),
            "threads": len(os.listdir("/proc/self/task")),  # noqa: PTH208
            "stale": self._files.changed(),
            "leaving": self._leaving,
        }


def _memory() -> int:
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peer(link: socket.socket) -> int:
    """The user at the other end."""
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])


WORK = {"cells": "child", "kernel": "kernel", "command": "command"}


def work(request: Mapping[str, Any], descriptors: list[int]) -> None:
    """What a child does that was forked for `request`."""
    module = importlib.import_module(f"research.experiments.warm.{WORK[request['do']]}")
    module.work(request, descriptors)


class _Files:
    """The files that this process has loaded of `research`, as they were before it loaded them."""

    def __init__(self) -> None:
        package = Path(__file__).resolve().parents[2]
        self._packages = (Path(sys.prefix) / "pyvenv.cfg", *map(Path, _site_folders()))
        self._engine = [str(p) for p in Path(__file__).resolve().parent.glob("*.py")]  # what a child will load
        self._before = {str(p): _stamp(p) for p in [*package.rglob("*.py"), *self._packages]}

    def changed(self) -> str:
        """The first file or folder of packages that is no longer as it was; empty when all are."""
        own = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "research"]
        loaded = [os.path.realpath(file) for module in own if (file := getattr(module, "__file__", None))]
        for name in [*map(str, self._packages), *self._engine, *loaded]:
            if _stamp(Path(name)) != self._before.get(name):
                return Path(name).name
        return ""


def _site_folders() -> list[str]:
    import sysconfig

    return sorted({sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]})


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size if path.is_file() else 0, found.st_ino)


def _load() -> None:
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def main() -> None:
    """Serve at the socket named by the first argument, until it is time to leave."""
    path = Path(sys.argv[1])
    os.chdir("/")
    for name, value in START.items():
        os.environ.setdefault(name, value)
    from research.experiments import witness

    witness.install()
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # half of the start-up, for a debugger that none attaches
    partial = path.with_suffix(f".{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(partial))
    partial.chmod(0o600)
    listener.listen(256)
    server = Server(listener, path)
    _load()
    del sys.modules["debugpy"]
    gc.collect()
    gc.freeze()
    partial.replace(path)  # from here on clients find it
    if "RESEARCH_WARM_LOCK" in os.environ:
        os.close(int(os.environ.pop("RESEARCH_WARM_LOCK")))  # and nobody else need start one
    server.serve()


if __name__ == "__main__":
    main()

"""The process between a warm parent and one run: it forks the run, watches it, and leaves nothing of it behind.

It adopts every process that the run leaves without a parent, so that a forked grandchild ends with the run. It ends
the run when its client goes away, whatever way. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from research.experiments.warm import wire

_PDEATHSIG, _SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Linux kills this process when `parent` ends."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the line above


def keep(control: socket.socket, request: dict[str, Any], descriptors: list[int], work: Callable[..., None]) -> None:
    """Fork `work(request, descriptors)`, report its end on `control`, and clean up. Does not return."""
    status = 1
    try:
        _libc.prctl(_SUBREAPER, 1)
        me = os.getpid()
        child = os.fork()
        if child == 0:
            _be_child(me, control, request, descriptors, work)
        for number in descriptors:
            os.close(number)
        wire.send(control, {"pid": child})
        _watch(control, child)
        status = 0
    except BaseException:
        with contextlib.suppress(OSError):
            _end_descendants()
    finally:
        os._exit(status)


def _be_child(
    parent: int, control: socket.socket, request: dict[str, Any], descriptors: list[int], work: Callable[..., None]
) -> None:
    try:
        os.setsid()
        die_with(parent)
        control.close()
        work(request, descriptors)
        os._exit(0)
    except SystemExit as stop:
        os._exit(stop.code if isinstance(stop.code, int) else int(stop.code is not None))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(70)


def _watch(control: socket.socket, child: int) -> None:
    """Until the run ends or the client goes."""
    handle = os.pidfd_open(child)
    reader = wire.Reader(control)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(control, select.POLLIN)
    while True:
        ready = {number for number, _ in poll.poll()}
        if handle in ready:
            break
        messages = _messages(reader)
        if messages is None:
            os.kill(child, signal.SIGKILL)
            poll.unregister(control)
            continue
        for message in messages:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, int(message["signal"]))
    _, status, used = os.wait4(child, 0)
    facts: dict[str, Any] = {"exit": os.waitstatus_to_exitcode(status), "left": _end_descendants()}
    facts |= {"cpu_s": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}
    with contextlib.suppress(OSError):
        wire.send(control, facts)


def _messages(reader: wire.Reader) -> list[Any] | None:
    try:
        return reader.feed()
    except OSError:
        return None


def _end_descendants() -> list[str]:
    """Kill what the run left behind, generation by generation; the names of those that were still there."""
    names = []
    for _ in range(100):
        found = _children()
        if not found:
            break
        for pid in found:
            names.append(_name(pid))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        time.sleep(0)
    return [name for name in names if name]


def _children() -> list[int]:
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as handle:
            return [int(word) for word in handle.read().split()]
    except OSError:
        pass
    found = []
    for word in os.listdir("/proc"):  # noqa: PTH208
        if word.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{word}/stat", "rb") as handle:
                if int(handle.read().rpartition(b")")[2].split()[1]) == me:
                    found.append(int(word))
    return found


def _name(pid: int) -> str:
    """The command of a process; empty when it has ended and only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            head, _, rest = handle.read().rpartition(b")")
        return "" if rest.split()[0] in (b"Z", b"X") else head.partition(b"(")[2].decode(errors="replace")
    except OSError:
        return ""

"""Is the process that opened a run still alive? Its id alone does not tell: ids are used again, machines restart."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be confused with a later one of the same id."""

    host: str
    boot_id: str  # changes when the machine starts
    pid: int
    start_ticks: int  # when the process started, in ticks since boot


def boot_id() -> str:
    """The id of this start of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """When process `pid` started; None when there is none, or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if stat[0] in (b"Z", b"X") else int(stat[19])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError, ValueError):
        return None
    return _start_elsewhere(pid)


def _start_elsewhere(pid: int) -> int | None:
    """Without /proc (macOS)."""
    import psutil

    try:
        return int(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return None


def this_process() -> Process:
    pid = os.getpid()
    return Process(platform.node(), boot_id(), pid, start_ticks(pid) or 0)


def is_dead(process: Process) -> bool:
    """Whether the process is certainly gone; one of another host is not judged."""
    if process.host != platform.node():
        return False
    return process.boot_id != boot_id() or start_ticks(process.pid) != process.start_ticks

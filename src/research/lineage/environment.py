"""What the run ran on: interpreter, distributions, lock, processor, threads."""

from __future__ import annotations

import functools
import os
import platform
import re
import sysconfig
from pathlib import Path
from typing import Any

from research.fingerprint import digest_json
from research.lineage import memo

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


def canonical(name: str) -> str:
    """The name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def distributions() -> dict[str, str]:
    """Installed distributions and versions, read from folder names (reading their metadata takes 100 times longer)."""
    found: dict[str, str] = {}
    for folder in {sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]}:
        for entry in os.scandir(folder):
            if entry.name.endswith(".dist-info"):
                name, _, version = entry.name.removesuffix(".dist-info").partition("-")
                found[canonical(name)] = version
    return dict(sorted(found.items()))


def off_lock(lock: Path) -> list[str]:
    """Installed distributions whose version is not the one in the lock: `numpy 2.4.5 (lock: 2.4.6)`."""
    return list(memo.while_unchanged(("off_lock", str(lock)), [lock], lambda: _off_lock(lock)))


def _off_lock(lock: Path) -> list[str]:
    pins: dict[str, set[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := _PIN.match(line):
            pins.setdefault(canonical(match[1]), set()).add(match[2])
    have = distributions()
    wrong = [name for name, versions in pins.items() if name in have and have[name] not in versions]
    return [f"{name} {have[name]} (lock: {', '.join(sorted(pins[name]))})" for name in sorted(wrong)]


def lock_digest(lock: Path) -> str | None:
    return memo.file_digest(lock) if lock.is_file() else None


@functools.cache
def cpu() -> str:
    """The name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def threads() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@functools.cache
def _digest(python: str) -> str:
    return digest_json({"python": python, "distributions": distributions()})


def describe(lock: Path) -> dict[str, Any]:
    """The `environment` of a capsule. Its digest covers interpreter and distributions, not the machine."""
    have, python = distributions(), platform.python_version()
    return {
        "lock": lock_digest(lock),
        "python": python,
        "distributions": have,
        "digest": _digest(python),
        "cpu": cpu(),
        "threads": threads(),
        "platform": f"{platform.system()}-{platform.machine()}",
    }

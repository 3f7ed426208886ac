"""Where the warm process of this user, interpreter and copy of the code can be met: a socket in a private folder.

One process serves one key: interpreter, copy of the code, and what an interpreter reads from its environment as it
starts. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
from pathlib import Path

_AT_START = ("PYTHON", "LD_", "OMP_", "OPENBLAS", "GOTO", "MKL_", "BLIS_", "NUMBA_", "NUMEXPR", "TBB", "KMP_", "MPL")
_AT_START_EXACT = ("RESEARCH_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME", "MALLOC_ARENA_MAX")
_LONGEST = 60  # characters of the folder: a socket's whole path may have 107


class UnsafeFolderError(OSError):
    """The folder for the socket belongs to somebody else, or others may enter it."""


def is_possible() -> bool:
    """Whether this system can fork warm interpreters at all."""
    return sys.platform.startswith("linux") and hasattr(os, "pidfd_open")


def is_off() -> bool:
    """RESEARCH_WARM=0 switches the warm process off."""
    return os.environ.get("RESEARCH_WARM", "").lower() in ("0", "off", "false", "no") or not is_possible()


def start_environment(env: dict[str, str]) -> dict[str, str]:
    """The variables that an interpreter or a numeric library reads as it starts."""
    found = {k: v for k, v in env.items() if k.startswith(_AT_START) or k in _AT_START_EXACT}
    return {k: v for k, v in found.items() if k not in ("PYTHONHASHSEED", "PYTHONSTARTUP")}


def key() -> str:
    """Which warm process fits this one."""
    facts = {
        "python": sys.executable,
        "version": sys.version,
        "code": str(Path(__file__).resolve().parent),
        "environment": start_environment(dict(os.environ)),
        "processors": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def folder() -> Path:
    """The private folder of this user, made when it is not there.

    Raises
    ------
    UnsafeFolderError
        When it is a link, belongs to another user, or is open to others.
    """
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    base = given if given and len(given) < _LONGEST - 10 and os.access(given, os.W_OK) else tempfile.gettempdir()
    if len(base) > _LONGEST - 20:
        base = "/tmp"
    path = Path(base) / f"research-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnsafeFolderError(f"{path} must be a folder of yours with mode 0700; got {stat.filemode(found.st_mode)}")
    return path


def socket_path() -> Path:
    return folder() / f"{key()}.sock"

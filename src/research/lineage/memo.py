"""Remembering what files say, without ever being wrong: an answer holds while the files it came from are untouched.

A file is known by device, inode, size, and the times of its last change of content and of inode. A change within
`MARGIN_S` of the moment we looked could leave these the same (clocks tick coarsely), so an answer about a file that
had just been changed is not kept. Memory of one process; a run in a long-lived worker asks git nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from research.fingerprint import digest_file

MARGIN_S = 2.0
_MOST = 20_000
_Signature = tuple[int, int, int, int, int] | None
_Answer = TypeVar("_Answer")

_known: dict[Hashable, tuple[tuple[tuple[str, _Signature], ...], Any]] = {}
_lock = threading.Lock()


def signature(path: str | Path) -> _Signature:
    """What tells whether a file was changed; None when there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def while_unchanged(key: Hashable, paths: Iterable[str | Path], answer: Callable[[], _Answer]) -> _Answer:
    """`answer()`, remembered while every one of `paths` is as it was (or as absent as it was)."""
    now = tuple((str(path), signature(path)) for path in paths)
    with _lock:
        kept = _known.get(key)
    if kept is not None and kept[0] == now:
        found: _Answer = kept[1]
        return found
    looked = time.time_ns()
    made = answer()
    newest = max((max(s[3], s[4]) for _, s in now if s is not None), default=0)
    if abs(looked - newest) > MARGIN_S * 1e9:
        with _lock:
            if len(_known) >= _MOST:
                _known.clear()
            _known[key] = (now, made)
    return made


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes; read again only when the file was changed."""
    return while_unchanged(("digest", str(path)), [path], lambda: digest_file(path))


def forget() -> None:
    """Forget everything."""
    with _lock:
        _known.clear()

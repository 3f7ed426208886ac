"""The journal of reads: what this process read through `data.load`, for the record of a run."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read of a data set: which rows, from which bytes, of which quality."""

    name: str
    as_of: str | None  # ISO date or date and time; None: all rows
    columns: list[str]  # as loaded, in order
    path: str  # relative to the project root
    sha256: str  # digest_frame of the frame as loaded: all rows and columns of it
    file_sha256: str  # of the Parquet file
    dvc_md5: str | None  # what DVC calls the file
    dvc_source: str  # who says so: dvc.lock, a .dvc file, or computed here
    rows: int
    contract: str  # SHA-256 of the catalogue entry it was checked against
    quality: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_lock = threading.Lock()
_reads: list[Read] = []


def reads() -> list[Read]:
    """The reads so far, in order."""
    with _lock:
        return list(_reads)


def reset_reads() -> None:
    """Forget the reads so far: a new run begins."""
    with _lock:
        _reads.clear()


def note(read: Read) -> None:
    """Add a read; the same read twice is written once."""
    with _lock:
        if read not in _reads:
            _reads.append(read)

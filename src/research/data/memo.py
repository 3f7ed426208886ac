"""What a full check of a file found, remembered by content, so that a kernel need not check the same bytes again.

The key is the SHA-256 over the file's bytes, its contract, the code of this room and the versions of the libraries
that check: any of them changed, the file is checked anew. Only checks that passed are kept. It lies in the same
cache folder as the kernels (RESEARCH_CACHE, else ~/.cache/research) and may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from research.data.catalog import Dataset
from research.data.quality import Sessions
from research.data.storage import write_bytes
from research.fingerprint import digest_json, digest_tree

_MOST = 2_000  # dates; a data set that misses more of its calendar is compared anew


def cache_folder() -> Path:
    """RESEARCH_CACHE, else XDG_CACHE_HOME/research, else ~/.cache/research; the part of this room."""
    given = os.environ.get("RESEARCH_CACHE")
    if given:
        return Path(given) / "data"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "research" / "data"


@functools.cache
def _checker() -> dict[str, str]:
    from importlib.metadata import version

    here = Path(__file__).parent
    libraries = ("pandas", "numpy", "pyarrow", "pandera", "exchange_calendars")
    return {
        "data": digest_tree(here),
        "conventions": digest_tree(here.parent / "conventions"),
        **{name: version(name) for name in libraries},
    }


def key_of(file_sha256: str, entry: Dataset) -> str:
    """The name of a check."""
    return digest_json({"file": file_sha256, "contract": entry.contract_digest, "checker": _checker()})


def recall(key: str) -> Sessions | None:
    """What the check of this name found; None where it was not made here before."""
    try:
        value: Any = json.loads((cache_folder() / f"{key}.json").read_bytes())
        return Sessions(tuple(map(date.fromisoformat, value["gaps"])), tuple(map(date.fromisoformat, value["extra"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or damaged: the check is made anew


def remember(key: str, found: Sessions) -> None:
    """Keep a check that passed. A cache that cannot be written costs time, not correctness."""
    if len(found.gaps) + len(found.extra) > _MOST:
        return
    content = json.dumps({"gaps": [d.isoformat() for d in found.gaps], "extra": [d.isoformat() for d in found.extra]})
    with contextlib.suppress(OSError):
        write_bytes(content.encode(), cache_folder() / f"{key}.json")

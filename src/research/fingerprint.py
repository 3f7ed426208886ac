"""Digests: SHA-256 over canonical bytes. One function per kind of thing.

JSON is made canonical by RFC 8785 (JCS); files are hashed as bytes; trees by sorted relative path and
file digest, so that a tree has the same digest wherever it stands.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def digest_bytes(data: bytes) -> str:
    """SHA-256 of bytes, lowercase hex."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """RFC 8785 canonical JSON of a JSON-able value (dict, list, str, int, float, bool, None)."""
    import rfc8785

    return rfc8785.dumps(value)


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return digest_bytes(canonical_json(value))


def digest_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def source_files(root: str | Path, suffixes: Iterable[str] = (".py",)) -> list[Path]:
    """The files under `root` with one of `suffixes`, sorted by relative path, caches left out."""
    base, wanted = Path(root), tuple(suffixes)
    found = (p for p in base.rglob("*") if p.suffix in wanted and "__pycache__" not in p.parts and p.is_file())
    return sorted(found, key=lambda p: p.relative_to(base).as_posix())


def digest_tree(root: str | Path, suffixes: Iterable[str] = (".py",)) -> str:
    """SHA-256 over (relative path, content) of every source file under `root`."""
    base, running = Path(root), hashlib.sha256()
    for path in source_files(base, suffixes):
        running.update(f"{path.relative_to(base).as_posix()}\0{digest_file(path)}\n".encode())
    return running.hexdigest()


@functools.cache
def core_fingerprint() -> str:
    """SHA-256 of all of `research.core` as installed: the key of the kernel cache, and part of every run."""
    return digest_tree(Path(__file__).parent / "core")

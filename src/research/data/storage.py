"""Parquet in and out: whole files, atomic, the same bytes for the same table.

The bytes depend on the table and the version of pyarrow only (its name stands in the footer), not on pandas, the
clock, the machine or the number of threads: fixed writer options, one row group per million rows, no pandas metadata.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary neighbour that takes the place of `path` when the block ends well, and is gone otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        with open(scratch, "rb") as written:
            os.fsync(written.fileno())
        scratch.chmod(0o644)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a whole file, atomically; a file that already holds these bytes keeps its time stamp."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    with atomic(path) as scratch:
        scratch.write_bytes(content)


def parquet_bytes(table: pa.Table) -> bytes:
    """The Parquet file of a table, always the same bytes for the same table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(None).combine_chunks(),
        sink,
        row_group_size=1 << 20,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        store_schema=True,
    )
    return bytes(sink.getvalue())


def parquet_table(content: bytes, name: str) -> pa.Table:
    """The table in a Parquet file held in memory; a damaged file is one line, not a stack trace."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not content:
        raise DataError(f"{name} must hold a Parquet table; got an empty file.")
    try:
        return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{name} must be a whole Parquet file; got {_short(error)} Make it again, or restore it with dvc checkout."
        ) from None


def read_bytes(path: Path, name: str, hint: str = "") -> bytes:
    """The bytes of a file, or one line that says what would make it."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name} must exist; got no such file.{' ' + hint if hint else ''}") from None
    except OSError as error:
        raise DataError(f"{name} must be readable; got {error.strerror}.") from None


def _short(error: BaseException) -> str:
    text: Any = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    text = text.replace("Could not open Parquet input source '<Buffer>': ", "")
    return f"{text.split('. ')[0].rstrip('.')}."

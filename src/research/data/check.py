"""`check`: the full examination of a data set, contract and quality, with a verdict; never from the cache."""

from __future__ import annotations

from datetime import date
from typing import Any

from research.data.catalog import catalog
from research.data.contract import violations
from research.data.curate import to_frame
from research.data.digest import digest_frame
from research.data.ingest import make_hint
from research.data.quality import QualityReport, compare_sessions, figures
from research.data.reader import known_by, moment_of
from research.data.storage import parquet_table, read_bytes
from research.errors import DataError
from research.project import Project, find_project


def check(name: str, *, as_of: date | str | None = None, project: Project | None = None) -> QualityReport:
    """Contract and quality of the data set `name`, as known by `as_of` (default: all of it, ages as of today).

    Returns
    -------
    QualityReport
        `.verdict` is pass, warn or fail; `.frame` has one row a figure; `.broken` lists what breaks the contract.
    """
    project = project or find_project()
    entry = catalog(project)[name]
    content = read_bytes(project.root / entry.path, entry.path, make_hint(entry))
    frame = to_frame(parquet_table(content, entry.path), entry, entry.path)
    if not len(frame):
        raise DataError(f"{entry.path} must hold rows; got none. {make_hint(entry)}")
    broken = violations(frame, entry)
    moment = moment_of(as_of)
    if moment is not None:
        frame = known_by(frame, entry, moment)
    day = date(moment.year, moment.month, moment.day) if moment else None
    found = figures(frame, entry, compare_sessions(frame, entry), as_of=day, today=date.today())
    dates: Any = frame[entry.as_of] if entry.as_of else None
    return QualityReport(
        name=name,
        path=entry.path,
        as_of=day.isoformat() if day else None,
        first=None if dates is None else dates.min().date().isoformat(),
        last=None if dates is None else dates.max().date().isoformat(),
        sha256=digest_frame(frame),
        figures=found,
        broken=tuple(broken),
    )

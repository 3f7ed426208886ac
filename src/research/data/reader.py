"""`load`: the one reader. Finds the data set, checks its contract, takes what was known by a date, leaves a record."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from research.data.catalog import Dataset, catalog, did_you_mean
from research.data.contract import refuse, violations
from research.data.curate import to_frame
from research.data.digest import digest_frame
from research.data.dvc_facts import dvc_name
from research.data.ingest import make_hint
from research.data.journal import Read, note
from research.data.memo import key_of, recall, remember
from research.data.quality import Figure, Sessions, compare_sessions, figures, summary
from research.data.storage import parquet_table, read_bytes
from research.errors import DataError, require, rule
from research.fingerprint import digest_bytes
from research.project import Project, find_project

if TYPE_CHECKING:
    import pandas as pd


def load(
    name: str, *, as_of: date | str | None = None, columns: Sequence[str] | None = None, project: Project | None = None
) -> pd.DataFrame:
    """The data set `name`, checked against its contract; the read is noted for the record of the run.

    Parameters
    ----------
    name : str
        As in data/catalog.yaml: "equity/sp500".
    as_of : date, datetime or ISO text, default None
        Only rows known by the end of that day (as-of column <= as_of). None gives all rows.
    columns : list of str, default None
        These columns in this order; None gives all, in the order of the catalogue.

    Returns
    -------
    DataFrame with a plain index; dates are datetime64[us]

    Raises
    ------
    DataError
        Unknown data set or column, missing or damaged file, broken contract, nothing known by `as_of`.
    """
    project = project or find_project()
    entry = catalog(project)[name]
    wanted = _columns(entry, columns)
    moment = moment_of(as_of)
    content = read_bytes(project.root / entry.path, entry.path, make_hint(entry))
    file_sha256 = digest_bytes(content)
    frame, sessions = checked_frame(content, file_sha256, entry)
    if moment is not None:
        frame = known_by(frame, entry, moment)
    found = _quality(frame, entry, sessions, moment)
    frame = frame[wanted]
    md5, source = dvc_name(project, entry.path, content)
    note(
        Read(
            name=name, as_of=None if moment is None else moment.isoformat(), columns=wanted, path=entry.path,
            sha256=digest_frame(frame), file_sha256=file_sha256, dvc_md5=md5, dvc_source=source,
            rows=len(frame), contract=entry.contract_digest, quality=summary(found),
        )
    )  # fmt: skip
    return frame


def checked_frame(content: bytes, file_sha256: str, entry: Dataset) -> tuple[pd.DataFrame, Sessions]:
    """The whole data set from the bytes of its Parquet file, and where it departs from its calendar.

    Refused if it breaks its contract. Bytes that were checked against this contract before are not checked again.
    """
    frame = to_frame(parquet_table(content, entry.path), entry, entry.path)
    if not len(frame):
        raise DataError(f"{entry.path} must hold rows; got none. {make_hint(entry)}")
    key = key_of(file_sha256, entry)
    known = recall(key)
    if known is None:
        found = violations(frame, entry)
        if found:
            refuse(entry.name, found, len(frame), f"All of them: research data check {entry.name}.")
        known = compare_sessions(frame, entry)
        remember(key, known)
    return frame, known


def _quality(frame: pd.DataFrame, entry: Dataset, sessions: Sessions, moment: date | None) -> tuple[Figure, ...]:
    """The figures of the rows loaded; a warning where they fail their limits."""
    if moment is not None and entry.as_of is not None:
        dates = frame[entry.calendar_column or entry.as_of]
        sessions = sessions.until(dates.max().date())
    day = moment.date() if isinstance(moment, datetime) else moment
    found = figures(frame, entry, sessions, as_of=day)
    failed = [f"{figure.check} {figure.value:g} > {figure.limit:g}" for figure in found if figure.grade == "fail"]
    if failed:
        warnings.warn(
            f"{entry.name} fails its quality limits: {', '.join(failed)}. See: research data check {entry.name}.",
            stacklevel=3,
        )
    return found


def _columns(entry: Dataset, columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(entry.columns)
    wanted = [columns] if isinstance(columns, str) else list(columns)
    require(len(wanted) > 0, "columns", wanted, "name at least one column", error=DataError)
    for column in wanted:
        if column not in entry.columns:
            hint = did_you_mean(column, entry.columns).strip() or f"Columns: {', '.join(entry.columns)}."
            raise DataError(rule("columns", f"be columns of {entry.name}", column, hint))
    require(len(set(wanted)) == len(wanted), "columns", wanted, "name each column once", error=DataError)
    return wanted


def moment_of(as_of: Any) -> date | None:
    """A date stands for the end of its day; text is ISO."""
    if as_of is None or isinstance(as_of, date):
        return as_of
    if isinstance(as_of, str):
        try:
            return date.fromisoformat(as_of) if len(as_of) == 10 else datetime.fromisoformat(as_of)
        except ValueError:
            pass
    raise DataError(rule("as_of", "be a date", as_of, "For example 2002-07-05."))


def known_by(frame: pd.DataFrame, entry: Dataset, moment: date) -> pd.DataFrame:
    import pandas as pd

    if entry.as_of is None:
        raise DataError(
            f"as_of must be None for {entry.name}, which declares no as-of column; got {moment.isoformat()}."
        )
    stamp = pd.Timestamp(moment)
    if not isinstance(moment, datetime):
        stamp = stamp + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
    known = frame[entry.as_of] <= stamp
    if not known.any():
        raise DataError(
            rule(
                "as_of",
                f"be {frame[entry.as_of].min().date().isoformat()} or later for {entry.name}",
                moment.isoformat(),
                "Nothing was known before.",
            )
        )
    return frame if known.all() else frame[known].reset_index(drop=True)

"""The dictionary in words, for tables a person reads."""

from __future__ import annotations

from datetime import date
from typing import Any

from research.data.catalog import Column, Dataset
from research.data.ingest import state
from research.project import Project, find_project


def overview(entry: Dataset, project: Project | None = None) -> dict[str, Any]:
    """One line of the list: name, description, rows and columns, and whether the file is there."""
    project = project or find_project()
    rows, found = None, state(entry.name, project)
    if found == "ready":
        rows, found = _rows(project.root / entry.path)
    return {
        "name": entry.name, "description": entry.description, "owner": entry.owner, "rows": rows,
        "columns": len(entry.columns), "path": entry.path, "state": found,
    }  # fmt: skip


def _rows(path: Any) -> tuple[int | None, Any]:
    """Rows from the file's footer, without reading the data."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path).num_rows, "ready"
    except (pa.ArrowException, OSError):
        return None, "damaged"


def facts(entry: Dataset) -> list[list[str]]:
    """What is said of the data set as a whole."""
    limits = entry.quality
    out = [["owner", entry.owner], ["source", entry.source], ["licence", entry.licence]]
    out.append(["made from", f"package {entry.ingest.package}" if entry.ingest else entry.raw])
    out += [["file", entry.path], ["key", ", ".join(entry.key) or "none"], ["as of", entry.as_of or "none"]]
    if entry.calendar:
        out.append(["calendar", entry.calendar + (f" on {entry.calendar_column}" if entry.calendar_column else "")])
    if entry.freshness:
        fresh = entry.freshness
        out.append(
            [
                "freshness",
                f"closed history, last {fresh.last}" if fresh.last else f"at most {fresh.max_age_days} days old",
            ]
        )
    if entry.rules:
        out.append(["rules", "; ".join(entry.rules)])
    words = [
        f"{name} <= {value:g}"
        for name, value in (
            ("missing", limits.max_missing), ("duplicates", limits.max_duplicates), ("gaps", limits.max_gaps),
            ("extra", limits.max_extra), ("longest run", limits.max_run),
        )
        if value is not None
    ]  # fmt: skip
    if limits.outliers:
        most = f" <= {limits.outliers.max}" if limits.outliers.max is not None else ""
        words.append(f"outliers{most} (|z| > {limits.outliers.threshold:g} of {limits.outliers.of.replace('_', ' ')})")
    return [*out, ["limits", ", ".join(words)], ["contract", entry.contract_digest[:12]]]


def _word(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, date) else f"{bound:g}"


def checks_in_words(name: str, column: Column, entry: Dataset) -> str:
    """The checks of one column: '> 0; not missing from 2005-04-01'."""
    signs = (("above", ">"), ("minimum", ">="), ("below", "<"), ("maximum", "<="))
    words = [f"{sign} {_word(getattr(column, field))}" for field, sign in signs if getattr(column, field) is not None]
    if column.allowed:
        words.append(f"one of {', '.join(map(str, column.allowed))}")
    if column.regex:
        words.append(f"matches {column.regex}")
    if column.unique or entry.key == [name]:
        words.append("unique")
    if column.derive:
        words.append(f"{column.derive.column} + {column.derive.months} months")
    if column.quoted:
        spans = [f"{span.start or ''}..{span.end or ''}" for span in column.quoted]
        words.append(f"quoted {', '.join(spans)}")
    elif column.nullable:
        words.append("may be missing")
    return "; ".join(words)

"""Frames by expiry: which column names the expiry, how it is written, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from research.errors import require

if TYPE_CHECKING:
    from pandas import DataFrame

_NAMES = ("days", "tau", "expiry")


def columns(frame: DataFrame, *names: str) -> None:
    """Refuse a frame that lacks a column, and say which it has."""
    missing = [name for name in names if name not in frame.columns]
    require(not missing, "frame", list(frame.columns), f"have the column{'s'[: len(missing) > 1]} {', '.join(missing)}")


def expiry_column(frame: DataFrame) -> str:
    """The first of days, tau, expiry that the frame has."""
    found = [name for name in _NAMES if name in frame.columns]
    require(bool(found), "frame", list(frame.columns), f"have one of the columns {', '.join(_NAMES)}")
    return found[0]


def label(column: str, value: Any) -> str:
    """How an expiry is written: 13 days, 1.42 years, 18 Jul 2002."""
    if column == "days":
        return f"{int(value)} days"
    if column == "tau":
        days = round(float(value) * 365.0, 6)
        return f"{int(days)} days" if days == int(days) and days < 1000 else f"{float(value):.2f} years"
    return f"{value:%d %b %Y}" if hasattr(value, "strftime") else str(value)


def by_expiry(frame: DataFrame) -> Iterator[tuple[Any, str, DataFrame]]:
    """(expiry, its label, its rows) from the nearest to the farthest."""
    column = expiry_column(frame)
    for value, rows in frame.groupby(column, sort=True):
        yield value, label(column, value), rows


def rows_at(frame: DataFrame, column: str, value: Any) -> DataFrame:
    """Rows of one expiry; tau is matched to a tenth of a day, as it was computed twice."""
    if column in frame.columns:
        if column == "tau":
            return frame[(frame[column] - value).abs() < 0.1 / 365.0]
        return frame[frame[column] == value]
    if column == "days" and "tau" in frame.columns:
        return frame[(frame["tau"] - value / 365.0).abs() < 0.1 / 365.0]
    if column == "tau" and "days" in frame.columns:
        return frame[(frame["days"] / 365.0 - value).abs() < 0.1 / 365.0]
    require(False, "fitted", list(frame.columns), f"have the column {column}")
    return frame

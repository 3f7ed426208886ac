"""Quality of a data set: missing values, duplicates, outliers, gaps against the calendar, staleness; with a verdict.

| figure | what is counted | limit in the dictionary |
|---|---|---|
| rows | rows | - |
| missing | worst share of missing values of a column, within the spans in which it is quoted | max_missing |
| duplicates | rows whose key (without a key: whole row) stood before | max_duplicates |
| gaps | sessions of the calendar between first and last date without a row | max_gaps |
| extra | dates that are not sessions of the calendar | max_extra |
| outliers | robust z-scores beyond the threshold | outliers.max |
| longest run | rows in which a value stands still | max_run |
| freshness | days by which the last date misses the one declared, or its age | freshness |

Above its limit a figure fails; a figure without a limit is a warning where it is not what one hopes for.

References
----------
Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers, ASQC Quality Press, chapter 3: the modified z-score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from research.conventions import sessions
from research.data.catalog import Column, Dataset

Grade = Literal["pass", "warn", "fail"]
_SHOWN = ["check", "value", "limit", "grade", "detail"]
MAD_TO_SIGMA = 1.4826  # 1 / Phi^-1(3/4): the MAD of a normal sample times this estimates its standard deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, its limit and what that means."""

    check: str
    value: float
    limit: float | None = None
    grade: Grade
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """The quality of one data set at one time."""

    name: str
    path: str
    as_of: str | None
    first: str | None
    last: str | None
    sha256: str
    figures: tuple[Figure, ...]
    broken: tuple[Any, ...] = field(default=())  # violations of the contract

    @property
    def verdict(self) -> Grade:
        """The worst grade; a broken contract fails."""
        grades = {figure.grade for figure in self.figures}
        if self.broken or "fail" in grades:
            return "fail"
        return "warn" if "warn" in grades else "pass"

    @property
    def frame(self) -> pd.DataFrame:
        """One row a figure."""
        rows = [[getattr(figure, name) for name in _SHOWN] for figure in self.figures]
        return pd.DataFrame(rows, columns=_SHOWN)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "path": self.path, "as_of": self.as_of, "first": self.first, "last": self.last,
            "sha256": self.sha256, "verdict": self.verdict, "figures": summary(self.figures),
            "checks": [{name: getattr(figure, name) for name in _SHOWN} for figure in self.figures],
            "violations": [
                {"column": v.column, "rule": v.rule, "row": v.row, "value": v.value} for v in self.broken[:1000]
            ],
            "n_violations": len(self.broken),
        }  # fmt: skip

    def _repr_html_(self) -> str:
        head = f"<b>{self.name}</b>: {self.verdict}; {self.first} to {self.last}"
        return head + self.frame.to_html(index=False, na_rep="")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Where the dates of a data set and its calendar differ."""

    gaps: tuple[date, ...]
    extra: tuple[date, ...]

    def until(self, last: date) -> Sessions:
        return Sessions(tuple(d for d in self.gaps if d <= last), tuple(d for d in self.extra if d <= last))


def grade(value: float, limit: float | None, ideal: float = 0.0) -> Grade:
    """Above the limit: fail. Without one: warn where the value is above the ideal."""
    if limit is not None:
        return "pass" if value <= limit else "fail"
    return "pass" if value <= ideal else "warn"


def _days(frame: pd.DataFrame, entry: Dataset) -> pd.DatetimeIndex | None:
    name = entry.calendar_column or entry.as_of
    return None if name is None else pd.DatetimeIndex(frame[name].dropna().unique()).normalize().unique().sort_values()


def compare_sessions(frame: pd.DataFrame, entry: Dataset) -> Sessions:
    """Sessions without a row, and rows without a session."""
    days = _days(frame, entry)
    if entry.calendar is None or days is None or not len(days):
        return Sessions((), ())
    wanted = sessions(entry.calendar, days[0].date(), days[-1].date()).as_unit("us")
    return Sessions(tuple(d.date() for d in wanted.difference(days)), tuple(d.date() for d in days.difference(wanted)))


def _missing(frame: pd.DataFrame, entry: Dataset) -> list[Figure]:
    days = frame[entry.as_of] if entry.as_of else None
    worst, where, over = 0.0, "", []
    limit = entry.quality.max_missing
    for name, column in entry.columns.items():
        empty = frame[name].isna().to_numpy()
        if column.quoted and days is not None:
            empty = empty[_within(days, column)]
        share = float(empty.mean()) if empty.size else 0.0
        if column.max_missing is not None:
            if share > column.max_missing:
                over.append(Figure(check=f"missing {name}", value=share, limit=column.max_missing, grade="fail"))
        elif share > worst:
            worst, where = share, f"{name}: {int(empty.sum())} of {empty.size}"
    return [Figure(check="missing", value=worst, limit=limit, grade=grade(worst, limit), detail=where), *over]


def _within(days: pd.Series, column: Column) -> np.ndarray[Any, Any]:
    inside = np.zeros(len(days), dtype=bool)
    for span in column.quoted or []:
        low = pd.Timestamp(span.start) if span.start else pd.Timestamp.min
        high = pd.Timestamp(span.end) if span.end else pd.Timestamp.max
        inside |= ((days >= low) & (days <= high)).to_numpy()
    return inside


def _duplicates(frame: pd.DataFrame, entry: Dataset) -> Figure:
    n = int(frame.duplicated(entry.key or None).sum())
    limit = entry.quality.max_duplicates
    return Figure(
        check="duplicates",
        value=n,
        limit=limit,
        grade=grade(n, limit),
        detail=f"by {', '.join(entry.key) or 'whole row'}",
    )


def _some(days: Sequence[date]) -> str:
    return ", ".join(d.isoformat() for d in days[:3]) + (", ..." if len(days) > 3 else "")


def _calendar(entry: Dataset, found: Sessions) -> list[Figure]:
    if entry.calendar is None:
        return []
    limits = entry.quality
    return [
        Figure(
            check="gaps", value=len(found.gaps), limit=limits.max_gaps, grade=grade(len(found.gaps), limits.max_gaps),
            detail=_some(found.gaps) or f"every session of {entry.calendar}",
        ),
        Figure(
            check="extra", value=len(found.extra), limit=limits.max_extra,
            grade=grade(len(found.extra), limits.max_extra), detail=_some(found.extra),
        ),
    ]  # fmt: skip


def robust_z(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """|x - median| / (1.4826 MAD); where more than half the values are equal the mean deviation stands in.

    Examples
    --------
    >>> robust_z(np.array([1.0, 2.0, 3.0, 4.0, 50.0])).round(2).tolist()
    [1.35, 0.67, 0.0, 0.67, 31.7]
    """
    good = values[np.isfinite(values)]
    if not good.size:
        return np.zeros_like(values)
    distance = np.abs(values - np.median(good))
    finite = np.abs(good - np.median(good))
    scale = MAD_TO_SIGMA * float(np.median(finite)) or float(np.sqrt(np.pi / 2.0) * np.mean(finite))
    return distance / scale if scale > 0.0 else np.zeros_like(values)


def _changes(values: pd.Series, of: str) -> np.ndarray[Any, Any]:
    x = values.to_numpy(dtype=float, na_value=np.nan)
    if of == "levels":
        return x
    held = x[np.isfinite(x)]  # from one value to the next that is there
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(np.log(held)) if of == "log_returns" else np.diff(held)
    out = np.full(x.size, np.nan)
    out[np.flatnonzero(np.isfinite(x))[1:]] = steps
    return out


def _groups(frame: pd.DataFrame, entry: Dataset) -> list[pd.DataFrame]:
    """Each series by itself: rows that share the key without its date."""
    rest = [name for name in entry.key if name != (entry.calendar_column or entry.as_of)]
    if not rest or len(rest) == len(entry.key):
        return [frame]
    return [part for _, part in frame.groupby(rest, sort=False, observed=True)]


def _outliers(frame: pd.DataFrame, entry: Dataset, part_only: bool) -> list[Figure]:
    """Counted on the rows at hand; the limit was set on the whole history, so a part of it can only be a warning."""
    rule = entry.quality.outliers
    if rule is None:
        return []
    count, worst, where = 0, 0.0, ""
    for part in [frame] if rule.of == "levels" else _groups(frame, entry):
        for name in rule.columns:
            score = robust_z(_changes(part[name], rule.of))
            score = np.where(np.isnan(score), 0.0, score)
            count += int((score > rule.threshold).sum())
            if score.size and score.max() > worst:
                worst = float(score.max())
                day = f" on {part[entry.as_of].iloc[int(score.argmax())].date()}" if entry.as_of else ""
                where = f"largest {worst:.1f} MAD sigmas: {name}{day}"
    detail = f"{where}; threshold {rule.threshold:g}" if where else f"threshold {rule.threshold:g}"
    level = grade(count, rule.max)
    if part_only and level == "fail":
        level = "warn"
    return [Figure(check="outliers", value=count, limit=rule.max, grade=level, detail=detail)]


def longest_run(values: pd.Series) -> tuple[int, int]:
    """(rows, end) of the longest stretch in which a value stands still; missing values break it."""
    x = values.to_numpy(dtype=float, na_value=np.nan)
    if not x.size:
        return 0, 0
    same = np.concatenate([[False], x[1:] == x[:-1]])
    starts = np.flatnonzero(~same)
    lengths = np.diff(np.append(starts, x.size))
    i = int(lengths.argmax())
    return int(lengths[i]), int(starts[i] + lengths[i] - 1)


def _runs(frame: pd.DataFrame, entry: Dataset) -> list[Figure]:
    rule = entry.quality
    names = rule.run_columns or (rule.outliers.columns if rule.outliers and rule.outliers.of != "levels" else None)
    if not names:
        return []
    longest, where = 0, ""
    for part in _groups(frame, entry):
        for name in names:
            length, end = longest_run(part[name])
            if length > longest:
                day = f" to {part[entry.as_of].iloc[end].date()}" if entry.as_of else ""
                longest, where = length, f"{name}{day}"
    return [
        Figure(
            check="longest run",
            value=longest,
            limit=rule.max_run,
            grade=grade(longest, rule.max_run, 5.0),
            detail=where,
        )
    ]


def _freshness(frame: pd.DataFrame, entry: Dataset, as_of: date | None, today: date | None) -> list[Figure]:
    if entry.freshness is None or entry.as_of is None:
        return []
    last = frame[entry.as_of].max().date()
    if entry.freshness.last is not None:
        wanted = entry.freshness.last if as_of is None else min(as_of, entry.freshness.last)
        behind = (wanted - last).days if as_of is None else 0
        detail = f"closed history, last {last}"
        return [Figure(check="freshness", value=abs(behind), limit=0, grade=grade(abs(behind), 0), detail=detail)]
    moment = as_of or today
    if moment is None:
        return []
    age, limit = (moment - last).days, entry.freshness.max_age_days
    return [
        Figure(
            check="freshness", value=age, limit=limit, grade=grade(age, limit), detail=f"last {last}, age at {moment}"
        )
    ]


def figures(
    frame: pd.DataFrame, entry: Dataset, found: Sessions, *, as_of: date | None = None, today: date | None = None
) -> tuple[Figure, ...]:
    """Every figure of a frame.

    Without `today` the age of a living data set is left out, so that equal data give equal figures.
    """
    rows = Figure(check="rows", value=len(frame), grade="pass")
    return (
        rows, *_missing(frame, entry), _duplicates(frame, entry), *_calendar(entry, found),
        *_outliers(frame, entry, as_of is not None), *_runs(frame, entry), *_freshness(frame, entry, as_of, today),
    )  # fmt: skip


def summary(found: Sequence[Figure]) -> dict[str, Any]:
    """The figures as plain numbers for the record of a run: missing, duplicates, gaps, ..., verdict."""
    out: dict[str, Any] = {figure.check.replace(" ", "_"): figure.value for figure in found}
    grades = [figure.grade for figure in found]
    out["verdict"] = "fail" if "fail" in grades else "warn" if "warn" in grades else "pass"
    return out

"""The values of one parameter, from a word or from YAML: `1,2,3`, `0:1:11`, `0.001:1:4:log`, `@equity/sp500:month`.

1,2,3                             these values; text is left to the notebook's schema
0:1:11                            11 values from 0 to 1, both included; exact decimals: 0.3, not 0.30...04
0.001:1:4:log                     4 values, evenly spaced in the logarithm
2002-07-01:2002-07-31:B           dates: D days, B business days, W weeks, M month ends
@equity/sp500                     the dates of a data set; @NAME:month the last of each month (week, quarter, year)
[1,2],[3]                         lists, for a parameter that takes a list
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from research.errors import ParameterError, rule
from research.project import Project

_EVERY = {"D": "D", "B": "B", "W": "W", "M": "ME"}
_PERIODS = {"week": "W", "month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included; `log` spreads evenly in the logarithm; `whole` gives integers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, u: float) -> float | int:
        """The value at u in [0, 1]."""
        if self.whole:
            return min(int(self.high), int(self.low) + math.floor(u * (int(self.high) - int(self.low) + 1)))
        if self.log:
            return min(self.high, max(self.low, self.low * (self.high / self.low) ** u))
        return min(self.high, self.low + u * (self.high - self.low))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values."""

    options: tuple[Any, ...]

    def at(self, u: float) -> Any:
        return self.options[min(len(self.options) - 1, math.floor(u * len(self.options)))]


def split_word(word: str, option: str) -> tuple[str, str]:
    """NAME and the rest of NAME=VALUES."""
    name, sign, text = word.partition("=")
    if not sign or not name or not text:
        raise ParameterError(rule(option, "be NAME=VALUES", word, "Write a=1,2,3 or a=0:1:11."))
    return name.strip(), text.strip()


def values(name: str, text: Any, project: Project) -> list[Any]:
    """The values that `text` stands for; a list stands for itself."""
    if isinstance(text, (list, tuple)):
        found = list(text)
    elif not isinstance(text, str):
        found = [text]
    elif text.startswith("@"):
        found = dates_of(project, *_data_word(name, text))
    elif text.startswith("["):
        from research.experiments.files import yaml_value

        found = yaml_value(f"[{text}]")
    elif text.count(":") in (2, 3) and (ranged := _ranged(name, text)) is not None:
        found = ranged
    else:
        found = [part.strip() for part in text.split(",")]
    if not found:
        raise ParameterError(rule(name, "have at least one value", text))
    return found


def _data_word(name: str, text: str) -> tuple[str, str | None]:
    data, _, every = text[1:].partition(":")
    if every and every not in _PERIODS:
        raise ParameterError(rule(f"the period of {name}", f"be one of {', '.join(_PERIODS)}", every))
    return data, every or None


def _ranged(name: str, text: str) -> list[Any] | None:
    first, last, count, *rest = (part.strip() for part in text.split(":"))
    if (days := _days(first, last, count)) is not None:
        return days
    try:
        low, high = Fraction(first), Fraction(last)
    except (ValueError, ZeroDivisionError):
        return None  # a text with colons
    if not count.isdigit() or int(count) < 2:
        raise ParameterError(rule(name, "be FROM:TO:COUNT with a whole COUNT >= 2", text, "Write 0:1:11."))
    if rest and rest != ["log"]:
        raise ParameterError(rule(name, "be FROM:TO:COUNT or FROM:TO:COUNT:log", text))
    n = int(count)
    if rest:
        if low <= 0 or high <= 0:
            raise ParameterError(rule(name, "lie above 0 for a logarithmic range", text))
        ratio = float(high / low)
        inner = [float(f"{float(low) * ratio ** (i / (n - 1)):.12g}") for i in range(1, n - 1)]
        return [float(low), *inner, float(high)]
    return [_number(low + (high - low) * i / (n - 1)) for i in range(n)]


def _number(value: Fraction) -> float | int:
    return int(value) if value.denominator == 1 else float(value)


def _days(first: str, last: str, every: str) -> list[str] | None:
    try:
        start, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        return None
    if every not in _EVERY:
        raise ParameterError(rule("the step of a date range", f"be one of {', '.join(_EVERY)}", every))
    import pandas as pd

    return [str(day.date()) for day in pd.date_range(start, end, freq=_EVERY[every])]


def dates_of(
    project: Project,
    data: str,
    every: str | None = None,
    *,
    column: str | None = None,
    first: Any = None,
    last: Any = None,
) -> list[str]:
    """The dates of a data set, sorted, each once; with `every` the last of each week, month, quarter or year."""
    import os

    import pandas as pd

    from research.data import load

    before = os.environ.get("RESEARCH_PROJECT")
    os.environ["RESEARCH_PROJECT"] = str(project.root)
    try:
        frame = load(data, columns=[column] if column else None)
    finally:
        os.environ.pop("RESEARCH_PROJECT") if before is None else os.environ.update(RESEARCH_PROJECT=before)
    dated = [name for name in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[name])]
    if not dated:
        raise ParameterError(rule(f"data set {data}", "have a column of dates", list(frame.columns)))
    days = pd.Series(pd.to_datetime(frame[dated[0]]).dropna().dt.normalize().unique()).sort_values()
    days = days[(days >= pd.Timestamp(first or days.min())) & (days <= pd.Timestamp(last or days.max()))]
    if every is not None:
        days = days.groupby(days.dt.to_period(_PERIODS[every])).max()
    return [str(day.date()) for day in days]


def read_range(name: str, given: Any) -> Range | Choice:
    """`low:high[:log]` or choices, from a word, a list, or a mapping with low, high and log."""
    if isinstance(given, dict) and {"low", "high"} <= set(given) <= {"low", "high", "log"}:
        low, high, log = given["low"], given["high"], bool(given.get("log", False))
    elif isinstance(given, (list, tuple)) and given:
        return Choice(tuple(given))
    elif isinstance(given, str) and ":" in given:
        low, high, *rest = given.split(":")
        if rest not in ([], ["log"]):
            raise ParameterError(rule(name, "be low:high or low:high:log", given))
        log = bool(rest)
    elif isinstance(given, str) and "," in given:
        return Choice(tuple(part.strip() for part in given.split(",")))
    else:
        raise ParameterError(rule(name, "be low:high[:log], or choices a,b,c", given))
    try:
        a, b = float(low), float(high)
    except (TypeError, ValueError):
        raise ParameterError(rule(name, "have numbers as low and high", given)) from None
    if not (math.isfinite(a) and math.isfinite(b) and a < b):
        raise ParameterError(rule(name, "have low < high, both finite", given))
    if log and a <= 0.0:
        raise ParameterError(rule(name, "lie above 0 for a logarithmic range", given))
    return Range(a, b, log)

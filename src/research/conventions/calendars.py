"""Trading and settlement days: the sessions of exchanges (package `exchange_calendars`), TARGET, and plain rhythms.

    XNYS, XFRA, XSHG, ...   the exchanges' own sessions, by ISO 10383 market code
    TARGET                  days on which the euro settlement system is open; the ECB fixes reference rates on them
    WEEKDAYS                Monday to Friday
    MONTHS                  the first day of each month

References
----------
ECB press releases of 15 July 1999 (TARGET closing days in 2000), 31 March 1999 (31 December 1999), 25 May 2000 (2001),
14 December 2000 (long-term calendar from 2002).
Meeus, Astronomical Algorithms (1991), chapter 8, the date of Easter in the Gregorian calendar.
"""

from __future__ import annotations

import functools
from datetime import date, timedelta
from typing import TYPE_CHECKING

from research.errors import InputError, did_you_mean, require, rule

if TYPE_CHECKING:
    import pandas as pd

OWN = ("TARGET", "WEEKDAYS", "MONTHS")


def easter(year: int) -> date:
    """Easter Sunday in the Gregorian calendar (Meeus, chapter 8).

    Examples
    --------
    >>> easter(2024)
    datetime.date(2024, 3, 31)
    """
    require(year >= 1583, "year", year, "be >= 1583, the first full Gregorian year")
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    l = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)


@functools.cache
def target_holidays(year: int) -> frozenset[date]:
    """The weekdays and weekends on which TARGET is closed in `year`, besides all Saturdays and Sundays."""
    require(year >= 1999, "year", year, "be >= 1999, when TARGET began")
    days = {date(year, 1, 1), date(year, 12, 25)}
    if year in (1999, 2001):
        days.add(date(year, 12, 31))
    if year >= 2000:
        sunday = easter(year)
        days |= {sunday - timedelta(days=2), sunday + timedelta(days=1), date(year, 5, 1), date(year, 12, 26)}
    return frozenset(days)


def calendar_names() -> list[str]:
    """Every calendar `sessions` knows."""
    import exchange_calendars

    return sorted([*OWN, *exchange_calendars.get_calendar_names()])


def sessions(calendar: str, start: date, end: date) -> pd.DatetimeIndex:
    """The sessions of `calendar` from `start` to `end`, both included.

    Parameters
    ----------
    calendar : str
        An ISO 10383 market code ("XNYS"), or TARGET, WEEKDAYS, MONTHS.
    start, end : date

    Returns
    -------
    DatetimeIndex without time zone, midnights

    Examples
    --------
    >>> len(sessions("XNYS", date(2018, 12, 3), date(2018, 12, 7)))  # 5 December: day of mourning
    4
    """
    import pandas as pd

    require(start <= end, "start", start.isoformat(), f"not be after end = {end.isoformat()}")
    if calendar == "MONTHS":
        return pd.date_range(start, end, freq="MS")
    weekdays = pd.date_range(start, end, freq="B")
    if calendar == "WEEKDAYS":
        return weekdays
    if calendar == "TARGET":
        closed = [day for year in range(start.year, end.year + 1) for day in target_holidays(year)]
        return weekdays.difference(pd.DatetimeIndex(closed))
    return _exchange(calendar, start, end)


def _exchange(calendar: str, start: date, end: date) -> pd.DatetimeIndex:
    import exchange_calendars
    import pandas as pd

    names = calendar_names()
    if calendar not in names:
        hint = did_you_mean(calendar, names) or "For example XNYS."
        raise InputError(rule("calendar", "be a known one", calendar, hint))
    # exchange_calendars wants at least one session between its ends: a week more on each side
    try:
        found = exchange_calendars.get_calendar(
            calendar, start=start - timedelta(days=14), end=end + timedelta(days=14)
        ).sessions
    except ValueError as error:
        raise InputError(
            f"calendar {calendar} must cover {start} to {end}; got {str(error).splitlines()[0]}."
        ) from None
    return found[(found >= pd.Timestamp(start)) & (found <= pd.Timestamp(end))]

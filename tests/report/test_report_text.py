"""Numbers, times and digests as people read them."""

import math

import pytest

from research.report import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (True, "yes"),
        (0, "0"),
        (0.0, "0"),
        (-0.7021, "−0.7021"),
        (1234567.0, "1,234,567"),
        (12.3456789, "12.346"),
        (99999.96, "100,000"),
        (1e-3, "0.001"),
        (3.2e-11, "3.2e−11"),
        (-3.2e-11, "−3.2e−11"),
        (6.02e23, "6.02e23"),
        (math.nan, "not a number"),
        ("-inf", "−∞"),
        ("garch", "garch"),
    ],
)
def test_numbers_read_as_people_write_them(value, shown):
    assert text.number(value) == shown


def test_quantity_has_its_unit_and_none_for_counts():
    assert text.quantity(12.5, "bp") == "12.5 bp"
    assert text.quantity(3, "count") == "3"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.123, "0.12 s"), (7.46, "7.5 s"), (59.9, "1 min 0 s"), (125.0, "2 min 5 s")],
)
def test_durations(seconds, shown):
    assert text.duration(seconds) == shown


def test_times_are_shown_in_utc_whatever_their_zone():
    assert text.when("2026-11-22T08:33:10+02:00") == "22 Nov 2026, 06:33 UTC"
    assert text.when("2026-11-02T06:33:10") == "2 Nov 2026, 06:33 UTC"
    assert text.when(None) == "–"


def test_a_unit_is_not_said_twice():
    assert text.unit_beside("tests_passed", "tests") == ""
    assert text.unit_beside("rmse_bp", "bp of volatility") == "bp of volatility"
    assert text.label("rmse_bp", "bp of volatility") == "RMSE"

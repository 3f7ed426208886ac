from __future__ import annotations

from datetime import date

import pytest

from research.errors import InputError
from research.instruments import European


def test_years_are_calendar_days_over_365():
    assert European(strike=100.0, expiry=date(2004, 3, 1)).years(date(2003, 3, 1)) == 366 / 365
    assert European(strike=100.0, tau=0.75, is_call=False).years(date(2003, 3, 1)) == 0.75


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"strike": float("inf"), "tau": 1.0}, "strike must be finite; got inf."),
        ({"strike": 100.0}, "European must have an expiry or a tau; got neither."),
        (
            {"strike": 100.0, "tau": 1.0, "expiry": date(2024, 1, 1)},
            "European must have an expiry or a tau; got expiry=2024-01-01 and tau=1.",
        ),
        ({"strike": 100.0, "tau": -1.0}, "tau must be finite and >= 0 years; got -1."),
    ],
)
def test_broken_terms_are_refused(terms, message):
    with pytest.raises(InputError) as caught:
        European(**terms)
    assert str(caught.value) == message


def test_an_expired_option_is_refused():
    with pytest.raises(InputError, match="expiry must not lie before as_of, 2024-03-01; got '2024-02-01'"):
        European(strike=100.0, expiry=date(2024, 2, 1)).years(date(2024, 3, 1))

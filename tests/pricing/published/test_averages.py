"""Averages against printed numbers: Levy, Lord, Zhou, Borovykh; Haug's by term of vol; Heston's of Zeng and Kwok."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pricing.published.tables import rows

from research.errors import InputError
from research.instruments import Asian
from research.market import flat_snapshot
from research.models import BlackScholes, BlackTermStructure, Heston
from research.pricing import price


@pytest.mark.parametrize("n_fixings", [5, 10, pytest.param(52, marks=pytest.mark.slow)])
def test_averages_of_a_few_fixings_and_of_a_year_of_weeks(n_fixings):
    for row in rows("arithmetic_asian.csv"):
        if row.n != n_fixings:
            continue
        contract = Asian(fixings=tuple(row.tau * (k + 1) / row.n for k in range(row.n)), strike=row.strike)
        market = flat_snapshot(spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        found = price(contract, BlackScholes(sigma=row.vol), market, std_error=5e-4)
        assert abs(found.value - row.value) < 4.0 * found.std_error + row.within, (row, found)


@pytest.mark.parametrize("strike, table, within", [(87.0, "levy_average_price.csv", 1.8e-2),
                                                   (None, "levy_average_strike.csv", 1.4e-2)])  # fmt: skip
def test_averages_of_levy(strike, table, within):
    """The first fixing may be today's: it is one that is known. His simulations are good to 0.6% and 1%."""
    for row in rows(table):
        if row.n > 12:
            continue
        times = [int((row.months / 12 + i * (11 / 12) / (row.n - 1)) * 360 + 0.5) / 360 for i in range(row.n)]
        today = times[0] == 0.0
        contract = Asian(fixings=tuple(times[1:] if today else times), strike=strike, is_call=row.type == "call",
                         n_fixed=int(today), fixed_mean=90.0 if today else 0.0)  # fmt: skip
        market = flat_snapshot(spot=90.0, rate=0.025, dividend_yield=0.06)
        found = price(contract, BlackScholes(sigma=0.13), market, std_error=5e-4)
        assert abs(found.value - row.value) < within + 3.0 * found.std_error, (row, found)


def test_averages_under_vols_by_term_of_haug():
    """His values are lognormal approximations, good to 0.016 here; the slope moves them by up to 1.1."""
    times = tuple((i + 1) / 52 for i in range(26))
    steps = 0.005 * np.arange(25.0, -1.0, -1.0)
    terms = {"flat": np.full(26, 0.2), "up": 0.2 - steps, "down": 0.2 + steps}
    market = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.05)
    for row in rows("haug_turnbull_wakeman.csv"):
        if row.slope == "down":  # 0.5% a week falls faster than total variance may
            with pytest.raises(InputError, match="calendar arbitrage"):
                BlackTermStructure(tau=list(times), implied=list(terms["down"]))
            continue
        vols = terms[row.slope]
        model = BlackTermStructure(tau=list(times), implied=list(vols))
        contract = Asian(fixings=times, strike=float(row.strike), is_call=row.type == "call")
        found = price(contract, model, market, n_paths=2**14)
        assert abs(found.value - row.value) < 0.018 + 3.0 * found.std_error, (row, found)


@pytest.mark.slow
def test_averages_of_ten_years_under_heston_of_zeng_and_kwok():
    model = Heston(v0=0.0175, kappa=1.5768, theta=0.0398, sigma=0.5751, rho=-0.5711)
    market = flat_snapshot(spot=100.0, rate=0.03)
    fixings = tuple((k + 1) / 12 for k in range(120))
    for row in rows("zeng_kwok.csv"):
        found = price(Asian(fixings=fixings, strike=float(row.strike)), model, market, std_error=0.03)
        assert abs(found.value - row.value) < 4.0 * found.std_error + 5e-3, (row, found)

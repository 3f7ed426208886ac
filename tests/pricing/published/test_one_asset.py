"""Contracts on one asset against printed tables: Haug, El Babsiri and Noel, BENCHOP, Fang and Oosterlee, and others.

Two single barriers, two-sided ones, lookbacks and their like stand beside their engines.
"""

from __future__ import annotations

import pytest
from tests.pricing.published.tables import digits, rows, under_black

from research.instruments import (
    American,
    Asian,
    Barrier,
    Bermudan,
    Chooser,
    Compound,
    Digital,
    European,
    ForwardStart,
    Gap,
    Quanto,
    Touch,
)
from research.market import flat_snapshot
from research.models import BlackScholes, CrossCurrency, black
from research.pricing import greeks, price

HALF = 0.51e-4  # half of the fourth digit


def test_barriers_of_two_journals():
    for row in rows("journal_barriers.csv"):
        contract = Barrier(strike=float(row.strike), barrier=float(row.barrier), direction=row.direction,
                           knock=row.knock, tau=1.0)  # fmt: skip
        found = under_black(contract, row.vol, spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        assert found == pytest.approx(row.value, abs=5.1e-6 if row.rate == 0.05 else 5e-4), row


def test_digitals_gaps_and_touches_of_haug():
    def make(row):
        if row.kind in ("cash", "asset"):
            amount = {"amount": 10.0} if row.kind == "cash" else {}
            return Digital(strike=float(row.level), tau=row.tau, is_call=row.type == "call", pays=row.kind, **amount)
        if row.kind == "gap":
            return Gap(strike=57.0, trigger=50.0, tau=row.tau)
        return Touch(barrier=float(row.level), direction=row.type, tau=row.tau, is_touch=row.kind != "never",
                     pays_at="hit" if row.kind == "at hit" else "expiry", amount=15.0)  # fmt: skip

    for row in rows("haug_digital.csv"):
        found = under_black(make(row), row.vol, spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        assert found == pytest.approx(row.value, abs=HALF), row


def test_options_on_options_and_their_greeks():
    for row in rows("compound.csv"):
        inner = European(strike=float(row.inner_strike), tau=float(row.inner_tau), is_call=row.inner == "call")
        contract = Compound(
            option=inner, strike=float(row.outer_strike), tau=row.outer_tau, is_call=row.outer == "call"
        )
        market = flat_snapshot(spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        which = ("value", "delta", "gamma", "vega", "theta")
        found = greeks(contract, BlackScholes(sigma=row.vol), market, which=which).set_index("greek")["value"]
        for name in which:  # their bivariate normal is good to six digits, our theta is a difference of one day
            close = 4e-4 + 2e-5 * row.spot if name in ("vega", "theta") else 1.6e-4
            assert found[name] == pytest.approx(getattr(row, name), abs=close), (row, name)


def test_choosers_and_forward_starts_of_haug():
    for row in rows("haug_choosers.csv"):
        call = European(strike=float(row.call_strike), tau=row.call_tau)
        put = European(strike=float(row.put_strike), tau=row.put_tau, is_call=False)
        contract = Chooser(call=call, put=put, tau=row.choice)
        found = under_black(contract, row.vol, spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        assert found == pytest.approx(row.value, abs=HALF), row
    for row in rows("haug_forward_start.csv"):
        contract = ForwardStart(start=0.25, strike=1.1, tau=1.0, is_call=row.type == "call")
        found = under_black(contract, 0.3, spot=60.0, rate=0.08, dividend_yield=0.04)
        assert found == pytest.approx(row.value, abs=0.6e-4), row


def test_quantos_of_haug():
    model = CrossCurrency(sigma=0.2, fx_vol=0.1, correlation=0.3, payout_rate=0.08)
    market = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.04)
    for row in rows("haug_quanto.csv"):
        contract = Quanto(strike=105.0, fx=float(row.fx), tau=0.5, is_call=row.type == "call")
        assert float(price(contract, model, market)) == pytest.approx(row.value, abs=HALF), row


def test_geometric_averages_of_haug_and_of_clewlow_and_strickland():
    def average(row, n):
        fixings = tuple(row.tau * (k + 1) / n for k in range(n))
        contract = Asian(fixings=fixings, strike=float(row.strike), is_call=row.type == "call", average="geometric")
        given = {"spot": float(row.spot), "rate": row.rate, "dividend_yield": row.carry}
        return float(price(contract, BlackScholes(sigma=row.vol), flat_snapshot(**given), method="analytic"))

    continuous, ten = rows("geometric_asian.csv")
    assert average(ten, 10) == pytest.approx(ten.value, abs=1e-10)
    assert 2.0 * average(continuous, 1000) - average(continuous, 500) == pytest.approx(continuous.value, abs=HALF)


@pytest.mark.slow
def test_the_continuous_arithmetic_average_of_linetsky():
    """Discrete averages of n and 2n prices, without the error of order 1 / n."""
    for row in rows("linetsky_asian.csv"):
        found = []
        for n in (40, 80):
            contract = Asian(fixings=tuple(row.tau * (k + 1) / n for k in range(n)), strike=2.0)
            market = flat_snapshot(spot=float(row.spot), rate=row.rate)
            found.append(price(contract, BlackScholes(sigma=row.vol), market, std_error=2e-5))
        near, far = found
        error = (4.0 * far.std_error**2 + near.std_error**2) ** 0.5
        assert abs(2.0 * far.value - near.value - row.value) < 4.0 * error + 3e-5, row


@digits("benchop_black_scholes.csv")
def test_benchop_black_scholes(row):
    given = {"strike": float(row.strike), "tau": float(row.tau)}
    market, model = flat_snapshot(spot=float(row.spot), rate=row.rate), BlackScholes(sigma=row.vol)
    if row.kind == "American put":  # the project asked for 1e-4 of the value, and its own digits are good to 5e-6 of it
        found = price(American(**given), model, market, tolerance=1e-12)
        assert found.value == pytest.approx(row.value, rel=1.1e-5)
        return
    known = {"European call": European(**given), "up and out call": Barrier(barrier=125.0, direction="up", knock="out",
                                                                            **given)}  # fmt: skip
    assert float(price(known[row.kind], model, market)) == pytest.approx(row.value, abs=2e-13)


def test_fang_oosterlee_and_grzelak():
    for row in rows("fang_oosterlee.csv"):
        given = {"strike": float(row.strike), "tau": float(row.tau)}
        market, model = flat_snapshot(spot=float(row.spot), rate=row.rate), BlackScholes(sigma=row.vol)
        if row.kind == "Bermudan put":
            dates = tuple((k + 1) / 10 for k in range(10))
            found = price(Bermudan(strike=110.0, times=dates), model, market)
            assert found.method == "cosine"
            assert abs(found.value - row.value) <= found.error + 5.1e-10 < 6e-10
            continue
        contract = Digital(amount=120.0, **given) if row.kind == "digital" else European(**given)
        assert float(price(contract, model, market)) == pytest.approx(row.value, abs=5.1e-10), row


def test_vols_that_are_hard_to_invert():
    """Deep in the money with next to no time value, and 401% in the money."""
    for row in rows("jaeckel_vols.csv"):
        found = black.implied_vol(row.price, row.forward, row.strike, row.tau, is_call=row.type == "call")
        assert found == pytest.approx(row.vol, rel=3e-7 if row.forward == 1.0 else 1e-13), row
        again = black.price(row.forward, row.strike, row.tau, found, is_call=row.type == "call")
        assert again == pytest.approx(row.price, abs=2e-16 * row.price), row


def test_an_american_put_of_unequal_rates_to_its_stated_error():
    for row in rows("american_unequal_rates.csv"):
        market = flat_snapshot(spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        contract, model = American(strike=float(row.strike), tau=float(row.tau)), BlackScholes(sigma=row.vol)
        for tolerance in (1e-8, 1e-10, 1e-13):
            found = price(contract, model, market, tolerance=tolerance)
            assert abs(found.value - row.value) <= found.error + 2e-12 < 1e-6, (tolerance, found)

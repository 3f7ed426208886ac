"""Payments that bend or jump, options on options, by finite differences: closed forms, other engines, laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.instruments import Bermudan, Chooser, Compound, European, Gap, LogContract, Power, Supershare
from research.market import flat_snapshot
from research.models import BlackScholes, Heston, LocalVol
from research.pricing import greeks, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MODEL = BlackScholes(sigma=0.25)
HESTON = Heston(v0=0.06, kappa=2.0, theta=0.07, sigma=0.5, rho=-0.6)
LOGS = np.linspace(-2.5, 1.5, 801)
SKEW = LocalVol(tau=[0.0], log_moneyness=LOGS, vol=[0.25 * np.exp(-0.5 * LOGS)])
CALL, PUT = European(strike=105.0, tau=1.0), European(strike=98.0, tau=1.0, is_call=False)
AT_END = [
    Gap(strike=95.0, trigger=105.0, tau=1.0),
    Gap(strike=95.0, trigger=105.0, tau=1.0, is_call=False),
    Supershare(low=95.0, high=110.0, tau=1.0),
    Power(strike=1e4, power=2.0, tau=1.0),
    Power(strike=10.0, power=0.5, tau=1.0, is_call=False),
    LogContract(strike=100.0, tau=1.0),
]
ON_OPTIONS = [
    Compound(option=CALL, strike=6.0, tau=0.4),
    Compound(option=CALL, strike=6.0, tau=0.4, is_call=False),
    Compound(option=PUT, strike=6.0, tau=0.4),
    Chooser(call=CALL, put=PUT, tau=0.4),
    Chooser(call=CALL, put=replace(PUT, tau=0.7), tau=0.4),
    Chooser(call=replace(CALL, tau=0.6), put=PUT, tau=0.4),
]


@pytest.mark.parametrize("item", [*AT_END, *ON_OPTIONS], ids=lambda c: type(c).__name__)
def test_closed_forms_are_met_within_the_stated_error(item):
    exact, found = (price(item, MODEL, MARKET, method=m) for m in ("analytic", "pde"))
    assert abs(found.value - exact.value) <= found.error
    assert abs(found.value - exact.value) < 1e-6 * max(abs(exact.value), 10.0)


@pytest.mark.parametrize("item", AT_END, ids=lambda c: type(c).__name__)
def test_two_dimensions_agree_with_the_smile_of_heston(item):
    exact, found = (price(item, HESTON, MARKET, method=m) for m in ("analytic", "adi"))
    assert abs(found.value - exact.value) <= found.error + exact.error


@pytest.mark.parametrize(("model", "method"), [(SKEW, "pde"), (HESTON, "adi")])
def test_an_option_on_an_option_obeys_parity_and_its_limits(model, method):
    def value(item):
        return price(item, model, MARKET, method=method).value

    pair = value(ON_OPTIONS[0]) - value(ON_OPTIONS[1])
    option, df = price(CALL, model, MARKET).value, float(MARKET.discount.df(0.4))
    assert pair == pytest.approx(option - 6.0 * df, abs=1e-3)
    assert value(replace(ON_OPTIONS[0], strike=1e-6)) == pytest.approx(option, abs=1e-3)
    put = price(PUT, model, MARKET).value
    chosen = value(ON_OPTIONS[3])
    assert max(option, put) < chosen < option + put


def test_greeks_come_off_the_grid():
    for item in (AT_END[0], ON_OPTIONS[0]):
        found, exact = (
            greeks(item, MODEL, MARKET, method=m, which=("delta", "gamma")).set_index("greek")
            for m in ("pde", "analytic")
        )
        assert set(found["how"]) == {"on the grid"}
        assert found["value"]["delta"] == pytest.approx(exact["value"]["delta"], rel=1e-5)
        assert found["value"]["gamma"] == pytest.approx(exact["value"]["gamma"], rel=1e-3)


def test_an_option_on_an_option_a_day_younger_is_one_day_nearer_to_both_of_its_days():
    which = ("theta", "charm")
    found, exact = (
        greeks(ON_OPTIONS[0], MODEL, MARKET, method=m, which=which).set_index("greek")["value"]
        for m in ("pde", "analytic")
    )
    assert found["theta"] == pytest.approx(exact["theta"], rel=2e-3)
    assert found["charm"] == pytest.approx(exact["charm"], rel=1e-2)


def test_what_is_exercised_today_has_the_slope_of_its_payment():
    item = Bermudan(strike=150.0, times=(0.0, 1.0))
    found = greeks(item, MODEL, MARKET, method="pde", which=("value", "delta", "gamma", "theta")).set_index("greek")
    assert found["value"].tolist() == [50.0, -1.0, 0.0, 0.0]

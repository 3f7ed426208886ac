"""Digital, touch and double-barrier contracts by finite differences: closed forms, limits, laws, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import Barrier, Digital, DoubleBarrier, DoubleTouch, Touch
from research.market import flat_snapshot
from research.models import BlackScholes, Heston, LocalVol
from research.pricing import pde, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MODEL = BlackScholes(sigma=0.25)
SKEW = LocalVol(
    tau=[0.0], log_moneyness=np.linspace(-2.5, 1.5, 801), vol=[0.25 * np.exp(-0.5 * np.linspace(-2.5, 1.5, 801))]
)
CALM = Heston(v0=0.0625, kappa=1.0, theta=0.0625, sigma=0.01, rho=0.0)
CORRIDOR = {"low": 80.0, "high": 130.0}
CONTRACTS = [
    Digital(strike=105.0, tau=1.0),
    Digital(strike=95.0, tau=1.0, is_call=False, pays="asset"),
    Digital(strike=95.0, tau=1.0, pays="asset", amount=3.0),
    Touch(barrier=115.0, direction="up", tau=1.0),
    Touch(barrier=85.0, direction="down", tau=1.0, pays_at="expiry"),
    Touch(barrier=85.0, direction="down", tau=1.0, is_touch=False, pays_at="expiry"),
    DoubleBarrier(strike=100.0, **CORRIDOR, knock="out", tau=1.0, rebate=2.0),
    DoubleBarrier(strike=100.0, **CORRIDOR, knock="out", tau=1.0, rebate=2.0, rebate_at="expiry"),
    DoubleBarrier(strike=100.0, **CORRIDOR, knock="in", tau=1.0, rebate=2.0, is_call=False),
    *(
        DoubleTouch(**CORRIDOR, tau=0.5, pays_if=wins, pays_at=at)
        for wins in ("either", "low", "high", "none")
        for at in ("hit", "expiry")
        if (wins, at) != ("none", "hit")
    ),
]


@pytest.mark.parametrize("item", CONTRACTS, ids=lambda c: type(c).__name__)
def test_closed_forms_are_met_within_the_stated_error(item):
    exact, found = (price(item, MODEL, MARKET, method=m) for m in ("analytic", "pde"))
    assert abs(found.value - exact.value) <= found.error
    assert abs(found.value - exact.value) < 2e-7 * max(1.0, 100.0 * exact.value)


@pytest.mark.parametrize("position", [0, 1, 3, 6, 9, 12])
def test_two_dimensions_meet_the_closed_form_where_variance_is_calm(position):
    item = CONTRACTS[position]
    exact, found = price(item, MODEL, MARKET, method="analytic").value, price(item, CALM, MARKET, method="adi").value
    assert found == pytest.approx(exact, abs=1e-4 * max(1.0, exact))


@pytest.mark.parametrize("position", [0, 3, 8, 10])
def test_the_plain_grids_error_falls_with_its_square(position):
    item = CONTRACTS[position]
    exact = price(item, MODEL, MARKET, method="analytic").value
    sizes = (50, 100, 200, 400)
    plain = [pde._solve([item], np.array([item.tau]), MODEL, MARKET, n, n // 2, (), 1)[0] for n in sizes]
    assert -np.polyfit(np.log(sizes), np.log(np.abs(np.array(plain) - exact)), 1)[0] == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(("model", "method"), [(SKEW, "pde"), (CALM, "adi")])
def test_laws_hold_under_other_models(model, method):
    def value(item):
        return price(item, model, MARKET, method=method).value

    df = float(MARKET.discount.df(0.5))
    touched, none = (value(DoubleTouch(**CORRIDOR, tau=0.5, pays_if=wins)) for wins in ("either", "none"))
    assert touched + none == pytest.approx(df, abs=1e-9)
    first = [value(DoubleTouch(**CORRIDOR, tau=0.5, pays_if=wins)) for wins in ("low", "high")]
    assert sum(first) == pytest.approx(touched, abs=2e-5)
    one = value(Touch(barrier=130.0, direction="up", tau=0.5, pays_at="expiry"))
    assert first[1] < one < touched
    terms = {"strike": 100.0, "tau": 0.5, "rebate": 1.0}
    far = value(DoubleBarrier(low=1e-3, high=130.0, knock="out", **terms))
    assert far == pytest.approx(value(Barrier(barrier=130.0, direction="up", knock="out", **terms)), abs=2e-3)


def test_a_digital_is_the_slope_of_calls_in_the_strike():
    from research.instruments import European

    up, down = (
        price(European(strike=105.0 + h, tau=1.0), SKEW, MARKET, n_space=800, n_time=400).value for h in (0.1, -0.1)
    )
    assert price(Digital(strike=105.0, tau=1.0), SKEW, MARKET).value == pytest.approx((down - up) / 0.2, abs=2e-5)


def test_a_breached_corridor_is_refused_by_name():
    with pytest.raises(
        InputError, match=r"low must lie below the spot, 100; got 101\. The barrier is already breached."
    ):
        price(DoubleTouch(low=101.0, high=130.0, tau=0.5), SKEW, MARKET)

"""Greeks of closed forms by differences are nearly as exact as the price, and say when they are not."""

from __future__ import annotations

import numpy as np
import pytest

from research import pricing
from research.instruments import American, Barrier, Digital, DoubleBarrier, European, Gap, Lookback
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import _stencils

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
BLACK = BlackScholes(sigma=0.25)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(("stencil", "order"), [(_stencils.first, 1), (_stencils.second, 2), (_stencils.third, 3)])
def test_a_stencil_is_exact_for_the_polynomials_of_its_order(stencil, order, width):
    degree = 2 * width + (order == 2) - (2 if order == 3 else 0)
    if order == 3 and width == 1:
        degree = 3
    for power in range(degree + 1):
        wanted = float(np.prod(np.arange(power, power - order, -1))) if power >= order else 0.0  # at x = 1
        assert stencil(lambda k, p=power: (1.0 + 0.1 * k) ** p, 0.1, width) == pytest.approx(wanted, abs=2e-10)


def test_a_call_without_a_barrier_in_reach_has_the_closed_greeks_of_a_call():
    call = European(strike=100.0, tau=1.0)
    far = Barrier(strike=100.0, barrier=1.0, direction="down", knock="out", tau=1.0)
    exact = pricing.greeks(call, BLACK, MARKET).set_index("greek")
    found = pricing.greeks(far, BLACK, MARKET).set_index("greek")
    assert set(found["how"]) == {"differences"}
    assert np.all((found["value"] - exact["value"]).abs() <= found["error"] + exact["error"])
    assert (found["error"] / exact["value"].abs())[["delta", "gamma", "vega", "theta", "rho"]].max() < 1e-8
    assert (found["error"] / exact["value"].abs()).max() < 1e-5


@pytest.mark.parametrize("sigma", [0.05, 0.25, 1.5])
@pytest.mark.parametrize("tau", [0.05, 1.0, 20.0])
def test_a_gap_call_is_a_call_and_a_digital_also_in_its_greeks(sigma, tau):
    """Paid above 100: S - 90 is S - 100 and 10; each by its own differences, the call in closed form."""
    model = BlackScholes(sigma=sigma)
    parts = [
        pricing.greeks(item, model, MARKET).set_index("greek")
        for item in (
            Digital(strike=100.0, tau=tau, amount=10.0),
            European(strike=100.0, tau=tau),
            Gap(strike=90.0, trigger=100.0, tau=tau),
        )
    ]
    gap = parts[2]["value"] - parts[1]["value"] - parts[0]["value"]
    assert np.all(gap.abs() <= sum(part["error"] for part in parts) + 1e-12)


def test_the_strike_of_a_lookback_that_starts_at_the_spot_is_a_kink_and_its_delta_says_so():
    """Delta, by the closed form: the derivative from the right, where the spot lies above the strike."""
    at = pricing.greeks(Lookback(strike=100.0, tau=1.0), BLACK, MARKET).set_index("greek").loc["delta"]

    def value(spot):
        market = flat_snapshot(spot=spot, rate=0.03, dividend_yield=0.01)
        return float(pricing.price(Lookback(strike=100.0, tau=1.0), BLACK, market))

    h = 0.01
    right = (-25 * value(100) + 48 * value(100 + h) - 36 * value(100 + 2 * h) + 16 * value(100 + 3 * h)
             - 3 * value(100 + 4 * h)) / (12 * h)  # fmt: skip
    assert abs(at["value"] - right) <= at["error"]
    assert at["error"] < 1e-3


@pytest.mark.parametrize("strike", [90.0, 100.0, 110.0])
def test_greeks_of_an_american_put_satisfy_the_equation_of_black_and_scholes(strike):
    """theta + (r - q) S delta + sigma^2 S^2 gamma / 2 = r V where it is held."""
    g = pricing.greeks(American(strike=strike, tau=1.0, is_call=False), BLACK, MARKET).set_index("greek")["value"]
    left = g["theta"] + 0.02 * 100.0 * g["delta"] + 0.5 * 0.25**2 * 100.0**2 * g["gamma"]
    assert left == pytest.approx(0.03 * g["value"], abs=1e-6)


def test_contracts_of_different_steps_have_their_greeks_alone_and_together():
    items = [
        DoubleBarrier(strike=100.0, low=80.0, high=high, knock="out", tau=tau)
        for high, tau in ((101.0, 1.0), (130.0, 0.1), (150.0, 2.0))
    ]
    together = pricing.greeks(items, BLACK, MARKET)
    for row, item in enumerate(items):
        alone = pricing.greeks(item, BLACK, MARKET).set_index("greek")
        for name in pricing.sensitivities.GREEKS:
            assert together[name][row] == pytest.approx(alone["value"][name], rel=1e-9, abs=1e-12)

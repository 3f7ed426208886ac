"""Lookbacks as strips of touches on a grid: against closed forms, paths, laws, and what is refused."""

from __future__ import annotations

import pytest

from research.errors import NoEngineError
from research.instruments import Lookback
from research.market import flat_snapshot
from research.models import CEV, Bachelier, BlackScholes, BlackTermStructure, DisplacedDiffusion, Heston
from research.pricing import greeks, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
FLAT, ONE = BlackTermStructure(tau=(1.0, 2.0), implied=(0.2, 0.2)), BlackScholes(sigma=0.2)
ITEMS = (
    Lookback(strike=110.0, tau=1.0), Lookback(strike=95.0, tau=1.0, is_call=False), Lookback(tau=1.0),
    Lookback(tau=1.0, is_call=False, extreme=108.0), Lookback(strike=105.0, tau=1.0, extreme=109.0),
    Lookback(strike=100.0, tau=1.0, n_monitoring=12),
)  # fmt: skip


@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_a_strip_of_touches_is_the_closed_form_under_one_vol(item):
    found, exact = price(item, FLAT, MARKET), price(item, ONE, MARKET, method="analytic")
    assert found.method == "replication"
    assert abs(found.value - exact.value) < found.error < 5e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [Bachelier(sigma=15.0), CEV(sigma=2.0, beta=0.5), DisplacedDiffusion(sigma=0.18, shift=20.0)],
    ids=lambda m: type(m).__name__,
)
def test_other_models_agree_with_their_paths(model):
    for item in (ITEMS[0], ITEMS[1]):
        strip, walk = price(item, model, MARKET), price(item, model, MARKET, method="paths", n_paths=1 << 13)
        assert strip.method == "replication"
        assert abs(strip.value - walk.value) < strip.error + 4.0 * walk.std_error + walk.error


@pytest.mark.slow
def test_hestons_lookback_agrees_with_fine_paths():
    model = Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7)
    strip = price(ITEMS[0], model, MARKET)
    walk = price(ITEMS[0], model, MARKET, method="paths", n_paths=1 << 15, steps_per_year=256.0, watched=256.0)
    assert strip.method == "replication" and abs(strip.value - walk.value) < strip.error + walk.error


@pytest.mark.slow
def test_theta_of_a_strip_keeps_the_days_on_which_it_looks():
    ours, exact = (greeks(ITEMS[5], model, MARKET, which="theta") for model in (FLAT, ONE))
    assert set(ours.method) == {"replication"}
    assert abs(ours.value[0] - exact.value[0]) < ours.error[0] + 5e-3 * abs(exact.value[0])


def test_a_price_that_falls_below_zero_is_left_to_paths():
    with pytest.raises(NoEngineError, match="keep the price above 0 until expiry for touches"):
        price(ITEMS[1], Bachelier(sigma=60.0), MARKET, method="replication")
    assert price(ITEMS[1], Bachelier(sigma=60.0), MARKET, n_paths=1 << 10).method == "paths"

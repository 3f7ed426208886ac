"""Corridor variance: the time integral of a known law, the parts that add up, local vol and Heston by simulation."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.stats import norm

from research.errors import InputError, NoEngineError
from research.instruments import CorridorVarianceSwap, VarianceSwap, contract_from_json, to_json
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import SVI, BlackScholes, BlackTermStructure, Heston, Merton, SVISurface, dupire
from research.pricing import greeks, price
from research.pricing.corridor_variance import fair_corridor_variance

DAY = date(2000, 1, 1)
CURVE = DiscountCurve(as_of=DAY, tau=[0.25, 2.0], zero_rate=[0.01, 0.05])
SLOPED = Snapshot(as_of=DAY, spot=100.0, discount=CURVE, dividend_yield=0.03)
MARKETS = [flat_snapshot(spot=100.0), flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01), SLOPED]
CORRIDORS = [(90.0, 110.0), (0.0, 100.0), (105.0, np.inf), (60.0, 85.0), (95.0, 105.0), (0.0, np.inf), (120.0, 140.0)]
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
SLICE = SVI(a=0.02, b=0.1, rho=-0.4, m=0.0, sigma=0.2)
SURFACE = SVISurface(tau=(0.25, 1.0), slices=(SVI(a=0.005, b=0.025, rho=-0.4, m=0.0, sigma=0.2), SLICE))


def time_inside(market, sigma, tau, low, high):
    """sigma^2 times the mean share of the life that a lognormal price spends inside, by Gauss-Legendre in sqrt(t)."""
    x, w = np.polynomial.legendre.leggauss(300)
    total = 0.0
    for a, b in ((0.0, 0.5), (0.5, np.sqrt(tau))):  # the curve bends at a quarter of a year
        u, weight = 0.5 * (a + b) + 0.5 * (b - a) * x, 0.5 * (b - a) * w
        forward, std = np.asarray(market.forward(u * u)), sigma * u

        def below(level, forward=forward, std=std):
            if level == 0.0 or np.isinf(level):
                return np.full(forward.size, float(level > 0.0))
            return norm.cdf(np.log(level / forward) / std + 0.5 * std)

        total += float((weight * 2.0 * u * (below(high) - below(low))).sum())
    return sigma**2 * total / tau


@pytest.mark.parametrize("market", MARKETS, ids=["no carry", "carry", "sloped curve"])
@pytest.mark.parametrize("corridor", CORRIDORS, ids=str)
def test_replication_is_the_time_that_a_lognormal_price_spends_inside(corridor, market):
    found, error = fair_corridor_variance(BlackScholes(sigma=0.2), market, 1.0, *corridor)
    exact = time_inside(market, 0.2, 1.0, *corridor)
    assert abs(found - exact) < error + 1e-13
    assert error < 1e-9


@pytest.mark.parametrize("model", [HESTON, SURFACE, BlackTermStructure(tau=(0.3, 1.0), implied=(0.3, 0.25))],
                         ids=lambda m: type(m).__name__)  # fmt: skip
def test_neighbouring_corridors_add_up_to_the_variance_swap(model):
    parts = [fair_corridor_variance(model, SLOPED, 0.75, low, high)[0]
             for low, high in ((0.0, 90.0), (90.0, 104.0), (104.0, np.inf))]  # fmt: skip
    whole = price(VarianceSwap(strike=0.0, tau=0.75), model, SLOPED).value / CURVE.df(0.75)
    assert min(parts) > 0.0
    assert sum(parts) == pytest.approx(whole, abs=2e-8)


@pytest.mark.parametrize("market", MARKETS[:2], ids=["no carry", "carry"])
def test_replication_agrees_with_simulation_under_heston(market):
    swap = CorridorVarianceSwap(strike=0.1, low=90.0, high=110.0, tau=1.0)
    exact = price(swap, HESTON, market)
    assert exact.method == "replication"
    found = price(swap, HESTON, market, method="paths", n_paths=1 << 14)
    assert abs(found.value - exact.value) < 3.0 * found.std_error + found.error


def test_a_surface_replicates_what_its_local_vol_simulates():
    swap = CorridorVarianceSwap(strike=0.1, low=85.0, high=105.0, tau=1.0)
    exact = price(swap, SURFACE, MARKETS[1])
    found = price(swap, dupire(SURFACE), MARKETS[1], method="paths", n_paths=1 << 14)
    assert abs(found.value - exact.value) < 3.0 * found.std_error + found.error + 1e-4


def test_looks_at_the_first_price_of_each_period():
    swap = CorridorVarianceSwap(strike=0.0, low=95.0, tau=1.0, n_observations=2, notional=100.0)
    found = price(swap, BlackScholes(sigma=0.2), MARKETS[0], method="paths", n_paths=1 << 15)
    std = 0.2 * np.sqrt(0.5)
    each = std**2 + 0.25 * std**4
    above = norm.cdf((np.log(100.0 / 95.0) - 0.5 * std**2) / std)
    assert abs(found.value - 100.0 * each * (1.0 + above)) < 4.0 * found.std_error
    with pytest.raises(NoEngineError, match=r"n_observations must be None for method='replication'; got 2"):
        price(swap, SURFACE, MARKETS[0])


def test_a_seasoned_swap_keeps_what_has_run():
    fresh = CorridorVarianceSwap(strike=0.2, low=90.0, high=110.0, tau=0.5)
    old = CorridorVarianceSwap(strike=0.2, low=90.0, high=110.0, tau=0.5, elapsed=0.5, elapsed_variance=0.03)
    model, df = BlackScholes(sigma=0.2), MARKETS[1].discount.df(0.5)
    fair = price(fresh, model, MARKETS[1]).value / df + 0.04
    assert price(old, model, MARKETS[1]).value == pytest.approx(df * (0.03 + 0.5 * fair - 0.04), rel=1e-12)


def test_jumps_go_to_simulation_and_terms_are_refused_by_name():
    swap = CorridorVarianceSwap(strike=0.1, low=90.0, high=110.0, tau=0.1)
    merton = Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
    assert price(swap, merton, MARKETS[0], method="paths", n_paths=256).std_error > 0.0
    with pytest.raises(InputError, match="low must lie below high, 90; got 110"):
        CorridorVarianceSwap(strike=0.1, low=110.0, high=90.0, tau=1.0)
    with pytest.raises(InputError, match=r"strike must lie in \[0, 10\); got 20\. A decimal volatility"):
        CorridorVarianceSwap(strike=20.0, tau=1.0)
    assert contract_from_json(to_json(swap)) == swap


def test_greeks_by_differences():
    swap = CorridorVarianceSwap(strike=0.1, low=90.0, high=110.0, tau=0.5)
    found = greeks(swap, BlackScholes(sigma=0.2), MARKETS[0], which=("delta", "vega", "theta")).set_index("greek")
    assert np.isfinite(found["value"]).all() and found.loc["vega", "value"] > 0.0

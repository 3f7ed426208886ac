"""Differences of contracts that are looked at now and then: near the truth, and stated near what they are off by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from research.instruments import Barrier, DoubleBarrier, PartialLookback
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import greeks, price

MODEL, MARKET = BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
NEAR = Barrier(strike=100.0, barrier=97.0, direction="down", knock="out", tau=0.25, n_monitoring=63)
CORRIDOR = DoubleBarrier(strike=100.0, low=92.0, high=115.0, knock="out", tau=0.5, n_monitoring=26)
PARTIAL = PartialLookback(switch=0.4, strike=103.0, tau=1.0)
LARGEST = [(NEAR, 1e-8, 1e-3), (CORRIDOR, 1e-8, 1e-3), (PARTIAL, 1e-6, 1e-4)]  # errors of delta, and of charm over it


def interpolated(item: Any, method: str) -> dict[str, float]:
    """Delta, gamma and speed of the polynomial through 13 prices, 0.12 apart (Chebyshev's points, fitted)."""
    x = 0.72 * np.cos(np.pi * (np.arange(13) + 0.5) / 13)
    values = [float(price(item, MODEL, replace(MARKET, spot=100.0 + h), method=method)) for h in x]
    fit = np.polynomial.Chebyshev.fit(x, values, 10, domain=[-0.72, 0.72])
    return {name: float(fit.deriv(k)(0.0)) for k, name in enumerate(("delta", "gamma", "speed"), 1)}


@pytest.mark.parametrize(("item", "of_delta", "of_charm"), LARGEST, ids=lambda v: type(v).__name__)
def test_greeks_between_looks_are_exact_and_say_so(item: Any, of_delta: float, of_charm: float) -> None:
    """Found: a delta stated to 2e-5 that was right to 1e-10, a charm to a tenth of its size."""
    found = greeks(item, MODEL, MARKET, which=("delta", "gamma", "speed", "charm")).set_index("greek")
    exact = interpolated(item, "analytic")
    for name, grain in (("delta", 1e-9), ("gamma", 1e-8), ("speed", 2e-7)):
        assert abs(found.loc[name, "value"] - exact[name]) <= found.loc[name, "error"] + grain, name
    assert found.loc["delta", "error"] < of_delta
    assert found.loc["charm", "error"] < of_charm * abs(found.loc["charm", "value"])

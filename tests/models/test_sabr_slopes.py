"""Derivatives of arbitrage-free SABR's prices by its parameters, against differences of the prices themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.models import ArbitrageFreeSABR
from research.models._sabr_slopes import prices_and_slopes

GRID = {"n_space": 200, "n_time": 20}


@pytest.mark.parametrize(
    ("terms", "forward", "tau"),
    [
        ({"alpha": 2.2, "beta": 0.5, "rho": -0.4, "nu": 0.6}, 100.0, 1.0),
        ({"alpha": 0.35, "beta": 0.25, "rho": -0.1, "nu": 1.0}, 1.0, 1.0),  # half of the mass near the lower end
        ({"alpha": 0.2, "beta": 1.0, "rho": 0.3, "nu": 0.8}, 1.0, 2.0),  # no lower end
        ({"alpha": 0.05, "beta": 0.0, "rho": 0.3, "nu": 0.8, "shift": 0.03}, -0.002, 5.0),
        ({"alpha": 0.3, "beta": 0.5, "rho": 0.9, "nu": 0.05}, 1.0, 20.0),
    ],
)
def test_slopes_are_those_of_the_prices(terms: dict[str, float], forward: float, tau: float) -> None:
    model = ArbitrageFreeSABR(**terms, **GRID)
    shift = model.shift
    strike = (forward + shift) * np.array([0.0, 0.1, 0.5, 0.9, 1.0, 1.2, 2.0, 4.0]) - shift
    law, call, slope = prices_and_slopes(model, forward, strike, tau)
    assert call == pytest.approx(model.price(forward, strike, tau), rel=1e-14)
    assert law.mass == pytest.approx(model.law(forward, tau).mass, abs=1e-16)
    for j, name in enumerate(("alpha", "rho", "nu")):
        h = 1e-5 * max(abs(getattr(model, name)), 0.1)
        up, down = (replace(model, **{name: getattr(model, name) + e}).price(forward, strike, tau) for e in (h, -h))
        scale = np.abs(slope[j]).max()
        assert slope[j] == pytest.approx((up - down) / (2.0 * h), rel=2e-6, abs=2e-6 * scale)

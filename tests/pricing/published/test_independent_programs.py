"""Variance Gamma in the ten digits of other programs, and what an American by series states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma, ndtr
from tests.pricing.published.tables import rows

from research.instruments import American, European
from research.market import flat_snapshot
from research.models import BlackScholes, VarianceGamma
from research.pricing import price


def over_gamma_times(row):
    """Black's price given the gamma clock, over its law on a grid of log times: shape 1/3 is steep at 0."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(-200.0, np.log(60.0 * row.nu), 3001)
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    x = (middle[:, None] + half[:, None] * nodes).ravel()
    shape, clock = row.tau / row.nu, np.exp(x)
    drift = np.log(1.0 - row.theta * row.nu - 0.5 * row.sigma**2 * row.nu) / row.nu
    std = row.sigma * np.sqrt(clock)
    forward = 100.0 * np.exp((row.rate + drift) * row.tau + row.theta * clock + 0.5 * std**2)
    d1 = np.log(forward / row.strike) / std + 0.5 * std
    values = (forward * ndtr(d1) - row.strike * ndtr(d1 - std)) * np.exp(shape * x - clock / row.nu)
    mean = float((half[:, None] * weights).ravel() @ values) / (gamma(shape) * row.nu**shape)
    return np.exp(-row.rate * row.tau) * mean


@pytest.mark.parametrize("method", ["analytic", "cosine"])
def test_variance_gamma_of_crisostomo(method):
    for row in rows("variance_gamma_crisostomo.csv"):
        model = VarianceGamma(sigma=row.sigma, nu=row.nu, theta=row.theta)
        market = flat_snapshot(spot=100.0, rate=row.rate)
        found = price(European(strike=float(row.strike), tau=float(row.tau)), model, market, method=method)
        assert abs(found.value - row.value) <= found.error + row.within, row
        assert abs(found.value - over_gamma_times(row)) <= found.error + 1e-13 * 100.0, row


def test_an_american_by_cosine_series_states_what_chance_hides():
    """Of the distances to other extrapolations two all but vanish here: 1.2e-4 off with 9e-5 stated."""
    market, model = flat_snapshot(spot=100.0, rate=0.181), BlackScholes(sigma=0.354)
    put = American(strike=102.0, tau=1.93)
    exact, found = (price(put, model, market, method=method) for method in ("spectral", "cosine"))
    assert 5e-5 < abs(found.value - exact.value) <= found.error < 2e-3

"""Best-of and worst-of of four and more prices against an integral over the one factor that they share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_ndtr

from research.instruments import BestOf, WorstOf
from research.market import flat_basket
from research.models import MultiAssetBlackScholes
from research.pricing import price
from research.pricing.normal_probabilities import multivariate_cdf

RATE = 0.03


def judged(vols: np.ndarray, rho: float, strike: float, tau: float, best: bool, is_call: bool) -> float:
    """df int P(M beyond x) dx, given a factor z each price independent: trapezoids in z, Gauss-Legendre in log x."""
    forward, s = 100.0 * np.exp(RATE * tau), vols * np.sqrt(tau)
    z = np.linspace(-12.0, 14.0, 241)
    node, weight = np.polynomial.legendre.leggauss(16)
    far = 10.0 * s.max()
    low, high = (np.log(strike), np.log(forward) + far) if is_call else (np.log(forward) - far, np.log(strike))
    edges = np.linspace(low, high, 1 + int(np.ceil((high - low) / (s.min() * np.sqrt(1.0 - rho)))))
    half = 0.5 * np.diff(edges)
    u = (edges[:-1] + half)[:, None] + half[:, None] * node
    a = (u[..., None, None] - np.log(forward) + 0.5 * s**2 - s * np.sqrt(rho) * z[:, None]) / (s * np.sqrt(1.0 - rho))
    below = log_ndtr(a if best else -a).sum(axis=-1)  # best: all are below x; worst: all are above
    inside = np.exp(below) if best != is_call else -np.expm1(below)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) * (z[1] - z[0])
    return float(np.exp(-RATE * tau) * ((half[:, None] * weight) * np.exp(u) * (inside @ density)).sum())


@pytest.mark.parametrize("n", [4, 6, 12])
@pytest.mark.parametrize("kind", [BestOf, WorstOf])
@pytest.mark.parametrize("is_call", [True, False])
def test_ranked_prices_lie_within_their_errors_of_an_integral(n: int, kind: type, is_call: bool) -> None:
    names, vols = tuple("ABCDEFGHIJKL"[:n]), np.linspace(0.15, 0.4, n)
    rho, strike, tau = 0.4, 105.0, 1.5
    model = MultiAssetBlackScholes(names=names, vols=vols.tolist(), correlation=(rho + (1 - rho) * np.eye(n)).tolist())
    item = kind(underlyings=names, strike=strike, tau=tau, is_call=is_call)
    found = price(item, model, flat_basket(dict.fromkeys(names, 100.0), rate=RATE), method="analytic")
    exact = judged(vols, rho, strike, tau, kind is BestOf, is_call)
    assert abs(found.value - exact) < 4.0 * found.std_error < (1e-3 if n < 12 else 0.1)


def test_the_spread_of_replicates_is_the_error() -> None:
    """P(all below 0) = 1 / (n + 1) where all correlations are 1/2: 60 scrambles in units of their errors."""
    many = [multivariate_cdf(np.zeros(5), 0.5 + 0.5 * np.eye(5), n_points=1 << 13, seed=seed) for seed in range(60)]
    z = np.array([(found - 1.0 / 6.0) / error for found, error in many])
    assert 0.7 < np.sqrt(np.mean(z**2)) < 1.5


def test_a_variable_that_follows_from_others_is_a_step() -> None:
    """The same four variables twice, and one with the sign turned: a singular correlation."""
    r = 0.3 + 0.7 * np.eye(4)
    b = np.array([0.2, -0.1, 0.5, 1.0])
    alone, error = multivariate_cdf(b, r)
    twice, more = multivariate_cdf(np.concatenate((b, b + 0.1)), np.block([[r, r], [r, r]]))
    assert abs(twice - alone) < 4.0 * np.hypot(error, more) + 1e-12
    never = np.block([[r, -r[:, :1]], [-r[:1], np.ones((1, 1))]])  # X_1 below 0.2 and above 0.3
    assert multivariate_cdf(np.append(b, -0.3), never)[0] == 0.0

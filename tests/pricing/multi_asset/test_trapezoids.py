"""Spread options by the trapezoidal rule against panels of Gauss-Legendre, SciPy's integral and Margrabe's formula."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr

from research.pricing import linear
from research.pricing._trapezoids import difference


def drawn(n: int) -> list[linear.Linear]:
    """Spreads of every sign, deviations 0.003 to 2, correlations to 1 - 1e-6."""
    rng, out = np.random.default_rng(11), []
    for i in range(n):
        s1, s2 = np.exp(rng.uniform(np.log(0.003), np.log(2.0), 2))
        rho = rng.uniform(-1.0, 1.0) if i % 7 else np.sign(rng.uniform(-1.0, 1.0)) * (1.0 - 10.0 ** rng.uniform(-6, -1))
        a, b = 100.0 * np.exp(rng.uniform(-1.0, 1.0, 2))
        amounts = np.array([a, -b]) if i % 2 else np.array([-a, b])
        covariance = np.array([[s1 * s1, rho * s1 * s2], [rho * s1 * s2, s2 * s2]])
        strike, sign = rng.choice([0.0, 1.0, -1.0]) * rng.uniform(0.0, 100.0), rng.choice([-1.0, 1.0])
        out.append(linear.Linear(amounts=amounts, covariance=covariance, strike=strike, sign=sign, unit=1.0))
    return out


def test_both_rules_agree_to_rounding_wherever_there_is_a_bell() -> None:
    taken = 0
    for given in drawn(400):
        found = linear._bell(given)
        if found is None:
            continue
        taken += 1
        size = float(np.abs(given.amounts).sum() + abs(given.strike))
        assert max(abs(one - linear._by_panels(given)[1]) for one in found) < 2e-15 * size
    assert taken > 150


def test_without_a_strike_it_is_margrabe() -> None:
    for sign in (1.0, -1.0):
        a, b, s1, s2, rho = 105.0, 95.0, 0.3, 0.25, -0.4
        s = np.sqrt(s1 * s1 + s2 * s2 - 2 * rho * s1 * s2)
        d = np.log(a / b) / s + 0.5 * s
        exact = sign * (a * ndtr(sign * d) - b * ndtr(sign * (d - s)))
        found = difference(a, b, 0.0, s1, s2, rho, sign)
        assert found is not None and np.abs(np.array(found) - exact).max() < 1e-13


def test_it_is_an_adaptive_integral() -> None:
    a, b, k, s1, s2, rho = 110.0, 96.0, 9.0, 0.35, 0.5, 0.7

    def integrand(z: float) -> float:
        own, tilt = s1 * np.sqrt(1 - rho * rho), rho * s1
        f, x = a * np.exp(tilt * z - 0.5 * tilt**2), k + b * np.exp(s2 * z - 0.5 * s2**2)
        d = np.log(f / x) / own + 0.5 * own
        return float((f * ndtr(d) - x * ndtr(d - own)) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))

    exact = quad(integrand, -10.0, 11.0, epsabs=1e-13, epsrel=1e-13, limit=400)[0]
    found = difference(a, b, k, s1, s2, rho, 1.0)
    assert found is not None and np.abs(np.array(found) - exact).max() < 1e-11


def test_what_is_no_bell_is_left_to_panels() -> None:
    assert difference(100.0, 95.0, 5.0, 0.2, 0.3, 1.0, 1.0) is None  # a kink
    assert difference(100.0, 95.0, 5.0, 0.2, 1.5, 0.5, 1.0) is None  # the strike bends near by
    assert difference(100.0, -95.0, 5.0, 0.2, 0.3, 0.5, 1.0) is None  # the strike passes through 0

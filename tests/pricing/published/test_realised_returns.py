"""Cliquets with global caps and swaps on realised variance, in corners, against integrals of one variable in SciPy.

No table is printed for them. An hour, 300% vol, negative rates, a first coupon already capped.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from research.instruments import Cliquet, CorridorVarianceSwap, GammaSwap, VarianceSwap, VolatilitySwap
from research.market import flat_snapshot
from research.models import BlackScholes, Heston
from research.pricing import price

CARRY = {"spot": 100.0, "rate": 0.03, "dividend_yield": 0.01}
NEGATIVE = {"spot": 100.0, "rate": -0.02}


def above(level: float, vol: float, tau: float, drift: float) -> float:
    """E max(S(tau) / S(0) - 1 - level, 0)."""
    if 1.0 + level <= 0.0:
        return float(np.exp(drift * tau) - 1.0 - level)
    deviation = vol * np.sqrt(tau)
    d = (drift * tau - np.log(1.0 + level)) / deviation + 0.5 * deviation
    return float(np.exp(drift * tau) * norm.cdf(d) - (1.0 + level) * norm.cdf(d - deviation))


def two_periods(market, vol, tau, local, total):
    """A cliquet of two equal periods: the second by Black's formula, given the first, which is integrated."""
    rate, half = market["rate"], 0.5 * tau
    drift = rate - market.get("dividend_yield", 0.0)
    (floor, cap), (least, most) = local, total

    def given(first):
        low, high = (min(max(first + end, least), most) for end in (floor, cap))
        if low >= high:
            return low
        return (
            low + above(low - first, vol, half, drift) - (above(high - first, vol, half, drift) if high < 1e9 else 0.0)
        )

    deviation, mean = vol * np.sqrt(half), (drift - 0.5 * vol**2) * half
    kinks = {floor, cap, *(bound - end for bound in total for end in local)}
    cuts = sorted({-9.0, 9.0, *(z for k in kinks if -1.0 < k < 1e9
                                for z in [(np.log1p(k) - mean) / deviation] if abs(z) < 9.0)})  # fmt: skip
    first = lambda z: min(max(np.expm1(mean + deviation * z), floor), cap)  # noqa: E731
    parts = (quad(lambda z: given(first(z)) * norm.pdf(z), a, b, epsabs=1e-13, limit=200)[0]
             for a, b in pairwise(cuts))  # fmt: skip
    return 100.0 * np.exp(-rate * tau) * sum(parts)


CLIQUETS = {  # market, vol, tau, local floor and cap, global floor and cap
    "all four": (CARRY, 0.2, 1.0, (0.0, 0.05), (0.02, 0.08)),
    "a floor below 0": (CARRY, 0.2, 1.0, (-0.03, 0.04), (0.0, np.inf)),
    "no local cap": (CARRY, 0.2, 1.0, (-0.1, np.inf), (0.0, 0.15)),
    "global ones only": (CARRY, 0.2, 1.0, (-1.0, np.inf), (0.01, 0.2)),
    "300% vol": (NEGATIVE, 3.0, 1.0, (-0.2, 0.5), (0.0, 0.7)),
    "an hour": (NEGATIVE, 0.3, 1 / 8760, (-0.001, 0.002), (0.0, 0.003)),
    "a floor that always holds": (NEGATIVE, 0.3, 1.0, (-0.1, 0.05), (0.1, 0.2)),
}


@pytest.mark.parametrize("corner", CLIQUETS)
def test_cliquets_of_two_periods(corner):
    market, vol, tau, local, total = CLIQUETS[corner]
    none = lambda v: float(v) if np.isfinite(v) else None  # noqa: E731
    contract = Cliquet(resets=(0.5 * tau, tau), local_floor=local[0], local_cap=none(local[1]), global_floor=total[0],
                       global_cap=none(total[1]))  # fmt: skip
    true = two_periods(market, vol, tau, local, total)
    for method, options in (("convolution", {}), ("paths", {"std_error": 0.1})):
        found = price(contract, BlackScholes(sigma=vol), flat_snapshot(**market), method=method, **options)
        assert abs(found.value - true) <= max(found.error, 4.0 * found.std_error) + 1e-10, (method, found, true)


CORRIDORS = [(CARRY, 0.2, 1.0, 90.0, 115.0), (NEGATIVE, 0.4, 0.5, None, 100.0), (NEGATIVE, 3.0, 0.25, 50.0, 200.0)]


@pytest.mark.parametrize("market, vol, tau, low, high", CORRIDORS)
def test_corridor_variance_is_the_time_inside(market, vol, tau, low, high):
    drift = market["rate"] - market.get("dividend_yield", 0.0) - 0.5 * vol**2

    def inside(root):
        t = root * root
        at = [
            norm.cdf((np.log(v / 100.0) - drift * t) / (vol * root)) if v else end
            for v, end in ((low, 0.0), (high, 1.0))
        ]
        return (at[1] - at[0]) * 2.0 * root

    held = vol**2 * quad(inside, 0.0, np.sqrt(tau), epsabs=1e-13, limit=500)[0] / tau
    contract = CorridorVarianceSwap(strike=0.0, low=low, high=high, tau=tau)
    found = price(contract, BlackScholes(sigma=vol), flat_snapshot(**market))
    assert found.value == pytest.approx(np.exp(-market["rate"] * tau) * held, abs=1e-12)


HESTON = Heston(v0=0.03, kappa=1.5, theta=0.05, sigma=0.6, rho=-0.7)


@pytest.mark.parametrize("tau", [1 / 8760, 1.0, 10.0])
def test_gamma_and_volatility_swaps_under_heston(tau):
    """The share's variance reverts at kappa - rho sigma; the root by a Laplace transform."""
    kappa, theta, sigma, rho, v0, df = 1.5, 0.05, 0.6, -0.7, 0.03, np.exp(-0.03 * tau)
    speed = kappa - rho * sigma
    level = kappa * theta / speed
    weighed = quad(lambda t: np.exp(0.02 * t) * (level + (v0 - level) * np.exp(-speed * t)), 0.0, tau, epsabs=1e-15)[0]
    gamma = GammaSwap(strike=0.0, initial=100.0, tau=tau)
    for method in ("analytic", "replication") if tau == 1.0 else ("analytic",):
        found = price(gamma, HESTON, flat_snapshot(**CARRY), method=method)
        assert abs(found.value - df * weighed / tau) <= found.error + 1e-14, method

    def laplace(u):
        g = np.sqrt(kappa**2 + 2.0 * sigma**2 * u)
        e = np.exp(-g * tau)
        den = (g + kappa) * (1.0 - e) + 2.0 * g * e
        power = 2.0 * kappa * theta / sigma**2 * (np.log(2.0 * g / den) + 0.5 * (kappa - g) * tau)
        return np.exp(power - 2.0 * u * (1.0 - e) / den * v0)

    scale = np.sqrt(v0 * tau)  # u = (x / scale)^2
    near = quad(lambda x: 2.0 * (1.0 - laplace((x / scale) ** 2)) / x**2, 1e-12, 1.0, epsabs=1e-13, limit=500)[0]
    far = quad(lambda y: 2.0 * (1.0 - laplace(1.0 / (y * scale) ** 2)), 0.0, 1.0, epsabs=1e-13, limit=500)[0]
    true = df * scale * (near + far) / (2.0 * np.sqrt(np.pi * tau))
    found = float(price(VolatilitySwap(strike=0.0, tau=tau), HESTON, flat_snapshot(**CARRY)))
    assert found == pytest.approx(true, rel=1e-8)


@pytest.mark.parametrize("n, tau, vol", [(4, 1.0, 0.3), (1, 1 / 8760, 0.5), (12, 1.0, 3.0)])
def test_variance_seen_a_few_times_holds_the_drift(n, tau, vol):
    true = np.exp(-0.03 * tau) * (vol**2 + (0.02 - 0.5 * vol**2) ** 2 * tau / n)
    contract = VarianceSwap(strike=0.0, tau=tau, n_observations=n)
    assert float(price(contract, BlackScholes(sigma=vol), flat_snapshot(**CARRY))) == pytest.approx(true, rel=1e-13)

"""Contracts on several prices, and in other currencies: random worlds, and what they are worth by other means.

| what | independent of the library |
|---|---|
| a sum of two lognormals | Black's formula given the wilder one, panels shrinking geometrically towards every kink |
| best and worst of n | prices that share one factor: an integral over it and over each asset's own noise |
| quanto, compo | the change of measure written out, in 60 decimal digits |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from research.market import BasketSnapshot, DiscountCurve, ForeignCurrency, Underlying, flat_basket
from research.models import MultiAssetBlackScholes

getcontext().prec = 60
X, W = np.polynomial.legendre.leggauss(20)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798")
AS_OF = date(2000, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two prices, flat rates: an hour to 50 years, 0.1 % to 500 % vol, correlations to +-1."""

    tau: float
    vols: Any
    rho: float
    rate: float
    model: MultiAssetBlackScholes
    market: BasketSnapshot

    @property
    def forwards(self) -> Any:
        return np.array([self.market.forward(name, self.tau) for name in "AB"])

    @property
    def covariance(self) -> Any:
        return np.outer(self.vols, self.vols) * self.tau * np.array([[1.0, self.rho], [self.rho, 1.0]])

    @property
    def df(self) -> float:
        return float(np.exp(-self.rate * self.tau))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly in the logarithm, one in seven at an end."""
    return float(rng.choice([low, high]) if rng.random() < 0.15 else np.exp(rng.uniform(np.log(low), np.log(high))))


def pair(rng: np.random.Generator) -> Pair:
    """A market and a model."""
    tau, vols = between(rng, 1.0 / 8760.0, 50.0), np.array([between(rng, 0.001, 5.0) for _ in "AB"])
    rho = float(rng.choice([1.0, -1.0, 0.0, 0.999999, -0.999999, *rng.uniform(-1.0, 1.0, 3)]))
    rate = float(rng.choice([0.0, rng.uniform(-0.05, 0.15)]))
    paid = {name: float(rng.choice([0.0, rng.uniform(-0.05, 0.1)])) for name in "AB"}
    spots = {"A": 100.0, "B": float(100.0 * np.exp(rng.normal() * rng.choice([0.0, 0.3, 3.0])))}
    model = MultiAssetBlackScholes(names=("A", "B"), vols=vols, correlation=[[1.0, rho], [rho, 1.0]])
    return Pair(tau, vols, rho, rate, model, flat_basket(spots, rate=rate, dividend_yield=paid))


def black(forward: Any, strike: Any, std: float, sign: float) -> Any:
    """Undiscounted Black; arrays of one shape, strikes of any sign."""
    real = (strike > 0.0) & (forward > 0.0)
    flat = np.maximum(sign * (forward - strike), 0.0)
    if std <= 0.0:
        return flat
    f, k = np.where(real, forward, 1.0), np.where(real, strike, 1.0)
    d = (np.log(f) - np.log(k)) / std + 0.5 * std
    return np.where(real, sign * (f * ndtr(sign * d) - k * ndtr(sign * (d - std))), flat)


def sum_of_two(amounts: Any, covariance: Any, strike: float, sign: float) -> float:
    """E[max(sign (sum of a_i exp(x_i - v_i / 2) - strike), 0)], the wilder of the two outside."""
    a, s = np.asarray(amounts, dtype=float), np.sqrt(np.diag(covariance))
    o = int(s[1] >= s[0])
    rho = float(np.clip(covariance[0, 1] / (s[0] * s[1]), -1.0, 1.0))
    own, tilt, side = s[1 - o] * np.sqrt((1.0 - rho) * (1.0 + rho)), rho * s[1 - o], np.copysign(1.0, a[1 - o])

    def legs(z: Any) -> Any:
        x, y = tilt * (z - 0.5 * tilt), s[o] * (z - 0.5 * s[o])
        top = np.maximum(np.maximum(x, y), 0.0)
        weight = np.exp(top - 0.5 * z * z) / np.sqrt(2.0 * np.pi)
        return (
            side * a[1 - o] * np.exp(x - top), side * (strike * np.exp(-top) - a[o] * np.exp(y - top)), weight,
        )  # fmt: skip

    low, high = -11.0 + min(0.0, tilt, s[o]), 11.0 + max(0.0, tilt, s[o])
    grid, edges = np.linspace(low, high, 4001), [np.linspace(low, high, 200)]
    near = np.concatenate([[0.0], np.geomspace(1e-12, 20.0, 60)])
    for gap in (lambda z: legs(z)[0] - legs(z)[1], lambda z: legs(z)[1]):
        value = gap(grid)
        kinks = [brentq(gap, grid[j], grid[j + 1], xtol=1e-15) for j in np.flatnonzero(value[1:] * value[:-1] < 0.0)]
        for kink in [*kinks, *grid[value == 0.0].tolist()]:
            edges += [kink + near, kink - near]
    points = np.unique(np.clip(np.concatenate(edges), low, high))
    half = 0.5 * np.diff(points)[:, None]
    z = (points[:-1, None] + half * (1.0 + X)).ravel()
    forward, level, weight = legs(z)
    return float(((half * W).ravel() * weight) @ black(forward, level, own, sign * side))


def extreme_of_many(forward: Any, std: Any, loading: Any, strike: float, best: bool, n: int = 24) -> float:
    """A call on the best or worst of prices with log x_i = std_i (l_i m + sqrt(1 - l_i^2) e_i), undiscounted."""
    f, s, side = np.asarray(forward), np.asarray(std), 1.0 if best else -1.0
    own = np.sqrt(1.0 - loading**2)
    half = 9.0 / n
    m = (np.linspace(-9.0, 9.0, n + 1)[:-1, None] + half * (1.0 + X)).ravel()
    w = np.tile(half * W, n)

    def beats(i: int) -> float:
        """P_i(i is extreme and above the strike)."""
        c = s * s[i] * loading * loading[i]
        c[i] = s[i] ** 2
        mean = np.log(f) + c - 0.5 * s * s
        least = (np.log(strike) - mean[i] - s[i] * loading[i] * m) / (s[i] * own[i]) if strike > 0.0 else m * 0.0 - 9.0
        least = np.clip(least, -9.0, 9.0)[:, None]
        e = least + (9.0 - least) * (m + 9.0) / 18.0
        y = mean[i] + s[i] * (loading[i] * m[:, None] + own[i] * e)
        p = np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi)
        for j in range(f.size):
            if j != i:
                p = p * ndtr(side * (y - mean[j] - s[j] * loading[j] * m[:, None]) / (s[j] * own[j]))
        inner = (p * w).sum(axis=1) * (9.0 - least[:, 0]) / 18.0
        return float((w * np.exp(-0.5 * m * m) / np.sqrt(2.0 * np.pi)) @ inner)

    paid = sum(f[i] * beats(i) for i in range(f.size))
    if strike > 0.0:
        d = (np.log(strike / f)[:, None] + 0.5 * (s * s)[:, None] - (s * loading)[:, None] * m) / (s * own)[:, None]
        inside = np.prod(ndtr(side * d), axis=0) @ (w * np.exp(-0.5 * m * m)) / np.sqrt(2.0 * np.pi)
        paid -= strike * float(1.0 - inside if best else inside)
    return float(paid)


def _erfc(x: Decimal) -> Decimal:
    """By Taylor's series below 6, by the continued fraction above."""
    if x < 0:
        return 2 - _erfc(-x)
    if x > 200:
        return Decimal(0)
    if x > 6:
        f = Decimal(0)
        for k in range(150, 0, -1):
            f = (Decimal(k) / 2) / (x + f)
        return (-x * x).exp() / PI.sqrt() / (x + f)
    term = total = x
    for n in range(1, 400):
        term *= -x * x / n
        total += term / (2 * n + 1)
        if abs(term) < Decimal(10) ** -58:
            break
    return 1 - 2 * total / PI.sqrt()


def exact_black(forward: Decimal, strike: Decimal, std: Decimal, is_call: bool) -> Decimal:
    """Undiscounted Black in 60 digits."""
    if std == 0:
        return max(forward - strike if is_call else strike - forward, Decimal(0))
    d1 = (forward / strike).ln() / std + std / 2
    d2, root = d1 - std, Decimal(2).sqrt()
    n1, n2 = (_erfc((-d if is_call else d) / root) / 2 for d in (d1, d2))
    return forward * n1 - strike * n2 if is_call else strike * n2 - forward * n1


def abroad(vol: float, fx_vol: float, rho: float, home: float, rate: float, paid: float, fx: float) -> Any:
    """(model, market) of one dollar index seen from China."""

    def curve(level: float) -> DiscountCurve:
        return DiscountCurve(as_of=AS_OF, tau=[1.0], zero_rate=[level])

    model = MultiAssetBlackScholes(names=("SPX", "USDCNY"), vols=[vol, fx_vol], correlation=[[1.0, rho], [rho, 1.0]])
    index = Underlying(name="SPX", spot=100.0, dividend_yield=paid, currency="USD")
    money = ForeignCurrency(name="USD", rate=fx, discount=curve(rate))
    return model, BasketSnapshot(as_of=AS_OF, discount=curve(home), underlyings=(index,), currencies=(money,))

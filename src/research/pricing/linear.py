"""Options on a weighted sum of lognormal prices: exchange, spread, outperformance and basket, by named formulas.

| method | contracts | what it is |
|---|---|---|
| margrabe | Exchange, Outperformance without strike | exact: Black's formula in units of the asset given |
| quadrature | any of one or two assets | exact: Black's formula given one price, integrated over it |
| bjerksund_stensland | Spread, Outperformance | the value of a nearly optimal exercise: a lower bound |
| kirk | Spread, Outperformance | approximation: short leg plus strike taken as lognormal |
| moment_matching | Basket | approximation: a shifted lognormal of the basket's three moments; how far off is stated |

Options of a simulation, such as `std_error`, are taken and not needed.

References
----------
Margrabe (1978), "The value of an option to exchange one asset for another", J. Finance 33, 177-186.
Kirk (1995), "Correlation in the energy markets", in Managing Energy Price Risk, Risk Publications.
Bjerksund, Stensland (2014), "Closed form spread option valuation", Quantitative Finance 14, 1785-1794.
Borovkova, Permana, van der Weide (2007), "A closed form approach to the valuation and hedging of basket and spread
options", J. Derivatives 14(4), 8-24 (three moments).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from research.arrays import Float1D, Float2D
from research.errors import NoEngineError, require
from research.instruments import Basket, Exchange, Outperformance, Spread
from research.pricing._lognormals import Lognormals, lognormals
from research.pricing._trapezoids import difference
from research.pricing.catalogue import Values
from research.pricing.normal_probabilities import composite

Legs = Callable[[Any], tuple[Any, Any, Any]]  # normal number z -> forward, strike, density
_FAR = 38.0  # standard deviations that no normal variable passes
_MOMENTS = 50.0  # variance of a log price up to which third moments are finite numbers
_JUDGES = 1 << 13  # paths that say how far moment matching is off
_REACH = 9.5  # standard deviations over which a normal variable is integrated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """df scale E[max(sign (sum of w_i S_i - strike), 0)] with S lognormal."""

    amounts: Float1D  # weight times forward, shape (n,)
    covariance: Float2D  # of the log prices, shape (n, n)
    strike: float
    sign: float
    unit: float  # discount factor times scale


class Books:
    """Forwards, covariances and discount factors of a batch: looked up once for each set of prices and time."""

    def __init__(self, model: Any, market: Any) -> None:
        self.model, self.market = model, market
        self._assets: dict[Any, Lognormals] = {}
        self._found: dict[Any, tuple[Float1D, Float2D, float]] = {}

    def at(self, names: tuple[str, ...], fx: str | None, tau: float) -> tuple[Float1D, Float2D, float]:
        """(forwards, covariance, discount factor)."""
        key = (names, fx)
        if key not in self._assets:
            self._assets[key] = lognormals(names, fx, self.model, self.market)
        if (key, tau) not in self._found:
            assets = self._assets[key]
            df = float(self.market.discount.df(tau))
            self._found[key, tau] = assets.forwards(tau), assets.covariance(tau), df
        return self._found[key, tau]


def terms(item: Any, books: Books) -> Linear:
    """A contract as a weighted sum and a strike."""
    names: tuple[str, ...]
    weights: tuple[float, ...]
    strike, is_call, scale = 0.0, True, 1.0
    if isinstance(item, Basket):
        names, weights, strike, is_call = item.underlyings, item.weights, item.strike, item.is_call
    elif isinstance(item, Exchange):
        names, weights = (item.receive, item.give), (item.n_receive, -item.n_give)
    elif isinstance(item, Spread):
        names, weights, strike, is_call = (
            (item.long, item.short),
            (item.n_long, -item.n_short),
            item.strike,
            item.is_call,
        )
    else:
        assert isinstance(item, Outperformance)
        names, weights, strike = (item.long, item.short), (1.0 / item.initials[0], -1.0 / item.initials[1]), item.strike
        scale = item.notional
    require(hasattr(books.market, "underlyings"), "snapshot", type(books.market).__name__,
            "be a market.BasketSnapshot", hint="See market.flat_basket.")  # fmt: skip
    forward, covariance, df = books.at(names, item.fx, item.years(books.market.as_of))
    return Linear(
        amounts=np.array(weights) * forward,
        covariance=covariance,
        strike=strike,
        sign=1.0 if is_call else -1.0,
        unit=df * scale,
    )


def black_value(forward: Any, strike: Any, std: Any, sign: Any) -> Any:
    """Undiscounted Black, also for strikes that are not positive and deviations of 0; broadcasts."""
    f, k, s = np.broadcast_arrays(np.asarray(forward, float), np.asarray(strike, float), np.asarray(std, float))
    intrinsic = np.maximum(sign * (f - k), 0.0)
    open_ = (k > 0.0) & (s > 0.0) & (f > 0.0)
    safe = np.where(open_, s, 1.0)
    with np.errstate(over="ignore", divide="ignore"):  # so far apart that the option is its intrinsic value
        d1 = np.log(np.where(open_, f, 1.0) / np.where(open_, k, 1.0)) / safe + 0.5 * safe
    value = sign * (f * ndtr(sign * d1) - k * ndtr(sign * (d1 - safe)))
    out = np.where(open_, np.maximum(value, intrinsic), intrinsic)
    return out if out.shape else float(out)


def comonotonic(given: Linear) -> float:
    """A bound for the option out of the money, undiscounted: every price moves with one normal number, for or against.

    The sum of such prices is the largest in convex order, and its option a sum of options on each, at the strikes where
    the sum meets its own (Kaas, Dhaene, Goovaerts 2000, Insurance: Mathematics and Economics 27, 151-168).
    """
    a, std = given.amounts, np.sqrt(np.diag(given.covariance))
    way = np.where(a >= 0.0, std, -std)

    def prices(z: float) -> Float1D:
        return np.asarray(a * np.exp(np.clip(way * z - 0.5 * std * std, -600.0, 600.0)))

    low, high = -_FAR, _FAR
    if not prices(low).sum() < given.strike < prices(high).sum():
        return 0.0
    at = prices(float(brentq(lambda z: prices(z).sum() - given.strike, low, high, xtol=1e-12)))
    call, put = (float(black_value(np.abs(a), np.abs(at), std, s * np.sign(a)).sum()) for s in (1.0, -1.0))
    return min(call, put)


def margrabe_value(given: Linear) -> tuple[float, float]:
    """Exact value of an exchange of two assets, and its rounding."""
    require(given.strike == 0.0, "strike", given.strike, "be 0 for method='margrabe'", hint="Use method='quadrature'.",
            error=NoEngineError)  # fmt: skip
    (a, b), c = given.amounts, given.covariance
    std = np.sqrt(max(c[0, 0] - 2.0 * c[0, 1] + c[1, 1], 0.0))
    return float(given.unit * black_value(a, -b, std, given.sign)), 4e-16 * given.unit * max(a, -b)


def quadrature_value(given: Linear) -> tuple[float, float]:
    """Exact value with two assets: given the noise z of the second, the first is lognormal; error by two rules."""
    n = given.amounts.size
    require(n <= 2, "underlyings", n, "number 1 or 2 for method='quadrature'", hint="Use method='monte_carlo'.",
            error=NoEngineError)  # fmt: skip
    size = float(np.abs(given.amounts).sum() + abs(given.strike))
    if n == 1:
        return _single(given), 4e-16 * given.unit * size
    found = _bell(given) or _by_panels(given)
    return given.unit * found[1], given.unit * (2.0 * abs(found[1] - found[0]) + 1e-15 * size)


def _bell(given: Linear) -> tuple[float, float] | None:
    """By trapezoids where one weight is negative and the integrand is smooth enough."""
    (a, b), k, sign = given.amounts.tolist(), given.strike, given.sign
    (v1, c), (_, v2) = given.covariance.tolist()
    if not v1 > 0.0 < v2:
        return None
    if a < 0.0:
        a, b, v1, v2 = b, a, v2, v1
    if k < 0.0:  # the negative leg and the strike change sides
        a, b, v1, v2, k, sign = -b, -a, v2, v1, -k, -sign
    rho = min(max(c / math.sqrt(v1 * v2), -1.0), 1.0)
    return difference(a, -b, k, math.sqrt(v1), math.sqrt(v2), rho, sign)


def _by_panels(given: Linear) -> tuple[float, float]:
    """Undiscounted, by two rules on panels."""
    legs, own, tilts = _legs(given)
    edges = _edges(legs, own, tilts[1], -_REACH + min(tilts), _REACH + max(tilts))
    sign = given.sign if given.amounts[_calm(given)] >= 0.0 else -given.sign
    found = []
    for points in (16, 24):
        z, weight = composite(edges, points)
        forward, strike, density = legs(z)
        found.append(float((weight * density) @ black_value(forward, strike, own, sign)))
    return found[0], found[1]


def _single(given: Linear) -> float:
    """One price: Black's formula, a negative weight mirrored."""
    amount, side = abs(float(given.amounts[0])), float(np.copysign(1.0, given.amounts[0]))
    std = float(np.sqrt(given.covariance[0, 0]))
    return float(given.unit * black_value(amount, side * given.strike, std, side * given.sign))


def _calm(given: Linear) -> int:
    """The one of two prices that is lognormal in the integrand; the other moves less, and is integrated over."""
    return int(given.covariance[1, 1] > given.covariance[0, 0])


def _legs(given: Linear) -> tuple[Legs, float, tuple[float, float, float]]:
    """(z -> forward, strike and density), the deviation that is left, and where in z the mass of each leg lies.

    Forward and strike are those of the first leg given z, for a leg of positive weight. Both are divided by their
    larger exponential, and the density holds it: exp(s z - s^2 / 2) alone is beyond a double's range at s = 35.
    """
    amounts, c, first = given.amounts, given.covariance, _calm(given)
    other = 1 - first
    s1, s2 = float(np.sqrt(c[first, first])), float(np.sqrt(c[other, other]))
    rho = float(np.clip(c[0, 1] / (s1 * s2), -1.0, 1.0)) if s1 * s2 > 0.0 else 0.0
    side = 1.0 if amounts[first] >= 0.0 else -1.0
    a, b, k, tilt = side * float(amounts[first]), side * float(amounts[other]), side * given.strike, rho * s1

    def legs(z: Any) -> tuple[Any, Any, Any]:
        x, y = tilt * (z - 0.5 * tilt), s2 * (z - 0.5 * s2)
        top = np.maximum(np.maximum(x, y), 0.0)
        density = np.exp(top - 0.5 * z * z) / np.sqrt(2.0 * np.pi)
        return a * np.exp(x - top), k * np.exp(-top) - b * np.exp(y - top), density

    return legs, s1 * float(np.sqrt((1.0 - rho) * (1.0 + rho))), (0.0, tilt, s2)


def _gap(legs: Legs, z: float) -> float:
    forward, strike, _ = legs(z)
    return float(forward - strike)


def _edges(legs: Legs, own: float, slope: float, low_end: float, high_end: float) -> Float1D:
    """Panels in z: finer where forward and strike cross, on the scale on which the option's value bends."""
    grid = np.linspace(low_end, high_end, int(0.7 * (high_end - low_end)))
    fine = np.linspace(low_end, high_end, 801)
    forward, strike, _ = legs(fine)
    gap = forward - strike
    edges = [*grid]
    for at in np.flatnonzero(np.sign(gap[1:]) != np.sign(gap[:-1])):
        low = float(brentq(lambda z: _gap(legs, float(z)), fine[at], fine[at + 1], xtol=1e-10))
        f, k, _ = legs(low + 1e-6)
        g, m, _ = legs(low - 1e-6)
        speed = abs(np.log(f / g) - np.log(k / m)) / 2e-6 if min(f, g, k, m) > 0.0 else abs(slope)
        width = own / max(speed, 1e-12)
        edges += [low + p * width for p in (-16.0, -6.0, -2.0, 0.0, 2.0, 6.0, 16.0)]
    for at in np.flatnonzero(np.sign(strike[1:]) != np.sign(strike[:-1])):  # a strike that changes sign
        root = float(brentq(lambda z: float(legs(z)[1]), fine[at], fine[at + 1], xtol=1e-14))
        edges += [root + side * p for p in (0.0, 1e-4, 1e-3, 0.01, 0.05, 0.2) for side in (-1.0, 1.0)]
    return np.unique(np.clip(edges, low_end, high_end))


def _spread_terms(given: Linear, method: str) -> tuple[float, float, float, float, float, float]:
    """(F1, F2, K, s1, s2, rho) of a spread of non-negative strike, a negative one mirrored: -(F2 - F1 - (-K))."""
    a, b = float(given.amounts[0]), float(-given.amounts[1])
    require(given.strike >= 0.0, "strike", given.strike, f"be >= 0 for method='{method}'",
            hint="Use method='quadrature', or swap the legs.", error=NoEngineError)  # fmt: skip
    c = given.covariance
    s1, s2 = np.sqrt(c[0, 0]), np.sqrt(c[1, 1])
    rho = float(np.clip(c[0, 1] / (s1 * s2), -1.0, 1.0)) if s1 * s2 > 0.0 else 0.0
    return a, b, given.strike, float(s1), float(s2), rho


def kirk_value(given: Linear) -> tuple[float, float]:
    """Kirk's formula; error: the distance to the exact value."""
    f1, f2, k, s1, s2, rho = _spread_terms(given, "kirk")
    b = f2 / (f2 + k)
    std = np.sqrt(max(s1 * s1 - 2.0 * rho * s1 * b * s2 + (b * s2) ** 2, 0.0))
    value = given.unit * black_value(f1, f2 + k, std, given.sign)
    return float(value), _distance(float(value), given)


def bjerksund_stensland_value(given: Linear) -> tuple[float, float]:
    """The value of exercising where S1 > a S2^b / E[S2^b], a = F2 + K, b = F2 / a; error: how far from exact."""
    f1, f2, k, s1, s2, rho = _spread_terms(given, "bjerksund_stensland")
    a, b = f2 + k, f2 / (f2 + k)
    std = np.sqrt(max(s1 * s1 - 2.0 * b * rho * s1 * s2 + (b * s2) ** 2, 0.0))
    if std == 0.0:
        return given.unit * max(given.sign * (f1 - f2 - k), 0.0), 0.0
    level, square = np.log(f1 / a), 0.5 * (b * s2) ** 2
    d1 = (level + 0.5 * s1 * s1 - b * rho * s1 * s2 + square) / std
    d2 = (level - 0.5 * s1 * s1 + rho * s1 * s2 + square - b * s2 * s2) / std
    d3 = (level - 0.5 * s1 * s1 + square) / std
    call = f1 * ndtr(d1) - f2 * ndtr(d2) - k * ndtr(d3)
    value = call if given.sign > 0.0 else call - (f1 - f2 - k)  # parity
    value = float(given.unit * max(value, 0.0))
    return value, _distance(value, given)


def _distance(value: float, given: Linear) -> float:
    """How far an approximation may lie from the exact value: no rule of thumb holds far out of the money."""
    exact, error = quadrature_value(given)
    return abs(value - exact) + error


def moment_value(given: Linear) -> tuple[float, float]:
    """A shifted (and, with negative skew, mirrored) lognormal with the basket's mean, variance and third moment."""
    a, c = given.amounts, given.covariance
    top = float(c.max())
    require(top <= _MOMENTS, "variance of a log price", top, f"be <= {_MOMENTS:g} for method='moment_matching'",
            hint="The moments say little of a wider law: use method='monte_carlo'.", error=NoEngineError)  # fmt: skip
    e = np.exp(c)
    mean = float(a.sum())
    second = float(a @ e @ a)
    third = float(np.einsum("i,j,k,ij,ik,jk", a, a, a, e, e, e))
    variance = second - mean * mean
    if variance <= 1e-16 * second:
        value = given.unit * max(given.sign * (mean - given.strike), 0.0)
        return value, _far_from(value, given)
    skew = (third - 3.0 * mean * second + 2.0 * mean**3) / variance**1.5
    up = 1.0 if skew >= 0.0 else -1.0
    strike, sign = up * given.strike, up * given.sign
    w = _growth(max(abs(skew), 1e-6))  # exp(std^2)
    size = np.sqrt(variance / (w - 1.0))  # forward of the lognormal part
    shift = up * mean - size
    value = float(given.unit * black_value(size, strike - shift, np.sqrt(np.log(w)), sign))
    return value, _far_from(value, given)


def _far_from(value: float, given: Linear) -> float:
    """The distance of an approximation: to the exact value of one or two prices, of more to that of a simulation."""
    if given.amounts.size <= 2:
        return _distance(value, given)
    from research.pricing.multi_asset import simulate_sum  # it stands on this module

    found = simulate_sum(given, n_paths=_JUDGES)
    return abs(value - found.value) + 3.0 * found.std_error


def _growth(skew: float) -> float:
    """w > 1 with (w + 2) sqrt(w - 1) = skew."""
    h = np.cbrt(0.5 * (skew * skew + 2.0) + 0.5 * np.sqrt((skew * skew + 2.0) ** 2 - 4.0))
    return float(max(h + 1.0 / h - 1.0, 1.0 + 1e-15))


def _values(function: Callable[[Linear], tuple[float, float]], items: Sequence[Any], model: Any, market: Any) -> Values:
    books = Books(model, market)
    found = np.array([function(terms(item, books)) for item in items])
    return Values(found[:, 0].copy(), np.zeros(len(items)), found[:, 1].copy())


def margrabe(items: Sequence[Any], model: Any, market: Any, **_: Any) -> Values:
    """Engine: exchange options."""
    return _values(margrabe_value, items, model, market)


def quadrature(items: Sequence[Any], model: Any, market: Any, **_: Any) -> Values:
    """Engine: any weighted sum of two assets."""
    return _values(quadrature_value, items, model, market)


def bjerksund_stensland(items: Sequence[Any], model: Any, market: Any, **_: Any) -> Values:
    """Engine: spreads."""
    return _values(bjerksund_stensland_value, items, model, market)


def kirk(items: Sequence[Any], model: Any, market: Any, **_: Any) -> Values:
    """Engine: spreads."""
    return _values(kirk_value, items, model, market)


def moment_matching(items: Sequence[Any], model: Any, market: Any, **_: Any) -> Values:
    """Engine: baskets."""
    return _values(moment_value, items, model, market)

"""Options on two lognormal prices, from their plain terms: a double integral in NumPy, and the named formulas anew.

| function | what it is |
|---|---|
| `double_integral` | the payoff itself, summed over both prices: exact, for all contracts on two prices |
| `named_formula` | Kirk's and Bjerksund and Stensland's formulas by QuantLib, three matched moments in NumPy |

An approximation whose stated error is its distance to an exact value agrees with that value by construction. What can
fail is tested in its place: the exact value against the double integral, the formula against another writing of it.

References
----------
Kirk (1995), "Correlation in the energy markets", in Managing Energy Price Risk, Risk Publications.
Bjerksund, Stensland (2014), "Closed form spread option valuation", Quantitative Finance 14, 1785-1794.
Borovkova, Permana, van der Weide (2007), J. Derivatives 14(4), 8-24 (three moments).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from research.validation.benchmarks.quantlib_heston import _quantlib
from research.validation.benchmarks.quantlib_options import Found, NotPriced

Real = NDArray[np.float64]
Terms = dict[str, Any]
_FAR = 10.0  # standard deviations that the integral covers on each side
_CONTRACTS = ("Exchange", "Spread", "Outperformance", "Basket", "BestOf", "WorstOf", "Rainbow")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two lognormal prices at expiry, in units of what the contract counts, and its payoff."""

    forwards: tuple[float, float]
    deviations: tuple[float, float]
    rho: float
    df: float
    payoff: Callable[[Any, Any], Any]
    kinks: Callable[[Any], list[Any]]  # where in the second price the payoff bends, given the first
    corner: float  # of the first price, where two bends cross; 0 where none do
    linear: tuple[float, float, float] | None  # weights and strike where the payoff is of a weighted sum
    sign: float


def double_integral(terms: Terms, model: Terms, market: Terms) -> Found:
    """(value, stated error) of a contract on two prices; NotPriced says why there is none.

    Parameters
    ----------
    terms, model : JSON terms, `type` the class
    market : spots by name (price units), rate, and dividend_yield by name (1/year, continuously compounded)

    Returns
    -------
    (float, float)
        The error is three times the distance to a rule of two thirds of the nodes, and rounding.
    """
    pair = _pair(terms, model, market)
    fine, coarse = _sum(pair, 150), _sum(pair, 100)
    size = pair.df * (sum(pair.forwards) + abs(float(terms.get("strike", 0.0))))
    scale = _notional(terms)
    return scale * fine, scale * (3.0 * abs(fine - coarse) + 1e-13 * size)


def named_formula(method: str, terms: Terms, model: Terms, market: Terms) -> float:
    """What the approximation `method` should give, by another implementation; NotPriced where there is none."""
    if method not in FORMULAS:
        raise NotPriced(f"no formula is known as {method}")
    pair = _pair(terms, model, market)
    if pair.linear is None:
        raise NotPriced("not a sum of prices")
    return _notional(terms) * FORMULAS[method](pair, float(terms["tau"]))


def _notional(terms: Terms) -> float:
    return float(terms.get("notional", 100.0 if terms["type"] == "Outperformance" else 1.0))


def _pair(terms: Terms, model: Terms, market: Terms) -> _Pair:
    kind = str(terms["type"])
    if kind not in _CONTRACTS or model["type"] != "MultiAssetBlackScholes" or terms.get("fx") is not None:
        raise NotPriced(f"not a contract on two prices of one currency: {kind} under {model['type']}")
    names = _names(terms)
    if len(names) != 2:
        raise NotPriced(f"{len(names)} prices, not 2")
    at, tau, rate = [model["names"].index(n) for n in names], terms["tau"], market["rate"]
    spots, yields = market["spots"], market["dividend_yield"]
    initials = terms.get("initials") or (1.0, 1.0)
    forwards = [float(spots[n] / i * np.exp((rate - yields[n]) * tau)) for n, i in zip(names, initials, strict=True)]
    deviations = [float(model["vols"][k] * np.sqrt(tau)) for k in at]
    sign = 1.0 if terms.get("is_call", True) else -1.0
    payoff, kinks, corner, linear = _payoff(terms, sign)
    return _Pair((forwards[0], forwards[1]), (deviations[0], deviations[1]), float(model["correlation"][at[0]][at[1]]),
                 float(np.exp(-rate * tau)), payoff, kinks, corner, linear, sign)  # fmt: skip


def _names(terms: Terms) -> list[str]:
    if "underlyings" in terms:
        return list(terms["underlyings"])
    return [terms[a if a in terms else b] for a, b in (("long", "receive"), ("short", "give"))]


def _payoff(terms: Terms, sign: float) -> tuple[Any, Any, float, Any]:
    """(payoff of both prices, its bends in the second, where bends cross, weights and strike of a sum or None)."""
    kind, strike = terms["type"], float(terms.get("strike", 0.0))
    if kind in ("BestOf", "WorstOf", "Rainbow"):
        high, low = {"BestOf": (1.0, 0.0), "WorstOf": (0.0, 1.0)}.get(kind) or terms["rank_weights"]
        bends = [w for w in (high, low) if w != 0.0]

        def ranked(x: Any, y: Any) -> Any:
            return np.maximum(sign * (high * np.maximum(x, y) + low * np.minimum(x, y) - strike), 0.0)

        def turns(x: Any) -> list[Any]:
            return [x, *((strike - (high + low - w) * x) / w for w in bends)]

        return ranked, turns, strike / (high + low), None
    a, b = {
        "Exchange": lambda: (terms.get("n_receive", 1.0), -terms.get("n_give", 1.0)),
        "Spread": lambda: (terms.get("n_long", 1.0), -terms.get("n_short", 1.0)),
        "Outperformance": lambda: (1.0, -1.0),
        "Basket": lambda: tuple(terms["weights"]),
    }[kind]()
    return (
        lambda x, y: np.maximum(sign * (a * x + b * y - strike), 0.0),
        lambda x: [(strike - a * x) / b],
        0.0,
        (float(a), float(b), strike),
    )


def _sum(pair: _Pair, panels: int) -> float:
    """The payoff over both normals: the second in panels between its bends, so that no panel holds a kink."""
    (f, g), (s, t), rho, rest = pair.forwards, pair.deviations, pair.rho, np.sqrt(max(1.0 - pair.rho**2, 0.0))
    nodes, weights = np.polynomial.legendre.leggauss(8)
    low, high = -_FAR - max(-rho * t, 0.0), _FAR + s + t
    split = (np.log(pair.corner / f) + 0.5 * s * s) / s if pair.corner > 0.0 else 0.0
    ends = np.unique(np.append(np.linspace(low, high, panels + 1), np.clip(split, low, high)))
    half, middles = 0.5 * np.diff(ends), 0.5 * (ends[1:] + ends[:-1])
    z = (middles[:, None] + half[:, None] * nodes).ravel()
    outer = (half[:, None] * weights).ravel() * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    x = f * np.exp(s * z - 0.5 * s * s)
    if rest * t < 1e-12:  # the second price is known where the first is
        return pair.df * float(outer @ pair.payoff(x, g * np.exp(rho * t * z - 0.5 * t * t)))
    end = _FAR + t
    with np.errstate(divide="ignore", invalid="ignore"):
        bends = [(np.log(np.maximum(k / g, 0.0)) + 0.5 * t * t - rho * t * z) / (rest * t) for k in pair.kinks(x)]
    cuts = np.sort(np.clip(np.nan_to_num(np.stack([*bends, 0.0 * z], 1), nan=0.0), -end, end), axis=1)
    edges = np.concatenate((np.full((z.size, 1), -end), cuts, np.full((z.size, 1), end)), axis=1)
    pieces = max(panels // 12, 2)
    total = np.zeros(z.size)
    for left, right in zip(edges.T[:-1], edges.T[1:], strict=True):
        width = (right - left) / (2 * pieces)
        middle = left[:, None] + width[:, None] * (2 * np.arange(pieces) + 1)
        w = (middle[:, :, None] + width[:, None, None] * nodes).reshape(z.size, -1)
        y = g * np.exp(t * (rho * z[:, None] + rest * w) - 0.5 * t * t)
        density = np.exp(-0.5 * w * w) / np.sqrt(2.0 * np.pi)
        total += width * ((pair.payoff(x[:, None], y) * density) @ np.tile(weights, pieces))
    return pair.df * float(outer @ total)


def _by_quantlib(pair: _Pair, tau: float, engine: str) -> float:
    """A spread option by an engine of QuantLib: two futures, without rates, in whole days."""
    a, b, strike = pair.linear or (0.0, 0.0, 0.0)
    days = round(365.0 * tau)
    if abs(365.0 * tau - days) > 1e-6 or not a > 0.0 > b:
        raise NotPriced("not a spread over a whole number of days")
    ql = _quantlib()
    before = ql.Settings.instance().evaluationDate
    try:
        today, count = ql.Date(5, 7, 2002), ql.Actual365Fixed()
        ql.Settings.instance().evaluationDate = today
        flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
        prices = []
        for amount, deviation in zip((a * pair.forwards[0], -b * pair.forwards[1]), pair.deviations, strict=True):
            vol = ql.BlackConstantVol(today, ql.NullCalendar(), deviation / np.sqrt(tau), count)
            spot = ql.QuoteHandle(ql.SimpleQuote(amount))
            prices.append(ql.BlackProcess(spot, flat, ql.BlackVolTermStructureHandle(vol)))
        kind = ql.Option.Call if pair.sign > 0.0 else ql.Option.Put
        payoff = ql.SpreadBasketPayoff(ql.PlainVanillaPayoff(kind, strike))
        option = ql.BasketOption(payoff, ql.EuropeanExercise(today + days))
        option.setPricingEngine(getattr(ql, engine)(*prices, pair.rho))
        return float(pair.df * option.NPV())
    except RuntimeError as error:
        raise NotPriced(str(error)) from None
    finally:
        ql.Settings.instance().evaluationDate = before


def _three_moments(pair: _Pair, tau: float) -> float:
    """A lognormal, shifted so that mean, deviation and skewness are those of the sum; mirrored if skewed down."""
    a, b, strike = pair.linear or (0.0, 0.0, 0.0)
    (f, g), (s, t) = pair.forwards, pair.deviations
    parts, c = np.array([a * f, b * g]), np.array([[s * s, pair.rho * s * t], [pair.rho * s * t, t * t]])
    mean = float(parts.sum())
    growth = np.expm1(c)  # covariances of the prices over their forwards
    variance = float(parts @ growth @ parts)
    third = 0.0  # E of three deviations from the mean, term by term
    for i in range(2):
        for j in range(2):
            for k in range(2):
                x, y, z = growth[i, j], growth[i, k], growth[j, k]
                third += parts[i] * parts[j] * parts[k] * (x * y + x * z + y * z + x * y * z)
    skew = third / variance**1.5
    up = 1.0 if skew >= 0.0 else -1.0
    # a lognormal of log deviation d has skewness (w + 2) sqrt(w - 1), w = exp(d^2)
    d = float(brentq(lambda d: (np.exp(d * d) + 2.0) * np.sqrt(np.expm1(d * d)) - abs(skew), 1e-9, 6.0, xtol=1e-15))
    size = np.sqrt(variance / np.expm1(d * d))
    level, sign = up * strike - (up * mean - size), up * pair.sign
    if level <= 0.0:
        return float(pair.df * max(sign * (size - level), 0.0))
    one = np.log(size / level) / d + 0.5 * d
    return float(pair.df * sign * (size * ndtr(sign * one) - level * ndtr(sign * (one - d))))


FORMULAS: dict[str, Callable[[_Pair, float], float]] = {
    "kirk": lambda pair, tau: _by_quantlib(pair, tau, "KirkEngine"),
    "bjerksund_stensland": lambda pair, tau: _by_quantlib(pair, tau, "BjerksundStenslandSpreadEngine"),
    "moment_matching": _three_moments,
}

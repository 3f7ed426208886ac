"""Closed forms with two barriers under Black-Scholes: `DoubleBarrier`, `DoubleTouch`, and `DoubleNoTouch` deposits.

An option is worth its forward and its strike times two probabilities to end in the money inside the corridor (see
`_corridor`). Watched at n even moments, both barriers are moved outwards by exp(0.5826 sigma sqrt(tau / n)) (Broadie,
Glasserman, Kou): an approximation, whose size the stated error gives; it is poor where the corridor is narrower than a
few steps.

References
----------
Ikeda, Kunitomo (1992), Mathematical Finance 2, 275-298. Hui (1996), Applied Financial Economics 6, 343-346.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., sections 4.17.3 and 4.19.6.
Broadie, Glasserman, Kou (1997), "A continuity correction for discrete barrier options", Mathematical Finance 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.errors import require
from research.instruments import DoubleBarrier, DoubleNoTouch, DoubleTouch
from research.instruments._schedule import daily
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._corridor import SERIES, Corridor, Series, inside, leaves
from research.pricing._flat import flat_rates
from research.pricing.catalogue import Values

SHIFT = 0.5825971579390107  # -zeta(1/2) / sqrt(2 pi)
_ROUNDING = 2e-14


@dataclass(frozen=True, slots=True)
class _Market:
    """Spot, corridor and what drives the log price up to expiry."""

    spot: float
    forward: float
    df: float
    tau: float
    rate: float
    corridor: Corridor

    @property
    def drift(self) -> float:
        """Of the log price, up to expiry."""
        return float(np.log(self.forward / self.spot)) - 0.5 * self.corridor.std**2

    def shifted(self, n: int | None) -> _Market | None:
        """Barriers moved outwards for n looks; None for continuous watching."""
        if n is None:
            return None
        c, move = self.corridor, SHIFT * self.corridor.std / np.sqrt(n)
        moved = Corridor(c.low - move, c.high + move, c.std, c.series)
        return _Market(self.spot, self.forward, self.df, self.tau, self.rate, moved)

    def survival(self) -> float:
        """Probability that no barrier is ever hit."""
        return inside(self.corridor, self.drift, self.corridor.low, self.corridor.high)

    def at_hit(self) -> tuple[float, float]:
        """One unit when low is hit first, one unit when high is."""
        square = self.drift**2 + 2.0 * self.rate * self.tau * self.corridor.std**2
        require(square >= 0.0, "rate", self.rate, "be higher for a payment at the hit: mu^2 + 2 r sigma^2 must be >= 0",
                hint="Pay at expiry.")  # fmt: skip
        return leaves(self.corridor, self.drift, float(np.sqrt(square)))


def _market(
    item: Any, tau: float, rate: float, low: float, high: float, sigma: float, snapshot: Snapshot, series: Series
) -> _Market:
    require(tau > 0.0, "tau", tau, f"be > 0 years for a {type(item).__name__}")
    require(sigma > 0.0, "sigma", sigma, "be > 0 here")
    spot = snapshot.spot
    corridor = Corridor(float(np.log(low / spot)), float(np.log(high / spot)), float(sigma * np.sqrt(tau)), series)
    return _Market(spot, snapshot.forward(tau), snapshot.discount.df(tau), tau, rate, corridor)


def _option(item: DoubleBarrier, m: _Market) -> float:
    """The option alone, then its rebate."""
    c, strike = m.corridor, float(np.log(item.strike / m.spot))
    start, stop = (max(strike, c.low), c.high) if item.is_call else (c.low, min(strike, c.high))
    sign = 1.0 if item.is_call else -1.0
    asset = m.forward * inside(c, m.drift + c.std**2, start, stop)
    out = max(m.df * sign * (asset - item.strike * inside(c, m.drift, start, stop)), 0.0)
    if item.knock == "out":
        if item.rebate == 0.0:
            return out
        paid = sum(m.at_hit()) if item.rebate_at == "hit" else m.df * (1.0 - m.survival())
        return out + item.rebate * paid
    whole = float(black.price(m.forward, item.strike, 1.0, c.std, df=m.df, is_call=item.is_call))
    return max(whole - out, 0.0) + item.rebate * m.df * m.survival()


def _touch(item: DoubleTouch, m: _Market) -> float:
    """The amount, if and when."""
    if item.pays_if == "none":
        return item.amount * m.df * m.survival()
    if item.pays_if == "either" and item.pays_at == "expiry":
        return item.amount * m.df * (1.0 - m.survival())
    if item.pays_at == "hit":
        low, high = m.at_hit()
    else:
        low, high = (m.df * p for p in leaves(m.corridor, m.drift, abs(m.drift)))
    return item.amount * {"either": low + high, "low": low, "high": high}[item.pays_if]


def _watched(formula: Callable[[Any, _Market], float], item: Any, m: _Market, n: int | None) -> tuple[float, float]:
    """Value and what the shift of the barriers leaves: of order 1 / n where the shift is of order 1 / sqrt(n)."""
    value, moved = formula(item, m), m.shifted(n)
    if moved is None or n is None:
        return value, 0.0
    shifted = formula(item, moved)
    return shifted, abs(shifted - value) / np.sqrt(n)


def _values(
    items: Sequence[Any], model: BlackScholes, snapshot: Snapshot, series: Series,
    formula: Callable[[Any, _Market], float], size: Callable[[Any], float],
) -> Values:  # fmt: skip
    require(series in SERIES, "series", series, f"be one of {', '.join(SERIES)}")
    tau = np.array([item.years(snapshot.as_of) for item in items])
    rate = flat_rates(snapshot, tau, "analytic")
    value, error = np.empty(tau.size), np.empty(tau.size)
    for i, item in enumerate(items):
        item.check_alive(snapshot.spot)
        m = _market(item, float(tau[i]), float(rate[i]), item.low, item.high, model.sigma, snapshot, series)
        value[i], rest = _watched(formula, item, m, item.n_monitoring)
        error[i] = rest + _ROUNDING * size(item)
    return Values(value, np.zeros_like(value), error)


def options(
    items: Sequence[DoubleBarrier], model: BlackScholes, snapshot: Snapshot, *, series: Series = "auto"
) -> Values:
    """Double-barrier options with rebates; `series` is "auto", "images" or "eigenfunctions"."""
    return _values(items, model, snapshot, series, _option, lambda item: snapshot.spot + item.strike)


def touches(
    items: Sequence[DoubleTouch], model: BlackScholes, snapshot: Snapshot, *, series: Series = "auto"
) -> Values:
    """Double touch, double no-touch, and one barrier before the other; `series` as for `options`."""
    return _values(items, model, snapshot, series, _touch, lambda item: item.amount)


def deposits(items: Sequence[DoubleNoTouch], model: BlackScholes, snapshot: Snapshot) -> Values:
    """Double-no-touch deposits, their daily looks by the shift of the barriers."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    rate = flat_rates(snapshot, tau, "analytic")
    value, error = np.empty(tau.size), np.empty(tau.size)
    for i, item in enumerate(items):
        low, high = item.low * item.initial, item.high * item.initial
        for name, level, good in (("low", low, low < snapshot.spot), ("high", high, high > snapshot.spot)):
            require(good, name, level, f"leave the spot, {snapshot.spot:g}, inside", hint="It is breached already.")
        m = _market(item, float(tau[i]), float(rate[i]), low, high, model.sigma, snapshot, "auto")
        n = daily(float(tau[i]), item.steps_per_year).size
        alive, rest = _watched(lambda _, market: market.survival(), item, m, n)
        touched = item.principal + item.touched_rate
        value[i] = item.notional * m.df * (touched + (item.rate - item.touched_rate) * alive)
        error[i] = item.notional * m.df * (abs(item.rate - item.touched_rate) * rest + _ROUNDING)
    return Values(value, np.zeros_like(value), error)

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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import require, require_all
from research.instruments import DoubleBarrier, DoubleNoTouch, DoubleTouch
from research.instruments._schedule import daily
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._agreed_looks import age_of, looks_left
from research.pricing._corridor import SERIES, Corridor, Series, inside, leaves
from research.pricing._flat import flat_rates, sensitivity_to_rounding
from research.pricing._looks import SHIFT
from research.pricing.catalogue import Values

_ROUNDING = 2e-14
_SECOND, _NARROW = 0.6, 3.0  # of the second order; a corridor of so few steps


@dataclass(frozen=True, slots=True)
class _Market:
    """Spot, corridors and what drives the log price up to each expiry; arrays of shape (n,)."""

    spot: float
    forward: Float1D
    df: Float1D
    tau: Float1D
    rate: Float1D
    corridor: Corridor

    @property
    def drift(self) -> Float1D:
        """Of the log price, up to expiry."""
        out: Float1D = np.log(self.forward / self.spot) - 0.5 * self.corridor.std**2
        return out

    def shifted(self, looks: Float1D) -> _Market:
        """Barriers moved outwards for so many looks; inf looks leave them."""
        c = self.corridor
        move = SHIFT * c.std / np.sqrt(looks)
        return replace(self, corridor=Corridor(c.low - move, c.high + move, c.std, c.series))

    def once(self) -> _Market:
        """Looked at on the last day alone."""
        return replace(self, corridor=replace(self.corridor, series="once"))

    def survival(self) -> Any:
        """Probabilities that no barrier is ever hit."""
        return inside(self.corridor, self.drift, self.corridor.low, self.corridor.high)

    def at_hit(self) -> tuple[Any, Any]:
        """One unit when low is hit first, one unit when high is."""
        return leaves(self.corridor, self.drift, self.drift**2 + 2.0 * self.rate * self.tau * self.corridor.std**2)

    def part(self, where: Any) -> _Market:
        """Some of the contracts."""
        c = self.corridor
        corridor = Corridor(c.low[where], c.high[where], c.std[where], c.series)
        return _Market(self.spot, self.forward[where], self.df[where], self.tau[where], self.rate[where], corridor)


def _market(
    items: Sequence[Any], low: Float1D, high: Float1D, sigma: float, snapshot: Snapshot, series: Series
) -> _Market:
    require(series in SERIES, "series", series, f"be one of {', '.join(SERIES)}")
    tau = np.array([item.years(snapshot.as_of) for item in items])
    rate = flat_rates(snapshot, tau, "analytic")
    require_all(tau > 0.0, "tau", tau, f"be > 0 years for a {type(items[0]).__name__}")
    require(sigma > 0.0, "sigma", sigma, "be > 0 here")
    corridor = Corridor(np.log(low / snapshot.spot), np.log(high / snapshot.spot), sigma * np.sqrt(tau), series)
    return _Market(snapshot.spot, snapshot.forward(tau), snapshot.discount.df(tau), tau, rate, corridor)


def _array(items: Sequence[Any], name: str) -> Any:
    return np.array([getattr(item, name) for item in items])


def _options(items: Sequence[DoubleBarrier], m: _Market) -> Float1D:
    """The options alone, then their rebates."""
    c, strike, is_call = m.corridor, _array(items, "strike"), _array(items, "is_call")
    k = np.log(strike / m.spot)
    start, stop = np.where(is_call, np.maximum(k, c.low), c.low), np.where(is_call, c.high, np.minimum(k, c.high))
    gain = m.forward * inside(c, m.drift + c.std**2, start, stop) - strike * inside(c, m.drift, start, stop)
    out = np.maximum(m.df * np.where(is_call, gain, -gain), 0.0)
    dies, rebate = _array(items, "knock") == "out", _array(items, "rebate")
    at_hit = dies & (rebate > 0.0) & (_array(items, "rebate_at") == "hit")
    paid = np.zeros_like(out)
    if np.any(rebate > 0.0):
        alive = m.survival()
        paid = m.df * np.where(dies, 1.0 - alive, alive)
    if at_hit.any():
        paid[at_hit] = np.add(*m.part(at_hit).at_hit())
    whole = np.asarray(black.price(m.forward, strike, 1.0, c.std, df=m.df, is_call=is_call))
    value: Float1D = np.where(dies, out, np.maximum(whole - out, 0.0)) + rebate * paid
    return value


def _touches(items: Sequence[DoubleTouch], m: _Market) -> Float1D:
    """The amounts, if and when."""
    pays_if, at_hit = _array(items, "pays_if"), _array(items, "pays_at") == "hit"
    alive = m.survival()
    value = m.df * np.where(pays_if == "none", alive, 1.0 - alive)
    one_side = ~at_hit & ((pays_if == "low") | (pays_if == "high"))
    for where, way in ((at_hit, _Market.at_hit), (one_side, _left_by)):
        if where.any():
            low, high = way(m.part(where))
            side = pays_if[where]
            value[where] = np.where(side == "low", low, np.where(side == "high", high, low + high))
    out: Float1D = _array(items, "amount") * value
    return out


def _left_by(m: _Market) -> tuple[Any, Any]:
    """One unit at expiry if low was hit first, one unit if high was."""
    low, high = leaves(m.corridor, m.drift, m.drift**2)
    return m.df * low, m.df * high


def _at_edges(m: _Market, looks: Float1D, low: Float1D, high: Float1D) -> Float1D:
    """What an option that pays low and high at its barriers owes to the last look, which the shift takes for always."""
    there = m.shifted(looks)
    c, step = there.corridor, m.corridor.std / np.sqrt(looks)
    left = [inside(c, m.drift, *ends) for ends in ((c.low, c.low + step), (c.high - step, c.high))]
    out: Float1D = m.df * (low * left[0] + high * left[1])
    return np.where(np.isfinite(looks), 0.5 * out, 0.0)


def _watched(formula: Callable[[_Market], Float1D], m: _Market, looks: Float1D, size: Any) -> Values:
    """Values, and what the shift of the barriers leaves: of order 1 / n where the shift is of order 1 / sqrt(n)."""
    c, grown = m.corridor, np.maximum(1.0, np.maximum(m.df, m.df * m.forward / m.spot))
    lean = (np.abs(m.drift) / c.std**2 + 2.0) * (c.high - c.low)
    value, error = formula(m), size * grown * (_ROUNDING + sensitivity_to_rounding(c.std, m.drift, lean))
    if np.any(np.isfinite(looks)):
        once, found = formula(m.once()), formula(m.shifted(looks))
        left = _after_the_shift(m, looks, np.array([value, found, formula(m.shifted(0.25 * looks)), once]))
        alone = looks <= 1.0
        value = np.where(alone, once, found)
        error = error + np.where(alone, 0.0, np.minimum(left, size * grown))
    return Values(value, np.zeros_like(value), error)


def _after_the_shift(m: _Market, looks: Float1D, values: Any) -> Float1D:
    """What may be left, from the values watched always, with the barriers moved once and twice as far, and at the end.

    Of order 1 / n where the shift is of order 1 / sqrt(n); more for a spot within a few steps of a barrier. Where the
    corridor is narrow, or the drift goes through it between two looks, the shift says nothing.
    """
    c = m.corridor
    with np.errstate(invalid="ignore"):
        step = c.std / np.sqrt(looks)
        always, found, twice, once = values
        moved, bent = np.abs(found - always), np.abs(twice - 2.0 * found + always)
        near = np.exp(c.low / step) + np.exp(-c.high / step)
        out = (
            _SECOND * (moved + bent) * (1.0 / np.sqrt(looks) + near) * (1.0 + np.abs(m.drift) / c.std / np.sqrt(looks))
        )
        lost = (c.high - c.low < _NARROW * step) | (np.abs(m.drift) > c.std * np.sqrt(looks))
        widest = np.maximum(np.abs(once - found), moved) + np.abs(once - always)
    return np.where(np.isfinite(looks), np.where(lost, widest, out), 0.0)


def _looks(items: Sequence[Any], m: _Market) -> Float1D:
    return np.array([looks_left(item, t) for item, t in zip(items, m.tau.tolist())])


def options(
    items: Sequence[DoubleBarrier], model: BlackScholes, snapshot: Snapshot, *, series: Series = "auto"
) -> Values:
    """Double-barrier options with rebates; `series` is "auto", "images" or "eigenfunctions"."""
    for item in items:
        item.check_alive(snapshot.spot)
    m = _market(items, _array(items, "low"), _array(items, "high"), model.sigma, snapshot, series)
    strike, looks = _array(items, "strike"), _looks(items, m)
    found = _watched(lambda market: _options(items, market), m, looks, snapshot.spot + strike)
    call = _array(items, "is_call")
    low, high = np.maximum(strike - _array(items, "low"), 0.0), np.maximum(_array(items, "high") - strike, 0.0)
    more = _at_edges(m, looks, np.where(call, 0.0, low), np.where(call, high, 0.0))
    return Values(found.value, found.std_error, found.error + np.where(looks > 1.0, more, 0.0))


def touches(
    items: Sequence[DoubleTouch], model: BlackScholes, snapshot: Snapshot, *, series: Series = "auto"
) -> Values:
    """Double touch, double no-touch, and one barrier before the other; `series` as for `options`."""
    for item in items:
        item.check_alive(snapshot.spot)
    m = _market(items, _array(items, "low"), _array(items, "high"), model.sigma, snapshot, series)
    return _watched(lambda market: _touches(items, market), m, _looks(items, m), _array(items, "amount"))


def deposits(items: Sequence[DoubleNoTouch], model: BlackScholes, snapshot: Snapshot) -> Values:
    """Double-no-touch deposits, their daily looks by the shift of the barriers."""
    low, high = (_array(items, name) * _array(items, "initial") for name in ("low", "high"))
    hint = "It is breached already."
    require_all(low < snapshot.spot, "low", low, f"lie below the spot, {snapshot.spot:g}", hint=hint)
    require_all(high > snapshot.spot, "high", high, f"lie above the spot, {snapshot.spot:g}", hint=hint)
    m = _market(items, low, high, model.sigma, snapshot, "auto")
    lives = [(t, t + age_of(item), item.steps_per_year) for t, item in zip(m.tau.tolist(), items)]
    looks = np.array([daily(whole, steps).size * t / whole for t, whole, steps in lives])
    notional, touched = _array(items, "notional"), _array(items, "principal") + _array(items, "touched_rate")
    more = _array(items, "rate") - _array(items, "touched_rate")
    return _watched(lambda market: notional * m.df * (touched + more * market.survival()), m, looks, notional)

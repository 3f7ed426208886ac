"""Closed forms with two barriers under Black-Scholes: `DoubleBarrier`, `DoubleTouch`, and `DoubleNoTouch` deposits.

An option is worth its forward and its strike times two probabilities to end in the money inside the corridor (see
`_corridor`). Watched at n even moments, those are found look by look (`_look_steps`), to rounding: a day of it takes
some microseconds. With `looks="shift"`, and where the looks are too many, both barriers are moved outwards by
exp(0.5826 sigma sqrt(tau / n)) (Broadie, Glasserman, Kou) instead: an approximation, whose size the stated error gives;
it is poor where the corridor is narrower than a few steps.

References
----------
Ikeda, Kunitomo (1992), Mathematical Finance 2, 275-298. Hui (1996), Applied Financial Economics 6, 343-346.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., sections 4.17.3 and 4.19.6.
Broadie, Glasserman, Kou (1997), "A continuity correction for discrete barrier options", Mathematical Finance 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.core._tasks import share
from research.errors import require, require_all
from research.instruments import DoubleBarrier, DoubleNoTouch, DoubleTouch
from research.instruments._schedule import daily
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._agreed_looks import age_of, equal_looks
from research.pricing._corridor import SERIES, Corridor, Series, inside, leaves
from research.pricing._flat import flat_rates, sensitivity_to_rounding
from research.pricing._look_steps import EXACT, Looks, Walk, check_looks, stays
from research.pricing._look_steps import leaves as step_out
from research.pricing._looks import SHIFT
from research.pricing.catalogue import Values

_ROUNDING = 2e-14
_SECOND, _NARROW = 0.6, 3.0  # of the second order; a corridor of so few steps
_Formula = Callable[[Sequence[Any], "_Market"], Any]


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

    def inside(self, drift: Float1D, start: Float1D, stop: Float1D) -> Any:
        """Probabilities that no barrier is ever hit, and the end lies between two levels."""
        return inside(self.corridor, drift, start, stop)

    def survival(self) -> Any:
        """Probabilities that no barrier is ever hit."""
        return self.inside(self.drift, self.corridor.low, self.corridor.high)

    def at_hit(self) -> tuple[Any, Any]:
        """One unit when low is hit first, one unit when high is."""
        return leaves(self.corridor, self.drift, self.drift**2 + 2.0 * self.rate * self.tau * self.corridor.std**2)

    def left_by(self) -> tuple[Any, Any]:
        """One unit at expiry if low was hit first, one unit if high was."""
        low, high = leaves(self.corridor, self.drift, self.drift**2)
        return self.df * low, self.df * high

    def part(self, where: Any) -> _Market:
        """Some of the contracts."""
        c = self.corridor
        corridor = Corridor(c.low[where], c.high[where], c.std[where], c.series)
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        some = {name: one[where] for name, one in own.items() if isinstance(one, np.ndarray)}
        return type(self)(**own | some | {"corridor": corridor})

    def looked_at(self, times: Sequence[Float1D]) -> _Looked:
        """The same, looked at on these days (years) only."""
        first, n = np.array([t[0] for t in times]), np.array([t.size for t in times])
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return _Looked(**own, first=first, step=(self.tau - first) / np.maximum(n - 1, 1), n=n)


@dataclass(frozen=True, slots=True)
class _Looked(_Market):
    """Contracts looked at n times: first, then every step, up to expiry; nan where that is too much work."""

    first: Float1D
    step: Float1D
    n: Any

    def _walks(self, drift: Float1D, way: Callable[[Walk, int], Any], width: int) -> Any:
        """What each walk gives, shape (width, n)."""
        c, found = self.corridor, np.full((width, self.tau.size), np.nan)

        def work(rows: slice) -> None:
            for i in range(*rows.indices(self.tau.size)):
                t = float(self.tau[i])
                step = float(self.step[i]) if self.n[i] > 1 else t
                walk = Walk(float(c.low[i]), float(c.high[i]), float(drift[i]) / t, float(c.std[i]) / t**0.5,
                            float(self.first[i]), step, int(self.n[i]))  # fmt: skip
                one = way(walk, i)
                found[:, i] = np.nan if one is None else one

        share(self.tau.size, work)
        return found

    def inside(self, drift: Float1D, start: Float1D, stop: Float1D) -> Any:
        return self._walks(drift, lambda walk, i: stays(walk, float(start[i]), float(stop[i])), 1)[0]

    def at_hit(self) -> tuple[Any, Any]:
        low, high = self._walks(self.drift, lambda w, i: step_out(w, float(np.exp(-self.rate[i] * w.step))), 2)
        return low, high

    def left_by(self) -> tuple[Any, Any]:
        low, high = self._walks(self.drift, lambda walk, i: step_out(walk, 1.0), 2)
        return self.df * low, self.df * high


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
    gain = m.forward * m.inside(m.drift + c.std**2, start, stop) - strike * m.inside(m.drift, start, stop)
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
    for where, name in ((at_hit, "at_hit"), (one_side, "left_by")):
        if where.any():
            low, high = getattr(m.part(where), name)()
            side = pays_if[where]
            value[where] = np.where(side == "low", low, np.where(side == "high", high, low + high))
    out: Float1D = _array(items, "amount") * value
    return out


def _at_edges(items: Sequence[Any], m: _Market, looks: Float1D) -> Any:
    """What an option that pays at its barriers owes to the last look, which the shift takes for always."""
    if not isinstance(items[0], DoubleBarrier):
        return 0.0
    strike, call = _array(items, "strike"), _array(items, "is_call")
    low = np.where(call, 0.0, np.maximum(strike - _array(items, "low"), 0.0))
    high = np.where(call, np.maximum(_array(items, "high") - strike, 0.0), 0.0)
    there = m.shifted(looks)
    c, step = there.corridor, m.corridor.std / np.sqrt(looks)
    left = [inside(c, m.drift, *ends) for ends in ((c.low, c.low + step), (c.high - step, c.high))]
    out: Float1D = m.df * (low * left[0] + high * left[1])
    return 0.5 * out


def _watched(
    formula: _Formula, items: Sequence[Any], m: _Market, times: Sequence[Float1D | None], size: Any, looks: Looks
) -> Values:  # fmt: skip
    """Values of contracts watched always (times None), or on days: look by look, or with the barriers moved."""
    check_looks(looks)
    c, grown = m.corridor, np.maximum(1.0, np.maximum(m.df, m.df * m.forward / m.spot))
    lean = (np.abs(m.drift) / c.std**2 + 2.0) * (c.high - c.low)
    error = size * grown * (_ROUNDING + sensitivity_to_rounding(c.std, m.drift, lean))
    value, days = np.empty(m.tau.size), np.array([t is not None for t in times])
    always, seen = np.flatnonzero(~days), np.flatnonzero(days)
    if always.size:
        value[always] = formula([items[i] for i in always.tolist()], m.part(always))
    if seen.size and looks != "shift":
        some = [t for t in times if t is not None]
        there = m.part(seen).looked_at(some)
        value[seen] = formula([items[i] for i in seen.tolist()], there)
        short = there.corridor.std * np.sqrt(np.where(there.n > 1, there.step, there.tau) / there.tau)
        error[seen] += (size * grown)[seen] * (EXACT + sensitivity_to_rounding(short, 0.0))
        seen = seen[np.isnan(value[seen])]
    if seen.size:
        at = seen.tolist()
        value[seen], left = _moved(formula, [items[i] for i in at], m.part(seen), [times[i] for i in at])
        error[seen] += np.minimum(left, (size * grown)[seen])
    return Values(value, np.zeros_like(value), error)


def _moved(formula: _Formula, items: Sequence[Any], m: _Market, times: Sequence[Any]) -> tuple[Float1D, Float1D]:
    """Values with the barriers moved, and what that leaves: of order 1 / n where the shift is of order 1 / sqrt(n)."""
    step = np.array([(t[-1] - t[0]) / (t.size - 1) if t.size > 1 else t[0] for t in times])
    looks = m.tau / step  # of a contract that has aged not a whole number
    always, once, found, twice = (
        formula(items, there) for there in (m, m.once(), m.shifted(looks), m.shifted(0.25 * looks))
    )
    left = _after_the_shift(m, looks, np.array([always, found, twice, once])) + _at_edges(items, m, looks)
    alone = looks <= 1.0
    return np.where(alone, once, found), np.where(alone, 0.0, left)


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
    return np.where(lost, widest, out)


def _days(items: Sequence[Any], m: _Market) -> list[Float1D | None]:
    """The looks that are left, years; None for always."""
    pairs = zip(items, m.tau.tolist())
    return [None if one.n_monitoring is None else equal_looks(one, t, one.n_monitoring) for one, t in pairs]


def options(
    items: Sequence[DoubleBarrier], model: BlackScholes, snapshot: Snapshot, *, series: Series = "auto",
    looks: Looks = "auto",
) -> Values:  # fmt: skip
    """Double-barrier options with rebates; `series` is "auto", "images" or "eigenfunctions", `looks` exact or shift."""
    for item in items:
        item.check_alive(snapshot.spot)
    m = _market(items, _array(items, "low"), _array(items, "high"), model.sigma, snapshot, series)
    return _watched(_options, items, m, _days(items, m), snapshot.spot + _array(items, "strike"), looks)


def touches(
    items: Sequence[DoubleTouch], model: BlackScholes, snapshot: Snapshot, *, series: Series = "auto",
    looks: Looks = "auto",
) -> Values:  # fmt: skip
    """Double touch, double no-touch, and one barrier before the other; `series` and `looks` as for `options`."""
    for item in items:
        item.check_alive(snapshot.spot)
    m = _market(items, _array(items, "low"), _array(items, "high"), model.sigma, snapshot, series)
    return _watched(_touches, items, m, _days(items, m), _array(items, "amount"), looks)


def _deposits(items: Sequence[DoubleNoTouch], m: _Market) -> Float1D:
    touched = _array(items, "touched_rate")
    paid = _array(items, "principal") + touched + (_array(items, "rate") - touched) * m.survival()
    out: Float1D = _array(items, "notional") * m.df * paid
    return out


def deposits(
    items: Sequence[DoubleNoTouch], model: BlackScholes, snapshot: Snapshot, *, looks: Looks = "auto"
) -> Values:
    """Double-no-touch deposits, looked at daily; `looks` as for `options`."""
    low, high = (_array(items, name) * _array(items, "initial") for name in ("low", "high"))
    hint = "It is breached already."
    require_all(low < snapshot.spot, "low", low, f"lie below the spot, {snapshot.spot:g}", hint=hint)
    require_all(high > snapshot.spot, "high", high, f"lie above the spot, {snapshot.spot:g}", hint=hint)
    m = _market(items, low, high, model.sigma, snapshot, "auto")
    days = []
    for item, t in zip(items, m.tau.tolist()):
        age = age_of(item)
        every = daily(t + age, item.steps_per_year) - age
        days.append(every[every > 1e-9])
    return _watched(_deposits, items, m, days, _array(items, "notional"), looks)

"""Asian options as tables of the simulation, and the geometric ones in closed form."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D, Float2D
from research.core.pricing._moments import N_BASE
from research.core.pricing.asian import asian_tasks
from research.errors import require
from research.instruments import Asian
from research.market import Snapshot
from research.pricing._clock import clock_of
from research.pricing._escrow import to_come
from research.pricing._simulation import Problem

_PAID = 1e-9  # years: a dividend this near to a fixing is paid on it
_RARE = 0.15  # a chance that any first round meets
_SKEW, _FIRST = 1.4, 8  # the control leaves what rare wide paths pay: 300 runs had errors 1.1 to 1.4 of those stated


def _parts(item: Asian, vol: Any, snapshot: Snapshot, age: float = 0.0) -> tuple[Float1D, Float2D, Float1D]:
    """(variance times, fixings, terms) of core.pricing.asian; `vol`, one volatility or a clock; `age` shifts the day by
    years, curves unchanged."""
    times = item.years(snapshot.as_of) - age
    require(bool(times[0] > 0.0), "fixings", float(times[0] + age), "lie later than the days of theta",
            hint="Leave theta and charm out of `which`.")  # fmt: skip
    variance, n = clock_of(vol)(times), times.size + item.n_fixed
    held = np.asarray(to_come(snapshot, times + _PAID))  # escrowed cash, a part of the average that is known
    fixings = np.empty((times.size, 3))
    fixings[:, 0], fixings[:, 1], fixings[:, 2] = snapshot.forward(times) - held, variance, 1.0 / n
    past = (item.n_fixed * item.fixed_mean + float(held.sum())) / n
    df = snapshot.discount.df(float(times[-1]))
    if item.strike is None:  # S - A - past
        terms = np.array([df, past, 1.0 if item.is_call else -1.0, 1.0])
    else:
        terms = np.array([df, item.strike - past, 1.0 if item.is_call else -1.0, 0.0])
    return variance, fixings, terms


def geometric_value(fixings: Float2D, terms: Float1D, law: _Law | None = None) -> float:
    """Present value of the option on the geometric average, or on S less it (then terms[1] must be 0).

    log G is normal with the variance sum of a_i a_j min(v_i, v_j) / g^2 (Kemna and Vorst 1990; Margrabe 1978).
    """
    law = law or _law(fixings)
    df, strike, sign, kind = terms.tolist()
    if kind == 1.0:
        last = fixings[-1].tolist()
        std = math.sqrt(max(last[1] + law.spread - 2.0 * float(law.share @ fixings[:, 1]), 0.0))
        return _black(last[0], law.forward, std, df, sign)
    return _black(law.forward, strike, math.sqrt(law.spread), df, sign)


class _Law(NamedTuple):
    """The law of log G, and of V given it."""

    share: Float1D  # weights that sum to 1
    spread: float  # variance of log G
    forward: float  # mean of G
    given: tuple[float, float, float]  # mean of V as a polynomial in log G less its mean


def _law(fixings: Float2D) -> _Law:
    forward, v, a = np.ascontiguousarray(fixings.T)
    g = float(a.sum())
    share, level = a / g, np.log(forward) - 0.5 * v
    before = share.cumsum()
    with_mean = (share * v).cumsum() + v * (before[-1] - before)  # variances do not fall
    spread = float(share @ with_mean)
    apart = level - share @ level
    beta = with_mean / spread - 1.0 if spread > 0.0 else np.zeros_like(v)
    rest = v - 2.0 * with_mean + spread - beta * beta * spread
    given = float(share @ (apart * apart + rest)), 2.0 * float(share @ (apart * beta)), float(share @ (beta * beta))
    return _Law(share, spread, g * math.exp(float(share @ level) + 0.5 * spread), given)


def second_order(fixings: Float2D, terms: Float1D, law: _Law | None = None) -> tuple[float, float]:
    """(level of G, present value) of G (1 + V / 2) against the strike, exercised where G passes the level.

    The level is where the mean of G (1 + V / 2) given G is the strike. Under the measure of G, u = log G - its mean is
    normal with mean `spread`.
    """
    law = law or _law(fixings)
    df, strike, sign = terms[:3].tolist()
    (c0, c1, c2), spread, s = law.given, law.spread, math.sqrt(law.spread)
    if strike <= 0.0:  # always passed
        level, plain, inside, edge, d = 0.0, max(sign, 0.0), max(sign, 0.0), 0.0, 0.0
    else:
        start = math.log(strike / law.forward) + 0.5 * spread
        u = start
        for _ in range(8):
            u = start - math.log1p(0.5 * max(c0 + u * (c1 + u * c2), 0.0))
        level = law.forward * math.exp(u - 0.5 * spread)
        d = (spread - u) / s  # exercised where the standard normal passes -d under the measure of G, s - d under ours
        plain, inside = float(ndtr(sign * (d - s))), float(ndtr(sign * d))
        edge = sign * math.exp(-0.5 * d * d) / math.sqrt(2.0 * math.pi)
    second = inside - d * edge  # of z^2 there; edge is that of z
    moment = c0 * inside + c1 * (spread * inside + s * edge)
    moment += c2 * (spread * spread * inside + 2.0 * spread * s * edge + spread * second)
    return level, float(df * sign * (law.forward * (inside + 0.5 * moment) - strike * plain))


def _black(forward: float, strike: float, std: float, df: float, sign: float) -> float:
    """Black's formula; a strike at or below 0 is always passed."""
    if strike <= 0.0:
        return float(df * max(sign, 0.0) * (forward - strike))
    if std <= 0.0:
        return float(df * max(sign * (forward - strike), 0.0))
    d1 = math.log(forward / strike) / std + 0.5 * std
    return float(df * sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std))))


def problem(item: Asian, vol: Any, snapshot: Snapshot, age: float = 0.0) -> Problem:
    """The simulation of an arithmetic Asian option; controls: its geometric twin, and the average itself."""
    variance, fixings, terms = _parts(item, vol, snapshot, age)
    seasoned_strike = item.strike is None and (item.n_fixed > 0 or terms[1] != 0.0)  # then the twin has no closed form

    def run(tables, seed, rows, order, weights, out):  # type: ignore[no-untyped-def]
        asian_tasks(tables, seed, rows, order, weights, fixings, terms, out)

    average, law = float(fixings[:, 0] @ fixings[:, 2]), _law(fixings)
    if item.strike is not None:
        level, twin = second_order(fixings, terms, law)
    else:
        level, twin = 0.0, float("nan") if seasoned_strike else geometric_value(fixings, terms, law)
    rare = _rarely(fixings, terms, law)
    terms = np.array([*terms.tolist(), level])
    return Problem(
        variance=variance, run=run, n_moments=N_BASE, controls=(twin, average), rare=rare, skew=_SKEW, first=_FIRST
    )


def _rarely(fixings: Float2D, terms: Float1D, law: _Law) -> Float2D:
    """Exercise, or none, whichever is the rarer, and what it pays: the root of its mean square under a normal tail."""
    df, strike, _, kind = terms.tolist()
    if kind == 1.0:  # the last price beyond the average
        last, v, _ = fixings[-1].tolist()
        std = math.sqrt(max(v + law.spread - 2.0 * float(law.share @ fixings[:, 1]), 0.0))
        level, forward = law.forward + max(strike, 0.0), last
    else:
        level, forward, std = strike, law.forward, math.sqrt(law.spread)
    if level <= 0.0 or std <= 0.0:
        return np.zeros((0, 3))
    z = abs(math.log(forward / level) / std - 0.5 * std)
    rare = float(ndtr(-z))
    if rare > _RARE:
        return np.zeros((0, 3))
    return np.array([[rare, df * level * std * math.sqrt(2.0) / max(z, math.sqrt(2.0)), 0.0]])


def closed_form(item: Asian, vol: Any, snapshot: Snapshot, age: float = 0.0) -> float | None:
    """The value of a geometric Asian option; None for an arithmetic one."""
    if item.average == "arithmetic":
        return None
    _, fixings, terms = _parts(item, vol, snapshot, age)
    return geometric_value(fixings, terms)

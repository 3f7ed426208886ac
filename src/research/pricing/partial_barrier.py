"""Closed forms with a barrier watched for a part of the life, under Black-Scholes: `PartialBarrier`.

The option is a sum of bivariate normal probabilities, of the log price at the switch and at expiry, started from the
spot and from its image behind the barrier (Heynen and Kat). Watched at n even moments (and at the switch), it is found
look by look, to rounding (`_look_steps`). With `looks="shift"`, and where the looks are too many, the barrier is moved
away by exp(0.5826 sigma sqrt(watched / n)) (Broadie, Glasserman, Kou) instead.

References
----------
Heynen, Kat (1994), "Partial barrier options", J. Financial Engineering 3, 253-274.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., section 4.17.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import BoolND, Float1D, Float2D, FloatND
from research.core._tasks import share
from research.errors import require, require_all
from research.instruments import PartialBarrier
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._agreed_looks import equal_looks
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing._flat import flat_market, sensitivity_to_rounding
from research.pricing._look_steps import EXACT, Looks, Walk, check_looks, stays, walked
from research.pricing._looks import SHIFT, after_the_shift
from research.pricing.catalogue import Values

_ROUNDING = 1e-13
_SIDES = {"down": (1.0, 0.0), "up": (-1.0, 0.0), "either": (1.0, -1.0)}  # that live, 1 above the barrier; 0: none
_AWAY = {"down": -1.0, "up": 1.0, "either": 0.0}  # of the barrier from the living side; hit from both sides it stays


@dataclass(frozen=True, slots=True)
class _Terms:
    """n contracts and their market; logs over the spot, variance and carry of the whole life; arrays of shape (n,)."""

    strike: Float1D
    rebate: Float1D
    call: BoolND
    dies: BoolND  # knocked out
    start: BoolND  # watched from today on, else from the switch on
    side: Float2D  # shape (2, n)
    away: Float1D
    barrier: Float1D
    forward: Float1D
    df: Float1D
    carry: Float1D
    variance: Float1D
    share: Float1D  # the switch over the life

    def part(self, where: Any) -> _Terms:
        """Some of the contracts."""
        return _Terms(*(getattr(self, f.name)[..., where] for f in fields(self)))

    def moved(self, by: Float1D) -> _Terms:
        """Barriers moved away."""
        return replace(self, barrier=self.barrier + self.away * by)


def _terms(items: Sequence[PartialBarrier], spot: float, forward: Float1D, df: Float1D, variance: Float1D,
           share: Float1D) -> _Terms:  # fmt: skip
    numbers = np.array([(item.strike, item.rebate, item.barrier) for item in items]).T
    flags = np.array([(item.is_call, item.knock == "out", item.watched == "start") for item in items]).T
    return _Terms(
        strike=numbers[0], rebate=numbers[1], call=flags[0], dies=flags[1], start=flags[2],
        side=np.array([_SIDES[item.direction] for item in items]).T,
        away=np.array([_AWAY[item.direction] for item in items]), barrier=np.log(numbers[2] / spot), forward=forward,
        df=df, carry=np.log(forward / spot), variance=variance, share=share,
    )  # fmt: skip


def _alive(t: _Terms, drift: Any, low: Any, high: Any) -> FloatND:
    """P(low < X(end) < high, alive), by side; arguments broadcast to (measures, sides, n), drifts of the whole life.

    Alive at the switch, or from it on: as the price ends and stands at the switch on one side, less its image.
    """
    std, root = np.sqrt(t.variance), np.sqrt(t.share)
    low = np.where(~t.start & (t.side > 0.0), np.maximum(low, t.barrier), low)  # watched at the end it ends there too
    high = np.where(~t.start & (t.side < 0.0), np.minimum(high, t.barrier), high)
    drift, low, high, side = np.broadcast_arrays(drift, low, high, t.side)
    every: list[tuple[Any, ...]] = []
    zero, image = np.zeros_like(t.barrier), 2.0 * t.barrier
    for begins, sign, factor in ((zero, 1.0, zero), (image, -1.0, drift * image / t.variance)):
        there = side if sign > 0.0 else np.where(t.start, side, -side)
        h = there * (begins + drift * t.share - t.barrier) / (std * root)
        with np.errstate(invalid="ignore"):
            a, b = (low - begins - drift) / std, (high - begins - drift) / std
            upper = (b == np.inf) | ((a > -np.inf) & (a + b > 0.0))  # measure the upper tails
        corr = np.where(upper, 1.0, -1.0) * there * root
        for part, k in ((sign, np.where(upper, -a, b)), (-sign, np.where(upper, -b, a))):
            every.append((np.broadcast_to(part, k.shape), h, k, corr, np.broadcast_to(factor, k.shape)))
    weight, h, k, corr, factor = (np.stack(one) for one in zip(*every))
    counts = (k > -np.inf) & (side != 0.0) & (high > low)
    out = np.zeros(k.shape)
    out[counts] = weight[counts] * bivariate_normal_cdf(h[counts], k[counts], corr[counts], factor[counts])
    return np.asarray(out.sum(axis=0))


def _present(t: _Terms, spot: float) -> Float1D:
    """Present values."""
    k = np.log(t.strike / spot)
    half = 0.5 * t.variance
    drift = np.stack([t.carry + half, t.carry - half])[:, None]
    low, high, sign = np.where(t.call, k, -np.inf), np.where(t.call, np.inf, k), np.where(t.call, 1.0, -1.0)
    asset, cash = _alive(t, drift, low, high).sum(axis=1)
    out = np.maximum(sign * (t.forward * asset - t.strike * cash), 0.0)
    stays = np.zeros_like(out)
    paid = np.flatnonzero(t.rebate > 0.0)
    if paid.size:
        some = t.part(paid)
        alive = _alive(some, some.carry - half[paid], -np.inf, np.inf).sum(axis=0)
        stays[paid] = np.clip(alive, 0.0, 1.0)
    return _paid(t, out, stays)


def _paid(t: _Terms, out: Float1D, stays: Float1D) -> Float1D:
    """Present values out of the undiscounted knock-outs and the probabilities to stay alive."""
    found = out + t.rebate * (1.0 - stays)
    into = np.flatnonzero(~t.dies)
    if into.size:
        std = np.sqrt(t.variance[into])
        whole = np.asarray(black.price(t.forward[into], t.strike[into], 1.0, std, is_call=t.call[into]))
        found[into] = np.maximum(whole - out[into], 0.0) + t.rebate[into] * stays[into]
    value: Float1D = t.df * found
    return value


def _days(item: PartialBarrier, switch: float, tau: float) -> Float1D | None:
    """The looks that are left, years; None for always. The switch is one of them: who stands beyond is out."""
    n = item.n_monitoring
    if n is None:
        return None
    require(item.direction != "either", "n_monitoring", n, "be None for direction 'either'")
    if item.watched == "start":
        return equal_looks(item, switch, n)
    return np.append(switch, equal_looks(item, tau, n, switch))


def _look_by_look(t: _Terms, i: int, days: Float1D, tau: float, measure: float, low: float, high: float) -> float:
    """P(alive at every look, the price ends in [low, high]) of one contract; nan where that is too much work."""
    down, variance = bool(t.side[0, i] > 0.0), float(t.variance[i]) / tau
    barrier, drift = float(t.barrier[i]), float(t.carry[i]) / tau + measure * variance
    ends = (barrier, np.inf) if down else (-np.inf, barrier)
    step = float(days[-1] - days[-2]) if days.size > 1 else float(days[0])
    walk = Walk(*ends, drift, float(np.sqrt(variance)), float(days[0]), step, days.size)
    if not t.start[i]:
        found = stays(walk, low, high)
        return np.nan if found is None else found
    rest, side = tau - float(days[-1]), 1.0 if down else -1.0

    def last(x: Any, years: float) -> Any:
        std = walk.vol * np.sqrt(years), walk.vol * np.sqrt(years + rest)
        corr, h = std[0] / std[1], side * (x + drift * years - barrier) / std[0]
        up, edge = (1.0, low) if high == np.inf else (-1.0, high)
        if edge in (np.inf, -np.inf):
            return ndtr(h)
        return bivariate_normal_cdf(h, up * (x + drift * (years + rest) - edge) / std[1], up * side * corr)

    one = walked(walk, last, lambda x, years: np.zeros_like(x))
    return np.nan if one is None else one


def _exact(t: _Terms, spot: float, days: Sequence[Any], tau: Float1D) -> Float1D:
    """Present values of contracts looked at on days; nan where that is too much work."""
    found = np.empty((3, tau.size))
    k = np.log(t.strike / spot)

    def work(rows: slice) -> None:
        for i in range(*rows.indices(tau.size)):
            ends = (float(k[i]), np.inf) if t.call[i] else (-np.inf, float(k[i]))
            for row, measure, limits in ((0, 0.5, ends), (1, -0.5, ends), (2, -0.5, (-np.inf, np.inf))):
                wanted = row < 2 or t.rebate[i] > 0.0
                found[row, i] = _look_by_look(t, i, days[i], float(tau[i]), measure, *limits) if wanted else 0.0

    share(tau.size, work)
    out = np.where(t.call, 1.0, -1.0) * (t.forward * found[0] - t.strike * found[1])
    return _paid(t, np.maximum(out, 0.0), found[2])


def value(items: Sequence[PartialBarrier], model: BlackScholes, snapshot: Snapshot, *, looks: Looks = "auto") -> Values:
    """The engine's door for `pricing.price`; `looks` on n days exactly, one by one, or by the shift of the barrier."""
    check_looks(looks)
    day, spot = snapshot.as_of, snapshot.spot
    tau = np.array([item.years(day) for item in items])
    _, df, forward = flat_market(snapshot, tau, "analytic")
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 here")
    require_all(tau > 0.0, "tau", tau, "be > 0 years for a PartialBarrier")
    for item in items:
        item.check_alive(spot)
    switch = np.array([item.switch_years(day) for item in items])
    t = _terms(items, spot, forward, df, model.sigma**2 * tau, switch / tau)
    size = (spot + t.strike + t.rebate) * np.maximum(1.0, np.maximum(df, df * forward / spot))
    short = np.sqrt(t.variance * np.minimum(t.share, 1.0 - t.share))  # of the two parts of the life
    error = size * (_ROUNDING + sensitivity_to_rounding(short, 0.0))
    days = [_days(*one) for one in zip(items, switch.tolist(), tau.tolist())]
    value, seen = np.empty(tau.size), np.array([one is not None for one in days])
    always, seen = np.flatnonzero(~seen), np.flatnonzero(seen)
    if always.size:
        value[always] = _present(t.part(always), spot)
    if seen.size and looks != "shift":
        some = [one for one in days if one is not None]
        value[seen] = _exact(t.part(seen), spot, some, tau[seen])
        gap = np.array([one[-1] - one[-2] if one.size > 1 else one[0] for one in some])
        error[seen] += size[seen] * (EXACT + sensitivity_to_rounding(model.sigma * np.sqrt(gap), 0.0))
        seen = seen[np.isnan(value[seen])]
    if seen.size:
        rest = [days[i] for i in seen.tolist()]
        value[seen], left = _moved(t.part(seen), spot, rest, model.sigma, switch[seen], tau[seen])
        error[seen] += left
    return Values(value, np.zeros_like(value), error)


def _moved(
    t: _Terms, spot: float, days: Sequence[Any], sigma: float, switch: Float1D, tau: Float1D
) -> tuple[Float1D, Float1D]:
    """Values with the barriers moved, and what that leaves."""
    years = np.where(t.start, switch, tau - switch)
    gap = np.array([one[-1] - one[-2] if one.size > 1 else one[0] for one in days])
    std, n = sigma * np.sqrt(years), years / gap  # of a contract that has aged not a whole number
    found, moved = _present(t, spot), _present(t.moved(SHIFT * std / np.sqrt(n)), spot)
    drift = years / tau * (t.carry - 0.5 * t.variance)
    distance = np.where(t.start, np.abs(t.barrier), 0.0)
    return moved, after_the_shift(moved - found, n, drift, std, distance)

"""Closed forms with a barrier watched for a part of the life, under Black-Scholes: `PartialBarrier`.

The option is a sum of bivariate normal probabilities, of the log price at the switch and at expiry, started from the
spot and from its image behind the barrier (Heynen and Kat). Watched at n even moments, the barrier is moved away by
exp(0.5826 sigma sqrt(watched / n)) (Broadie, Glasserman, Kou).

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

from research.arrays import Float1D, Float2D, FloatND
from research.errors import require, require_all
from research.instruments import PartialBarrier
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._agreed_looks import looks_left
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing._flat import flat_market, sensitivity_to_rounding
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
    call: FloatND  # bool
    dies: FloatND  # bool: knocked out
    start: FloatND  # bool: watched from today on, else from the switch on
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
        *numbers[:2], *flags, side=np.array([_SIDES[item.direction] for item in items]).T,
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
    every = []
    for begins, sign, factor in ((0.0, 1.0, 0.0), (2.0 * t.barrier, -1.0, 2.0 * drift * t.barrier / t.variance)):
        there = side if sign > 0.0 else np.where(t.start, side, -side)
        h = there * (begins + drift * t.share - t.barrier) / (std * root)
        with np.errstate(invalid="ignore"):
            a, b = (low - begins - drift) / std, (high - begins - drift) / std
            upper = (b == np.inf) | ((a > -np.inf) & (a + b > 0.0))  # measure the upper tails
        corr = np.where(upper, 1.0, -1.0) * there * root
        for weight, k in ((sign, np.where(upper, -a, b)), (-sign, np.where(upper, -b, a))):
            every.append((np.broadcast_to(weight, k.shape), h, k, corr, np.broadcast_to(factor, k.shape)))
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
    found = out + t.rebate * (1.0 - stays)
    into = np.flatnonzero(~t.dies)
    if into.size:
        std = np.sqrt(t.variance[into])
        whole = np.asarray(black.price(t.forward[into], t.strike[into], 1.0, std, is_call=t.call[into]))
        found[into] = np.maximum(whole - out[into], 0.0) + t.rebate[into] * stays[into]
    value: Float1D = t.df * found
    return value


def _watched(items: Sequence[PartialBarrier], switch: Float1D, tau: Float1D) -> tuple[Float1D, Float1D]:
    """(years of watching, looks that are left in them, inf for always)."""
    looks = np.full(tau.size, np.inf)
    for i, item in enumerate(items):
        n = item.n_monitoring
        if n is not None:
            require(item.direction != "either", "n_monitoring", n, "be None for direction 'either'")
            looks[i] = looks_left(item, float(switch[i])) if item.watched == "start" else float(n)
    start = np.array([item.watched == "start" for item in items])
    return np.where(start, switch, tau - switch), looks


def value(items: Sequence[PartialBarrier], model: BlackScholes, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    day, spot = snapshot.as_of, snapshot.spot
    tau = np.array([item.years(day) for item in items])
    _, df, forward = flat_market(snapshot, tau, "analytic")
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 here")
    require_all(tau > 0.0, "tau", tau, "be > 0 years for a PartialBarrier")
    for item in items:
        item.check_alive(spot)
    switch = np.array([item.switch_years(day) for item in items])
    t = _terms(items, spot, forward, df, model.sigma**2 * tau, switch / tau)
    found = _present(t, spot)
    grown = np.maximum(1.0, np.maximum(df, df * forward / spot))
    short = np.sqrt(t.variance * np.minimum(t.share, 1.0 - t.share))  # of the two parts of the life
    error = (spot + t.strike + t.rebate) * grown * (_ROUNDING + sensitivity_to_rounding(short, 0.0))
    years, looks = _watched(items, switch, tau)
    at = np.flatnonzero(np.isfinite(looks))
    if at.size:
        some, std = t.part(at), model.sigma * np.sqrt(years[at])
        moved = _present(some.moved(SHIFT * std / np.sqrt(looks[at])), spot)
        drift = years[at] / tau[at] * (some.carry - 0.5 * some.variance)
        distance = np.where(some.start, np.abs(some.barrier), 0.0)
        error[at] += after_the_shift(moved - found[at], looks[at], drift, std, distance)
        found[at] = moved
    return Values(found, np.zeros_like(found), error)

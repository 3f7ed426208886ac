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
from dataclasses import dataclass

import numpy as np

from research.errors import require
from research.instruments import PartialBarrier
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing._flat import flat_rates
from research.pricing.catalogue import Values
from research.pricing.double_barrier import SHIFT

_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True)
class _Market:
    """One contract's market; `share` is the switch over the life."""

    spot: float
    forward: float
    df: float
    variance: float
    share: float


@dataclass(frozen=True, slots=True)
class _Terms:
    """Logs over the spot; `share` is the switch over the life, variance and drift are of the whole life."""

    barrier: float
    variance: float
    drift: float
    share: float

    def probability(self, start: float, side: float, low: float, high: float, log_factor: float) -> float:
        """exp(log_factor) P(low < X(end) < high, X(switch) above (side 1) or below (-1) the barrier), X(0) = start."""
        root = np.sqrt(self.share)
        std = np.sqrt(self.variance)
        h = side * (start + self.drift * self.share - self.barrier) / (std * root)
        a, b = (low - start - self.drift) / std, (high - start - self.drift) / std
        if b == np.inf or (a > -np.inf and a + b > 0.0):  # measure the upper tails
            found = bivariate_normal_cdf(h, np.array([-a, -b]), side * root, log_factor)
        else:
            found = bivariate_normal_cdf(h, np.array([b, a]), -side * root, log_factor)
        return float(found[0] - found[1])

    def alive(self, watched: str, side: float, low: float, high: float) -> float:
        """Probability to end in [low, high], the barrier watched at the start or the end, alive on one side."""
        behind = 2.0 * self.drift * self.barrier / self.variance
        image = 2.0 * self.barrier
        if watched == "start":
            return self.probability(0.0, side, low, high, 0.0) - self.probability(image, side, low, high, behind)
        low, high = (max(low, self.barrier), high) if side > 0.0 else (low, min(high, self.barrier))
        if not high > low:
            return 0.0
        return self.probability(0.0, side, low, high, 0.0) - self.probability(image, -side, low, high, behind)


def _out(item: PartialBarrier, m: _Market, barrier: float) -> tuple[float, float]:
    """Undiscounted knock-out, and probability to stay alive, for a barrier in logs over the spot."""
    sides = {"down": (1.0,), "up": (-1.0,), "either": (1.0, -1.0)}[item.direction]
    carry, k = float(np.log(m.forward / m.spot)), float(np.log(item.strike / m.spot))
    cash = _Terms(barrier, m.variance, carry - 0.5 * m.variance, m.share)
    asset = _Terms(barrier, m.variance, carry + 0.5 * m.variance, m.share)
    low, high, sign = (k, np.inf, 1.0) if item.is_call else (-np.inf, k, -1.0)
    paid = sum(
        m.forward * asset.alive(item.watched, s, low, high) - item.strike * cash.alive(item.watched, s, low, high)
        for s in sides
    )
    stays = sum(cash.alive(item.watched, s, -np.inf, np.inf) for s in sides)
    return max(sign * paid, 0.0), min(max(stays, 0.0), 1.0)


def _value(item: PartialBarrier, m: _Market, move: float) -> float:
    """Present value with the barrier `move` further away from the living side; a barrier hit from both sides, at it."""
    away = {"down": -1.0, "up": 1.0, "either": 0.0}[item.direction]
    out, stays = _out(item, m, float(np.log(item.barrier / m.spot)) + away * move)
    if item.knock == "out":
        return m.df * (out + item.rebate * (1.0 - stays))
    whole = float(black.price(m.forward, item.strike, 1.0, np.sqrt(m.variance), is_call=item.is_call))
    return m.df * (max(whole - out, 0.0) + item.rebate * stays)


def value(items: Sequence[PartialBarrier], model: BlackScholes, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    flat_rates(snapshot, tau, "analytic")
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 here")
    found, error = np.empty(tau.size), np.empty(tau.size)
    for i, item in enumerate(items):
        item.check_alive(snapshot.spot)
        t, switch = float(tau[i]), item.switch_years(snapshot.as_of)
        m = _Market(snapshot.spot, snapshot.forward(t), snapshot.discount.df(t), model.sigma**2 * t, switch / t)
        found[i] = _value(item, m, 0.0)
        error[i] = _ROUNDING * (snapshot.spot + item.strike)
        if item.n_monitoring is not None:
            require(item.direction != "either", "n_monitoring", item.n_monitoring, "be None for direction 'either'")
            watched = switch if item.watched == "start" else t - switch
            shifted = _value(item, m, SHIFT * model.sigma * np.sqrt(watched / item.n_monitoring))
            error[i] += abs(shifted - found[i]) / np.sqrt(item.n_monitoring)
            found[i] = shifted
    return Values(found, np.zeros_like(found), error)

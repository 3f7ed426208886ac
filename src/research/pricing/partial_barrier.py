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

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from research.arrays import Float1D
from research.errors import require
from research.instruments import PartialBarrier
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._agreed_looks import looks_left
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing._flat import flat_rates, sensitivity_to_rounding
from research.pricing._looks import SHIFT, after_the_shift
from research.pricing.catalogue import Values

Request = tuple[float, float, float, float, float]  # weight, h, k, correlation, logarithm of a factor
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

    def ends(self, start: float, side: float, low: float, high: float, factor: float, weight: float) -> list[Request]:
        """weight exp(factor) P(low < X(end) < high, side (X(switch) - barrier) > 0), X(0) = start."""
        root, std = math.sqrt(self.share), math.sqrt(self.variance)
        h = side * (start + self.drift * self.share - self.barrier) / (std * root)
        a, b = (low - start - self.drift) / std, (high - start - self.drift) / std
        upper = b == np.inf or (a > -np.inf and a + b > 0.0)  # measure the upper tails
        first, second, corr = (-a, -b, side * root) if upper else (b, a, -side * root)
        found = [(weight, h, first, corr, factor)]
        return found if second == -np.inf else [*found, (-weight, h, second, corr, factor)]

    def alive(self, watched: str, side: float, low: float, high: float, weight: float) -> list[Request]:
        """Probability to end in [low, high], the barrier watched at the start or the end, alive on one side."""
        behind = 2.0 * self.drift * self.barrier / self.variance
        image, other = 2.0 * self.barrier, side if watched == "start" else -side
        if watched == "end":
            low, high = (max(low, self.barrier), high) if side > 0.0 else (low, min(high, self.barrier))
            if not high > low:
                return []
        return [
            *self.ends(0.0, side, low, high, 0.0, weight),
            *self.ends(image, other, low, high, behind, -weight),
        ]


def _out(item: PartialBarrier, m: _Market, move: float) -> tuple[list[Request], list[Request]]:
    """What adds up to the undiscounted knock-out, and to the probability to stay alive.

    The barrier is moved by `move` away from the living side; one that is hit from both sides stays.
    """
    sides = {"down": (1.0,), "up": (-1.0,), "either": (1.0, -1.0)}[item.direction]
    away = {"down": -1.0, "up": 1.0, "either": 0.0}[item.direction]
    barrier = math.log(item.barrier / m.spot) + away * move
    carry, k = math.log(m.forward / m.spot), math.log(item.strike / m.spot)
    cash = _Terms(barrier, m.variance, carry - 0.5 * m.variance, m.share)
    asset = _Terms(barrier, m.variance, carry + 0.5 * m.variance, m.share)
    low, high, sign = (k, np.inf, 1.0) if item.is_call else (-np.inf, k, -1.0)
    paid, stays = [], []
    for s in sides:
        paid += asset.alive(item.watched, s, low, high, sign * m.forward)
        paid += cash.alive(item.watched, s, low, high, -sign * item.strike)
        stays += cash.alive(item.watched, s, -np.inf, np.inf, 1.0) if item.rebate > 0.0 else []
    return paid, stays


def _sums(requests: list[list[Request]]) -> Float1D:
    """Each list's sum, all probabilities in one batch."""
    owner = np.repeat(np.arange(len(requests)), [len(one) for one in requests])
    if owner.size == 0:
        return np.zeros(len(requests))
    weight, h, k, corr, factor = np.array([request for one in requests for request in one]).T
    out: Float1D = np.bincount(owner, weight * bivariate_normal_cdf(h, k, corr, factor), len(requests)).astype(float)
    return out


def _present(items: Sequence[PartialBarrier], markets: list[_Market], moves: list[float]) -> Float1D:
    """Present values, each barrier moved."""
    parts = [_out(item, m, move) for item, m, move in zip(items, markets, moves)]
    out = np.maximum(_sums([paid for paid, _ in parts]), 0.0)
    stays = np.clip(_sums([stays for _, stays in parts]), 0.0, 1.0)
    strike, rebate = (np.array([getattr(item, name) for item in items]) for name in ("strike", "rebate"))
    is_call, dies = np.array([item.is_call for item in items]), np.array([item.knock == "out" for item in items])
    forward, df, std = np.array([(m.forward, m.df, np.sqrt(m.variance)) for m in markets]).T
    whole = np.asarray(black.price(forward, strike, 1.0, std, is_call=is_call))
    living = np.maximum(whole - out, 0.0) + rebate * stays
    found: Float1D = df * np.where(dies, out + rebate * (1.0 - stays), living)
    return found


def value(items: Sequence[PartialBarrier], model: BlackScholes, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    flat_rates(snapshot, tau, "analytic")
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 here")
    markets, moves, every = [], [], list[float]()
    sound = np.where(tau > 0.0, tau, 1.0)  # an expired one is refused below
    forwards, dfs = snapshot.forward(sound).tolist(), snapshot.discount.df(sound).tolist()
    for item, t, forward, df in zip(items, tau.tolist(), forwards, dfs):
        item.check_alive(snapshot.spot)
        require(t > 0.0, "tau", t, "be > 0 years for a PartialBarrier")
        switch = item.switch_years(snapshot.as_of)
        markets.append(_Market(snapshot.spot, forward, df, model.sigma**2 * t, switch / t))
        looks = item.n_monitoring
        require(looks is None or item.direction != "either", "n_monitoring", looks, "be None for direction 'either'")
        watched = switch if item.watched == "start" else t - switch
        left = looks_left(item, switch) if item.watched == "start" else float(looks or np.inf)
        every.append(left)
        moves.append(0.0 if looks is None else float(SHIFT * model.sigma * np.sqrt(watched / left)))
    found = _present(items, markets, [0.0] * len(moves))
    size = snapshot.spot + np.array([item.strike + item.rebate for item in items])
    grown = np.array([max(1.0, m.df, m.df * m.forward / m.spot) for m in markets])
    short = np.array(
        [np.sqrt(m.variance * min(m.share, 1.0 - m.share)) for m in markets]
    )  # of the two parts of the life
    error = size * grown * (_ROUNDING + sensitivity_to_rounding(short, 0.0))
    if any(moves):
        shifted = _present(items, markets, moves)
        watched = [m.share if item.watched == "start" else 1.0 - m.share for item, m in zip(items, markets)]
        std = np.sqrt([m.variance * part for m, part in zip(markets, watched)])
        drift = [part * (math.log(m.forward / m.spot) - 0.5 * m.variance) for m, part in zip(markets, watched)]
        away = np.abs(np.log([item.barrier / snapshot.spot for item in items]))
        distance = np.where([item.watched == "start" for item in items], away, 0.0)
        error = error + after_the_shift(shifted - found, np.array(every), np.array(drift), std, distance)
        found = shifted
    return Values(found, np.zeros_like(found), error)

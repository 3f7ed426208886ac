"""What depends on n looks at a log price, exactly: one normal step after another backwards (see `core.pricing.looks`).

Gauss-Legendre on panels five steps long moves a function that is smooth on the scale of a step to machine precision;
the step before the last look is in closed form, so pay-offs never stand on a node. Everything is a probability, or a
number of that size, under the measure in which it is bounded, so no vol is too large.

References
----------
Andricopoulos, Widdicks, Duck, Newton (2003), "Universal option valuation using quadrature methods", J. Financial
Economics 67, 447-471.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import log_ndtr, ndtr

from research.arrays import Float1D, Float2D, Int2D
from research.core.pricing.looks import POINTS, step_back
from research.errors import require
from research.pricing._quadrature import panels

Looks = Literal["auto", "exact", "shift"]  # auto: exact, for one barrier up to a hundred looks
EXACT = 2e-13  # of what is bounded by 1: what rounding and the nodes leave
_WIDTH = 5.0  # of a panel, in steps
_REACH = 8.5  # standard deviations beyond which there is nothing
_MOST = 6e8  # multiplications of one walk, 0.2 s
_PANELS = 20_000
_ROOT = np.sqrt(2.0 * np.pi)
_X, _W = np.polynomial.legendre.leggauss(POINTS)
_NONE = np.zeros(0)
Ends = Callable[[Any, float], Any]  # of (log prices, years): what the next look, so many years ahead, is worth


def check_looks(looks: str) -> None:
    """Refuse what is no way to follow looks."""
    known = get_args(Looks)
    require(looks in known, "looks", looks, f"be one of {', '.join(map(repr, known))}")


@dataclass(frozen=True, slots=True)
class Walk:
    """A log price (0 today) that moves by `drift` a year with `vol`, looked at n times: at `first`, then every `step`.

    Times in years; it is alive between `low` and `high`, logs, either of which may be infinite.
    """

    low: float
    high: float
    drift: float
    vol: float
    first: float
    step: float
    n: int

    @property
    def last(self) -> float:
        """Years to the last look."""
        return self.first + (self.n - 1) * self.step

    def reached(self) -> tuple[Float1D, Float1D]:
        """Where it can be at each look but the last, if nothing stops it: (lowest, highest) logs."""
        t = self.first + self.step * np.arange(self.n - 1)
        ends = _REACH * self.vol * np.sqrt(t)
        return self.drift * t - ends, self.drift * t + ends

    def panels(self, low: Float1D, high: Float1D) -> tuple[_Nodes, Int2D] | None:
        """Nodes between the lowest and the highest of levels at each look but the last, and the panels that lie between
        them, look by look from the last but one to the first; None where steps between so many are too much work.
        """
        low, high = np.clip(low, self.low, self.high), np.clip(high, self.low, self.high)
        bottom, top, std = float(low.min()), float(high.max()), self.vol * float(np.sqrt(self.step))
        if not top - bottom > std:  # carried out of it at once
            bottom, top = max(bottom - _WIDTH * std, self.low), min(top + _WIDTH * std, self.high)
        count = max(1, int(np.ceil(min((top - bottom) / std, 1e9) / _WIDTH)))
        if count > _PANELS:
            return None
        width = (top - bottom) / count
        windows = np.stack([np.floor((low - bottom) / width), np.ceil((high - bottom) / width)], axis=1)
        windows = np.clip(windows + np.array([-1.0, 1.0]), 0.0, count).astype(np.int64)
        nodes = _Nodes.between(bottom, top, std, self.drift * self.step / std, count)
        if float(np.diff(windows).sum()) * nodes.blocks.size > _MOST:
            return None
        return nodes, np.ascontiguousarray(windows[-2::-1])


@dataclass(frozen=True, slots=True, eq=False)
class _Nodes:
    """Nodes x (logs) on panels, their weights, and the blocks of a step between them, as the kernel takes them."""

    x: Float1D
    weight: Float1D
    std: float  # of a step
    move: float  # its mean
    first: int
    blocks: Float2D

    @classmethod
    def between(cls, low: float, high: float, std: float, lean: float, count: int) -> _Nodes:
        """`count` panels of one length."""
        width = (high - low) / (std * count)
        half, unit = 0.5 * width, 0.5 * width * _X
        x = low + std * (width * np.arange(count)[:, None] + half * (1.0 + _X)).ravel()
        first = max(int(np.floor((lean - _REACH) / width)), 1 - count)
        last = min(int(np.ceil((lean + _REACH) / width)), count - 1)
        away = np.arange(first, last + 1)[:, None, None] * width + unit[:, None] - unit - lean
        blocks = np.exp(-0.5 * away * away) * (half * _W[:, None] / _ROOT)
        weight = np.tile(half * std * _W, count)
        return cls(x, weight, std, lean * std, first, np.ascontiguousarray(blocks.reshape(-1, POINTS)))

    def rows(self, start: Any, move: float, std: float) -> Any:
        """Weights of every node for a normal move from each start, shape (..., n)."""
        z = (self.x - np.asarray(start)[..., None] - move) / std
        return np.exp(-0.5 * z * z) * (self.weight / (_ROOT * std))


def walked(w: Walk, last: Ends, gone: Ends, growth: float = 1.0) -> float | None:
    """Value today; None where it would be too much work.

    Parameters
    ----------
    last : what the last look is worth before it, alive or not
    gone : what is paid at any other look that finds the price outside
    growth : what one unit at a look is worth a step before
    """
    start = np.zeros(1)
    if w.n == 1:
        return float(last(start, w.first)[0] * growth ** (w.first / w.step))
    found = w.panels(*w.reached())
    if found is None:
        return None
    nodes, windows = found
    value = growth * np.asarray(last(nodes.x, w.step), dtype=np.float64)
    steps, fine = w.n - 2, w.first < 0.98 * w.step
    if steps > 0:
        paid = np.asarray(gone(nodes.x, w.step), dtype=np.float64)
        none = np.zeros_like(value)
        args = nodes.first, nodes.blocks, growth, paid, none, _NONE, value, none.copy(), np.zeros(3)
        step_back(windows[: steps - fine], *args)
    move, std = w.drift * w.first, w.vol * float(np.sqrt(w.first))
    if not fine:
        reached = float(nodes.rows(0.0, move, std) @ value)
    else:  # the first look is nearer than a step: the value there between the nodes, as one more step gives it
        y, weight = _around(max(w.low, move - _REACH * std), min(w.high, move + _REACH * std))
        if steps > 0:
            there = growth * (nodes.rows(y, nodes.move, nodes.std) @ value + gone(y, w.step))
        else:
            there = growth * last(y, w.step)
        z = (y - move) / std
        reached = float((weight * np.exp(-0.5 * z * z)) @ there) / (_ROOT * std)
    return float(growth ** (w.first / w.step) * (reached + float(gone(start, w.first)[0])))


def _around(low: float, high: float) -> tuple[Float1D, Float1D]:
    if not high > low:
        return np.zeros(1), np.zeros(1)
    return panels(np.linspace(low, high, 4).tolist())


def beyond(w: Walk, start: float, jump: Callable[[Any, float], tuple[Any, Any]], growth: float) -> float | None:
    """E of what the extreme of a walk adds, from a distance `start` >= 0 (log) to the level that it must pass.

    The distance moves by `drift` and ends a look below 0 as 0: `jump(distances, years)` is (what that adds by itself,
    what it is worth per unit of the value at distance 0), both times `growth` a step. None where it would be too much
    work.
    """
    grown = growth ** (w.first / w.step)
    if w.n == 1:
        return grown * float(jump(np.array([start]), w.first)[0][0])
    if start > max(0.0, -w.drift * w.last) + _REACH * w.vol * float(np.sqrt(w.last)):
        return 0.0
    low, high = w.reached()  # from 0; it is never lower than a walk that nothing stops, and higher by what it is pushed
    found = w.panels(start + low, start + np.maximum.accumulate(high))
    if found is None:
        return None
    nodes, windows = found
    paid, lift = (np.ascontiguousarray(one) for one in jump(nodes.x, w.step))
    paid_there, lift_there = (float(one[0]) for one in jump(np.zeros(1), w.step))
    edge = np.trim_zeros(nodes.rows(0.0, nodes.move, nodes.std), "b")
    value, ends_of = growth * paid, np.array([growth * paid_there, paid_there, lift_there])
    fine = w.first < 0.98 * w.step
    step_back(
        windows[: max(w.n - 2 - fine, 0)],
        nodes.first,
        nodes.blocks,
        growth,
        paid,
        lift,
        edge,
        value,
        paid * 0.0,
        ends_of,
    )
    move, std = w.drift * w.first, w.vol * float(np.sqrt(w.first))
    own, more = (float(one[0]) for one in jump(np.array([start]), w.first))
    if not fine:
        return grown * (float(nodes.rows(start, move, std) @ value) + own + ends_of[0] * more)
    middle = start + move
    y, weight = _around(max(0.0, middle - _REACH * std), middle + _REACH * std)
    new, carried = jump(y, w.step)
    there, at_edge = new, paid_there
    if w.n > 2:
        there = nodes.rows(y, nodes.move, nodes.std) @ value + new + ends_of[0] * carried
        at_edge = float(edge @ value[: edge.size]) + paid_there + ends_of[0] * lift_there
    z = (y - middle) / std
    reached = float((weight * np.exp(-0.5 * z * z)) @ there) / (_ROOT * std)
    return grown * (growth * (reached + at_edge * more) + own)


def between(x: Any, years: float, low: float, high: float, w: Walk) -> Any:
    """Probability to end in [low, high], from log prices x."""
    std = w.vol * np.sqrt(years)
    a, b = (low - x - w.drift * years) / std, (high - x - w.drift * years) / std
    return np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


def stays(w: Walk, start: float, stop: float) -> float | None:
    """Probability that every look finds it alive, and the last between start and stop (logs)."""
    low, high = max(start, w.low), min(stop, w.high)
    if not high > low:
        return 0.0
    return walked(w, lambda x, t: between(x, t, low, high, w), lambda x, t: np.zeros_like(x))


def leaves(w: Walk, growth: float) -> tuple[float, float] | None:
    """One unit at the look that first finds it below low, one unit at the look that first finds it above high."""
    low, high = (
        walked(w, gone, gone, growth)
        for gone in (lambda x, t: between(x, t, -np.inf, w.low, w), lambda x, t: between(x, t, w.high, np.inf, w))
    )
    return None if low is None or high is None else (low, high)


def extreme(level: float, up: bool, carry: float, vol: float, first: float, step: float, n: int) -> float | None:
    """E[max(M - K, 0)] over the spot (up), or E[max(K - m, 0)] over K: M, m the extremes, today's spot among them.

    `level` is the distance of K from the spot, log >= 0; `carry` of the forward a year; looks as of a `Walk`. None
    where it would be too much work.
    """

    def jump(x: Any, years: float) -> tuple[Any, Any]:
        std, grown = vol * np.sqrt(years), carry * years
        drift, side = grown - 0.5 * std * std, 1.0 if up else -1.0
        cash, asset = log_ndtr((side * drift - x) / std), log_ndtr((side * (drift + std * std) - x) / std)
        if up:  # in the measure of the underlying, over its growth
            hit = np.exp(asset)
            return hit - np.exp(np.minimum(x - grown + cash, 0.0)), hit
        hit = np.exp(x + grown + asset)
        return np.exp(cash) - hit, hit

    drift = -(carry + 0.5 * vol**2) if up else carry - 0.5 * vol**2
    walk = Walk(0.0, np.inf, drift, vol, first, step, n)
    return beyond(walk, level, jump, float(np.exp(carry * step)) if up else 1.0)

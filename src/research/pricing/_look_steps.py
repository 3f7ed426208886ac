"""What depends on n looks at a log price, exactly: one normal step after another backwards (see `core.pricing.looks`).

Gauss-Legendre on panels five steps long moves a function that is smooth on the scale of a step to machine precision;
the step before the last look is in closed form, so pay-offs never stand on a node. Everything is a probability, or a
number of that size, under the measure in which it is bounded, so no vol is too large.

A walk back gives the value at the first look for prices all around: it is measured from the barrier, its numbers
rounded to 46 bits, and kept. Bumped spots then read it again, which is what Greeks by differences mostly ask for; a
result is a function of its own terms alone, whatever was asked for before.

References
----------
Andricopoulos, Widdicks, Duck, Newton (2003), "Universal option valuation using quadrature methods", J. Financial
Economics 67, 447-471.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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
_AROUND = 1.0  # standard deviations of the last look: starts as near as half of it share a walk
_BITS, _CALM = 46, 8.0  # of what is rounded; deviations of drift (ten times: of a corridor) up to which it is nothing
_STATES: dict[Any, Any] = {}  # walks back by their terms
_NEARER = 0.98  # of a step: a first look as near is followed by itself
_KEPT, _SMALL = 64, 20_000  # of them; nodes of one that is kept
Ends = Callable[[Any, float], Any]  # of (log prices, years): what the next look, so many years ahead, is worth


def check_looks(looks: str) -> None:
    """Refuse what is no way to follow looks."""
    known = get_args(Looks)
    require(looks in known, "looks", looks, f"be one of {', '.join(map(repr, known))}")


@dataclass(frozen=True, slots=True)
class Walk:
    """A log price that moves by `drift` a year with `vol`, looked at n times: at `first`, then every `step`.

    Times in years; it is alive between `low` and `high`, logs, either of which may be infinite.
    """

    low: float
    high: float
    drift: float
    vol: float
    first: float
    step: float
    n: int
    start: float = 0.0  # today

    @property
    def last(self) -> float:
        """Years to the last look."""
        return self.first + (self.n - 1) * self.step

    @property
    def std(self) -> float:
        """Standard deviation at the last look."""
        return self.vol * math.sqrt(self.last)

    def from_barrier(self) -> tuple[Walk, Callable[[float], float]]:
        """The same walk measured from a barrier, its numbers rounded, and where a log price lies in it."""
        origin = self.low if math.isfinite(self.low) else self.high
        wide, std = self.high - self.low, self.std
        if not (abs(self.drift) * self.last < _CALM * std and (wide == math.inf or wide < 10.0 * _CALM * std)):
            return self, float
        low, high = (0.0 if end == origin else rounded(end - origin) for end in (self.low, self.high))
        terms = rounded(self.drift), rounded(self.vol), self.first, self.step, self.n, self.start - origin
        return Walk(low, high, *terms), lambda x: rounded(x - origin)

    def anchored(self) -> tuple[Walk, float]:
        """The walk from the middle of the starts that share its nodes, and how far from it they lie at most."""
        unit = _AROUND * self.std
        return replace(self, start=unit * round(self.start / unit)), 0.5 * unit

    def reached(self, slack: float = 0.0) -> tuple[Float1D, Float1D]:
        """Where it can be at each look but the last, if nothing stops it: (lowest, highest) logs."""
        t = self.first + self.step * np.arange(self.n - 1)
        ends, middle = _REACH * self.vol * np.sqrt(t) + slack, self.start + self.drift * t
        return middle - ends, middle + ends

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

    def rows(self, start: Any, move: float, std: float, near: slice = slice(None)) -> Any:
        """Weights of every node, or of those near, for a normal move from each start, shape (..., n)."""
        z = (self.x[near] - np.asarray(start)[..., None] - move) / std
        return np.exp(-0.5 * z * z) * (self.weight[near] / (_ROOT * std))

    def ahead(self, value: Float1D, start: Any, move: float, std: float) -> Any:
        """The mean of `value` after a normal move from each start."""
        ends = np.min(start) + move - _REACH * std, np.max(start) + move + _REACH * std
        near = slice(*np.searchsorted(self.x, ends).tolist())
        return self.rows(start, move, std, near) @ value[near]


def rounded(x: float) -> float:
    """To 46 bits: numbers that differ by their own rounding become one."""
    if not math.isfinite(x):
        return x
    part, power = math.frexp(x)
    return math.ldexp(round(part * 2.0**_BITS), power - _BITS)


def _kept(key: Any, find: Callable[[], Any]) -> Any:
    """What `find` gives, from memory where it was found before; never where the key has no name."""
    if key[0] is None:
        return find()
    if key not in _STATES:
        found = find()
        if found is not None and found[0].x.size > _SMALL:
            return found
        if len(_STATES) >= _KEPT:
            _STATES.clear()
        _STATES[key] = found
    return _STATES[key]


def walked(w: Walk, last: Ends, gone: Ends, growth: float = 1.0, name: Any = None) -> float | None:
    """Value today; None where it would be too much work.

    Parameters
    ----------
    last : what the last look is worth before it, alive or not
    gone : what is paid at any other look that finds the price outside
    growth : what one unit at a look is worth a step before
    name : that says with the walk's numbers what `last` and `gone` are, for the walk to be kept; None: it is not
    """
    start = np.full(1, w.start)
    if w.n == 1:
        return float(last(start, w.first)[0] * growth ** (w.first / w.step))
    middle, slack = w.anchored()
    found = _kept((name, middle, growth), lambda: _walk_back(middle, slack, last, gone, growth))
    if found is None:
        return None
    nodes, value = found
    move, std = w.drift * w.first, w.vol * float(np.sqrt(w.first))
    if not w.first < _NEARER * w.step:
        reached = float(nodes.ahead(value, w.start, move, std))
    else:  # the first look is nearer than a step: the value there between the nodes, as one more step gives it
        centre = w.start + move
        y, weight = _around(max(w.low, centre - _REACH * std), min(w.high, centre + _REACH * std))
        if w.n > 2:
            there = growth * (nodes.ahead(value, y, nodes.move, nodes.std) + gone(y, w.step))
        else:
            there = growth * last(y, w.step)
        z = (y - centre) / std
        reached = float((weight * np.exp(-0.5 * z * z)) @ there) / (_ROOT * std)
    return float(growth ** (w.first / w.step) * (reached + float(gone(start, w.first)[0])))


def _walk_back(w: Walk, slack: float, last: Ends, gone: Ends, growth: float) -> tuple[_Nodes, Float1D] | None:
    """Nodes, and values there at the first look, or at the second where the first is nearer than a step."""
    found = w.panels(*w.reached(slack))
    if found is None:
        return None
    nodes, windows = found
    value = growth * np.asarray(last(nodes.x, w.step), dtype=np.float64)
    steps = w.n - 2
    if steps > 0:
        paid = np.asarray(gone(nodes.x, w.step), dtype=np.float64)
        none = np.zeros_like(value)
        args = nodes.first, nodes.blocks, growth, paid, none, _NONE, value, none.copy(), np.zeros(3)
        step_back(windows[: steps - (w.first < _NEARER * w.step)], *args)
    return nodes, value


def _around(low: float, high: float) -> tuple[Float1D, Float1D]:
    if not high > low:
        return np.zeros(1), np.zeros(1)
    return panels(np.linspace(low, high, 4).tolist())


def beyond(
    w: Walk, jump: Callable[[Any, float], tuple[Any, Any]], growth: float, name: Any = None
) -> float | None:  # fmt: skip
    """E of what the extreme of a walk adds, from a distance w.start >= 0 (log) to the level that it must pass.

    The distance moves by `drift` and ends a look below 0 as 0: `jump(distances, years)` is (what that adds by itself,
    what it is worth per unit of the value at distance 0), both times `growth` a step. None where it would be too much
    work; `name` as of `walked`.
    """
    grown, start = growth ** (w.first / w.step), w.start
    if w.n == 1:
        return grown * float(jump(np.array([start]), w.first)[0][0])
    if start > max(0.0, -w.drift * w.last) + _REACH * w.std:
        return 0.0
    middle, slack = w.anchored()
    found = _kept((name, middle, growth), lambda: _pushed_back(middle, slack, jump, growth))
    if found is None:
        return None
    nodes, value, edge, at_zero, (paid_there, lift_there) = found
    move, std = w.drift * w.first, w.vol * float(np.sqrt(w.first))
    own, more = (float(one[0]) for one in jump(np.array([start]), w.first))
    if not w.first < _NEARER * w.step:
        return grown * (float(nodes.ahead(value, start, move, std)) + own + at_zero * more)
    centre = start + move
    y, weight = _around(max(0.0, centre - _REACH * std), centre + _REACH * std)
    new, carried = jump(y, w.step)
    there, at_edge = new, paid_there
    if w.n > 2:
        there = nodes.ahead(value, y, nodes.move, nodes.std) + new + at_zero * carried
        at_edge = float(edge @ value[: edge.size]) + paid_there + at_zero * lift_there
    z = (y - centre) / std
    reached = float((weight * np.exp(-0.5 * z * z)) @ there) / (_ROOT * std)
    return grown * (growth * (reached + at_edge * more) + own)


def _pushed_back(
    w: Walk, slack: float, jump: Callable[[Any, float], tuple[Any, Any]], growth: float
) -> tuple[_Nodes, Float1D, Float1D, float, tuple[float, float]] | None:
    """As `_walk_back` for a distance: nodes, values, the step from 0, the value at 0, and what a jump from there is."""
    low, high = w.reached(slack)  # never lower than a walk that nothing stops, and higher by what it is pushed
    found = w.panels(low, np.maximum.accumulate(high))
    if found is None:
        return None
    nodes, windows = found
    paid, lift = (np.ascontiguousarray(one) for one in jump(nodes.x, w.step))
    paid_there, lift_there = (float(one[0]) for one in jump(np.zeros(1), w.step))
    edge = np.trim_zeros(nodes.rows(0.0, nodes.move, nodes.std), "b")
    value, ends = growth * paid, np.array([growth * paid_there, paid_there, lift_there])
    windows = windows[: max(w.n - 2 - (w.first < _NEARER * w.step), 0)]
    step_back(windows, nodes.first, nodes.blocks, growth, paid, lift, edge, value, paid * 0.0, ends)
    return nodes, value, edge, float(ends[0]), (paid_there, lift_there)


def between(x: Any, years: float, low: float, high: float, w: Walk) -> Any:
    """Probability to end in [low, high], from log prices x."""
    std = w.vol * np.sqrt(years)
    a, b = (low - x - w.drift * years) / std, (high - x - w.drift * years) / std
    return np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


def stays(walk: Walk, start: float, stop: float) -> float | None:
    """Probability that every look finds it alive, and the last between start and stop (logs)."""
    w, place = walk.from_barrier()
    low, high = max(place(start), w.low), min(place(stop), w.high)
    if not high > low:
        return 0.0
    return walked(w, lambda x, t: between(x, t, low, high, w), lambda x, t: np.zeros_like(x), 1.0, ("ends", low, high))


def out_by(walk: Walk, side: Literal["low", "high"], growth: float) -> float | None:
    """One unit at the look that first finds it below low, or above high."""
    w, _ = walk.from_barrier()
    ends = (-np.inf, w.low) if side == "low" else (w.high, np.inf)

    def gone(x: Any, years: float) -> Any:
        return between(x, years, *ends, w)

    return walked(w, gone, gone, growth, ("out", side))


def leaves(w: Walk, growth: float) -> tuple[float, float] | None:
    """One unit at the look that first finds it below low, one unit at the look that first finds it above high."""
    low, high = out_by(w, "low", growth), out_by(w, "high", growth)
    return None if low is None or high is None else (low, high)


def extreme(level: float, up: bool, carry: float, vol: float, first: float, step: float, n: int) -> float | None:
    """E[max(M - K, 0)] over the spot (up), or E[max(K - m, 0)] over K: M, m the extremes, today's spot among them.

    `level` is the distance of K from the spot, log >= 0; `carry` of the forward a year; looks as of a `Walk`. None
    where it would be too much work.
    """
    if abs(carry) * n * step < _CALM * vol * math.sqrt(n * step):
        carry, vol = rounded(carry), rounded(vol)

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
    walk = Walk(0.0, np.inf, drift, vol, first, step, n, level)
    return beyond(walk, jump, float(np.exp(carry * step)) if up else 1.0, ("extreme", up, carry))

"""Grids of the finite-difference engines: nodes in log spot and in variance, steps in time.

A grid is made at a level: level 2 halves every step of level 1, so that their difference shows the leading error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import require
from research.market import Snapshot
from research.models.heston import Heston

Dividends = Sequence[tuple[float, float]]

WIDTH = 5.0  # standard deviations of the grid beyond spot and strike
FINE = 0.25  # of a standard deviation around a point of interest: there the steps stop shrinking
STARTS = 4  # implicit half-steps
_PAID = 2e-5  # of the cash, at 200 points (measured)
_SAME = 1e-12  # two nodes that are one
_TABLE = 400  # of the map from nodes to log spot


def check_dividends(dividends: Dividends) -> None:
    """Refuse negative times and amounts."""
    for when, cash in dividends:
        require(when > 0.0 and cash >= 0.0, "dividends", (when, cash), "be pairs of years > 0 and cash >= 0")


def left_by_cash(dividends: Dividends, n_space: int) -> float:
    """What moving the spot by interpolation may leave, price units; for a far strike the two grids do not show it."""
    return _PAID * float(sum(cash for _, cash in dividends)) * (200.0 / n_space) ** 2


def nodes(
    low: float, high: float, centre: float, fine: float, n: int, level: int, beside: Sequence[float] = ()
) -> Float1D:
    """n * level + 1 nodes from low to high, both on the grid, and centre too where it lies between them.

    They are dense, with steps in proportion to sqrt(fine^2 + distance^2), at centre and at the points beside.
    """
    centre = min(max(centre, low), high)
    points = [centre, *(one for one in beside if low <= one <= high and abs(one - centre) > 1e-9)]

    def count(x: Any) -> Any:
        return sum(np.arcsinh((x - one) / fine) for one in points)

    start, middle, end = (float(count(x)) for x in (low, centre, high))
    first = int(np.rint((middle - start) / (end - start) * n))
    if middle > start:
        first = max(first, 1)
    if end > middle:
        first = min(first, n - 1)
    goal = np.concatenate([
        np.linspace(start, middle, first * level + 1)[:-1], np.linspace(middle, end, (n - first) * level + 1)
    ])  # fmt: skip
    if len(points) == 1:
        out = centre + fine * np.sinh(goal)
    else:
        table = np.unique(np.concatenate([
            one + fine * np.sinh(np.linspace(np.arcsinh((low - one) / fine), np.arcsinh((high - one) / fine), _TABLE))
            for one in points
        ]))  # fmt: skip
        out = np.interp(goal, count(table), table)
        for _ in range(3):
            out -= (count(out) - goal) / sum(1.0 / np.sqrt(fine**2 + (out - one) ** 2) for one in points)
    out[0], out[first * level], out[-1] = low, centre, high
    return np.asarray(out, dtype=np.float64)


def pinned_nodes(
    low: float, high: float, pins: Sequence[float], spot: float, fine: float, n: int, level: int
) -> Float1D:
    """n * level + 1 nodes from low to high, dense as in `nodes` around every pin and the spot, with nodes on the pins.

    Pins come in the order of their weight: one too near to an earlier one for two steps in between is left to the
    weights of `share_above`.
    """
    inside = [one for one in pins if low < one < high]
    points = np.unique([*inside, min(max(spot, low), high)])
    points = points[np.concatenate([[True], np.diff(points) > 1e-9])]

    def count(x: Any) -> Any:
        return sum(np.arcsinh((x - one) / fine) for one in points) / points.size

    start, end = float(count(low)), float(count(high))
    kept = {0: start, n: end}
    for one in inside:
        here = float(count(one))
        place = int(np.rint((here - start) / (end - start) * n))
        if all(abs(place - other) >= 2 for other in kept):
            kept[place] = here
    ends = sorted(kept)
    goal = np.interp(np.arange(n * level + 1) / level, ends, [kept[place] for place in ends])
    table = np.unique(np.concatenate([
        one + fine * np.sinh(np.linspace(np.arcsinh((low - one) / fine), np.arcsinh((high - one) / fine), _TABLE))
        for one in points
    ]))  # fmt: skip
    out = np.interp(goal, count(table), table)
    for _ in range(3):
        out -= (count(out) - goal) * points.size / sum(1.0 / np.sqrt(fine**2 + (out - one) ** 2) for one in points)
    out[0], out[-1] = low, high
    return np.asarray(out, dtype=np.float64)


def share_above(x: Float1D, level: float) -> Float1D:
    """The part of each node's cell that lies above a level; a jump there, weighted so, costs no order of the grid."""
    middle = 0.5 * (x[1:] + x[:-1])
    left, right = np.concatenate([x[:1], middle]), np.concatenate([middle, x[-1:]])
    out: Float1D = np.clip((right - level) / (right - left), 0.0, 1.0)
    return out


def time_steps(
    tau: float, m: int, dividends: Dividends, level: int = 1, grow: float = 2.0, today: bool = False
) -> tuple[Float1D, Float1D]:
    """Steps from expiry back to today, the first two of each level-1 step halved, and the cash paid at each end.

    Between expiry and the last dividend they grow with time to the power grow - 1; the half-steps are implicit.
    With `today` they shrink again towards today, for a local vol that may change fast at first.
    """
    paid = sorted((tau - when, amount) for when, amount in dividends if when < tau and amount > 0.0)
    stops = [0.0, *(when for when, _ in paid), tau]
    share = np.sqrt(np.diff(np.sqrt(np.array(stops) / tau)) + 1e-3)
    counts = np.maximum(np.floor(share / share.sum() * m).astype(int), 4)
    counts[int(np.argmax(counts))] += m - counts.sum()
    require(bool(np.all(counts >= 2)), "n_time", m, f"be enough for {len(paid)} dividends")
    dt, cash = [], []
    for i, count in enumerate(counts):
        share = np.linspace(0.0, 1.0, count * level + 1)
        grown = share ** (grow if i == 0 else 1.0)
        if today and i == len(counts) - 1:
            grown = share * share * (3.0 - 2.0 * share) if i == 0 else share * (2.0 - share)
        widths = np.diff(grown) * (stops[i + 1] - stops[i])
        if i == 0:
            widths = np.concatenate([np.repeat(widths[:2] / 2.0, 2), widths[2:]])
        dt.append(widths)
        cash.append(np.zeros(widths.size))
        if i < len(paid):
            cash[-1][-1] = paid[i][1]
    return np.concatenate(dt), np.concatenate(cash)


def market_rows(tau: float, dt: Float1D, snapshot: Snapshot) -> Float1D:
    """Rates, then rates less the yield, of each step from tau back, shape (2 steps,)."""
    ends = np.cumsum(dt)
    late, early = np.maximum(tau - ends + dt, 0.0), np.maximum(tau - ends, 0.0)
    return steps_between(early, late, dt, snapshot)


def steps_between(early: Float1D, late: Float1D, dt: Float1D, snapshot: Snapshot) -> Float1D:
    """Mean rates, then rates less the yield, between pairs of times dt apart, shape (2 n,)."""
    rate = np.log(snapshot.discount.df(early) / snapshot.discount.df(late)) / dt
    if snapshot.dividend_yields is None:
        carry = rate - (snapshot.dividend_yield + snapshot.borrow)
    else:
        carry = np.log(snapshot.growth(late) / snapshot.growth(early)) / dt
    out: Float1D = np.concatenate([rate, carry])
    return out


def calendar(tau: float, dt: Float1D) -> Float1D:
    """Times from today at the ends of the steps, increasing from 0 to tau, shape (steps + 1,)."""
    out: Float1D = np.concatenate([[0.0], np.cumsum(dt[::-1])])
    out *= tau / out[-1]
    return out


def near(
    x: Float1D, at: float, degree: int = 5, side: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[slice, Float2D]:
    """The nodes nearest to `at`, and the weights of a polynomial through them: its value and three derivatives.

    Weights have shape (4, degree + 1). Nodes are taken from between the ends of `side`, beyond which the values break.
    """
    n = degree + 1
    first, last = np.searchsorted(x, side[0] - _SAME), np.searchsorted(x, side[1] + _SAME)
    start = int(np.clip(np.searchsorted(x, at) - n // 2, first, max(last - n, first)))
    start = min(start, x.size - n)
    here = slice(start, start + n)
    scale = float(x[start + n - 1] - x[start])
    powers = np.vander((x[here] - at) / scale, increasing=True)  # row i: 1, u_i, u_i^2, ...
    weights = np.linalg.inv(powers)[:4] * np.array([1.0, 1.0, 2.0, 6.0])[:, None]
    return here, weights / scale ** np.arange(4)[:, None]


def variance_nodes(model: Heston, tau: float, n: int, level: int) -> Float1D:
    """n * level + 1 nodes from 0 to a variance that is left with a probability of about 1e-6, dense below v0."""
    from scipy.stats import ncx2

    most = 0.0
    for t in (0.25 * tau, 0.5 * tau, tau):
        decay = float(np.exp(-model.kappa * t))
        scale = model.sigma**2 * (t if model.kappa * t < 1e-8 else (1.0 - decay) / model.kappa) / 4.0
        mean = model.theta + (model.v0 - model.theta) * decay
        tail = float(ncx2.isf(1e-6, 4.0 * model.kappa * model.theta / model.sigma**2, model.v0 * decay / scale)) * scale
        std = np.sqrt(2.0 * scale * (mean + model.v0 * decay))
        most = max(most, tail if np.isfinite(tail) else 0.0, float(mean + 5.0 * std))
    fine = max(model.v0, 0.2 * model.theta, 0.002 * most)
    out: Float1D = fine * np.sinh(np.linspace(0.0, float(np.arcsinh(most / fine)), n * level + 1))
    return out

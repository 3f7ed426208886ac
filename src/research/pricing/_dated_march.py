"""Backward from date to date on one-dimensional grids: `Dated` contracts under every model of `_grid_models`.

Each look at a barrier breaks the value anew, so every step is one that damps: the two-stage method of order 2 that is
L-stable (SDIRK with 1 - 1 / sqrt(2)), written as a theta step and an implicit one, for which the kernel of `pde` is
used as it is. Implicit half-steps after each date (Rannacher) leave order 1 where a stretch has few steps. Levels of
the contract are nodes on both grids, and a jump there takes the mean over the node's cell; a level that lies anywhere
has an error that hangs on where, which two grids do not take off. Measured on a knock-out looked at daily, 400 nodes,
both grids extrapolated: 7e-7 of a price of 10.6; with half-steps 4e-4, with levels anywhere 2e-4 to 4e-3.

References
----------
Alexander (1977), "Diagonally implicit Runge-Kutta methods for stiff ODEs", SIAM J. Numer. Anal. 14, 1006-1021.
Tavella, Randall (2000), Pricing Financial Instruments: The Finite Difference Method, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, FloatND
from research.core.pricing.pde import pde_values
from research.market import Snapshot
from research.models import LocalVol
from research.pricing._dated import Dated
from research.pricing._escrow import base_of
from research.pricing._grid_models import GridModel, drift, refinement, spreads, variance_on_grid
from research.pricing._pde_grid import FINE, WIDTH, Dividends, pinned_nodes, share_above, steps_between

STAGES = np.array([[np.sqrt(0.5), 1.0 - np.sqrt(0.5)], [np.sqrt(2.0) - 1.0, 1.0]])  # share of a step, theta
_FAR = 10.0  # standard deviations beyond which a level does not matter
_GROW = 2.0
_ALL = slice(None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    """Steps in time between stops, each stop a date of the contract or a cash dividend; stop 0 is today."""

    stops: Float1D  # years, from 0 to the end
    dates: tuple[int, ...]  # date of the contract at each stop, -1 where there is none
    cash: Float1D  # paid at each stop
    times: tuple[Float1D, ...]  # ends of the full steps of each stretch, from stop i to stop i + 1, increasing


def stretches(
    times: Float1D, dividends: Dividends, m: int, level: int, least: int = 1, grow: float = _GROW, today: bool = False
) -> Stretches:
    """About m full steps, more than `least` in each stretch, cut into `level`; they grow away from its late end."""
    end = float(times[-1])
    paid = [(when, amount) for when, amount in dividends if when < end and amount > 0.0]
    every = np.array([0.0, *times, *(when for when, _ in paid)])
    stops = np.unique(every)
    stops = stops[np.concatenate([[True], np.diff(stops) > 1e-9])]
    dates, cash = np.full(stops.size, -1), np.zeros(stops.size)
    dates[np.abs(stops[:, None] - times).argmin(axis=0)] = np.arange(times.size)
    for when, amount in paid:
        cash[np.abs(stops - when).argmin()] += amount
    share = np.sqrt(np.diff(stops))
    counts = np.maximum(np.rint(share / share.sum() * m).astype(int), least)
    found = []
    for i, count in enumerate(counts.tolist()):
        s = np.linspace(0.0, 1.0, count * level + 1)
        gone = s * s * (3.0 - 2.0 * s) if today and i == 0 else s**grow
        found.append(stops[i + 1] - (stops[i + 1] - stops[i]) * gone[::-1])
    return Stretches(stops=stops, dates=tuple(dates.tolist()), cash=cash, times=tuple(found))


def stages(times: Float1D) -> tuple[Float1D, Float1D]:
    """Ends of the two stages of each step, increasing, and theta of each from the latest back."""
    late = times[1:]
    out = np.empty(2 * late.size + 1)
    out[0], out[2::2] = times[0], late
    out[1::2] = late - STAGES[0, 0] * np.diff(times)  # the theta stage is taken first, from the late end
    return out, np.tile(STAGES[1], late.size)


def reach(dated: Dated, spot: float, forward: float, std: tuple[float, float, float]) -> tuple[float, float, Float1D]:
    """Ends of the grid in log(spot / scale), and the levels that matter there."""
    ends = np.log(np.array([spot, forward]) / dated.scale)
    pins = np.log(dated.levels() / dated.scale)
    pins = pins[(pins > ends.min() - _FAR * std[1]) & (pins < ends.max() + _FAR * std[2])]
    low = min(ends.min(), *pins) if pins.size else ends.min()
    high = max(ends.max(), *pins) if pins.size else ends.max()
    wide = WIDTH if dated.payoff is None else 3.0 * WIDTH  # at the ends V_SS = 0, which a power or logarithm is not
    return float(low - wide * std[1]), float(high + wide * std[2] + dated.tilt * std[2] ** 2), pins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A one-dimensional grid and what `pde_values` needs to go from stop to stop on it."""

    x: Float1D  # log of the spot over the scale, or of the forward where the grid moves with it
    at: float  # today's spot, or forward
    ahead: Float1D  # how far x is ahead of the spot at each stop: 0 on a grid that stands
    plan: Stretches
    scale: float
    df: float  # discount factor to the end
    moves: tuple[tuple[Float1D, Float1D, Float1D, Float2D], ...]  # of a stretch: dt, theta, market, variance

    def start(self, values: Float2D) -> Float2D:
        """Values at the end, on this grid's nodes."""
        return values

    def back(self, values: Float2D, i: int, edges: Float1D | None = None, part: slice = _ALL) -> Float2D:
        """Values, shape (layers, n), at stop i, from those at stop i + 1; `edges` as `pde_values` wants them.

        With `part`, values at these nodes only.
        """
        dt, theta, market, variance = self.moves[i]
        m, v = values.shape[0], np.array(values, order="C")

        def rows(array: Any) -> Any:
            out = np.empty((m, *array.shape))
            out[:] = array
            return out

        held, never = np.zeros(5) if edges is None else edges, np.full_like(v, -np.inf)
        pde_values(rows(self.x[part]), rows(dt), theta, rows(market), rows(variance[:, part]), np.zeros((m, dt.size)),
                   np.full(m, self.scale), rows(held), never, v, np.zeros(m), np.empty(m))  # fmt: skip
        return v


def line(
    dated: Dated,
    model: GridModel,
    snapshot: Snapshot,
    n: int,
    m: int,
    level: int,
    dividends: Dividends,
    least: int,
    layout: tuple[GridModel, Snapshot] | None = None,
) -> Line:
    """The grid of one contract; its nodes are those of the model and market `layout` where they are given."""
    end = float(dated.times[-1])
    of, there = layout or (model, snapshot)
    std = spreads(of, end, there)
    moving = dated.free and not dividends
    finer, fine = (1, FINE) if moving else (refinement(std[0], end, there), FINE * (1.0 + drift(std[0], end, there)))
    first = there.forward(end) if moving else there.spot
    low, high, pins = reach(dated, float(first), float(there.forward(end)), std)
    x = pinned_nodes(low, high, pins.tolist(), float(np.log(first / dated.scale)), fine * std[0], n * finer, level)
    today = isinstance(base_of(model), LocalVol)
    plan = stretches(dated.times, dividends, m * finer, level, least, today=today)
    staged = [stages(times) for times in plan.times]
    every = np.concatenate([[0.0], *(times[1:] for times, _ in staged)])
    variance = variance_on_grid(model, x, dated.scale, every, end, snapshot, of_forward=moving)
    widths = np.diff(every)
    rate, carry = steps_between(every[:-1], every[1:], widths, snapshot).reshape(2, -1)
    carry = np.zeros_like(carry) if moving else carry
    ahead = np.log(snapshot.forward(end) / snapshot.forward(plan.stops)) if moving else np.zeros(plan.stops.size)
    at = float(np.log(snapshot.spot / dated.scale)) + float(ahead[0])
    moves, last = [], every.size - 1
    for _, theta in reversed(staged):
        here = slice(last - theta.size, last)
        market = np.concatenate([rate[here][::-1], carry[here][::-1]])
        steps = widths.size - last
        local = variance[steps : steps + theta.size] if variance.shape[0] > 1 else variance
        moves.append((widths[here][::-1].copy(), theta, market, local))
        last -= theta.size
    return Line(
        x=x,
        at=at,
        ahead=ahead,
        plan=plan,
        scale=dated.scale,
        df=float(snapshot.discount.df(end)),
        moves=tuple(reversed(moves)),
    )


def after_cash(x: Float1D, values: FloatND, cash: float, held: bool = False, straight: bool = False) -> FloatND:
    """v(S) = v(max(S - cash, 0)), cash in units of the scale, x along the last axis.

    Below the grid v is a line in S; with `held`, by a barrier that is its lowest node, flat. `straight`: x is S / scale
    - 1, and v(S) = v(S - cash), for a price of any sign.
    """
    if straight:
        left, low, second = x - cash, x[0], x[1]
        inside = left > low
        point = np.clip(left, low, x[-1])
    else:
        left = np.maximum(np.exp(x) - cash, 0.0)
        low, second, inside = np.exp(x[0]), np.exp(x[1]), left > np.exp(x[0])
        point = np.clip(np.log(np.where(inside, left, low)), x[0], x[-1])
    start = np.clip(np.searchsorted(x, point, side="right") - 2, 0, x.size - 4)
    nodes = x[start[:, None] + np.arange(4)]
    out = np.zeros_like(values)
    for i in range(4):
        others = [j for j in range(4) if j != i]
        weight = np.prod([(point - nodes[:, j]) / (nodes[:, i] - nodes[:, j]) for j in others], axis=0)
        out += weight * values[..., start + i]
    slope = (values[..., 1:2] - values[..., :1]) / (second - low) * (not held)
    return np.where(inside, out, values[..., :1] + slope * (left - low))


def paid(grid: Any, values: FloatND, i: int) -> FloatND:
    """The values before the cash of stop i, from those after it."""
    cash = grid.plan.cash[i]
    straight = getattr(grid, "straight", False)
    return after_cash(grid.x, values, cash / grid.scale, straight=straight) if cash > 0.0 else values


def march(dated: Dated, grid: Any) -> FloatND:
    """Values today at every node, shape (layers, ..., n): the contract's dates on any grid that can go `back`."""
    plan = grid.plan
    values = grid.start(dated.end(grid.x))
    known: dict[float, Float1D] = {}

    def above(level: float) -> Float1D:
        if level not in known:
            known[level] = share_above(grid.x, dated.place(level))
        return known[level]

    for i in range(plan.stops.size - 1, -1, -1):
        if plan.dates[i] >= 0:
            values = dated.at(plan.dates[i], values, grid.x - grid.ahead[i], above)
        values = paid(grid, values, i)
        if i > 0:
            values = grid.back(values, i - 1)
    return values

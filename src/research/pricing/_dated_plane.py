"""Dated contracts in two dimensions: log spot and variance, by alternating directions that damp at every step.

Under Bates' model jumps may carry the spot past a barrier that is watched: there it is what a hit pays that they meet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from research.arrays import Float1D, Float2D, Float3D
from research.core.pricing.adi import SMOOTHING, adi_march
from research.market import Snapshot
from research.models.heston import Heston
from research.pricing._dated import Dated
from research.pricing._dated_march import Stretches, reach, stretches
from research.pricing._escrow import LEVERAGED
from research.pricing._jump_plane import PlaneModel, deviations, drift_of_jumps, heston_of, jump_rows
from research.pricing._pde_grid import FINE, Dividends, pinned_nodes, steps_between, variance_nodes

_FREE, _ALL = np.zeros(5), slice(None)
_RARE = 4.0, 0.5  # deviations of the integrated variance, and share of the deviations that the grid has room for
_INTEGRAL, _SLOW = 64, 1e-8  # points; of kappa times the life


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """A two-dimensional grid and what `adi_march` needs to go from stop to stop on it."""

    x: Float1D
    v: Float1D
    ahead: Float1D  # 0 at each stop: the grid stands
    plan: Stretches
    scale: float
    df: float  # discount factor to the end
    model: PlaneModel
    moves: tuple[tuple[Float1D, Float1D, Float2D], ...]  # of a stretch: dt, market, leverage
    jumps: dict[tuple[int, int, bool, bool], Float2D] = field(default_factory=dict)  # of the parts that were met

    def start(self, values: Float2D) -> Float3D:
        """Values at the end, shape (layers, n_variance, n)."""
        return np.repeat(values[:, None, :], self.v.size, axis=1)

    def back(self, values: Float3D, i: int, edges: Float1D | None = None, part: slice = _ALL) -> Float3D:
        """Values at stop i from those at stop i + 1; with `part`, at these nodes of x only."""
        dt, market, lever = self.moves[i]
        h, x = heston_of(self.model), np.ascontiguousarray(self.x[part])
        five = np.array([h.kappa, h.theta, h.sigma, h.rho, 0.0])
        codes, never = np.full(dt.size, SMOOTHING, dtype=np.int64), np.full(x.size, -np.inf)
        held = _FREE.copy() if edges is None else edges.copy()
        rows, out = np.ascontiguousarray(lever[:, part]), np.empty_like(values)
        jump = self._jump(x, part, held)
        for layer in range(values.shape[0]):
            u = np.array(values[layer].T, order="C")
            adi_march(x, self.v, dt, codes, market, rows, five, never, held, jump, np.zeros_like(u), u)
            out[layer] = u.T
        return out

    def _jump(self, x: Float1D, part: slice, held: Float1D) -> Float2D:
        """The matrix of the jumps between these nodes, made once."""
        key = (part.start or 0, part.stop or self.x.size, bool(held[0] > 0.0), bool(held[2] > 0.0))
        if key not in self.jumps:
            self.jumps[key] = jump_rows(x, self.model, key[2:])
        return self.jumps[key]


def std_of(model: PlaneModel, years: float) -> tuple[float, float, float]:
    """Standard deviations of the log spot: around the forward, below it and above it.

    Above, the room that a variance leaves which is nearly always next to nothing and seldom large: then a put is worth
    much at spots from which no mean variance would bring it back.
    """
    heston = heston_of(model)
    mean = float(heston.average_variance(years) * years)
    std, rare = float(np.sqrt(mean)), _RARE[1] * float(np.sqrt(mean + _RARE[0] * _spread(heston, years)))
    if not isinstance(model, LEVERAGED):
        middle, below, above = deviations(model, std, years)
        return middle, max(below, rare), max(above, rare)
    low, high = (model.leverage.std(years, side) / float(np.sqrt(years)) for side in (-3.0, 3.0))
    return std, max(std, rare) * low, max(std, rare) * high


def _spread(heston: Heston, years: float) -> float:
    """Standard deviation of the integral of the variance: its covariances, twice integrated."""
    n = _INTEGRAL
    t = years * (np.arange(n) + 0.5) / n

    def mean(t: Float1D) -> Float1D:
        out: Float1D = t if heston.kappa * years < _SLOW else -np.expm1(-heston.kappa * t) / heston.kappa
        return out

    g = mean(t)
    now = heston.sigma**2 * g * (heston.v0 * np.exp(-heston.kappa * t) + 0.5 * heston.theta * heston.kappa * g)
    return float(np.sqrt(2.0 * years / n * float((now * mean(years - t)).sum())))


def plane(
    dated: Dated, model: PlaneModel, snapshot: Snapshot, sizes: tuple[int, int, int], level: int,
    dividends: Dividends, least: int, layout: tuple[PlaneModel, Snapshot] | None = None,
) -> Plane:  # fmt: skip
    """The grid of one contract; its nodes are those of the model and market `layout` where they are given."""
    leveraged = isinstance(model, LEVERAGED)
    end = float(dated.times[-1])
    of, there = layout or (model, snapshot)
    first, std = heston_of(of), std_of(of, end)
    low, high, pins = reach(dated, there.spot, float(there.forward(end)), std)
    at = float(np.log(there.spot / dated.scale))
    x = pinned_nodes(low, high, pins.tolist(), at, FINE * std[0], sizes[0], level)
    plan = stretches(dated.times, dividends, sizes[2], level, least, today=leveraged)
    moves = []
    for times in plan.times:
        dt = np.diff(times)[::-1].copy()
        market = steps_between(times[:-1][::-1], times[1:][::-1], dt, snapshot)
        market[dt.size :] -= drift_of_jumps(model)
        lever = np.ones((1, x.size))
        if isinstance(model, LEVERAGED):
            forward = snapshot.forward(0.5 * (times[1:] + times[:-1]))
            rows = model.leverage.variance_rows(times, x[None, :] - np.log(forward / dated.scale)[:, None])
            lever = np.ascontiguousarray(rows[::-1])
        moves.append((dt, market, lever))
    return Plane(
        x=x, v=variance_nodes(first, end, sizes[1], level), ahead=np.zeros(plan.stops.size), plan=plan,
        scale=dated.scale, df=float(snapshot.discount.df(end)), model=model, moves=tuple(moves),
    )  # fmt: skip

"""What a path did between two looks: chances to have touched a level, and how far it went beyond one.

Between looks the log price is taken for a Brownian bridge with the variance that the path met there (`Logs.exposed`),
which is exact for a volatility of time alone. Elsewhere the variance of a gap is spread evenly over it: the error falls
with the length of the gap. Jumps of Merton's and Bates' models are taken at the end of their gap. A path of jumps only
(Variance Gamma) is known at the looks alone, and so are touches.

With p(y) = exp(-2 (y - a) (y - b) / v) the chance of a bridge from a to b to exceed y, the excess over a level is

    E[max(e^M - e^k, 0)] = (e^m - e^k)^+ + integral over y > max(m, k) of e^y (1 - product of (1 - p(y))) dy,

m the highest look; Gauss-Legendre, to 1e-9. Two levels at once: images (Anderson 1960).

References
----------
Anderson (1960), "A modification of the sequential probability ratio test", Ann. Math. Stat. 31, 165-197.
Beaglehole, Dybvig, Zhou (1997), "Going to extremes", Financial Analysts J. 53(1), 62-68 (bridges).
Metwally, Atiya (2002), "Using Brownian bridge for fast simulation of jump-diffusion processes", J. Derivatives 10(1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.pricing.paths.charts import Chart
from research.pricing.paths.generators import Block

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_REACH = 3.5  # standard deviations of the widest gap: exp(-2 reach^2) is 2e-11
_LEAST_IMAGES, _MOST_IMAGES = 1, 8
_DEAD = 36.0  # exp(-36) is 2e-16
_NEVER = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Log prices (or the chart's coordinate) at both ends of some gaps; arrays of shape (n_gaps, n_paths)."""

    start: Float2D
    before: Float2D  # at the end, before the jump
    end: Float2D
    variance: Float2D | None  # met in the gap; None where nothing is known of the path in between
    chart: Chart | None = None
    growth: tuple[Float2D, Float2D] | None = None  # of the chart at both ends, columns
    held: tuple[Float2D, Float2D] | None = None  # cash to come at both ends, before what the end pays, columns

    def levels(self, log_price: Any) -> tuple[Any, Any]:
        """A log price in the coordinate, at the beginning and at the end of each gap."""
        if self.chart is None:
            return log_price, log_price
        return self.at(np.exp(log_price), 0), self.at(np.exp(log_price), 1)

    def at(self, price: Any, end: int) -> Any:
        """A price in the chart's coordinate, at the beginning (0) or at the end (1) of each gap."""
        assert self.chart is not None and self.growth is not None and self.held is not None
        return self.chart.to((price - self.held[end]) * self.growth[end])

    def price(self, y: Any, end: int) -> Any:
        """The price at the chart's coordinate, at the beginning (0) or at the end (1) of each gap."""
        assert self.chart is not None and self.growth is not None and self.held is not None
        return self.chart.back(y) / self.growth[end] + self.held[end]


def _charted(block: Block, spot: float, rows: slice) -> Gaps:
    chart = block.chart
    assert chart is not None
    times = np.concatenate(([0.0], block.times))
    growth, (after, before) = chart.column(times), chart.cash(times)
    first = np.full((1, block.n_paths), chart.to((spot - after[0, 0]) * growth[0, 0]))
    x = np.concatenate((first, block.logs.x))
    end, exposed, jump = x[1:][rows], block.logs.exposed, block.logs.jump
    met = None if exposed is None else exposed[rows]
    late = end if jump is None else end - jump[rows]
    if chart.held is not None:  # what is paid at the end of a gap, as a fall of what moves
        end = chart.to(chart.back(late) - ((before - after) * growth)[1:][rows])
    return Gaps(x[:-1][rows], late, end, met, chart, (growth[:-1][rows], growth[1:][rows]),
                (after[:-1][rows], before[1:][rows]))  # fmt: skip


def gaps(block: Block, spot: float, rows: slice = slice(None)) -> Gaps:
    """The gaps that end at some rows of a block; the first one starts at today's spot."""
    if block.chart is not None:
        return _charted(block, spot, rows)
    x = np.log(np.maximum(np.concatenate((np.full((1, block.n_paths), spot), block.spot)), _NEVER))
    end, logs = x[1:][rows], block.logs
    before = end if logs.jump is None else end - logs.jump[rows]
    return Gaps(x[:-1][rows], before, end, None if logs.exposed is None else logs.exposed[rows])


def _bridge(distance: Any, variance: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.exp(-2.0 * distance / np.maximum(variance, _NEVER))


def _images(over: Gaps, widths: Any) -> int:
    """Images on either side that a bridge between two levels needs: further ones are worth less than rounding."""
    assert over.variance is not None
    width = float(np.min(widths))
    most, moved = float(over.variance.max()), float(np.abs(over.before - over.start).max())
    n = np.arange(_LEAST_IMAGES, _MOST_IMAGES) * width
    enough = 2.0 * n * np.maximum(n - moved, 0.0) > _DEAD * most
    return int(np.argmax(enough)) + _LEAST_IMAGES if enough.any() else _MOST_IMAGES


def missed(over: Gaps, level: float) -> Float2D:
    """Chance that a gap does not touch a log price from the side where it starts, its end included."""
    first, second = over.levels(level)
    side = np.where(over.start > first, 1.0, -1.0)
    far, near, last = (side * gap for gap in (over.start - first, over.before - second, over.end - second))
    alive = (far > 0.0) & (last > 0.0)
    if over.variance is None:
        return np.asarray(alive, dtype=np.float64)
    miss = np.where(near > 0.0, 1.0 - _bridge(far * np.maximum(near, 0.0), over.variance), 0.0)
    return np.where(alive, miss, 0.0)


def stayed(over: Gaps, low: float, high: float) -> Float2D:
    """Chance that a gap touches neither of two log prices, its end included."""
    (low, lower), (high, higher) = over.levels(low), over.levels(high)
    inside = (over.end > lower) & (over.end < higher) & (over.start > low) & (over.start < high)
    if over.variance is None:
        return np.asarray(inside, dtype=np.float64)
    x, y, width = over.start - low, over.before - lower, _width(low, high, lower, higher)
    n = _images(over, width)
    out = np.zeros_like(x)
    for k in range(1 - n, n):
        out += _bridge(width * k * (y - x + width * k), over.variance) if k else 1.0
    for k in range(-n, n):
        out -= _bridge((x + width * k) * (y + width * k), over.variance)
    inside &= (y > 0.0) & (y < width)
    return np.where(inside, np.clip(out, 0.0, 1.0), 0.0)


def _width(low: Any, high: Any, lower: Any, higher: Any) -> Any:
    """Between two levels; the mean of both ends of a gap where the levels move."""
    return high - low if low is lower else 0.5 * ((high - low) + (higher - lower))


def low_first(over: Gaps, low: float, high: float) -> Float2D:
    """Chance that a gap that starts inside touches the lower of two log prices, and before the upper one."""
    (first, second), (top, topped) = over.levels(low), over.levels(high)
    fallen = np.asarray(over.end <= second, dtype=np.float64)
    if over.variance is None:
        return fallen
    x, y, width = over.start - first, np.abs(over.before - second), _width(first, top, second, topped)
    gone = (over.before - second - x) ** 2
    out, sign = np.zeros_like(x), 1.0
    for k in range(2 * _images(over, width)):  # touches: 0; top, 0; 0, top, 0; ...
        way = (k + 1) * width + y - x if k % 2 else k * width + y + x
        with np.errstate(over="ignore"):
            out += sign * np.exp(np.minimum(-(way**2 - gone) / (2.0 * np.maximum(over.variance, _NEVER)), 0.0))
        sign = -sign
    return np.clip(out, 0.0, 1.0) + stayed_before(over, low, high) * fallen


def stayed_before(over: Gaps, low: float, high: float) -> Float2D:
    """As `stayed`, without the jump at the end."""
    return stayed(replace(over, end=over.before), low, high)


def beyond(over: Gaps, strike: Any, side: float) -> Float1D:
    """E[max(side (extreme - strike), 0)] of each path, the highest (side 1) or lowest price over all gaps."""
    if over.chart is not None:
        return _beyond_charted(over, strike, side)
    a, c, b = side * over.start, side * over.before, side * over.end
    top = np.maximum(np.maximum(a.max(axis=0), c.max(axis=0)), b.max(axis=0))
    k = np.broadcast_to(side * np.log(strike), top.shape)
    found: Float1D = np.maximum(side * (np.exp(side * top) - np.exp(side * k)), 0.0)
    if over.variance is None:
        return found
    first = np.maximum(top, k)
    half = 0.5 * _REACH * np.sqrt(over.variance.max(axis=0))
    for node, weight in zip(_NODES, _WEIGHTS):
        y = first + half * (1.0 + node)
        hit = 1.0 - np.prod(1.0 - _bridge((y - a) * (y - c), over.variance), axis=0)
        found = found + weight * half * np.exp(side * y) * hit
    return found


def _beyond_charted(over: Gaps, strike: Any, side: float) -> Float1D:
    """As `beyond`, the integral over the chart's coordinate of the price at the end of all gaps."""
    chart = over.chart
    assert chart is not None
    best = np.maximum((side * over.price(over.start, 0)).max(axis=0), (side * over.price(over.end, 1)).max(axis=0))
    if over.before is not over.end:
        best = np.maximum(best, (side * over.price(over.before, 1)).max(axis=0))
    least = np.broadcast_to(side * np.asarray(strike, dtype=np.float64), best.shape)
    found: Float1D = np.maximum(best - least, 0.0)
    if over.variance is None:
        return found
    first = chart.to(side * np.maximum(best, least))
    half = 0.5 * _REACH * np.sqrt(over.variance.max(axis=0))
    for node, weight in zip(_NODES, _WEIGHTS):
        y = first + side * half * (1.0 + node)
        price = chart.back(y)
        low, high = side * over.at(price, 0), side * over.at(price, 1)
        far, near = low - side * over.start, high - side * over.before
        hit = 1.0 - np.prod(1.0 - _bridge(np.maximum(far, 0.0) * np.maximum(near, 0.0), over.variance), axis=0)
        found = found + weight * half * chart.slope(y) * hit
    return found

"""The coordinate in which a model's price moves by a Brownian motion, or nearly so: for models that are not lognormal.

What is modelled is F, today's forward for the last time T of the paths as it moves: S_t = F_t / growth(t), with
growth(t) = F(0, T) / F(0, t), so that a price level is a level of F that moves with the carry. F_T has the law of the
model's European options for T.

| model | coordinate y of F | variance of y | price |
|---|---|---|---|
| `DisplacedDiffusion` | log(F + shift) / sigma | t, exact | above -shift |
| `Bachelier` | F / sigma | t, exact | of any sign |
| `CEV` | +-F^(1-beta) / (abs(1-beta) sigma), a Bessel process | t, as good as exact far from 0 | not below 0 |

Bridges between looks are drawn in y (`watching`), where levels are lines from the beginning of a gap to its end.
Where escrowed cash is to come, a price holds it beside what moves: (price - held) growth(t) is F.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.market import Snapshot

TINY = 1e-300  # a price of nothing, whose logarithm is finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """A model's coordinate; functions of arrays of any shape."""

    to: Callable[[Any], Any]  # F -> y, increasing
    back: Callable[[Any], Any]  # y -> F
    slope: Callable[[Any], Any]  # dF / dy
    forward: float  # F today, price units
    growth: Callable[[Float1D], Float1D]  # years -> F(0, T) / F(0, t)
    exact: bool  # is y a Brownian motion of unit variance a year, up to a drift that is a straight line?
    lowest: float = -np.inf  # y of the lowest price: where a spot ends that cannot pay
    held: Callable[[Float1D], tuple[Float1D, Float1D]] | None = None  # years -> cash to come after, before a day's own

    def column(self, times: Float1D) -> Float2D:
        """Growth from each time to T, a column."""
        return np.asarray(self.growth(times))[:, None]

    def cash(self, times: Float1D) -> tuple[Float2D, Float2D]:
        """What a price holds beside what moves, price units, after and before what is paid at each time; columns."""
        after, before = (np.zeros(times.size),) * 2 if self.held is None else self.held(times)
        return after[:, None], before[:, None]

    def log_variance(self, y: Float2D, start: float, met: Float2D) -> Float2D:
        """Variance of log F in each gap: the mean of both ends' local variance times what y met; rows as of y."""
        every = np.concatenate((np.full((1, y.shape[1]), start), y))
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = (self.slope(every) / self.back(every)) ** 2
        return np.asarray(0.5 * (rate[1:] + rate[:-1]) * met)


def growth_of(snapshot: Snapshot, end: float, origin: float) -> Callable[[Float1D], Float1D]:
    """F(0, end) / F(0, origin + t) as a function of t, years."""
    last = float(snapshot.forward(end))

    def growth(times: Float1D) -> Float1D:
        t = origin + np.asarray(times, dtype=np.float64)
        out = np.full(t.shape, last / snapshot.spot)
        some = t > 0.0
        if some.any():
            out[some] = last / np.asarray(snapshot.forward(t[some]))
        return np.asarray(out)

    return growth


def chart_of(
    snapshot: Snapshot, end: float, origin: float, *, to: Callable[[Any], Any], back: Callable[[Any], Any],
    slope: Callable[[Any], Any], exact: bool, lowest: float = -np.inf,
) -> Chart:  # fmt: skip
    """A coordinate of today's forward for `end`, years, of paths that start at `origin`."""
    return Chart(to=to, back=back, slope=slope, forward=float(snapshot.forward(end)),
                 growth=growth_of(snapshot, end, origin), exact=exact, lowest=lowest)  # fmt: skip

"""How a log price moves between two dates, and how far: what a cosine series asks of a model, date by date.

log(S_t / F_t) has independent increments under Black-Scholes with one vol or one by time, under Merton's model and
under Variance Gamma. Their characteristic functions carry a value from date to date. The chance that any date finds the
log price beyond an edge is bounded at once for all dates: S^p is a submartingale for p >= 1 and p <= 0, so that Doob's
inequality gives the bound of Chernoff at the last date.

A call is a put in the measure of the underlying on y = log(K / S): its pay-off is bounded, which a range needs. There
-log(S / F) is again such a process (`Law.dual`).

References
----------
Fang & Oosterlee (2009), "Pricing early-exercise and discrete barrier options by Fourier-cosine series expansions",
Numerische Mathematik 114, 27-62. Schroder (1999), "Changes of numeraire for pricing futures, forwards, and options",
Review of Financial Studies 12, 1143-1163 (calls as puts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.core.models.levy import AFFINE, VARIANCE_GAMMA, levy_log_cfs
from research.pricing._clock import variance
from research.pricing.cosine import log_moments

_NONE = 1e99  # no bound: of a law that has no density
_LATER = np.geomspace(1.0, 1e6, 97)  # frequencies over the last one at which phi is looked at again


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """Increments of log(S / F): a Levy process, or a Brownian motion whose variance is a function of time."""

    kind: int
    p: Float1D
    clock: Callable[[float, float], float] | None = None  # variance between two times, where it is not of one vol

    def terms(self, start: float, end: float) -> Float1D:
        """Parameters of the increment between two times, years."""
        if self.clock is None:
            return self.p
        out = self.p.copy()
        out[0] = self.clock(start, end) / (end - start)
        return out

    def log_cf(self, u: Float1D, start: float, end: float) -> Any:
        """log E exp(i u (increment)), complex, shape (n,)."""
        size, angle = np.empty_like(u), np.empty_like(u)
        levy_log_cfs(self.kind, u, end - start, self.terms(start, end), size, angle)
        return size + 1j * angle

    def left_out(self, u: float, start: float, end: float, power: int) -> float:
        """At most the integral of abs(phi) / u^power from u to infinity; phi of jumps by its upper envelope."""
        p, tau = self.terms(start, end), end - start
        grid = u * _LATER
        calm, jumps = p, np.zeros_like(grid)
        if self.kind == AFFINE and p[5] > 0.0:
            calm = p.copy()
            calm[5] = 0.0
            jumps = p[5] * tau * np.expm1(-0.5 * (p[7] * grid) ** 2)
        size, angle = np.empty_like(grid), np.empty_like(grid)
        levy_log_cfs(self.kind, grid, tau, calm, size, angle)
        weight = np.exp(np.minimum(size + jumps, 0.0)) * grid ** (1 - power)
        slope = 2.0 * tau / p[1] + power - 1.0 if self.kind == VARIANCE_GAMMA else power - 1.0  # at least, far out
        beyond = weight[-1] / slope if slope > 0.0 else (_NONE if weight[-1] > 0.0 else 0.0)
        return float(weight[:-1].sum() * np.log(_LATER[1]) + beyond)  # phi falls: the left end of each step

    def reach(self, start: float, end: float, sign: float, least: float) -> float:
        """The distance beyond which an increment in the direction of `sign` has at most the chance `least`."""
        power, log_moment = log_moments(self.kind, self.terms(start, end), end - start, sign)
        if power.size == 0:
            return np.inf
        return float(np.min((log_moment - np.log(least)) / np.abs(power)))

    def dual(self) -> Law:
        """The law of -log(S / F) in the measure of the underlying."""
        p = self.p.copy()
        if self.kind == VARIANCE_GAMMA:
            sigma, nu, theta = self.p
            own = 1.0 - theta * nu - 0.5 * sigma * sigma * nu
            p[:] = sigma / np.sqrt(own), nu, -(theta + sigma * sigma) / own
        else:
            p[5] = self.p[5] * np.exp(self.p[6] + 0.5 * self.p[7] ** 2)
            p[6] = -(self.p[6] + self.p[7] ** 2)
        return Law(self.kind, p, self.clock)

    def key(self, times: tuple[float, ...]) -> tuple[Any, ...]:
        """What tells two laws apart on these dates."""
        moved = () if self.clock is None else tuple(self.clock(0.0, t) for t in times)
        return (self.kind, *self.p.tolist(), *moved)


def law_of(model: Any) -> Law:
    """The law of a model with the ability "deterministic_vol" or "black_mixture"."""
    if hasattr(model, "characteristic"):
        return Law(*model.characteristic())
    p = np.zeros(8)
    if hasattr(model, "total_variance"):
        return Law(AFFINE, p, lambda start, end: float(variance(model, end, start)))
    p[0] = model.sigma**2
    return Law(AFFINE, p)

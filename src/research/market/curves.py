"""Discount curves from zero rates: log discount factors linear between the nodes.

Between two nodes the forward rate is constant, so a curve of positive forwards has no negative ones in between.
Before the first and after the last node the zero rate of that node holds.

References
----------
Hagan & West (2006), "Interpolation methods for curve construction", section 3 ("raw interpolation").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, all_within, numbers, vector
from research.conventions import check_fields, check_rates, equal_by_value
from research.errors import require, require_all


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscountCurve:
    """Continuously compounded zero rates at some times; `df(tau)` anywhere.

    Examples
    --------
    >>> curve = DiscountCurve(as_of=date(2002, 7, 5), tau=[0.5, 1.0], zero_rate=[0.035, 0.036])
    >>> round(curve.df(1.0), 6)
    0.96464
    """

    as_of: date
    tau: Float1D  # years (ACT/365F), increasing, > 0, shape (n,)
    zero_rate: Float1D  # 1/year, continuously compounded, shape (n,)

    def __post_init__(self) -> None:
        check_fields(self)
        tau, rate = vector(self.tau, "tau"), vector(self.zero_rate, "zero_rate")
        require(tau.size > 0, "tau", tau.size, "hold at least one node")
        require(tau.size == rate.size, "zero_rate", rate.size, f"have as many values as tau, {tau.size}")
        require_all(np.isfinite(tau) & (tau > 0.0), "tau", tau, "be finite and > 0 years")
        require_all(np.diff(tau) > 0.0, "tau", tau[1:], "increase")
        require_all(np.isfinite(rate), "zero_rate", rate, "be finite")
        check_rates("zero_rate", rate)
        tau.flags.writeable = rate.flags.writeable = False
        object.__setattr__(self, "tau", tau)
        object.__setattr__(self, "zero_rate", rate)

    def __repr__(self) -> str:
        low, high, end = self.zero_rate.min(), self.zero_rate.max(), self.tau[-1]
        rates = f"{low:.2%}" if low == high else f"{low:.2%} to {high:.2%}"
        return f"DiscountCurve({self.as_of}, {self.tau.size} nodes to {end:.4g} years, zero rates {rates})"

    def zero_rate_at(self, tau: ArrayLike) -> Any:
        """Zero rate to `tau`, 1/year; float in, float out."""
        if type(tau) is float and 0.0 <= tau < np.inf:
            return self._zero_rate(tau)
        t = numbers(tau, "tau")
        if not all_within(t, 0.0):
            require_all(np.isfinite(t) & (t >= 0.0), "tau", t, "be finite and >= 0 years")
        if self.tau.size == 1:
            return np.full(t.shape, self.zero_rate[0]) if t.shape else float(self.zero_rate[0])
        inside = np.interp(t, self.tau, self.zero_rate * self.tau) / np.where(t > 0.0, t, 1.0)
        rate = np.where(t <= self.tau[0], self.zero_rate[0], np.where(t >= self.tau[-1], self.zero_rate[-1], inside))
        return rate if rate.shape else float(rate)

    def _zero_rate(self, tau: float) -> float:
        """One number, a batch of contracts asks for it thousands of times; the same bits as in an array."""
        if tau <= self.tau[0]:
            return float(self.zero_rate[0])
        if tau >= self.tau[-1]:
            return float(self.zero_rate[-1])
        return float(np.interp(tau, self.tau, self.zero_rate * self.tau) / tau)

    def df(self, tau: ArrayLike) -> Any:
        """Value today of one unit paid at `tau`; float in, float out."""
        if type(tau) is float and 0.0 <= tau < np.inf:
            return float(np.exp(-self._zero_rate(tau) * tau))
        t = numbers(tau, "tau")
        out = np.exp(-self.zero_rate_at(t) * t)
        return out if out.shape else float(out)

"""One barrier looked at on n days, exactly: what `barrier` shifts its formulas for (see `_look_steps`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from research.pricing._agreed_looks import equal_looks
from research.pricing._look_steps import EXACT, Walk, out_by, stays


@dataclass(frozen=True, slots=True)
class Steps:
    """A price (0 in logs today) that lives on one side of a level; years, rates 1/year."""

    level: float  # of the barrier, log
    down: bool  # lies it below?
    sigma: float
    rate: float
    carry: float  # of the forward
    tau: float
    first: float
    step: float
    n: int

    @classmethod
    def of(cls, item: Any, level: float, sigma: float, rate: float, carry: float, tau: float) -> Steps:
        """Those of a contract with `n_monitoring` and a direction, which may have aged."""
        times = equal_looks(item, tau, item.n_monitoring)
        first, n = float(times[0]), int(times.size)
        step = (tau - first) / (n - 1) if n > 1 else tau
        return cls(level, item.direction == "down", sigma, rate, carry, tau, first, step, n)

    @property
    def error(self) -> float:
        """Of a probability."""
        from research.pricing._flat import sensitivity_to_rounding

        short = self.sigma * float(np.sqrt(self.step if self.n > 1 else self.tau))
        return EXACT + float(sensitivity_to_rounding(short, 0.0))

    def _walk(self, lift: float) -> Walk:
        low, high = (self.level, np.inf) if self.down else (-np.inf, self.level)
        return Walk(low, high, self.carry + lift * self.sigma**2, self.sigma, self.first, self.step, self.n)

    def knocked_out(self, strike: float, phi: float) -> float | None:
        """phi (S - K)+ over the spot, undiscounted, if no look ends it; `strike` is log(K / spot)."""
        ends = (strike, np.inf) if phi > 0.0 else (-np.inf, strike)
        asset, cash = stays(self._walk(0.5), *ends), stays(self._walk(-0.5), *ends)
        if asset is None or cash is None:
            return None
        return phi * float(np.exp(self.carry * self.tau) * asset - np.exp(strike) * cash)

    def untouched(self) -> float | None:
        """Probability that no look finds the barrier passed."""
        return stays(self._walk(-0.5), -np.inf, np.inf)

    def at_hit(self) -> float | None:
        """One unit at the look that finds it passed, present value."""
        return out_by(self._walk(-0.5), "low" if self.down else "high", float(np.exp(-self.rate * self.step)))

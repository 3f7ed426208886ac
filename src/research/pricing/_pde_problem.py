"""A contract as the finite-difference engines see it: one or more problems with a pay-off, ends and exercise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import InputError
from research.instruments import American, Barrier
from research.market import Snapshot


@dataclass(frozen=True, slots=True)
class Problem:
    """One grid: what its value adds to the price of contract `position`."""

    item: Any
    kind: str  # "vanilla"; "knock-out" pays the option, "survival" one unit, if no barrier is hit
    weight: float
    position: int

    @property
    def early(self) -> bool:
        """Whether the holder may exercise at any time."""
        return isinstance(self.item, American)

    @property
    def ends(self) -> tuple[float, float]:
        """Barriers in price units, 0 and infinity where there is none."""
        if self.kind == "vanilla":
            return 0.0, np.inf
        down = self.item.direction == "down"
        return (self.item.barrier, np.inf) if down else (0.0, self.item.barrier)

    @property
    def rebate(self) -> float:
        """What a hit pays at once."""
        return float(self.item.rebate) if self.kind == "knock-out" and self.item.knock == "out" else 0.0

    def by_parity(self, has_cash: bool) -> bool:
        """Whether a call is found as a put and a forward: bounded, and so good for any vol and time."""
        return self.kind == "vanilla" and self.item.is_call and not self.early and not has_cash

    def forward(self, years: float, snapshot: Snapshot, has_cash: bool) -> float:
        """What parity adds to the value on the grid; of one that counts hits, the bond."""
        if self.kind == "survival" and self.item.knock == "out":
            return -float(snapshot.discount.df(years))
        if not self.by_parity(has_cash):
            return 0.0
        return float(snapshot.discount.df(years) * (snapshot.forward(years) - self.item.strike))

    def range(self, first: float, last: float, below: float, above: float) -> tuple[float, float, list[float]]:
        """Ends of the grid in log(spot / strike), with room below and above [first, last]; and the barriers."""
        low, high = (float(np.log(end / self.item.strike)) if 0.0 < end < np.inf else end for end in self.ends)
        low = low if self.ends[0] > 0.0 else -np.inf
        strike = min(max(0.0, low), high)  # a strike outside the barriers is not of interest
        barriers = [end for end in (low, high) if np.isfinite(end)]
        low = low if np.isfinite(low) else min(first, strike) - below
        high = high if np.isfinite(high) else max(last, strike) + above
        return low, high, barriers

    def pay_off(self, x: Float1D, anywhere: bool, has_cash: bool) -> tuple[Float1D, Float1D, Float1D]:
        """Value at expiry, what exercise pays (-inf where not allowed), and the ends as `pde_values` wants them."""
        item, edges = self.item, np.zeros(5)
        sign = 1.0 if item.is_call and not self.by_parity(has_cash) else -1.0
        gain = sign * item.strike * np.expm1(x)
        v = np.ones_like(x) if self.kind == "survival" else np.maximum(gain, 0.0)
        below, above = self.ends
        for end, there, has in ((0, 0, below > 0.0), (2, -1, above < np.inf)):
            if has:
                edges[end : end + 2] = 1.0, self.rebate
                v[there] = self.rebate
        if not self.early:
            return v, np.full_like(x, -np.inf), edges
        edges[4] = 2.0 if anywhere else sign
        return v, gain, edges


def problems(items: Sequence[Any], snapshot: Snapshot) -> Iterator[Problem]:
    """Knock-ins through what they lack of the European option."""
    for i, item in enumerate(items):
        if not isinstance(item, Barrier):
            yield Problem(item, "vanilla", 1.0, i)
            continue
        item.check_alive(snapshot.spot)
        if item.n_monitoring is not None:
            raise InputError(
                "n_monitoring must be None for finite differences, which watch the barrier at every moment. "
                "Use method='analytic': it shifts the barrier."
            )
        late = item.knock == "out" and item.rebate > 0.0 and item.rebate_at == "expiry"
        yield Problem(replace(item, rebate=0.0) if late else item, "knock-out", 1.0 if item.knock == "out" else -1.0, i)
        if late:  # a bond less one that a hit ends
            yield Problem(item, "survival", -item.rebate, i)
        if item.knock == "in":
            yield Problem(item, "vanilla", 1.0, i)
            if item.rebate > 0.0:
                yield Problem(item, "survival", item.rebate, i)


def may_exercise_anywhere(snapshot: Snapshot) -> bool:
    """Negative rates or yields may give an American option two exercise boundaries."""
    return float(min(snapshot.discount.zero_rate.min(), snapshot.dividend_yield)) < 0.0

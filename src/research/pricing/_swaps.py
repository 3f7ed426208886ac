"""What swaps on a realised variance pay: what has run, what is expected of the rest, and the strike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.market import Snapshot
from research.pricing._agreed_looks import age_of, equal_looks
from research.pricing.catalogue import Values


def evenly(tau: float, n: int) -> Float1D:
    """Today and n times in equal steps up to `tau`, years."""
    out: Float1D = tau * np.arange(n + 1) / n
    return out


def observed(item: Any, tau: float) -> Float1D | None:
    """Times of the observations of a swap that has grown older, years; None where equal steps from today are it."""
    n = item.n_observations
    return None if n is None or age_of(item) == 0.0 else equal_looks(item, tau, n)


def settled(
    items: Sequence[Any], snapshot: Snapshot, fair: Callable[[Any, float], tuple[float, float]], rounding: float
) -> Values:
    """Values of swaps of whose rest `fair(item, tau)` is expected, a variance (1/year), and its error.

    `rounding` is that of the strike's square, relative.
    """
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        tau = item.years(snapshot.as_of)
        rest, gap = fair(item, tau)
        life, unit = item.elapsed + tau, item.notional * snapshot.discount.df(tau)
        found[i] = unit * ((item.elapsed_variance + rest * tau) / life - item.strike**2)
        error[i] = unit * (gap * tau / life + rounding * item.strike**2)
    return Values(found, np.zeros_like(found), error)

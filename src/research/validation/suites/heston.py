"""What Heston prices must pass: agreement with two independent pricers, and the laws of prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from research.evidence import Evidence
from research.validation import numerics


def run(
    calls: ArrayLike,
    puts: ArrayLike,
    forward: ArrayLike,
    moneyness: ArrayLike,
    *,
    benchmarks: dict[str, ArrayLike],
    agree_within: float = 1e-9,
    law_within: float = 1e-12,
    case: str = "",
) -> list[Evidence]:
    """All tests over one set of parameters.

    Parameters
    ----------
    calls, puts : array-like, price units, shape (n_expiries, n_strikes)
        Undiscounted prices under test; the strike of (i, j) is moneyness[j] * forward[i], expiries increase.
    forward : array-like, price units, shape (n_expiries,)
    moneyness : array-like, shape (n_strikes,), increasing
    benchmarks : name -> undiscounted call prices of the same shape
    agree_within, law_within : float, units of the forward
    case : str
        Put before each claim: which parameters these are.
    """
    f, k = np.asarray(forward, dtype=np.float64), np.asarray(moneyness, dtype=np.float64)
    strike = np.outer(f, k)
    found = [
        numerics.agreement(calls, theirs, scale=f[:, None], tolerance=agree_within, claim=f"prices agree with {name}")
        for name, theirs in benchmarks.items()
    ]
    found += [
        numerics.put_call_parity(calls, puts, strike, f, tolerance=law_within),
        numerics.price_bounds(calls, strike, f, tolerance=law_within),
        numerics.strike_monotonicity(calls, strike, f, tolerance=law_within),
        numerics.strike_convexity(calls, strike, f, tolerance=law_within),
        numerics.calendar_order(calls, k, f, tolerance=law_within),
    ]
    return [replace(item, claim=f"{case}: {item.claim}" if case else item.claim) for item in found]

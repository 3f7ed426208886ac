"""What the engines share that take one rate up to expiry, and how much rounding a probability of theirs suffers."""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require_all
from research.market import Snapshot

_ULP = 4e-16


def sensitivity_to_rounding(std: Any, drift: Any, *exponents: Any) -> Any:
    """What rounding does to Phi((x + drift) / std) e^exponent with x, a logarithm of prices, good to the last digit.

    A probability moves by up to 0.4 / std times the error of x: with a vol of 0.2 % and an hour that is 2e4 times.
    """
    grown = 2.0 + 1.0 / std + np.abs(drift) / std
    for exponent in exponents:
        grown = grown + np.abs(exponent)
    return _ULP * grown


def is_flat(snapshot: Snapshot, tau: Float1D) -> bool:
    """Is there one zero rate up to each tau?"""
    curve = snapshot.discount
    on_the_way = curve.zero_rate_at(np.minimum(curve.tau[:, None], tau))
    return bool(np.all(np.abs(on_the_way - curve.zero_rate_at(tau)) < 1e-12))


def flat_rates(snapshot: Snapshot, tau: Float1D, method: str) -> Float1D:
    """The zero rate to each tau; refuses a curve that is not flat up to there."""
    curve = snapshot.discount
    rate: Float1D = curve.zero_rate_at(tau)
    if curve.tau.size == 1:  # one rate for all times
        return rate
    on_the_way = curve.zero_rate_at(np.minimum(curve.tau[:, None], tau))
    require_all(
        np.all(np.abs(on_the_way - rate) < 1e-12, axis=0), "zero_rate", rate,
        f"be one rate up to expiry for method='{method}'",
        hint="Use method='auto': it goes on to an engine that takes the whole curve.",
        error=NoEngineError,
    )  # fmt: skip
    return rate


def flat_market(snapshot: Snapshot, tau: Float1D, method: str) -> tuple[Float1D, Float1D, Float1D]:
    """(rate, discount factor, forward) to each tau, shape (n,), the curve read once; refuses as `flat_rates` does."""
    rate = flat_rates(snapshot, tau, method)
    df: Float1D = np.exp(-rate * tau)
    forward: Float1D = snapshot.spot * np.exp(-snapshot.yield_at(tau) * tau) / df
    return rate, df, forward

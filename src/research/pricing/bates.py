"""Bates' model by the number of jumps: Heston prices with a normal variable beside them, weighted by Poisson.

Given n jumps the log price is Heston's, moved by n jumps, plus a normal variable of variance n jump_std^2 whose factor
enters the contour integral of `fourier`. So a life of an hour or a variance of nothing is as easy as any other: no
characteristic function has to die of the jumps alone, which is what a cosine series waits for.

References
----------
Bates (1996), Review of Financial Studies 9, 69-107; Merton (1976), J. Financial Economics 3, 125-144, eq. (16).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D
from research.core.pricing.fourier_greeks import PRICE_ROWS
from research.instruments import European
from research.market import Snapshot
from research.models.jumps import Bates
from research.pricing._european import by_expiry, european_values, inputs
from research.pricing._jets import jets
from research.pricing.catalogue import Values

_ROUNDING = 8e-15


def price_with_error(
    model: Bates,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> tuple[Any, Any]:
    """Present values and their errors, price units; all arguments broadcast together.

    Parameters
    ----------
    model : Bates
    forward, strike : array-like, price units
    tau : array-like, years (ACT/365F)
    df : array-like, default 1.0
    is_call : array-like of bool, default True
    """
    return by_expiry(otm, _ROUNDING, model, inputs(forward, strike, tau, df, is_call))


def otm(model: Bates, tau: float, log_strike: Float1D) -> tuple[Float1D, Float1D]:
    """Out-of-the-money options over the forward, and their errors; puts for log strikes up to 0."""
    found = jets(model, tau, log_strike, n_rows=PRICE_ROWS)[0]["c"]
    return np.maximum(found.value, 0.0), found.error


def value(items: Sequence[European], model: Bates, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)

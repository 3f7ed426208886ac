"""What the engines for European options share: contracts to arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.instruments import European
from research.market import Snapshot
from research.pricing.catalogue import Values


def european_values(
    price_with_error: Callable[..., tuple[Any, Any]], items: Sequence[European], model: Any, snapshot: Snapshot
) -> Values:
    """Price options with a function of (model, forward, strike, tau, df, is_call)."""
    strike = np.array([item.strike for item in items])
    tau = np.array([item.years(snapshot.as_of) for item in items])
    is_call = np.array([item.is_call for item in items])
    forward, df = snapshot.forward(tau), snapshot.discount.df(tau)
    value, error = price_with_error(model, forward, strike, tau, df=df, is_call=is_call)
    return Values(value, np.zeros_like(value), error)

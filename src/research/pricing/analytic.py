"""Analytic engine: European options by Black's formula at the model's own implied vol (SVI, an SVI surface, ...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import reshape
from research.instruments import European
from research.market import Snapshot
from research.models import black
from research.pricing._european import european_values, expiries, inputs
from research.pricing.catalogue import Values


def price_with_error(
    model: Any,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> tuple[Any, Any]:
    """Present values under a model with `vol(log_moneyness, tau)`, and the rounding error of each, price units."""
    (f, k, t, d, sign), shape = inputs(forward, strike, tau, df, is_call)
    vol = np.zeros_like(f)
    for years, here in expiries(t):
        vol[here] = model.vol(np.log(k[here] / f[here]), years)
    value = np.asarray(black.price(f, k, t, vol, df=d, is_call=sign > 0.0))
    return reshape(value, shape), reshape(d * 4e-16 * np.maximum(f, k), shape)


def value(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)


def value_at(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """As `value`, for a model whose vol depends on the forward itself: `vol_at(forward, strike, tau)`, and a shift."""

    def priced(model: Any, forward: Any, strike: Any, tau: Any, *, df: Any, is_call: Any) -> tuple[Any, Any]:
        shift = float(getattr(model, "shift", 0.0))
        vol = np.where(tau > 0.0, model.vol_at(forward, strike, np.maximum(tau, 1e-12)), 0.0)
        f, k = forward + shift, strike + shift
        return np.asarray(black.price(f, k, tau, vol, df=df, is_call=is_call)), df * 4e-16 * np.maximum(f, k)

    return european_values(priced, items, model, snapshot)


def value_closed(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """As `value`, for a model with its own formula, `price(forward, strike, tau, df=, is_call=)`."""

    def priced(model: Any, forward: Any, strike: Any, tau: Any, *, df: Any, is_call: Any) -> tuple[Any, Any]:
        value = np.asarray(model.price(forward, strike, tau, df=df, is_call=is_call))
        error = np.asarray(model.price_error(forward, strike, tau) if hasattr(model, "price_error") else 0.0)
        return value, df * (error + 1e-14 * np.maximum(np.abs(forward), np.abs(strike)))

    return european_values(priced, items, model, snapshot)

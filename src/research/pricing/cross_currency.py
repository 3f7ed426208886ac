"""Closed forms for options paid in another currency: `Quanto`, `Compo`, under `CrossCurrency`.

With S in its own currency, X units of the currency of payment for one of that, and rho their correlation:

    quanto: the forward of S becomes F exp(-rho sigma fx_vol tau), its vol stays;
    compo: X S has the forward fx_spot spot exp(-q tau) / df', and the vol of a product of two lognormals.

The snapshot is that of the underlying; df' is the discount factor of the currency of payment.

References
----------
Reiner (1992), "Quanto mechanics", Risk 5(3), 59-63. Haug (2007), 2nd ed., sections 5.16.1 and 5.16.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from research.instruments import Compo, Quanto
from research.market import Snapshot
from research.models import black
from research.models.cross_currency import CrossCurrency
from research.pricing._lognormals import quanto_factor
from research.pricing.catalogue import Values
from research.pricing.linear import black_value

_ROUNDING = 1e-15


def quantos(items: Sequence[Quanto], model: CrossCurrency, snapshot: Snapshot) -> Values:
    """Options whose rate of exchange is fixed today."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    strike, fx = np.array([item.strike for item in items]), np.array([item.fx for item in items])
    is_call = np.array([item.is_call for item in items])
    slope = -model.correlation * model.sigma * model.fx_vol
    forward = snapshot.forward(tau) * np.array([quanto_factor(slope * t, "the underlying") for t in tau])
    unit = fx * np.exp(-model.payout_rate * tau)
    value = unit * black_value(forward, strike, model.sigma * np.sqrt(tau), np.where(is_call, 1.0, -1.0))
    grown = np.abs(np.log(np.maximum(forward, 1e-300) / snapshot.spot))  # an exponent rounds by its own size
    return Values(value, np.zeros_like(value), _ROUNDING * (1.0 + grown) * unit * np.maximum(forward, strike))


def compos(items: Sequence[Compo], model: CrossCurrency, snapshot: Snapshot) -> Values:
    """Options on the price in the currency of payment."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    strike, is_call = np.array([item.strike for item in items]), np.array([item.is_call for item in items])
    df = np.exp(-model.payout_rate * tau)
    forward = model.fx_spot * snapshot.spot * np.exp(-snapshot.dividend_yield * tau) / df
    value = np.asarray(black.price(forward, strike, tau, model.product_vol, df=df, is_call=is_call))
    return Values(value, np.zeros_like(value), _ROUNDING * df * np.maximum(forward, strike))

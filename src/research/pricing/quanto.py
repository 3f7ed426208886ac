"""Quanto and compo options in closed form: Black's formula with the quanto drift, or with the vol of the product.

References
----------
Reiner (1992), "Quanto mechanics", Risk 5(3), 59-63; Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd
ed., section 5.16 (foreign-equity options).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from research.errors import require
from research.instruments import Compo, Quanto
from research.market import BasketSnapshot
from research.models.multi_asset import MultiAssetBlackScholes
from research.pricing._lognormals import lognormals
from research.pricing.catalogue import Values
from research.pricing.linear import black_value

_ROUNDING = 1e-15


def value(items: Sequence[Quanto | Compo], model: MultiAssetBlackScholes, snapshot: BasketSnapshot) -> Values:
    """Engine: one underlying in another currency."""
    out, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        name, tau = item.underlying, item.years(snapshot.as_of)
        own = snapshot.underlying(name).currency
        hint = "Use European under BlackScholes."
        require(snapshot.pair(name) is not None, f"currency of {name}", own, f"not be {snapshot.currency}", hint=hint)
        quanto = isinstance(item, Quanto)
        assets = lognormals((name,), "quanto" if quanto else "compo", model, snapshot)
        unit = float(snapshot.discount.df(tau)) * (item.fx if isinstance(item, Quanto) else 1.0)
        forward, std = float(assets.forwards(tau)[0]), float(np.sqrt(assets.covariance(tau)[0, 0]))
        out[i] = unit * black_value(forward, item.strike, std, 1.0 if item.is_call else -1.0)
        grown = abs(float(np.log(max(forward, 1e-300) / assets.spots[0])))  # an exponent rounds by its own size
        error[i] = _ROUNDING * (1.0 + grown) * unit * max(forward, item.strike)
    return Values(out, np.zeros_like(out), error)

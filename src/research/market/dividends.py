"""Cash dividends: known amounts on known days, and what the volatility is the volatility of.

| model | what is lognormal | volatility |
|---|---|---|
| `"escrowed"` | the spot less the dividends' present value up to expiry | of that; Black's formula on the forward |
| `"jump"` | the spot between dividends; it falls by the amount on each day | of the spot; no closed form |

Levels of a contract are those of the quoted spot under both; a spot that cannot pay pays what it has.

Both have the same forward. At equal volatility the escrowed model gives the lower option value: less of the spot moves.

References
----------
Haug, Haug, Lewis (2003), "Back to basics: a new approach to the discrete dividend problem", Wilmott, Sept., 37-47.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from research.arrays import Float1D, vector
from research.conventions import check_fields, equal_by_value
from research.errors import require, require_all

MODELS = ("escrowed", "jump")


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CashDividends:
    """Amounts a share, sorted by time.

    Examples
    --------
    >>> CashDividends(tau=[0.25, 0.75], cash=[1.0, 1.5], model="jump").model
    'jump'
    """

    tau: Float1D  # years (ACT/365F), increasing, > 0, shape (n,)
    cash: Float1D  # price units, >= 0, shape (n,)
    model: str = "escrowed"  # or "jump"

    def __post_init__(self) -> None:
        check_fields(self)
        tau, cash = vector(self.tau, "tau"), vector(self.cash, "cash")
        require(tau.size > 0, "tau", tau.size, "hold at least one dividend", hint="Leave cash_dividends at None.")
        require(tau.size == cash.size, "cash", cash.size, f"have as many values as tau, {tau.size}")
        require_all(np.isfinite(tau) & (tau > 0.0), "tau", tau, "be finite and > 0 years")
        require_all(np.diff(tau) > 0.0, "tau", tau[1:], "increase")
        require_all(np.isfinite(cash) & (cash >= 0.0), "cash", cash, "be finite and >= 0 price units")
        require(self.model in MODELS, "model", self.model, "be 'escrowed' or 'jump'")
        tau.flags.writeable = cash.flags.writeable = False
        object.__setattr__(self, "tau", tau)
        object.__setattr__(self, "cash", cash)

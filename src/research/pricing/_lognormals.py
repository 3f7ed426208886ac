"""The prices a contract on several underlyings looks at, as jointly lognormal variables in the payment measure.

| price | forward | noise |
|---|---|---|
| in the payment currency | spot exp(-q t) / df(t) | its own |
| another currency, quanto | its own forward times exp(-cov(S, X)) | its own |
| another currency, compo | spot X exp(-q t) / df(t) of the payment currency | its own and that of the rate X |

References
----------
Hull (2018), Options, Futures and Other Derivatives, 10th ed., section 30.3 (quanto adjustment).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import InputError, require
from research.market import BasketSnapshot
from research.models.multi_asset import MultiAssetBlackScholes

_MOST = 600.0  # of an exponent: a double ends at 709


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lognormals:
    """n prices: S_i(t) = F_i(t) exp(x_i - v_ii / 2), x normal with covariance v(t)."""

    names: tuple[str, ...]
    model: MultiAssetBlackScholes
    market: BasketSnapshot
    loading: Float2D  # of the model's factors, shape (n, n_factors)
    quanto: tuple[int, ...]  # factor of the exchange rate, -1 where there is none
    converted: tuple[bool, ...]

    def covariance(self, tau: float) -> Float2D:
        """Covariance of the log prices at tau, shape (n, n)."""
        out: Float2D = self.loading @ self.model.covariance(tau) @ self.loading.T
        return 0.5 * (out + out.T)

    def forwards(self, tau: float) -> Float1D:
        """Expected prices at tau in the payment measure, shape (n,)."""
        out, every = np.empty(len(self.names)), self.model.covariance(tau)
        for i, name in enumerate(self.names):
            item, money = self.market.underlying(name), self.market.foreign(name)
            if self.converted[i] and money is not None:
                grown = item.spot * money.rate * np.exp(-item.dividend_yield * tau)
                out[i] = grown / self.market.discount.df(tau)
            else:
                out[i] = self.market.forward(name, tau)
            if self.quanto[i] >= 0:
                out[i] *= quanto_factor(-float(every[self.model.position(name), self.quanto[i]]), name)
        return out

    @property
    def spots(self) -> Float1D:
        """Today's prices as the contract reads them, shape (n,)."""
        found = []
        for name, converted in zip(self.names, self.converted):
            money = self.market.foreign(name)
            found.append(self.market.underlying(name).spot * (money.rate if converted and money is not None else 1.0))
        return np.array(found)


def quanto_factor(exponent: float, name: str) -> float:
    """What a quanto forward is of its own, exp(-covariance with the rate); refuses what no double can hold."""
    hint = "Vols and correlation of price and exchange rate are too large together."
    what = f"-covariance of {name} and its exchange rate"
    require(exponent < _MOST, what, exponent, f"be below {_MOST:g}", hint=hint)
    return float(np.exp(exponent))


def lognormals(names: Sequence[str], fx: str | None, model: Any, market: Any) -> Lognormals:
    """The prices of `names`; fx says what happens to one in another currency: 'quanto', 'compo', or None: refused."""
    if not isinstance(market, BasketSnapshot):
        raise InputError(f"snapshot must be a market.BasketSnapshot; got {type(market).__name__}. See flat_basket.")
    loading = np.zeros((len(names), len(model.names)))
    quanto, converted = [], []
    for i, name in enumerate(names):
        pair = market.pair(name)
        hint = "Say fx='quanto' (the number is paid) or fx='compo' (the price is converted)."
        own = market.underlying(name).currency
        require(pair is None or fx is not None, f"currency of {name}", own, f"be {market.currency}", hint=hint)
        loading[i, model.position(name)] = 1.0
        rate = model.position(pair) if pair is not None else -1
        converted.append(pair is not None and fx == "compo")
        quanto.append(rate if fx == "quanto" else -1)
        if converted[-1]:
            loading[i, rate] += 1.0
    return Lognormals(
        names=tuple(names),
        model=model,
        market=market,
        loading=loading,
        quanto=tuple(quanto),
        converted=tuple(converted),
    )

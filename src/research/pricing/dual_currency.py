"""Dual-currency deposits (双货币存款): a deposit and a sold FX option, from the model's own options; the term sheet.

Values are in domestic units, the price units of the snapshot of the exchange rate. Per unit of notional and with
g = 1 + coupon tau, a foreign deposit is worth g df (F - call(strike)), a domestic one g df (1 - put(strike) / strike).

References
----------
Garman, Kohlhagen (1983), "Foreign currency option values", J. International Money and Finance 2, 231-237.
Wystup (2017), FX Options and Structured Products, 2nd ed., section 2.1 (dual currency deposit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from research.errors import require
from research.instruments import DualCurrencyDeposit
from research.market import Snapshot
from research.pricing import _smile
from research.pricing._tables import sheet as sheet_of
from research.pricing._tables import whole
from research.pricing.catalogue import Values

_ROUNDING = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DepositSheet:
    """What a dual-currency deposit is worth and how it may end; money in domestic units."""

    value: float  # present value
    error: float  # estimate of its largest numerical error
    issue_price: float
    margin: float  # issue price less value
    converted: float  # probability, domestic measure, to be paid in the other currency
    loss: float  # probability to get back less than the notional, counted in the currency of the deposit
    option_value: float  # present value of the option the depositor has sold
    break_even: float  # exchange rate at which the pay-back is worth the notional of the deposit
    life: float  # years

    def __repr__(self) -> str:
        return (
            f"DepositSheet(value {self.value:.6g}, issuer margin {self.margin:.4g}, converted {self.converted:.1%}, "
            f"loss {self.loss:.1%}, break-even {self.break_even:.6g}, life {self.life:.2f} years)"
        )

    def _repr_html_(self) -> str:
        return sheet_of(self.to_frame())

    def to_frame(self) -> pd.DataFrame:
        """One row a number: name, value, std_error, unit."""
        rows = [
            ("value", self.value, "currency"),
            ("issuer margin", self.margin, "currency"),
            ("sold option", self.option_value, "currency"),
            ("converted", self.converted, "probability"),
            ("redeemed below the notional", self.loss, "probability"),
            ("break-even exchange rate", self.break_even, "domestic for one foreign"),
            ("life", self.life, "years"),
        ]
        table: pd.DataFrame = whole([(n, v, 0.0, u) for n, v, u in rows], ["name", "value", "std_error", "unit"])
        return table


@dataclass(frozen=True, slots=True)
class _Parts:
    """Per unit of notional, domestic units."""

    growth: float  # 1 + coupon tau
    bond: float  # of one unit paid in the currency of the deposit
    option: float  # what is sold with it
    error: float


def _parts(item: DualCurrencyDeposit, model: Any, snapshot: Snapshot) -> _Parts:
    tau = item.years(snapshot.as_of)
    require(tau > 0.0, "tau", tau, "be > 0 years for a deposit")
    forward, df = snapshot.forward(tau), snapshot.discount.df(tau)
    value, error = _smile.otm(model, forward, tau, np.array([np.log(item.strike / forward)]))
    option, gap = float(value[0]) * forward, float(error[0]) * forward + _ROUNDING * (forward + item.strike)
    growth = 1.0 + item.coupon * tau
    if item.deposit == "foreign":
        return _Parts(growth, df * forward, df * (option + max(forward - item.strike, 0.0)), df * gap)
    put = option + max(item.strike - forward, 0.0)
    return _Parts(growth, df, df * put / item.strike, df * gap / item.strike)


def value(items: Sequence[DualCurrencyDeposit], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        p = _parts(item, model, snapshot)
        found[i] = item.notional * p.growth * (p.bond - p.option)
        error[i] = item.notional * abs(p.growth) * p.error
    return Values(found, np.zeros_like(found), error)


def issue_price_of(item: DualCurrencyDeposit, snapshot: Snapshot) -> float:
    """The notional in domestic units."""
    return item.notional * (snapshot.spot if item.deposit == "foreign" else 1.0)


def sheet(
    item: DualCurrencyDeposit, model: Any, snapshot: Snapshot, *, issue_price: float | None = None
) -> DepositSheet:
    """Value, margin, probabilities and break-even; `issue_price` in domestic units, default the notional."""
    p, tau = _parts(item, model, snapshot), item.years(snapshot.as_of)
    issue = issue_price_of(item, snapshot) if issue_price is None else float(issue_price)
    foreign = item.deposit == "foreign"
    even = item.strike * p.growth if foreign else item.strike / p.growth
    levels = np.array([item.strike, max(even, 1e-300)])
    below, _ = _smile.below(model, snapshot.forward(tau), tau, np.log(levels / snapshot.forward(tau)))
    ends = 1.0 - below if foreign else below
    worth = item.notional * p.growth * (p.bond - p.option)
    return DepositSheet(
        value=worth,
        error=item.notional * abs(p.growth) * p.error,
        issue_price=issue,
        margin=issue - worth,
        converted=float(ends[0]),
        loss=float(ends[1]) if p.growth >= 1.0 else 1.0,
        option_value=item.notional * p.growth * p.option,
        break_even=even,
        life=tau,
    )

"""Dual-currency deposits (双货币存款): a deposit and a short FX option of the depositor; the coupon is the premium."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._schedule import check_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class DualCurrencyDeposit:
    """Dual-currency deposit (双货币存款): the bank pays back in the currency that is worth less at the strike.

    The snapshot is that of the exchange rate: spot in domestic units for one foreign unit, its curve the domestic one,
    its yield the foreign rate (Garman and Kohlhagen). With N the notional and g = 1 + coupon tau, paid at expiry:

    | deposit in | if S is | paid |
    |---|---|---|
    | foreign | <= strike | N g foreign |
    | foreign | > strike | N g strike domestic: converted |
    | domestic | >= strike | N g domestic |
    | domestic | < strike | N g / strike foreign: converted |
    """

    strike: float  # domestic for one foreign, > 0
    coupon: float  # 1/year, decimal, simple
    deposit: str = "foreign"  # currency of the deposit: "foreign" or "domestic"
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 100.0  # in the currency of the deposit

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_positive("notional", self.notional)
        check_rate("coupon", self.coupon)
        require(self.deposit in ("foreign", "domestic"), "deposit", self.deposit, "be 'foreign' or 'domestic'")
        check_expiry("DualCurrencyDeposit", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired deposit."""
        return years_left(self.expiry, self.tau, as_of)

"""Several underlyings on one day: spots, yields, currencies, and one discount curve for what is paid.

The payment currency is that of `discount`. An underlying of another currency has its price in that currency, and the
snapshot holds the currency's curve and its rate: units of the payment currency for one of it. Vols and correlations
belong to the model; there the rate is a factor named by the pair, "USDCNY" for US dollars paid out in yuan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import numbers
from research.conventions import check_fields, check_number, check_rates, equal_by_value
from research.errors import InputError, require, rule
from research.market.curves import DiscountCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Underlying:
    """One price of the market."""

    name: str
    spot: float  # in its own currency
    dividend_yield: float = 0.0  # 1/year, continuously compounded
    currency: str | None = None  # None: the payment currency

    def __post_init__(self) -> None:
        check_fields(self)
        require(bool(self.name), "name", self.name, "not be empty")
        require(
            bool(np.isfinite(self.spot)) and self.spot > 0.0, f"spot of {self.name}", self.spot, "be finite and > 0"
        )
        check_rates(f"dividend_yield of {self.name}", self.dividend_yield)
        good = bool(np.isfinite(self.dividend_yield))
        require(good, f"dividend_yield of {self.name}", self.dividend_yield, "be finite")


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForeignCurrency:
    """A currency other than that of payment."""

    name: str  # "USD"
    rate: float  # units of the payment currency for one of this
    discount: DiscountCurve

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            bool(np.isfinite(self.rate)) and self.rate > 0.0, f"rate of {self.name}", self.rate, "be finite and > 0"
        )


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BasketSnapshot:
    """What a contract on several underlyings needs of the market.

    Examples
    --------
    >>> market = flat_basket({"A": 100.0, "B": 50.0}, rate=0.03, dividend_yield={"B": 0.01})
    >>> round(market.forward("B", 1.0), 4)
    51.0101
    """

    as_of: date
    discount: DiscountCurve  # of the payment currency
    underlyings: tuple[Underlying, ...]
    currency: str = "CNY"  # of payment
    currencies: tuple[ForeignCurrency, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "underlyings", tuple(self.underlyings))
        object.__setattr__(self, "currencies", tuple(self.currencies))
        require(len(self.underlyings) > 0, "underlyings", 0, "hold at least one")
        for what, names in (("underlyings", self.names), ("currencies", [c.name for c in self.currencies])):
            twice = [name for name in names if list(names).count(name) > 1]
            require(not twice, what, twice[:1], "have names that differ")
        known = {self.currency, *(c.name for c in self.currencies)}
        for item in self.underlyings:
            money = self.currency if item.currency is None else item.currency
            hint = f"Known: {', '.join(sorted(known))}. Add a ForeignCurrency with its rate and curve."
            require(money in known, f"currency of {item.name}", money, "be known to the snapshot", hint=hint)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the underlyings, in order."""
        return tuple(item.name for item in self.underlyings)

    def underlying(self, name: str) -> Underlying:
        """The underlying of that name, or InputError with those there are."""
        for item in self.underlyings:
            if item.name == name:
                return item
        raise InputError(rule("underlying", f"be one of {', '.join(self.names)}", name))

    def foreign(self, name: str) -> ForeignCurrency | None:
        """The foreign currency in which an underlying is quoted; None for the payment currency."""
        money = self.underlying(name).currency
        return next((c for c in self.currencies if c.name == money), None) if money != self.currency else None

    def pair(self, name: str) -> str | None:
        """The model's factor for the exchange rate of an underlying, "USDCNY"; None in the payment currency."""
        money = self.foreign(name)
        return None if money is None else f"{money.name}{self.currency}"

    def forward(self, name: str, tau: ArrayLike) -> Any:
        """Forward price in the underlying's own currency; float in, float out."""
        item, money = self.underlying(name), self.foreign(name)
        t = numbers(tau, "tau")
        curve = self.discount if money is None else money.discount
        out = item.spot * np.exp(-item.dividend_yield * t) / curve.df(t)
        return out if out.shape else float(out)

    def __repr__(self) -> str:
        prices = ", ".join(f"{item.name} {item.spot:g}" for item in self.underlyings)
        return f"BasketSnapshot({self.as_of}, {self.currency}: {prices})"


def flat_basket(
    spots: Mapping[str, float],
    *,
    rate: float = 0.0,
    dividend_yield: float | Mapping[str, float] = 0.0,
    as_of: date = date(2000, 1, 1),
    currency: str = "CNY",
) -> BasketSnapshot:
    """A market of one rate (1/year, continuously compounded), all underlyings in the payment currency."""
    require(
        isinstance(spots, Mapping), "spots", spots, "be a mapping of names to prices", hint='{"A": 100.0, "B": 50.0}'
    )
    curve = DiscountCurve(as_of=as_of, tau=np.array([1.0]), zero_rate=np.array([check_number("rate", rate)]))
    yields = dividend_yield if isinstance(dividend_yield, Mapping) else dict.fromkeys(spots, dividend_yield)
    unknown = sorted(set(yields) - set(spots))
    require(not unknown, "dividend_yield", unknown[:1], f"be of {', '.join(spots)}")
    items = tuple(
        Underlying(name=name, spot=spot, dividend_yield=yields.get(name, 0.0)) for name, spot in spots.items()
    )
    return BasketSnapshot(as_of=as_of, discount=curve, underlyings=items, currency=currency)

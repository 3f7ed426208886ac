"""What a desk adds to the model's value, each a line of its own with what was assumed; nothing is hidden in a vol.

| line | what | sign for a buyer | for a seller |
|---|---|---|---|
| `IssuerCredit` | the payment discounted once more by the issuer's spread, recovery said | - | - |
| `Funding` | carrying the position at a funding spread over its life | - | + |
| `Liquidity` | half the bid-ask of the hedges (vega, delta), scaled to size; or the cost of an exit | - | + |
| `ModelReserve` | spread of the value over calibrated models: a share of the distance to the worst | - | + |
| `Overlay` | a documented judgement (sentiment, ESG, ...): a spread a year on the notional, an amount | given | given |

A buyer bids base less costs, a seller asks base plus costs; issuer credit lowers the value for whoever holds the
claim, so it lowers both. `quote(...)` gives a `Quote`: `to_frame()` has base, lines and total, `to_json()` all that was
assumed. Each line is a number of its own and its source must be said: nothing moves a vol or a curve.

References
----------
Hull, White (2012), "The FVA debate", Risk 25(7), 83-85; Cont (2006), "Model uncertainty and its impact on the pricing
of derivative instruments", Mathematical Finance 16, 519-547 (the spread over calibrated models).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from research.conventions import check_fields, check_number, check_rates, named_terms
from research.errors import InputError, require
from research.market import Snapshot
from research.pricing import _calls
from research.pricing._tables import html, whole
from research.pricing.price import Price, price

SIDES = ("buyer", "seller")
Side = Literal["buyer", "seller"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerCredit:
    """The claim is on an issuer who may default at a constant intensity spread / (1 - recovery)."""

    spread: float  # 1/year, of the issuer over the discount curve, decimal
    recovery: float = 0.4  # of the claim's value at default
    source: str  # where the spread comes from, e.g. "CDS 5y mid, 2026-06-30"

    def __post_init__(self) -> None:
        check_fields(self)
        _finite("spread", self.spread)
        check_rates("spread", self.spread)
        require(self.spread >= 0.0, "spread", self.spread, "be >= 0", hint="Decimal: 50 basis points are 0.005.")
        require(0.0 <= self.recovery < 1.0, "recovery", self.recovery, "lie in [0, 1)")
        _said("source", self.source)

    def amount(self, base: float, life: float, side: Side) -> float:
        """-(1 - recovery) base P(default before `life`); only a claim (base > 0) can be lost."""
        intensity = self.spread / (1.0 - self.recovery)
        return (1.0 - self.recovery) * max(base, 0.0) * math.expm1(-intensity * life)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """The base value is funded at a spread over the discount curve until the end of its life."""

    spread: float  # 1/year, decimal
    source: str

    def __post_init__(self) -> None:
        check_fields(self)
        _finite("spread", self.spread)
        check_rates("spread", self.spread)
        _said("source", self.source)

    def amount(self, base: float, life: float, side: Side) -> float:
        """What funding abs(base) costs; it is the side's own cost."""
        return _cost(abs(base) * -math.expm1(-self.spread * life), side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """Half the bid-ask spread of what hedges the position, times a factor of size."""

    vol_spread: float = 0.0  # bid-ask of the hedging options, 1/sqrt(year)
    spot_spread: float = 0.0  # bid-ask of the underlying, fraction of spot
    size_factor: float = 1.0  # 1 for the size that is quoted; larger positions pay more
    exit_cost: float = 0.0  # price units, of unwinding at once, beside the hedges
    vega: float = 0.0  # price per 1.00 of vol, of the position
    delta: float = 0.0  # of the position
    spot: float = 0.0  # price units
    source: str

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("vol_spread", "spot_spread", "size_factor", "exit_cost", "spot"):
            _finite(name, getattr(self, name))
            require(getattr(self, name) >= 0.0, name, getattr(self, name), "be >= 0")
        _finite("vega", self.vega)
        _finite("delta", self.delta)
        _said("source", self.source)

    def amount(self, base: float, life: float, side: Side) -> float:
        """Half the spreads times the hedges, and the exit."""
        half = 0.5 * (self.vol_spread * abs(self.vega) + self.spot_spread * abs(self.delta) * self.spot)
        return _cost(self.size_factor * half + self.exit_cost, side)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReserve:
    """Values under several models calibrated to the same market; a share of the distance to the worst for the side."""

    values: tuple[tuple[str, float], ...]  # (name of the model, value)
    share: float = 1.0  # of the distance that is held back, in [0, 1]
    source: str

    def __post_init__(self) -> None:
        check_fields(self)
        must, hint = "be pairs of a model's name and its value", "model_reserve makes them."
        require(isinstance(self.values, (tuple, list)), "values", self.values, must, hint=hint)
        for one in self.values:
            pair = isinstance(one, (tuple, list)) and len(one) == 2 and isinstance(one[0], str)
            require(pair, "values", self.values, must, hint=hint)
        object.__setattr__(self, "values", tuple((name, check_number(name, value)) for name, value in self.values))
        require(len(self.values) >= 1, "values", self.values, "hold at least one model")
        for name, value in self.values:
            _finite(f"value under {name}", value)
        require(0.0 <= self.share <= 1.0, "share", self.share, "lie in [0, 1]")
        _said("source", self.source)

    def amount(self, base: float, life: float, side: Side) -> float:
        """A buyer fears the lowest value, a seller the highest."""
        found = [value for _, value in self.values]
        gap = max(base - min(found), 0.0) if side == "buyer" else max(max(found) - base, 0.0)
        return _cost(self.share * gap, side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A judgement, entered as what it is: its name, its reason, who decided, until when, and a spread or an amount."""

    name: str  # "sentiment", "ESG", ...
    reason: str
    owner: str
    valid_until: date
    spread: float = 0.0  # 1/year on the notional; > 0 raises the price
    notional: float = 0.0  # price units
    fixed: float = 0.0  # price units; > 0 raises the price

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("name", "reason", "owner"):
            _said(name, getattr(self, name))
        for name in ("spread", "notional", "fixed"):
            _finite(name, getattr(self, name))
        check_rates("spread", self.spread)
        require(self.spread == 0.0 or self.notional > 0.0, "notional", self.notional, "be > 0 where there is a spread")

    def amount(self, base: float, life: float, side: Side) -> float:
        """spread notional life + fixed, the same for both sides."""
        return self.spread * self.notional * life + self.fixed


Adjustment = IssuerCredit | Funding | Liquidity | ModelReserve | Overlay
KINDS = {kind.__name__: kind for kind in (IssuerCredit, Funding, Liquidity, ModelReserve, Overlay)}
named_terms(KINDS.values())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Quote:
    """A price with its lines."""

    base: float  # price units: the model's value
    std_error: float  # of the base
    method: str
    model: str
    side: Side
    life: float  # years over which spreads run
    currency: str  # "" where none was given
    as_of: date
    lines: tuple[tuple[Adjustment, float], ...]

    @property
    def total(self) -> float:
        """Base and all lines, price units."""
        return self.base + math.fsum(amount for _, amount in self.lines)

    def to_frame(self) -> pd.DataFrame:
        """One row a line: line, amount, assumed; base first, total last."""
        spread = f", standard error {self.std_error:.2g}" if self.std_error else ""
        rows = [("base", self.base, f"{self.model} by {self.method}{spread}")]
        for given, amount in self.lines:
            title = f"overlay: {given.name}" if isinstance(given, Overlay) else type(given).__name__
            rows.append((title, amount, ", ".join(f"{k}={_shown(v)}" for k, v in asdict(given).items())))
        rows.append(("total", self.total, f"{self.side}'s price, life {self.life:g} years"))
        table: pd.DataFrame = whole(rows, ["line", "amount", "assumed"])
        return table

    def __repr__(self) -> str:
        lines = "".join(f" {amount:+.6g}" for _, amount in self.lines)
        spread = f" +- {self.std_error:.2g}" if self.std_error else ""
        base = f"{self.base:.6g}{spread} by {self.model}, {self.method}"
        return f"Quote({self.side}'s price {self.total:.6g} = {base}{lines})"

    def _repr_html_(self) -> str:
        return html(self.to_frame())

    def to_json(self) -> dict[str, Any]:
        """Everything; JSON-able."""
        out = {k: getattr(self, k) for k in ("base", "std_error", "method", "model", "side", "life", "currency")}
        lines = [{"type": type(a).__name__, "amount": x} | json.loads(json.dumps(asdict(a), default=str))
                 for a, x in self.lines]  # fmt: skip
        return out | {"as_of": self.as_of.isoformat(), "lines": lines, "total": self.total}


def quote(
    instrument: Any,
    model: Any,
    snapshot: Snapshot,
    adjustments: Sequence[Adjustment] = (),
    *,
    side: Side = "seller",
    life: float | None = None,
    currency: str | None = None,
    **options: Any,
) -> Quote:
    """Price a contract and add the lines, each computed from the base alone, so that their order does not matter.

    Parameters
    ----------
    adjustments : sequence of IssuerCredit, Funding, Liquidity, ModelReserve, Overlay
    side : "buyer" (costs lower the bid) or "seller" (costs raise the ask)
    life : float, years, default to the contract's end
        An autocallable's expected life may serve better; `term_sheet` has it.
    options
        As for `price`.
    """
    items, one_only = _calls.items_of(instrument)
    require(one_only, "instrument", f"{len(items)} contracts", "be one contract", hint="quote each, then `total`.")
    _calls.check_model(model)
    _calls.check_snapshot(snapshot)
    many = isinstance(adjustments, Sequence) and not isinstance(adjustments, str)
    require(many, "adjustments", adjustments, "be a list", hint=f"Of {', '.join(KINDS)}.")
    require(side in SIDES, "side", side, "be 'buyer' or 'seller'")
    for one in adjustments:
        require(type(one) in KINDS.values(), "adjustment", type(one).__name__, f"be one of {', '.join(KINDS)}")
        if isinstance(one, Overlay):
            require(one.valid_until >= snapshot.as_of, "valid_until", str(one.valid_until),
                    f"not lie before as_of, {snapshot.as_of}",
                    hint="The overlay has lapsed: renew it or leave it out.")  # fmt: skip
    found: Price = price(instrument, model, snapshot, **options)
    base, years = float(found.value), _life(instrument, snapshot) if life is None else check_number("life", life)
    _finite("base", base)
    require(math.isfinite(years) and years >= 0.0, "life", years, "be finite and >= 0 years")
    lines = tuple((one, one.amount(base, years, side)) for one in adjustments)
    money = snapshot.currency if currency is None else currency
    return Quote(base=base, std_error=float(found.std_error), method=str(found.method), model=found.model, side=side,
                 life=years, currency=money, as_of=snapshot.as_of, lines=lines)  # fmt: skip


def model_reserve(
    instrument: Any, models: Sequence[Any], snapshot: Snapshot, *, share: float = 1.0, source: str, **options: Any
) -> ModelReserve:
    """The values of a contract under several calibrated models, as a reserve."""
    require(len(models) >= 2, "models", len(models), "be at least two")
    values = []
    for n, model in enumerate(models):
        value = float(price(instrument, model, snapshot, **options))
        values.append((f"{type(model).__name__} {n + 1}", value))
    return ModelReserve(values=tuple(values), share=share, source=source)


def total(quotes: Sequence[Quote]) -> pd.DataFrame:
    """Lines of several quotes added up; refuses mixed currencies and mixed sides."""
    require(len(quotes) > 0, "quotes", quotes, "hold at least one quote")
    for name in ("currency", "side"):
        found = sorted({getattr(q, name) for q in quotes})
        if len(found) > 1:
            shown = ", ".join(repr(x) for x in found)
            raise InputError(f"{name} must be one for all quotes; got {shown}. Convert or add them apart.")
    tables = pd.concat([q.to_frame() for q in quotes])
    sums = tables.groupby("line", sort=False)["amount"].sum()
    order = [*(n for n in sums.index if n not in ("total",)), "total"]
    return sums.loc[order].reset_index()


def _life(instrument: Any, snapshot: Snapshot) -> float:
    years = getattr(instrument, "years", None)
    require(years is not None, "life", "none", "be given", hint="The contract does not say when it ends.")
    return float(np.max(instrument.years(snapshot.as_of)))


def _shown(value: Any) -> str:
    """A number to six digits, the values of a reserve by name; `to_json` has every digit."""
    if isinstance(value, (tuple, list)):
        return " / ".join(f"{name} {number:.6g}" for name, number in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cost(size: float, side: Side) -> float:
    return -size if side == "buyer" else size


def _finite(name: str, value: float) -> None:
    require(math.isfinite(value), name, value, "be finite")


def _said(name: str, text: str) -> None:
    require(bool(text.strip()), name, text, "say something", hint="An adjustment without a source is hidden.")

"""One market day, checked: what a calibration or a pricing needs and nothing else.

`build_snapshot` refuses what is not a market: missing or negative numbers, an expiry in the past, the same option
quoted twice, two spots on one day. Each refusal names the column, the rule, the first bad row and how many there are.
Times are ACT/365F; forwards are spot exp(-dividend_yield tau) / df(tau).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, FloatND, numbers
from research.conventions import check_fields, check_number, check_rates, equal_by_value
from research.errors import DataError, InputError, require
from research.market.curves import DiscountCurve
from research.market.dividends import CashDividends
from research.market.surface import Smile, Surface

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ("spot", "zero_rate", "strike", "implied_vol")
_OPTIONAL = ("days", "dividend_yield", "weight")
_DATES = ("as_of", "expiry")


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """Spot, discount curve and volatility surface of one underlying on one day."""

    as_of: date
    spot: float  # price units
    discount: DiscountCurve
    surface: Surface | None = None  # the quotes, where there are any
    dividend_yield: float = 0.0  # 1/year, continuously compounded
    dividend_yields: DiscountCurve | None = None  # a term structure of yields instead; their zero rates
    borrow: float = 0.0  # 1/year, continuously compounded: what a lender of the stock earns, beside dividends
    cash_dividends: CashDividends | None = None  # known amounts, beside the yield
    currency: str = ""  # of spot and prices, e.g. "EUR"; "" where it does not matter
    any_sign: bool = False  # may the spot be 0 or negative (a rate, a spread, oil in April 2020)?

    def __post_init__(self) -> None:
        check_fields(self)
        hint = "A rate, a spread, a price that may be negative: any_sign=True, and a model such as Bachelier."
        positive = self.any_sign or self.spot > 0.0
        require(np.isfinite(self.spot) and positive, "spot", self.spot, "be finite and > 0", hint=hint)
        require(np.isfinite(self.dividend_yield), "dividend_yield", self.dividend_yield, "be finite")
        require(
            np.isfinite(self.borrow), "borrow", self.borrow, "be finite", hint="Decimal: 50 basis points are 0.005."
        )
        check_rates("dividend_yield", self.dividend_yield)
        check_rates("borrow", self.borrow)
        both = self.dividend_yields is not None and self.dividend_yield != 0.0
        require(not both, "dividend_yield", self.dividend_yield, "be 0 where there is a term structure of yields")
        if self.cash_dividends is not None:
            last = float(self.cash_dividends.tau[-1])
            hint = "The cash dividends are worth more than the stock."
            require(self.forward(last) > 0.0, "forward", self.forward(last), "be > 0", hint=hint)

    def yield_at(self, tau: ArrayLike) -> Any:
        """Mean yield and borrow cost up to `tau`, 1/year, without cash dividends; float in, float out."""
        t = numbers(tau, "tau")
        out = np.asarray(self._yield(t))
        return (out if out.shape else np.full(t.shape, out)) if t.shape else float(out)

    def _yield(self, t: FloatND) -> Any:
        """One number where it is flat."""
        curve = self.dividend_yields
        return self.borrow + (self.dividend_yield if curve is None else curve.zero_rate_at(t))

    def growth(self, tau: ArrayLike) -> Any:
        """What one unit of stock bought today is worth at `tau` in units of its forward: exp(-yield tau) / df."""
        t = numbers(tau, "tau")
        out = np.asarray(np.exp(-self._yield(t) * t) / self.discount.df(t))
        return out if out.shape else float(out)

    def forward(self, tau: ArrayLike) -> Any:
        """Forward price for delivery at `tau`; float in, float out. Cash paid up to then is off."""
        t = numbers(tau, "tau")
        out = self.spot * np.exp(-self._yield(t) * t) / self.discount.df(t)
        if self.cash_dividends is not None:
            paid, cash = self.cash_dividends.tau, self.cash_dividends.cash
            off = np.where(paid <= t[..., None], cash / self.growth(paid), 0.0).sum(axis=-1)
            out = np.asarray(out - off * self.growth(t))
        return out if out.shape else float(out)

    def to_frame(self) -> Any:
        """Every quote, one row each, with its forward and discount factor."""
        return self.quotes.to_frame()

    @property
    def quotes(self) -> Surface:
        """The surface; refuses a snapshot without quotes."""
        require(self.surface is not None, "snapshot", "none", "have a volatility surface for this")
        assert self.surface is not None
        return self.surface

    def __repr__(self) -> str:
        if self.surface is None:
            return f"Snapshot({self.as_of}, spot {self.spot:g}, no quotes)"
        days = ", ".join(f"{365.0 * smile.tau:.0f}" for smile in self.surface)
        return (
            f"Snapshot({self.as_of}, spot {self.spot:g}, {self.surface.n_quotes} quotes, "
            f"{len(self.surface)} expiries: {days} days)"
        )


def flat_snapshot(
    *, spot: float, rate: float = 0.0, dividend_yield: float = 0.0, as_of: date = date(2000, 1, 1),
    any_sign: bool = False,
) -> Snapshot:  # fmt: skip
    """A market of one spot, one rate and one yield (both 1/year, continuously compounded), without quotes."""
    curve = DiscountCurve(as_of=as_of, tau=np.array([1.0]), zero_rate=np.array([check_number("rate", rate)]))
    return Snapshot(as_of=as_of, spot=spot, discount=curve, dividend_yield=dividend_yield, any_sign=any_sign)


def build_snapshot(frame: pd.DataFrame, *, as_of: date | str | None = None) -> Snapshot:
    """Snapshot of one day out of a table of implied-vol quotes.

    Parameters
    ----------
    frame : DataFrame, one row a quote
        Columns as_of, expiry (dates), spot and strike (price units), zero_rate (1/year, continuously compounded),
        implied_vol (decimal); optional: days (to expiry, checked against the dates), dividend_yield (1/year), weight.
    as_of : date, default the only one in `frame`

    Raises
    ------
    DataError
        When the quotes break a rule; the message names column, rule and row.
    InputError
        When `as_of` is not in the table.
    """
    quotes, day = _select(_convert(frame), as_of)
    _check_numbers(quotes)
    tau = _check_expiries(quotes, day)
    spot = _single(quotes, "spot")
    dividend_yield = _single(quotes, "dividend_yield") if "dividend_yield" in quotes else 0.0
    quotes = quotes.assign(tau=tau).sort_values(["tau", "strike"], kind="stable")
    nodes = quotes.drop_duplicates("tau")
    discount = DiscountCurve(as_of=day, tau=_column(nodes, "tau"), zero_rate=_column(nodes, "zero_rate"))
    smiles = [_smile(quotes[quotes["tau"] == t], spot, dividend_yield) for t in discount.tau]
    surface = Surface(as_of=day, spot=spot, smiles=tuple(smiles))
    return Snapshot(as_of=day, spot=spot, discount=discount, surface=surface, dividend_yield=dividend_yield)


def _smile(quotes: pd.DataFrame, spot: float, dividend_yield: float) -> Smile:
    """The smile of one expiry; rows sorted by strike."""
    tau, rate = _column(quotes, "tau")[0], _column(quotes, "zero_rate")[0]
    return Smile(
        tau=tau,
        forward=spot * np.exp((rate - dividend_yield) * tau),
        df=np.exp(-rate * tau),
        strike=_column(quotes, "strike"),
        vol=_column(quotes, "implied_vol"),
        weight=_column(quotes, "weight") if "weight" in quotes else None,
        expiry=quotes["expiry"].iloc[0].date(),
    )


def _column(frame: pd.DataFrame, name: str) -> Float1D:
    out: Float1D = frame[name].to_numpy(dtype=np.float64)
    return out


def _refuse(good: Any, quotes: pd.DataFrame, name: str, must: str, hint: str = "") -> None:
    """DataError naming the first row that breaks the rule, unless all of `good`."""
    bad = ~np.asarray(good, dtype=bool)
    if not bad.any():
        return
    first = int(np.argmax(bad))
    value = quotes[name].iloc[first]
    shown = f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
    text = f"quotes.{name} must {must}; got {shown} in row {quotes.index[first]} ({bad.sum()} of {bad.size} rows)."
    raise DataError(text + (f" {hint}" if hint else ""))


def _convert(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns we need, as numbers and dates."""
    import pandas as pd

    require(isinstance(frame, pd.DataFrame), "quotes", type(frame).__name__, "be a DataFrame")
    missing = [name for name in (*_DATES, *_NUMBERS) if name not in frame.columns]
    if missing:
        raise DataError(
            f"quotes must have columns {', '.join((*_DATES, *_NUMBERS))}; got none named {', '.join(missing)}."
        )
    if frame.empty:
        raise DataError("quotes must hold at least one row; got an empty table.")
    wanted = [*_DATES, *_NUMBERS, *(name for name in _OPTIONAL if name in frame.columns)]
    quotes = frame[wanted].copy()
    for name in wanted:
        given = quotes[name]
        parse = pd.to_datetime if name in _DATES else pd.to_numeric
        quotes[name] = parse(given, errors="coerce")
        lost = quotes[name].isna().to_numpy()
        _refuse(~lost, frame, name, "be a date" if name in _DATES else "be a number")
    return quotes


def _select(quotes: pd.DataFrame, as_of: date | str | None) -> tuple[pd.DataFrame, date]:
    """The rows of one day."""
    import pandas as pd

    days = sorted(quotes["as_of"].dt.date.unique())
    if as_of is None:
        found = f"{len(days)} days, {days[0]} to {days[-1]}"
        require(len(days) == 1, "as_of", found, "be given when the quotes hold several days")
        return quotes, days[0]
    try:
        day = as_of.date() if isinstance(as_of, datetime) else pd.Timestamp(as_of).date()
    except (TypeError, ValueError):
        raise InputError(f"as_of must be a date; got {as_of!r}.") from None
    hint = f"The quotes hold {', '.join(map(str, days[:5]))}{' ...' if len(days) > 5 else ''}."
    require(day in days, "as_of", str(day), "be a day of the quotes", hint=hint)
    return quotes[quotes["as_of"].dt.date == day], day


def _check_numbers(quotes: pd.DataFrame) -> None:
    for name in quotes.columns.difference(list(_DATES)):
        _refuse(np.isfinite(_column(quotes, name)), quotes, name, "be finite")
    for name in ("spot", "strike", "implied_vol"):
        _refuse(quotes[name] > 0.0, quotes, name, "be > 0")
    _refuse(quotes["implied_vol"] < 10.0, quotes, "implied_vol", "be < 10", "A decimal is wanted: 20% is 0.20, not 20.")
    _refuse(quotes["zero_rate"].abs() < 1.0, quotes, "zero_rate", "lie in (-1, 1)", "A decimal is wanted: 3% is 0.03.")
    if "weight" in quotes:
        _refuse(quotes["weight"] >= 0.0, quotes, "weight", "be >= 0")


def _check_expiries(quotes: pd.DataFrame, day: date) -> Float1D:
    """Years to expiry of each row, once the rules about expiries hold."""
    import pandas as pd

    days = (quotes["expiry"].dt.normalize() - pd.Timestamp(day)).dt.days
    _refuse(days > 0, quotes, "expiry", f"lie after as_of, {day}", "The option has expired.")
    if "days" in quotes:
        _refuse(quotes["days"] > 0, quotes, "days", "be > 0", "The option has expired.")
        _refuse(quotes["days"] == days, quotes, "days", "be expiry - as_of in calendar days")
    twice = quotes.duplicated(["expiry", "strike"], keep="first")
    _refuse(~twice, quotes, "strike", "appear once an expiry", "The same option is quoted twice.")
    same = quotes.groupby("expiry")["zero_rate"].transform("first") == quotes["zero_rate"]
    _refuse(same, quotes, "zero_rate", "be one number an expiry")
    out: Float1D = days.to_numpy(dtype=np.float64) / 365.0
    return out


def _single(quotes: pd.DataFrame, name: str) -> float:
    value = float(_column(quotes, name)[0])
    _refuse(quotes[name] == value, quotes, name, f"be one number a day, like {value:g} in the first row")
    return value

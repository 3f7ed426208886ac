"""The scorer `heston_surface`: prices European options on one underlying from calibrated Heston parameters.

A notebook declares it with

    record(model={"scorer": "heston_surface", "parameters": {
        "heston": fit.model.to_json(),                    # v0, kappa, theta, sigma, rho
        "as_of": str(snapshot.as_of),                     # ISO date
        "spot": snapshot.spot,                            # price units
        "dividend_yield": snapshot.dividend_yield,        # 1/year, continuously compounded
        "curve": {"tau": [...], "zero_rate": [...]},      # years (ACT/365F); 1/year, continuously compounded
    }})

A request is a data frame with `strike` (price units), `tau` (years) or `expiry` (dates), and `is_call` (default True).
The answer has one row for each of its rows: `price` (present value, price units), `implied_vol` (1/sqrt(year), decimal)
and `forward` (price units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.errors import InputError, require, require_all, rule
from research.market import DiscountCurve
from research.models import black
from research.models.heston import Heston
from research.pricing import fourier

_KNOWN = ("strike", "tau", "expiry", "is_call")


@dataclass(frozen=True, slots=True, kw_only=True)
class HestonSurface:
    """One day's Heston model with its market: enough to price any European option on the underlying."""

    model: Heston
    as_of: date
    spot: float  # price units
    discount: DiscountCurve
    dividend_yield: float = 0.0  # 1/year, continuously compounded

    @classmethod
    def from_payload(cls, parameters: Mapping[str, Any], tables: Mapping[str, Any]) -> HestonSurface:
        """The scorer from what the notebook declared; see the module's docstring."""
        for name in ("heston", "as_of", "spot", "curve"):
            require(name in parameters, "model parameters", sorted(parameters), f"hold {name!r}")
        as_of, curve = date.fromisoformat(parameters["as_of"]), parameters["curve"]
        return cls(
            model=Heston.from_json(parameters["heston"]),
            as_of=as_of,
            spot=float(parameters["spot"]),
            discount=DiscountCurve(as_of=as_of, tau=curve["tau"], zero_rate=curve["zero_rate"]),
            dividend_yield=float(parameters.get("dividend_yield", 0.0)),
        )

    def __post_init__(self) -> None:
        require(np.isfinite(self.spot) and self.spot > 0.0, "spot", self.spot, "be finite and > 0")

    def forward(self, tau: Float1D) -> Float1D:
        """Forward price for delivery at `tau` (years)."""
        out: Float1D = self.spot * np.exp(-self.dividend_yield * tau) / self.discount.df(tau)
        return out

    def price(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Price, implied volatility and forward of each option in `frame`."""
        strike, tau, is_call = self._read(frame)
        forward, df = self.forward(tau), self.discount.df(tau)
        value = fourier.price(self.model, forward, strike, tau, df=df, is_call=is_call)
        vol = np.full_like(value, np.nan)
        alive = tau > 0.0
        if alive.any():
            vol[alive] = black.implied_vol(
                value[alive],
                forward[alive],
                strike[alive],
                tau[alive],
                df=df[alive],
                is_call=is_call[alive],
                on_error="nan",
            )
        return pd.DataFrame({"price": value, "implied_vol": vol, "forward": forward}, index=frame.index)

    def scope_columns(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What the card's scope bounds: tau (years) and moneyness (strike / spot)."""
        strike, tau, _ = self._read(frame)
        return pd.DataFrame({"tau": tau, "moneyness": strike / self.spot}, index=frame.index)

    def example(self) -> pd.DataFrame:
        """Three options near the money, three months and a year out."""
        strike = np.round(self.spot * np.array([0.95, 1.0, 1.05]), 2)
        return pd.DataFrame({"strike": strike, "tau": [0.25, 0.25, 1.0], "is_call": [False, True, True]})

    def __repr__(self) -> str:
        five = ", ".join(f"{name} {value:.4g}" for name, value in self.model.to_json().items())
        return f"HestonSurface({self.as_of}, spot {self.spot:g}, {five})"

    def _read(self, frame: pd.DataFrame) -> tuple[Float1D, Float1D, Any]:
        """Strike, tau and is_call of a request, checked."""
        if not isinstance(frame, pd.DataFrame):
            raise InputError(rule("request", "be a data frame", type(frame).__name__, f"Columns: {', '.join(_KNOWN)}."))
        require(len(frame) > 0, "request", len(frame), "hold at least one row")
        require("strike" in frame, "request", list(frame), "have a column 'strike'")
        given = [name for name in ("tau", "expiry") if name in frame and frame[name].notna().any()]
        require(len(given) == 1, "request", given, "have one of the columns 'tau' and 'expiry'")
        strike = _numbers(frame, "strike")
        require_all(np.isfinite(strike) & (strike > 0.0), "strike", strike, "be finite and > 0")
        tau = _numbers(frame, "tau") if given == ["tau"] else self._years(frame["expiry"])
        require_all(
            np.isfinite(tau) & (tau >= 0.0),
            "tau",
            tau,
            "be finite and >= 0 years",
            hint="Expired options have no price.",
        )
        return strike, tau, _flags(frame)

    def _years(self, expiry: Any) -> Float1D:
        days = (pd.to_datetime(expiry) - pd.Timestamp(self.as_of)).dt.days.to_numpy(dtype=np.float64)
        out: Float1D = days / 365.0
        return out


def _numbers(frame: pd.DataFrame, name: str) -> Float1D:
    try:
        out: Float1D = frame[name].to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(rule(name, "be numbers", frame[name].iloc[0])) from None
    return out


def _flags(frame: pd.DataFrame) -> Any:
    if "is_call" not in frame:
        return np.ones(len(frame), dtype=bool)
    flags = frame["is_call"]
    good = flags.map(lambda value: isinstance(value, (bool, np.bool_)))
    require_all(good, "is_call", flags.to_numpy(dtype=object), "be True or False")
    return flags.to_numpy(dtype=bool)

"""Contracts priced by QuantLib: an independent library, its dates in whole days of a 360-day year."""

from __future__ import annotations

from typing import Any

import QuantLib as ql

TODAY = ql.Date(2, 1, 2024)
COUNT = ql.Actual360()


def after(years: float) -> ql.Date:
    """The day, for a multiple of 1/360 years."""
    days = round(years * 360)
    assert abs(days - years * 360) < 1e-9
    return TODAY + days


def process(spot: float, rate: float, dividend_yield: float, vol: float) -> Any:
    ql.Settings.instance().evaluationDate = TODAY
    curve = [ql.YieldTermStructureHandle(ql.FlatForward(TODAY, x, COUNT)) for x in (dividend_yield, rate)]
    surface = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, COUNT))
    return ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), *curve, surface)


def payoff(strike: float, is_call: bool) -> Any:
    return ql.PlainVanillaPayoff(ql.Option.Call if is_call else ql.Option.Put, strike)


def value(option: Any, engine: Any) -> float:
    option.setPricingEngine(engine)
    return float(option.NPV())


def european(years: float) -> Any:
    return ql.EuropeanExercise(after(years))

"""Compound, partial-barrier and lookback options of different terms in one call beside QuantLib's analytic engines.

Each side is given numbers and makes its contracts and prices from Python. Accuracy: of ours the largest error that the
engine states, of QuantLib's the largest distance to ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from timing import row, timed

N, SPOT, RATE, YIELD, VOL = 1000, 100.0, 0.03, 0.01, 0.25
rng = np.random.default_rng(3)
STRIKE, PREMIUM = rng.uniform(80.0, 120.0, N), rng.uniform(3.0, 12.0, N)
FIRST = rng.integers(30, 200, N)
LAST = FIRST + rng.integers(60, 400, N)
CALL = rng.random(N) < 0.5
COMPOUND, PARTIAL, FIXED, FLOATING = (
    f"{N} {name}" for name in ("compound options", "partial barriers", "lookbacks, fixed strike", "lookbacks, floating")
)


def ours() -> dict[str, Callable[[], Any]]:
    """What makes and prices N contracts of each kind."""
    from research.instruments import Compound, European, Lookback, PartialBarrier
    from research.market import flat_snapshot
    from research.models import BlackScholes
    from research.pricing import price

    model, market = BlackScholes(sigma=VOL), flat_snapshot(spot=SPOT, rate=RATE, dividend_yield=YIELD)
    terms = list(zip(STRIKE.tolist(), PREMIUM.tolist(), (FIRST / 365).tolist(), (LAST / 365).tolist(), CALL.tolist()))

    def compound(k: float, p: float, t: float, u: float, call: bool) -> Any:
        return Compound(strike=p, tau=t, option=European(strike=k, tau=u, is_call=call), is_call=call)

    def partial(k: float, _: float, t: float, u: float, call: bool) -> Any:
        return PartialBarrier(
            strike=k, barrier=85.0, direction="down", knock="out", watched="start", switch=t, tau=u, is_call=True
        )

    def lookback(k: float | None, u: float, call: bool) -> Any:
        return Lookback(strike=k, tau=u, is_call=call)

    return {
        COMPOUND: lambda: price([compound(*one) for one in terms], model, market),
        PARTIAL: lambda: price([partial(*one) for one in terms], model, market),
        FIXED: lambda: price([lookback(k, u, call) for k, _, _, u, call in terms], model, market),
        FLOATING: lambda: price([lookback(None, u, call) for _, _, _, u, call in terms], model, market),
    }


def quantlib() -> dict[str, Callable[[], Any]]:
    """As `ours`."""
    import QuantLib as ql

    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (YIELD, RATE)]
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), VOL, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(SPOT)), *curves, vol)
    terms = list(zip(STRIKE.tolist(), PREMIUM.tolist(), FIRST.tolist(), LAST.tolist(), CALL.tolist()))
    side = {True: ql.Option.Call, False: ql.Option.Put}

    def paid(k: float, call: bool) -> Any:
        return ql.PlainVanillaPayoff(side[call], k)

    def at(days: int) -> Any:
        return ql.EuropeanExercise(today + days)

    def priced(make: Callable[..., Any], engine: Any) -> Any:
        found = np.empty(N)
        for i, one in enumerate(terms):
            option = make(*one)
            option.setPricingEngine(engine)
            found[i] = option.NPV()
        return found

    def compound(k: float, p: float, t: int, u: int, call: bool) -> Any:
        return ql.CompoundOption(paid(p, call), at(t), paid(k, call), at(u))

    def partial(k: float, p: float, t: int, u: int, call: bool) -> Any:
        down, start = ql.Barrier.DownOut, ql.PartialBarrier.Start
        return ql.PartialTimeBarrierOption(down, start, 85.0, 0.0, today + t, paid(k, True), at(u))

    def fixed(k: float, p: float, t: int, u: int, call: bool) -> Any:
        return ql.ContinuousFixedLookbackOption(SPOT, paid(k, call), at(u))

    def floating(k: float, p: float, t: int, u: int, call: bool) -> Any:
        return ql.ContinuousFloatingLookbackOption(SPOT, ql.FloatingTypePayoff(side[call]), at(u))

    return {
        COMPOUND: lambda: priced(compound, ql.AnalyticCompoundOptionEngine(process)),
        PARTIAL: lambda: priced(partial, ql.AnalyticPartialTimeBarrierOptionEngine(process)),
        FIXED: lambda: priced(fixed, ql.AnalyticContinuousFixedLookbackEngine(process)),
        FLOATING: lambda: priced(floating, ql.AnalyticContinuousFloatingLookbackEngine(process)),
    }


def run() -> list[dict[str, Any]]:
    """All rows."""
    rows, exact = [], {}
    for what, call in ours().items():
        seconds, found = timed(call, 7)
        exact[what] = found.value
        rows.append(row("research", seconds, f"error at most {found.error.max():.0e}", what, False))
    try:
        peers = quantlib()
    except ImportError:
        return rows
    for what, call in peers.items():
        seconds, found = timed(call, 3)
        said = f"{np.abs(found - exact[what]).max():.1e} from ours"
        rows.append(row("QuantLib, analytic engine", seconds, said, what, True))
    return rows


if __name__ == "__main__":
    for one in run():
        print(f"{one['what']:<32}{one['name']:<28}{1e3 * one['seconds']:10.2f} ms   {one['accuracy']}")

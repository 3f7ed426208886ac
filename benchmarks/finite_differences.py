"""Finite differences and cosine series beside QuantLib: a down-and-out call under local vol, American puts under
Heston, a Bermudan put, an American put under Merton.

The local vol is one grid, given to both sides: 0.25 (S / 100)^-0.5, for which the reference is our engine on a grid of
3200 x 1600. The American puts have strikes 90, 100 and 110; the reference is our engine at 320 x 120 x 1600, on which
two ways of early exercise agree to 1e-5. Under Merton it is a jump grid that shares no code with ours. Times are for
one contract of each; ours share one march where the equation allows it, which is part of the work saved. A series is
found anew in every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from timing import timed

BARRIER, AMERICAN = "down-and-out call under local vol", "3 American puts under Heston"
BERMUDAN = "Bermudan put with 12 dates, Greeks"
JUMPS = "American put under Merton"
MERTON = {"sigma": 0.2, "intensity": 0.5, "jump_mean": -0.1, "jump_std": 0.15}
ON_A_JUMP_GRID = 7.890726  # tests/pricing/cosine_twins.py at 4000 x 2000, extrapolated: good to 1e-5
STRIKES = (90.0, 100.0, 110.0)
HESTON = {"v0": 0.04, "kappa": 1.5, "theta": 0.04, "sigma": 0.3, "rho": -0.9}
RATE, DIVIDEND_YIELD = 0.05, 0.01


def row(name: str, what: str, seconds: float, found: Any, reference: Any, *, peer: bool) -> dict[str, Any]:
    error = float(np.abs(np.asarray(found) - reference).max())
    return {"name": name, "seconds": seconds, "accuracy": f"price error {error:.1e}", "what": what, "peer": peer}


def barrier() -> list[dict[str, Any]]:
    """Ours at three grids, and the peer's at two."""
    from research.instruments import Barrier
    from research.market import flat_snapshot
    from research.models import LocalVol
    from research.pricing import price

    y = np.linspace(-2.5, 1.5, 801)
    model = LocalVol(tau=[0.0], log_moneyness=y, vol=[0.25 * np.exp(-0.5 * y)])
    market = flat_snapshot(spot=100.0)
    contract = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
    reference = price(contract, model, market, n_space=3200, n_time=1600).value
    rows = []
    for n in (50, 100, 200):
        seconds, found = timed(lambda n=n: price(contract, model, market, n_space=n, n_time=n // 2).value, 20)  # type: ignore[misc]
        rows.append(row(f"research {n} x {n // 2}", BARRIER, seconds, found, reference, peer=False))
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    today, count = _today(ql), ql.Actual365Fixed()
    strikes, days = 100.0 * np.exp(y[::4]), [1, 91, 182, 273, 365]
    matrix = ql.Matrix(strikes.size, len(days))
    for i, vol in enumerate(model.vol[0, ::4]):
        for j in range(len(days)):
            matrix[i][j] = float(vol)
    surface = ql.FixedLocalVolSurface(today, [today + d for d in days], strikes.tolist(), matrix, count)
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
    black = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, count))
    process = ql.GeneralizedBlackScholesProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)), flat, flat, black, ql.LocalVolTermStructureHandle(surface)
    )
    option = ql.BarrierOption(
        ql.Barrier.DownOut, 85.0, 0.0, ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365)
    )
    for steps, n in ((100, 400), (200, 1600)):
        scheme = ql.FdmSchemeDesc.CrankNicolson()
        option.setPricingEngine(ql.FdBlackScholesBarrierEngine(process, steps, n, 2, scheme, True, 0.01))
        seconds, found = timed(_npv([option]), 2)
        rows.append(row(f"QuantLib {n} x {steps}", BARRIER, seconds, found[0], reference, peer=True))
    return rows


def american() -> list[dict[str, Any]]:
    """Ours at three grids, and the peer's at two."""
    from research.instruments import American
    from research.market import flat_snapshot
    from research.models import Heston
    from research.pricing import price

    model, market = Heston(**HESTON), flat_snapshot(spot=100.0, rate=RATE, dividend_yield=DIVIDEND_YIELD)
    contracts = [American(strike=k, tau=1.0) for k in STRIKES]
    reference = price(contracts, model, market, n_space=320, n_variance=120, n_time=1600).value
    rows = []
    for n, v, m in ((60, 24, 60), (100, 40, 60), (100, 40, 120)):
        seconds, found = timed(
            lambda n=n, v=v, m=m: price(contracts, model, market, n_space=n, n_variance=v, n_time=m).value,  # type: ignore[misc]
            10,
        )
        rows.append(row(f"research {n} x {v} x {m}", AMERICAN, seconds, found, reference, peer=False))
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    today, count = _today(ql), ql.Actual365Fixed()
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (RATE, DIVIDEND_YIELD)]
    process = ql.HestonProcess(*curves, ql.QuoteHandle(ql.SimpleQuote(100.0)), *HESTON.values())
    for steps, n, v in ((100, 100, 50), (200, 200, 60)):
        engine = ql.FdHestonVanillaEngine(ql.HestonModel(process), steps, n, v)
        options = []
        for k in STRIKES:
            exercise = ql.AmericanExercise(today, today + 365)
            options.append(ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, k), exercise))
            options[-1].setPricingEngine(engine)
        seconds, found = timed(_npv(options), 1)
        rows.append(row(f"QuantLib {n} x {v} x {steps}", AMERICAN, seconds, found, reference, peer=True))
    return rows


def bermudan() -> list[dict[str, Any]]:
    """Value, delta and gamma from one solve, ours and the peer's; the error is that of the value."""
    from research.instruments import Bermudan
    from research.market import flat_snapshot
    from research.models import BlackScholes
    from research.pricing import greeks, price

    days = [30 * k for k in range(1, 13)]
    model, market = BlackScholes(sigma=0.25), flat_snapshot(spot=100.0, rate=RATE, dividend_yield=DIVIDEND_YIELD)
    contract, which = Bermudan(strike=105.0, times=tuple(d / 365 for d in days)), ("value", "delta", "gamma")
    reference = price(contract, model, market, method="pde", n_space=3200, n_time=1600).value
    rows = []
    for n in (100, 400):
        seconds, found = timed(
            lambda n=n: greeks(contract, model, market, method="pde", which=which, n_space=n, n_time=n // 2),
            20,  # type: ignore[misc]
        )
        rows.append(row(f"research {n} x {n // 2}", BERMUDAN, seconds, found["value"][0], reference, peer=False))
    seconds, found = timed(lambda: _anew(lambda: greeks(contract, model, market, method="cosine", which=which)), 20)
    rows.append(row("research cosine", BERMUDAN, seconds, found["value"][0], reference, peer=False))
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    today, count = _today(ql), ql.Actual365Fixed()
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (DIVIDEND_YIELD, RATE)]
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(100.0)), *curves, vol)
    payoff = ql.PlainVanillaPayoff(ql.Option.Put, 105.0)
    option = ql.VanillaOption(payoff, ql.BermudanExercise([today + d for d in days]))
    for n in (200, 800):
        option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, n, n))
        seconds, found = timed(_npv([option]), 2)
        rows.append(row(f"QuantLib {n} x {n}", BERMUDAN, seconds, found[0], reference, peer=True))
    return rows


def jumps() -> list[dict[str, Any]]:
    """An extrapolated cosine series, and the peer's grid in spot and variance, which has no jumps without variance."""
    from research.instruments import American
    from research.market import flat_snapshot
    from research.models import Merton
    from research.pricing import price

    model, market = Merton(**MERTON), flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)
    contract = American(strike=100.0, tau=1.0)
    seconds, found = timed(lambda: _anew(lambda: price(contract, model, market).value), 5)
    rows = [row("research cosine", JUMPS, seconds, found, ON_A_JUMP_GRID, peer=False)]
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    today, count = _today(ql), ql.Actual365Fixed()
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (0.05, 0.02)]
    variance = (MERTON["sigma"] ** 2, 1.0, MERTON["sigma"] ** 2, 1e-4, 0.0)
    process = ql.BatesProcess(*curves, ql.QuoteHandle(ql.SimpleQuote(100.0)), *variance, *list(MERTON.values())[1:])
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, 100.0), ql.AmericanExercise(today, today + 365))
    for steps, n in ((50, 100), (100, 200)):
        option.setPricingEngine(ql.FdBatesVanillaEngine(ql.BatesModel(process), steps, n, 10, 0))
        seconds, found = timed(_npv([option]), 1)
        rows.append(row(f"QuantLib {n} x 10 x {steps}", JUMPS, seconds, found[0], ON_A_JUMP_GRID, peer=True))
    return rows


def _anew(call: Callable[[], Any]) -> Any:
    """A call that finds nothing kept from the one before."""
    from research.pricing import cosine_plan

    cosine_plan.forget()
    return call()


def _today(ql: Any) -> Any:
    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    return today


def _npv(options: list[Any]) -> Callable[[], Any]:
    def call() -> Any:
        for option in options:
            option.recalculate()
        return np.array([option.NPV() for option in options])

    return call


def run() -> list[dict[str, Any]]:
    """Ours and the peer, in one run."""
    return barrier() + american() + bermudan() + jumps()


if __name__ == "__main__":
    for one in run():
        print(f"{one['what']:<36}{one['name']:<28}{1e3 * one['seconds']:10.3f} ms   {one['accuracy']}")

"""American options, beside QuantLib: the 20 puts of Longstaff and Schwartz (2001, table 1), and a batch of 10,000.

The reference is our own collocation at 1e-12, which agrees with the published digits of Andersen, Lake and Offengenden
(tests/pricing/test_american_prices.py); errors are in price units, the strike being 40.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from timing import timed

STRIKE, RATE, BATCH, SLICE = 40.0, 0.06, 10_000, 200
CASES = np.array([(s, v, t) for s in (36.0, 38.0, 40.0, 42.0, 44.0) for v in (0.2, 0.4) for t in (1.0, 2.0)])
GRID = "20 American puts by finite differences"
SPECTRAL, BATCHED = "20 American puts, continuous exercise", f"{BATCH} American puts, one by one different"
# on two idle cores, where QuantLib is not installed
RECORDED = {SPECTRAL: (3.9e-3, "QdFp accurate"), BATCHED: (1.9, "QdFp accurate"), GRID: (0.147, "FD 400x400")}


def row(name: str, what: str, seconds: float, found: Any, reference: Any, *, peer: bool) -> dict[str, Any]:
    """One line of the table; `found` may be a slice of the work."""
    error = np.abs(np.asarray(found) - reference[: np.size(found)])
    text = f"price error {error.max():.1e}" if error.size else ""
    return {"name": name, "seconds": seconds, "accuracy": text, "what": what, "peer": peer}


def batch() -> dict[str, Any]:
    """Options that share nothing but the strike."""
    rng = np.random.default_rng(11)
    return {
        "spot": rng.uniform(32.0, 48.0, BATCH), "vol": rng.uniform(0.15, 0.5, BATCH),
        "tau": rng.integers(30, 730, BATCH) / 365.0, "rate": rng.uniform(0.01, 0.08, BATCH),
        "dividend_yield": rng.uniform(0.0, 0.06, BATCH),
    }  # fmt: skip


def quantlib(terms: dict[str, Any], engine: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """A call that prices puts, one a row of `terms`, with their processes and engines already built."""
    import QuantLib as ql

    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    handle, count = ql.YieldTermStructureHandle, ql.Actual365Fixed()
    options = []
    for i in range(terms["spot"].size):
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(float(terms["spot"][i]))),
            handle(ql.FlatForward(today, float(terms["dividend_yield"][i]), count)),
            handle(ql.FlatForward(today, float(terms["rate"][i]), count)),
            ql.BlackVolTermStructureHandle(
                ql.BlackConstantVol(today, ql.NullCalendar(), float(terms["vol"][i]), count)
            ),
        )
        exercise = ql.AmericanExercise(today, today + round(365.0 * terms["tau"][i]))
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, STRIKE), exercise)
        option.setPricingEngine(engine(ql, process))
        options.append(option)

    def call() -> Any:
        out = np.empty(len(options))
        for i, option in enumerate(options):
            option.recalculate()
            out[i] = option.NPV()
        return out

    return call


def qd_fp(ql: Any, process: Any) -> Any:
    return ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.accurateScheme())


def ours(terms: dict[str, Any], tolerance: float) -> Callable[[], Any]:
    from research.pricing import american

    return lambda: american.price(
        terms["spot"], STRIKE, terms["tau"], terms["vol"], rate=terms["rate"],
        dividend_yield=terms["dividend_yield"], tolerance=tolerance,
    )  # fmt: skip


def compared(what: str, terms: dict[str, Any], repeat: int, n_peer: int) -> list[dict[str, Any]]:
    """Ours at two tolerances and the peer on its share of the work, scaled."""
    reference = ours(terms, 1e-12)()
    rows = []
    for tolerance in (1e-5, 1e-8):
        seconds, found = timed(ours(terms, tolerance), repeat)
        rows.append(row(f"research, tolerance {tolerance:g}", what, seconds, found, reference, peer=False))
    try:
        call = quantlib({name: values[:n_peer] for name, values in terms.items()}, qd_fp)
    except ImportError:
        seconds, name = RECORDED[what]
        return [*rows, row(f"QuantLib {name} (recorded)", what, seconds, reference[:0], reference, peer=True)]
    seconds, found = timed(call, repeat)
    scaled = seconds * terms["spot"].size / n_peer
    return [*rows, row("QuantLib QdFp accurate", what, scaled, found, reference, peer=True)]


def grids(terms: dict[str, Any]) -> list[dict[str, Any]]:
    """Crank-Nicolson, ours and the peer's."""
    from research.pricing import pde

    reference = ours(terms, 1e-12)()
    given = {name: terms[name] for name in ("rate", "dividend_yield")}
    rows = []
    for n, m in ((64, 32), (200, 100)):
        seconds, found = timed(
            lambda n=n, m=m: pde.price_with_error(  # type: ignore[misc]
                terms["spot"], STRIKE, terms["tau"], terms["vol"], **given, n_space=n, n_time=m
            )[0],
            20,
        )
        rows.append(row(f"research {n} x {m}", GRID, seconds, found, reference, peer=False))
    try:
        call = quantlib(terms, lambda ql, process: ql.FdBlackScholesVanillaEngine(process, 400, 400))
    except ImportError:
        seconds, name = RECORDED[GRID]
        return [*rows, row(f"QuantLib {name} (recorded)", GRID, seconds, reference[:0], reference, peer=True)]
    seconds, found = timed(call, 2)
    return [*rows, row("QuantLib FD 400 x 400", GRID, seconds, found, reference, peer=True)]


def run() -> list[dict[str, Any]]:
    """Ours and the peer, in one run."""
    spot, vol, tau = CASES.T
    same = {"rate": np.full(20, RATE), "dividend_yield": np.zeros(20)}
    terms = {"spot": spot, "vol": vol, "tau": tau, **same}
    return compared(SPECTRAL, terms, 50, 20) + grids(terms) + compared(BATCHED, batch(), 3, SLICE)


if __name__ == "__main__":
    for one in run():
        print(f"{one['what']:<50}{one['name']:<32}{1e3 * one['seconds']:10.3f} ms   {one['accuracy']}")

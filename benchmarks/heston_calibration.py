"""Heston calibration to 104 DAX quotes and price grids, beside QuantLib, on the same quotes and expiries in one run.

Both calibrations minimise squared implied-vol errors; the sums stated are not the ones they report but those of an
independent adaptive integral. QuantLib starts where its own test does; ours finds its own start. Times are minima of
the whole call, set-up of the objects and the residual table included.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import row, timed

ROOT = Path(__file__).resolve().parents[1]
WEEKS = [14, 42, 77, 168, 259, 343, 525, 700]
FIVE = (0.04, 1.5, 0.06, 0.5, -0.7)
SPOT, RATE, DIVIDEND = 100.0, 0.03, 0.01


def quotes(weeks: bool) -> pd.DataFrame:
    """The DAX table; with `weeks`, expiries rounded to whole weeks and zero rates linear in days."""
    path = ROOT / "data" / "raw" / "dax_surface_20020705.csv"
    frame = pd.read_csv(path, comment="#", parse_dates=["as_of", "expiry"])
    if weeks:
        nodes = frame.drop_duplicates("days")
        days, rates = nodes["days"].to_numpy(), nodes["zero_rate"].to_numpy()
        frame["days"] = frame["days"].map(dict(zip(days, WEEKS)))
        frame["zero_rate"] = np.interp(frame["days"], days, rates)
        frame["expiry"] = frame["as_of"] + pd.to_timedelta(frame["days"], unit="D")
    return frame


def calibrations() -> list[dict[str, Any]]:
    """Ours and QuantLib's, on the exact days and on whole weeks."""
    from research.calibration import fit
    from research.market import build_snapshot
    from research.models import Heston
    from research.validation.benchmarks import heston_implied_vol_errors

    rows = []
    for what, weeks in (("104 DAX quotes, exact days", False), ("104 DAX quotes, whole weeks", True)):
        frame = quotes(weeks)
        snapshot = build_snapshot(frame)
        table = snapshot.to_frame()
        judged = [table[name].to_numpy() for name in ("forward", "strike", "tau", "vol")]

        def judge(five: Any, data: Any = judged) -> str:
            errors = heston_implied_vol_errors(*data, five)
            return f"SSE {1e4 * float(errors @ errors):.8f} squared vol points (independent integral)"

        seconds, found = timed(lambda s=snapshot: fit(Heston, s), 40)
        rows.append(row("research", seconds, judge(list(found.model.to_json().values())), what, False))
        rows += quantlib_calibration(frame, what, judge)
    return rows


def quantlib_calibration(frame: pd.DataFrame, what: str, judge: Callable[[Any], str]) -> list[dict[str, Any]]:
    try:
        import QuantLib
    except ImportError:
        return []
    from research.validation.benchmarks.quantlib_heston import QuantLibCalibration

    columns = [frame[name].to_numpy(dtype=float) for name in ("strike", "days", "zero_rate", "implied_vol")]
    columns[1] = columns[1] / 365.0
    search = QuantLibCalibration(float(frame["spot"].iloc[0]), *columns)
    seconds, (five, _) = timed(search.run, 7)
    return [row(f"QuantLib {QuantLib.__version__}, Gauss-Laguerre 64", seconds, judge(five), what, True)]


def price_grids() -> list[dict[str, Any]]:
    """A 13 x 8 grid and a book of 100 x 1000 options; QuantLib is timed on 2,000 of the book and scaled."""
    from research.models import Heston
    from research.pricing import fourier
    from research.validation.benchmarks import heston_price

    model = Heston(**dict(zip(("v0", "kappa", "theta", "sigma", "rho"), FIVE)))
    rows = []
    for what, days, strike, repeat in (
        (
            "104 Heston prices, 8 expiries",
            np.array([13, 41, 75, 165, 256, 345, 524, 703]),
            np.linspace(70.0, 130.0, 13),
            50,
        ),
        (
            "100,000 Heston prices, 100 expiries",
            np.linspace(15, 1095, 100).astype(int),
            np.linspace(60.0, 150.0, 1000),
            5,
        ),
    ):
        tau, k = np.meshgrid(days / 365.0, strike, indexing="ij")
        forward, df = SPOT * np.exp((RATE - DIVIDEND) * tau), np.exp(-RATE * tau)
        seconds, ours = timed(lambda f=forward, k=k, t=tau, d=df: fourier.price(model, f, k, t, df=d), repeat)
        few = (slice(None, None, max(1, days.size // 20)), slice(None, None, max(1, strike.size // 13)))
        truth = heston_price(forward[few], k[few], tau[few], df[few], FIVE)
        miss = np.abs(ours[few] - truth).max() / SPOT
        rows.append(row("research", seconds, f"largest error {miss:.1e} of spot", what, False))
        rows += quantlib_prices(what, days, strike, heston_price)
    return rows


def quantlib_prices(what: str, days: Any, strike: Any, heston_price: Callable[..., Any]) -> list[dict[str, Any]]:
    """QuantLib's two quickest accurate engines on the grid, or on a sample of 2,000."""
    try:
        import QuantLib as ql
    except ImportError:
        return []
    today, day_count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, day_count)) for r in (RATE, DIVIDEND)]
    model = ql.HestonModel(ql.HestonProcess(*curves, ql.QuoteHandle(ql.SimpleQuote(SPOT)), *FIVE))
    share = max(1, days.size * strike.size // 2000)
    few = strike[::share] if share > 1 else strike
    rows = []
    for name, engine in (
        ("Gauss-Laguerre 64", ql.AnalyticHestonEngine(model, 64)),
        ("exponential fitting", ql.ExponentialFittingHestonEngine(model)),
    ):
        options = []
        for day in days.tolist():
            for k in few.tolist():
                option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, k), ql.EuropeanExercise(today + day))
                option.setPricingEngine(engine)
                options.append(option)

        def call(options: Any = options) -> Any:
            for option in options:
                option.recalculate()
            return [option.NPV() for option in options]

        seconds, theirs = timed(call, 5)
        tau, k = np.meshgrid(days / 365.0, few, indexing="ij")
        truth = heston_price(SPOT * np.exp((RATE - DIVIDEND) * tau), k, tau, np.exp(-RATE * tau), FIVE)
        miss = np.abs(np.array(theirs).reshape(k.shape) - truth).max() / SPOT
        note = f" ({len(options)} timed, scaled)" if share > 1 else ""
        seconds *= days.size * strike.size / len(options)
        rows.append(row(f"QuantLib, {name}{note}", seconds, f"largest error {miss:.1e} of spot", what, True))
    return rows


def run() -> list[dict[str, Any]]:
    """All rows."""
    return calibrations() + price_grids()


def main() -> None:
    """Print the rows with the ratio of the fastest peer to ours."""
    rows = run()
    for item in rows:
        peers = [other["seconds"] for other in rows if other["peer"] and other["what"] == item["what"]]
        ratio = "" if item["peer"] or not peers else f"{min(peers) / item['seconds']:6.1f}x"
        print(f"{item['what']:38s} {item['name']:48s} {1e3 * item['seconds']:10.3f} ms {ratio:>8s}  {item['accuracy']}")


if __name__ == "__main__":
    main()

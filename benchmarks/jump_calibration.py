"""Bates, Merton and Variance Gamma fitted to 104 DAX quotes; Bates beside QuantLib on the same quotes.

Both minimise squared implied-vol errors. The sum stated of Bates is that of QuantLib's own engine (Gauss-Laguerre,
order 192), whoever found the parameters. QuantLib starts from its Heston optimum and small jumps; ours finds its start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from heston_calibration import quotes
from timing import row, timed

WHAT = "Bates, 104 DAX quotes"


def run() -> list[dict[str, Any]]:
    """Rows for benchmarks/run.py."""
    from research.calibration import fit
    from research.market import build_snapshot
    from research.models.jumps import Bates, Merton, VarianceGamma

    frame = quotes(False)
    snapshot = build_snapshot(frame)
    seconds, found = timed(lambda: fit(Bates, snapshot), 15)
    peer = QuantLibBates(frame)
    rows = [row("research", seconds, peer.judged(list(found.model.to_json().values())), WHAT, False)]
    seconds, theirs = timed(peer.fit, 1)
    rows.append(row("QuantLib, BatesModel, Gauss-Laguerre 64", seconds, peer.judged(theirs), WHAT, True))
    for model in (Merton, VarianceGamma):
        seconds, found = timed(lambda m=model: fit(m, snapshot), 15)
        said = f"SSE {1e4 * found.sse:.6f} squared vol points (its own integral)"
        rows.append(row("research", seconds, said, f"{model.__name__}, 104 DAX quotes", False))
    return rows


class QuantLibBates:
    """QuantLib's Bates model on a table of quotes."""

    def __init__(self, frame: Any) -> None:
        import QuantLib as ql

        self.ql, self.today = ql, ql.Date(5, 7, 2002)
        ql.Settings.instance().evaluationDate = self.today
        day_count = ql.Actual365Fixed()
        nodes = frame.drop_duplicates("days").sort_values("days")
        rates = nodes["zero_rate"].tolist()
        days = [self.today, *(self.today + int(d) for d in nodes["days"])]
        curves = (ql.ZeroCurve(days, [rates[0], *rates], day_count), ql.FlatForward(self.today, 0.0, day_count))
        self.rate, self.dividend = (ql.YieldTermStructureHandle(c) for c in curves)
        self.spot = float(frame["spot"].iloc[0])
        self.quotes = frame[["strike", "days", "implied_vol"]].to_numpy(dtype=float).tolist()

    def _model(self, p: Any, order: int) -> tuple[Any, list[Any]]:
        ql = self.ql
        spot = ql.QuoteHandle(ql.SimpleQuote(self.spot))
        v0, kappa, theta, sigma, rho, intensity, mean, deviation = (float(x) for x in p)
        process = ql.BatesProcess(
            self.rate, self.dividend, spot, v0, kappa, theta, sigma, rho, intensity, mean, deviation
        )
        model = ql.BatesModel(process)
        engine, helpers = ql.BatesEngine(model, order), []
        for strike, days, vol in self.quotes:
            helper = ql.HestonModelHelper(
                ql.Period(int(days), ql.Days), ql.NullCalendar(), self.spot, strike,
                ql.QuoteHandle(ql.SimpleQuote(vol)), self.rate, self.dividend,
                ql.BlackCalibrationHelper.ImpliedVolError,
            )  # fmt: skip
            helper.setPricingEngine(engine)
            helpers.append(helper)
        return model, helpers

    def judged(self, p: Any) -> str:
        """The sum of squares of the parameters, by the engine of order 192."""
        _, helpers = self._model(p, 192)
        errors = np.array([helper.calibrationError() for helper in helpers])
        return f"SSE {1e4 * float(errors @ errors):.6f} squared vol points (QuantLib's engine)"

    def fit(self) -> list[float]:
        """v0, kappa, theta, sigma, rho, intensity, mean and deviation of the jumps."""
        ql = self.ql
        model, helpers = self._model((0.19, 15.0, 0.075, 3.2, -0.5, 0.2, -0.1, 0.1), 64)
        search = ql.LevenbergMarquardt(1e-8, 1e-8, 1e-8)
        model.calibrate(helpers, search, ql.EndCriteria(400, 40, 1e-8, 1e-8, 1e-8))
        theta, kappa, sigma, rho, v0, mean, deviation, intensity = list(model.params())
        return [v0, kappa, theta, sigma, rho, intensity, mean, deviation]

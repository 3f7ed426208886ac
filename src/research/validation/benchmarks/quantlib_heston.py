"""Heston prices and calibration by QuantLib: an independent C++ implementation.

Prices by `AnalyticHestonEngine` with its optimal control variate and adaptive Gauss-Lobatto integration; calibration
as in its own tests, with Gauss-Laguerre of order 64. QuantLib counts whole days, so each tau must be a whole number of
days over 365.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import MissingExtraError, require_all

Real1D = NDArray[np.float64]


def _quantlib() -> Any:
    try:
        import QuantLib
    except ImportError:
        raise MissingExtraError("QuantLib must be installed for this: pip install 'research[validation]'.") from None
    return QuantLib


def _days(tau: Real1D) -> NDArray[np.int64]:
    days = np.rint(365.0 * tau).astype(np.int64)
    require_all(np.abs(365.0 * tau - days) < 1e-9, "tau", tau, "be a whole number of days over 365")
    require_all(days > 0, "tau", tau, "be > 0 years")
    return days


def quantlib_price(
    spot: float,
    strike: ArrayLike,
    tau: ArrayLike,
    zero_rate: ArrayLike,
    parameters: Sequence[float],
    *,
    dividend_yield: float = 0.0,
    is_call: ArrayLike = True,
    tolerance: float = 1e-11,
) -> Real1D:
    """Prices of European options; strike, tau, zero_rate and is_call broadcast together.

    Parameters
    ----------
    zero_rate : array-like, 1/year
        Continuously compounded rate to each expiry.
    parameters : v0, kappa, theta, sigma, rho
    tolerance : float, default 1e-11
        Of the adaptive Gauss-Lobatto rule, relative and absolute; a tighter one fails for extreme parameters.
    """
    ql = _quantlib()
    shape = np.broadcast_shapes(*(np.shape(a) for a in (strike, tau, zero_rate, is_call)))
    k, t, r = (np.broadcast_to(np.asarray(a, dtype=float), shape).ravel() for a in (strike, tau, zero_rate))
    call, days = np.broadcast_to(np.asarray(is_call, dtype=bool), shape).ravel(), _days(t)
    today = ql.Date(5, 7, 2002)
    before = ql.Settings.instance().evaluationDate
    ql.Settings.instance().evaluationDate = today
    try:
        out = np.empty(k.size)
        for one, rate in sorted({(int(a), float(b)) for a, b in zip(days, r)}):
            engine = _engine(ql, _model(ql, spot, rate, dividend_yield, today, parameters), tolerance)
            exercise = ql.EuropeanExercise(today + one)
            for i in np.flatnonzero((days == one) & (r == rate)):
                kind = ql.Option.Call if call[i] else ql.Option.Put
                option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, float(k[i])), exercise)
                option.setPricingEngine(engine)
                out[i] = option.NPV()
    finally:
        ql.Settings.instance().evaluationDate = before
    return out.reshape(shape)


def _model(ql: Any, spot: float, rate: float, dividend_yield: float, today: Any, parameters: Sequence[float]) -> Any:
    day_count = ql.Actual365Fixed()
    v0, kappa, theta, sigma, rho = (float(p) for p in parameters)
    process = ql.HestonProcess(
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, day_count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, dividend_yield, day_count)),
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        v0, kappa, theta, sigma, rho,
    )  # fmt: skip
    return ql.HestonModel(process)


def _engine(ql: Any, model: Any, tolerance: float) -> Any:
    integration = ql.FourierIntegration.gaussLobatto(tolerance, tolerance, 200_000)
    return ql.AnalyticHestonEngine(model, ql.AnalyticHestonEngine.OptimalCV, integration)


class QuantLibCalibration:
    """A QuantLib calibration set up once, so that `run` can be timed on its own.

    Parameters
    ----------
    spot : float, price units
    strike, tau, zero_rate, vol : arrays of shape (n,)
        The quotes; tau in whole days over 365.
    start : v0, kappa, theta, sigma, rho
    """

    def __init__(
        self, spot: float, strike: ArrayLike, tau: ArrayLike, zero_rate: ArrayLike, vol: ArrayLike, *,
        start: Sequence[float] = (0.1, 1.0, 0.1, 0.5, -0.5), order: int = 64,
    ) -> None:  # fmt: skip
        self._ql = _quantlib()
        k, t, r, v = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (strike, tau, zero_rate, vol)))
        self._spot, self._strike, self._vol = float(spot), k.ravel(), v.ravel()
        self._days, self._rate = _days(t.ravel()), r.ravel()
        self._start, self._order = tuple(float(p) for p in start), order

    def run(self) -> tuple[Real1D, int]:
        """(v0, kappa, theta, sigma, rho) and the number of function evaluations; sets up and calibrates."""
        ql = self._ql
        before = ql.Settings.instance().evaluationDate
        today = ql.Date(5, 7, 2002)
        ql.Settings.instance().evaluationDate = today
        try:
            return self._run(ql, today)
        finally:
            ql.Settings.instance().evaluationDate = before

    def _run(self, ql: Any, today: Any) -> tuple[Real1D, int]:
        day_count, calendar = ql.Actual365Fixed(), ql.NullCalendar()
        days, first = np.unique(self._days, return_index=True)
        rates = self._rate[first].tolist()
        curve = ql.ZeroCurve([today, *(today + int(d) for d in days)], [rates[0], *rates], day_count)
        rate, dividend = (ql.YieldTermStructureHandle(c) for c in (curve, ql.FlatForward(today, 0.0, day_count)))
        process = ql.HestonProcess(rate, dividend, ql.QuoteHandle(ql.SimpleQuote(self._spot)), *self._start)
        model = ql.HestonModel(process)
        engine = ql.AnalyticHestonEngine(model, self._order)
        helpers = []
        for strike, day, vol in zip(self._strike.tolist(), self._days.tolist(), self._vol.tolist()):
            helper = ql.HestonModelHelper(
                ql.Period(day, ql.Days), calendar, self._spot, strike, ql.QuoteHandle(ql.SimpleQuote(vol)),
                rate, dividend, ql.BlackCalibrationHelper.ImpliedVolError,
            )  # fmt: skip
            helper.setPricingEngine(engine)
            helpers.append(helper)
        search = ql.LevenbergMarquardt(1e-8, 1e-8, 1e-8)
        model.calibrate(helpers, search, ql.EndCriteria(400, 40, 1e-8, 1e-8, 1e-8))
        theta, kappa, sigma, rho, v0 = list(model.params())
        return np.array([v0, kappa, theta, sigma, rho]), int(model.functionEvaluation())


def quantlib_fit(
    spot: float, strike: ArrayLike, tau: ArrayLike, zero_rate: ArrayLike, vol: ArrayLike, *,
    start: Sequence[float] = (0.1, 1.0, 0.1, 0.5, -0.5), order: int = 64,
) -> Real1D:  # fmt: skip
    """v0, kappa, theta, sigma, rho as QuantLib's Levenberg-Marquardt finds them on implied-vol errors."""
    return QuantLibCalibration(spot, strike, tau, zero_rate, vol, start=start, order=order).run()[0]

"""Options by QuantLib, from the plain terms of a contract, a model and a market: an independent C++ implementation.

| contract | models | engine | error stated |
|---|---|---|---|
| European | BlackScholes, Heston, Bates | analytic | 1e-8 of spot, 1e-12 for Black-Scholes |
| European | Merton; VarianceGamma | Bates, the variance all but still; analytic | 1e-8; 1e-7 of spot |
| American | BlackScholes | QdFp, high precision | 1e-8 of strike |
| Bermudan | BlackScholes | finite differences 800 x 800 | distance to 400 x 400 |
| Barrier, Digital, Touch | BlackScholes | analytic | 1e-9 of spot |
| DoubleBarrier | BlackScholes | analytic (Ikeda and Kunitomo) | 1e-8 of spot |
| Lookback, Compound, ForwardStart | BlackScholes | analytic | 1e-9 of spot; 1e-7 for compounds |
| Asian, geometric | BlackScholes | analytic | 1e-9 of spot |

QuantLib counts days: what does not fall on whole days over 365 is not priced, and the reason is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from research.validation.benchmarks.quantlib_heston import _quantlib

Found = tuple[float, float]  # value, error
_DAY = (5, 7, 2002)
_STILL = 1e-4  # volatility of variance


class NotPriced(Exception):
    """QuantLib has no engine for this, or not for these days."""


def quantlib_option(terms: dict[str, Any], model: dict[str, Any], market: dict[str, float]) -> Found:
    """(value, stated error) of a contract; NotPriced says why there is none.

    Parameters
    ----------
    terms, model : JSON terms, `type` the class
    market : spot (price units), rate and dividend_yield (1/year, continuously compounded)
    """
    kind = (str(terms["type"]), str(model["type"]))
    if kind not in _PRICERS:
        raise NotPriced(f"no engine for {kind[0]} under {kind[1]}")
    ql = _quantlib()
    before = ql.Settings.instance().evaluationDate
    ql.Settings.instance().evaluationDate = ql.Date(*_DAY)
    try:
        return _PRICERS[kind](_Setting(ql, market), terms, model)
    except RuntimeError as error:
        raise NotPriced(str(error)) from None
    finally:
        ql.Settings.instance().evaluationDate = before


class _Setting:
    """Curves and dates of one market."""

    def __init__(self, ql: Any, market: dict[str, float]) -> None:
        self.ql, self.spot = ql, market["spot"]
        self.today, count = ql.Date(*_DAY), ql.Actual365Fixed()
        self.rate = ql.YieldTermStructureHandle(ql.FlatForward(self.today, market["rate"], count))
        self.dividend = ql.YieldTermStructureHandle(ql.FlatForward(self.today, market["dividend_yield"], count))
        self.quote = ql.QuoteHandle(ql.SimpleQuote(self.spot))

    def day(self, tau: float) -> Any:
        """The date tau years from today."""
        days = round(365.0 * tau)
        if abs(365.0 * tau - days) > 1e-6:
            raise NotPriced("not a whole number of days")
        return self.today + days

    def process(self, sigma: float) -> Any:
        ql = self.ql
        vol = ql.BlackConstantVol(self.today, ql.NullCalendar(), sigma, ql.Actual365Fixed())
        return ql.BlackScholesMertonProcess(self.quote, self.dividend, self.rate, ql.BlackVolTermStructureHandle(vol))

    def payoff(self, terms: dict[str, Any], default: bool = True) -> Any:
        kind = self.ql.Option.Call if terms.get("is_call", default) else self.ql.Option.Put
        return self.ql.PlainVanillaPayoff(kind, terms["strike"])

    def npv(self, option: Any, engine: Any) -> float:
        option.setPricingEngine(engine)
        return float(option.NPV())


def _european(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql, kind = at.ql, model["type"]
    option = ql.VanillaOption(at.payoff(terms), ql.EuropeanExercise(at.day(terms["tau"])))
    error = 1e-8 * at.spot
    if kind == "BlackScholes":
        return at.npv(option, ql.AnalyticEuropeanEngine(at.process(model["sigma"]))), 1e-12 * at.spot
    if kind == "VarianceGamma":
        process = ql.VarianceGammaProcess(at.quote, at.dividend, at.rate, model["sigma"], model["nu"], model["theta"])
        return at.npv(option, ql.VarianceGammaEngine(process)), 1e-7 * at.spot
    names = ("v0", "kappa", "theta", "sigma", "rho")
    if kind == "Merton":  # Bates with a variance that stands still, all but 1e-4 of it
        variance = model["sigma"] ** 2
        five, error = [variance, 1.0, variance, _STILL, 0.0], _STILL * _STILL * at.spot
    else:
        five = [model[n] for n in names]
    if kind == "Heston":
        gauss = ql.FourierIntegration.gaussLobatto(1e-11, 1e-11, 200_000)
        heston = ql.HestonModel(ql.HestonProcess(at.rate, at.dividend, at.quote, *five))
        return at.npv(option, ql.AnalyticHestonEngine(heston, ql.AnalyticHestonEngine.OptimalCV, gauss)), error
    jumps = [model[n] for n in ("intensity", "jump_mean", "jump_std")]
    bates = ql.BatesModel(ql.BatesProcess(at.rate, at.dividend, at.quote, *five, *jumps))
    return at.npv(option, ql.BatesEngine(bates, 160)), error


def _american(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    option = ql.VanillaOption(at.payoff(terms, False), ql.AmericanExercise(at.today, at.day(terms["tau"])))
    engine = ql.QdFpAmericanEngine(at.process(model["sigma"]), ql.QdFpAmericanEngine.highPrecisionScheme())
    return at.npv(option, engine), 1e-8 * terms["strike"]


def _bermudan(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    option = ql.VanillaOption(at.payoff(terms, False), ql.BermudanExercise([at.day(t) for t in terms["times"]]))
    process = at.process(model["sigma"])
    fine, coarse = (at.npv(option, ql.FdBlackScholesVanillaEngine(process, n, n)) for n in (800, 400))
    return fine, abs(fine - coarse)


def _barrier(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    if terms.get("n_monitoring") is not None:
        raise NotPriced("the barrier is not watched at every moment")
    kind = getattr(ql.Barrier, f"{terms['direction'].title()}{terms['knock'].title()}")
    exercise = ql.EuropeanExercise(at.day(terms["tau"]))
    option = ql.BarrierOption(kind, terms["barrier"], terms.get("rebate", 0.0), at.payoff(terms), exercise)
    return at.npv(option, ql.AnalyticBarrierEngine(at.process(model["sigma"]))), 1e-9 * at.spot


def _double_barrier(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    if terms.get("n_monitoring") is not None:
        raise NotPriced("the barrier is not watched at every moment")
    kind = ql.DoubleBarrier.KnockOut if terms["knock"] == "out" else ql.DoubleBarrier.KnockIn
    exercise = ql.EuropeanExercise(at.day(terms["tau"]))
    option = ql.DoubleBarrierOption(
        kind, terms["low"], terms["high"], terms.get("rebate", 0.0), at.payoff(terms), exercise
    )
    return at.npv(option, ql.AnalyticDoubleBarrierEngine(at.process(model["sigma"]))), 1e-8 * at.spot


def _digital(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    kind = ql.Option.Call if terms.get("is_call", True) else ql.Option.Put
    cash = terms.get("pays", "cash") == "cash"
    amount = terms.get("amount", 1.0)
    payoff = (
        ql.CashOrNothingPayoff(kind, terms["strike"], amount)
        if cash
        else ql.AssetOrNothingPayoff(kind, terms["strike"])
    )
    option = ql.VanillaOption(payoff, ql.EuropeanExercise(at.day(terms["tau"])))
    value = at.npv(option, ql.AnalyticEuropeanEngine(at.process(model["sigma"])))
    return value if cash else amount * value, 1e-11 * at.spot


def _touch(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    if terms.get("n_monitoring") is not None:
        raise NotPriced("the barrier is not watched at every moment")
    late = terms.get("pays_at", "hit") == "expiry"
    kind = ql.Option.Call if terms["direction"] == "up" else ql.Option.Put
    payoff = ql.CashOrNothingPayoff(kind, terms["barrier"], terms.get("amount", 1.0))
    option = ql.VanillaOption(payoff, ql.AmericanExercise(at.today, at.day(terms["tau"]), late))
    process = at.process(model["sigma"])
    hit = terms.get("is_touch", True)
    engine = ql.AnalyticDigitalAmericanEngine if hit else ql.AnalyticDigitalAmericanKOEngine
    return at.npv(option, engine(process)), 1e-9


def _asian(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    if terms.get("average", "arithmetic") != "geometric" or terms.get("strike") is None:
        raise NotPriced("only the geometric average with a fixed strike has a closed form")
    fixings = [at.day(t) for t in terms["fixings"]]
    option = ql.DiscreteAveragingAsianOption(
        ql.Average.Geometric, 1.0, 0, fixings, at.payoff(terms), ql.EuropeanExercise(fixings[-1])
    )
    engine = ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(at.process(model["sigma"]))
    return at.npv(option, engine), 1e-9 * at.spot


def _lookback(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    if terms.get("n_monitoring") is not None:
        raise NotPriced("the price is not looked at at every moment")
    exercise, process = ql.EuropeanExercise(at.day(terms["tau"])), at.process(model["sigma"])
    extreme = terms.get("extreme") or at.spot
    if terms.get("strike") is not None:
        option = ql.ContinuousFixedLookbackOption(extreme, at.payoff(terms), exercise)
        return at.npv(option, ql.AnalyticContinuousFixedLookbackEngine(process)), 1e-9 * at.spot
    kind = ql.Option.Call if terms.get("is_call", True) else ql.Option.Put
    option = ql.ContinuousFloatingLookbackOption(extreme, ql.FloatingTypePayoff(kind), exercise)
    return at.npv(option, ql.AnalyticContinuousFloatingLookbackEngine(process)), 1e-9 * at.spot


def _compound(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql, inner = at.ql, terms["option"]
    option = ql.CompoundOption(
        at.payoff(terms), ql.EuropeanExercise(at.day(terms["tau"])), at.payoff(inner),
        ql.EuropeanExercise(at.day(inner["tau"])),
    )  # fmt: skip
    return at.npv(option, ql.AnalyticCompoundOptionEngine(at.process(model["sigma"]))), 1e-7 * at.spot


def _forward_start(at: _Setting, terms: dict[str, Any], model: dict[str, Any]) -> Found:
    ql = at.ql
    if terms.get("on_return", False):
        raise NotPriced("paid for each unit of money")
    kind = ql.Option.Call if terms.get("is_call", True) else ql.Option.Put
    option = ql.ForwardVanillaOption(
        terms.get("strike", 1.0), at.day(terms["start"]), ql.PlainVanillaPayoff(kind, 0.0),
        ql.EuropeanExercise(at.day(terms["tau"])),
    )  # fmt: skip
    return at.npv(option, ql.ForwardEuropeanEngine(at.process(model["sigma"]))), 1e-9 * at.spot


Pricer = Callable[[_Setting, dict[str, Any], dict[str, Any]], Found]
_PRICERS: dict[tuple[str, str], Pricer] = {
    **{("European", model): _european for model in ("BlackScholes", "Heston", "Bates", "Merton", "VarianceGamma")},
    ("American", "BlackScholes"): _american,
    ("Bermudan", "BlackScholes"): _bermudan,
    ("Barrier", "BlackScholes"): _barrier,
    ("DoubleBarrier", "BlackScholes"): _double_barrier,
    ("Digital", "BlackScholes"): _digital,
    ("Touch", "BlackScholes"): _touch,
    ("Asian", "BlackScholes"): _asian,
    ("Lookback", "BlackScholes"): _lookback,
    ("Compound", "BlackScholes"): _compound,
    ("ForwardStart", "BlackScholes"): _forward_start,
}

"""Sample contracts for the comparison of engines: one line a product, as plain terms.

A line holds the JSON terms of a contract and of a model, and the market; a new product needs one line here and is then
priced by every engine that the catalogue lists for it. Published values stand beside with their last digit. Times are
whole days over 365 where QuantLib, which counts days, is to join.

References
----------
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed.; (1998), 1st ed.
Fang, Oosterlee (2008), SIAM J. Sci. Comput. 31, 826-848; (2009), Numerische Mathematik 114, 27-62.
von Sydow et al. (2015), BENCHOP, Int. J. of Computer Mathematics 92, 2361-2379.
Lewis, prices posted at wilmott.com (Heston, S = 100).
Longstaff, Schwartz (2001), Review of Financial Studies 14, table 1, finite differences.
Andersen, Lake, Offengenden (2016), J. Computational Finance 20, section 6.
d'Halluin, Forsyth, Labahn (2004), Numerische Mathematik 97, 321-352, as quoted by Surkov (2009), PhD thesis, Toronto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One contract under one model in one market of flat rates."""

    name: str
    terms: dict[str, Any]  # of the contract; "type" is its class
    model: dict[str, Any]  # of the model; "type" is its class
    market: dict[str, Any]  # spot, rate, dividend_yield; spots by name for contracts on several underlyings
    published: tuple[float, float, str] | None = None  # value, half a unit of its last digit, source
    options: dict[str, dict[str, Any]] = field(default_factory=dict)  # of an engine, by method

    @property
    def contract(self) -> str:
        """Class name of the contract."""
        return str(self.terms["type"])


def _bs(sigma: float) -> dict[str, Any]:
    return {"type": "BlackScholes", "sigma": sigma}


def _at(spot: float = 100.0, rate: float = 0.03, dividend_yield: float = 0.01) -> dict[str, float]:
    return {"spot": spot, "rate": rate, "dividend_yield": dividend_yield}


def _case(
    name: str, contract: str, terms: dict[str, Any], model: dict[str, Any] | None = None,
    market: dict[str, Any] | None = None, published: tuple[float, float, str] | None = None, **options: Any,
) -> Case:  # fmt: skip
    given = {"type": contract, **terms}
    return Case(name=name, terms=given, model=model or _bs(0.2), market=market or _at(), published=published,
                options=options)  # fmt: skip


def _two(rate: float = 0.03) -> dict[str, Any]:
    return {"spots": {"A": 100.0, "B": 95.0}, "rate": rate, "dividend_yield": {"A": 0.01, "B": 0.02}}


_HAUG = _at(100.0, 0.08, 0.04)
_FO = {"type": "Heston", "v0": 0.0175, "kappa": 1.5768, "theta": 0.0398, "sigma": 0.5751, "rho": -0.5711}
_BENCHOP = {"type": "Heston", "v0": 0.0225, "kappa": 2.0, "theta": 0.0225, "sigma": 0.25, "rho": -0.5}
_LEWIS = {"type": "Heston", "v0": 0.04, "kappa": 4.0, "theta": 0.25, "sigma": 1.0, "rho": -0.5}
_JUMPS = {"intensity": 0.8, "jump_mean": -0.1, "jump_std": 0.15}
_MERTON = {"type": "Merton", "sigma": 0.15, **_JUMPS}
_BATES = {"type": "Bates", "v0": 0.04, "kappa": 2.0, "theta": 0.05, "sigma": 0.5, "rho": -0.6, **_JUMPS}
_VG = {"type": "VarianceGamma", "sigma": 0.12, "nu": 0.2, "theta": -0.14}
_PAIR = {"type": "MultiAssetBlackScholes", "names": ["A", "B"], "vols": [0.2, 0.3],
         "correlation": [[1.0, 0.5], [0.5, 1.0]]}  # fmt: skip
_APART = {**_PAIR, "vols": [0.4, 0.25], "correlation": [[1.0, -0.8], [-0.8, 1.0]]}
_CROSS = {"type": "CrossCurrency", "sigma": 0.2, "fx_vol": 0.1, "correlation": -0.3, "payout_rate": 0.02,
          "fx_spot": 7.0}  # fmt: skip
_NAMES = {"underlyings": ["A", "B"]}
_RANKED = {**_NAMES, "initials": [100.0, 95.0], "strike": 1.0, "notional": 100.0, "tau": 1.0}
_BY_TIME = {"type": "BlackTermStructure", "tau": [0.5, 1.0], "implied": [0.2, 0.3]}
_CEV = {"type": "CEV", "sigma": 2.5, "beta": 0.5}
_SHIFTED = {"type": "DisplacedDiffusion", "sigma": 0.18, "shift": 20.0}
_NORMAL = {"type": "Bachelier", "sigma": 20.0}
_FIFTHS, _QUARTERS = (0.2, 0.4, 0.6, 0.8, 1.0), (0.25, 0.5, 0.75, 1.0)
_MONTHS = tuple(21 * k / 252 for k in range(3, 13))
_KNOCK = {"strike": 90.0, "tau": 0.5, "rebate": 3.0}
_YEAR = {"strike": 100.0, "tau": 1.0}
_DAILY = {"initial": 100.0, "tau": 1.0}
_AVERAGE = {"type": "Pay", "at": 1.0, "amount": {"type": "Apply", "function": "max", "of": [
    {"type": "Apply", "function": "-", "of": [{"type": "Statistic", "kind": "average", "schedule": list(_FIFTHS)},
                                              {"type": "Constant", "value": 100.0}]},
    {"type": "Constant", "value": 0.0}]}}  # fmt: skip

CASES: tuple[Case, ...] = (
    _case("call", "European", {"strike": 105.0, "tau": 1.0}),
    _case("put, a week", "European", {"strike": 98.0, "tau": 7 / 365, "is_call": False}),
    _case("call, Haug", "European", {"strike": 65.0, "tau": 0.25}, _bs(0.3), _at(60.0, 0.08, 0.0),
          (2.1334, 5e-5, "Haug (1998), p. 3")),
    _case("call, Heston", "European", _YEAR, _FO, _at(100.0, 0.0, 0.0),
          (5.785155450, 2e-8, "Fang and Oosterlee (2008), good to 2e-8")),
    _case("call, Heston ten years", "European", {"strike": 100.0, "tau": 10.0}, _FO, _at(100.0, 0.0, 0.0),
          (22.318945791, 5e-9, "Fang and Oosterlee (2008)")),
    _case("call, Heston Lewis", "European", {"strike": 80.0, "tau": 1.0}, _LEWIS, _at(100.0, 0.01, 0.02),
          (26.774758743998854, 1e-12, "Lewis")),
    _case("call, Heston BENCHOP", "European", _YEAR, _BENCHOP, _at(100.0, 0.03, 0.0),
          (7.379832496149447, 1e-12, "von Sydow et al. (2015), problem 4")),
    _case("call, Merton", "European", {"strike": 105.0, "tau": 1.0}, _MERTON),
    _case("call, Bates", "European", {"strike": 105.0, "tau": 1.0}, _BATES),
    _case("call, Variance Gamma", "European", {"strike": 101.0, "tau": 1.0}, _VG),
    _case("call, vol by expiry", "European", {"strike": 105.0, "tau": 0.8}, _BY_TIME),
    _case("call, CEV", "European", {"strike": 105.0, "tau": 1.0}, _CEV),
    _case("call, Variance Gamma of Fang and Oosterlee", "European", {"strike": 90.0, "tau": 1.0}, _VG,
          _at(100.0, 0.1, 0.0), (19.099354724, 5e-10, "Fang and Oosterlee (2008), table 7")),
    _case("put", "American", _YEAR),
    _case("call, yield above rate", "American", {**_YEAR, "is_call": True}, None, _at(100.0, 0.02, 0.06)),
    _case("put, Longstaff-Schwartz", "American", {**_YEAR, "strike": 40.0}, _bs(0.2), _at(36.0, 0.06, 0.0),
          (4.478, 1e-2, "Longstaff and Schwartz (2001), their grid")),
    _case("put, Andersen and others", "American", _YEAR, _bs(0.25), _at(100.0, 0.05, 0.05),
          (9.462492596167 + 0.106952702747, 1e-11, "Andersen, Lake and Offengenden (2016), with Black's put")),
    _case("four dates", "Bermudan", {"strike": 100.0, "times": _FIFTHS[1:]}),
    _case("ten dates, Fang and Oosterlee", "Bermudan", {"strike": 110.0, "times": tuple(k / 10 for k in range(1, 11))},
          None, _at(100.0, 0.1, 0.0), (10.479520123, 5e-10, "Fang and Oosterlee (2009), table 1")),
    _case("put, Merton", "American", _YEAR, _MERTON),
    _case("put, Merton of d'Halluin and others", "American", {"strike": 100.0, "tau": 0.25},
          {"type": "Merton", "sigma": 0.15, "intensity": 0.1, "jump_mean": -0.9, "jump_std": 0.45},
          _at(100.0, 0.05, 0.0),
          (3.2412435, 1e-5, "d'Halluin, Forsyth and Labahn (2004), in Surkov (2009), table C.5")),
    _case("four dates, Merton", "Bermudan", {"strike": 100.0, "times": _FIFTHS[1:]}, _MERTON),
    _case("two dates, Variance Gamma", "Bermudan", {"strike": 100.0, "times": (0.5, 1.0)}, _VG),
    _case("put, Bates", "American", _YEAR, _BATES),
    _case("down and out, Bates", "Barrier",
          {"strike": 100.0, "barrier": 85.0, "tau": 0.5, "direction": "down", "knock": "out"}, _BATES),
    _case("watched monthly, Merton", "Barrier", {**_YEAR, "barrier": 85.0, "direction": "down", "knock": "out",
                                                 "n_monitoring": 12}, _MERTON),
    _case("down and out, Haug", "Barrier", {**_KNOCK, "barrier": 95.0, "direction": "down", "knock": "out"}, _bs(0.25),
          _HAUG, (9.0246, 5e-5, "Haug (2007), table 4-13")),
    _case("up and out, Haug", "Barrier", {**_KNOCK, "barrier": 105.0, "direction": "up", "knock": "out"}, _bs(0.25),
          _HAUG, (2.6789, 5e-5, "Haug (2007), table 4-13")),
    _case("up and out, BENCHOP", "Barrier", {**_YEAR, "barrier": 125.0, "direction": "up", "knock": "out"}, _bs(0.15),
          _at(100.0, 0.03, 0.0), (3.294086516281595, 1e-12, "von Sydow et al. (2015), problem 1 c")),
    _case("down and in put", "Barrier", {**_YEAR, "barrier": 85.0, "direction": "down", "knock": "in",
                                         "is_call": False}),
    _case("watched monthly", "Barrier", {**_YEAR, "barrier": 85.0, "direction": "down",
                                         "knock": "out", "n_monitoring": 12}),
    _case("one touch", "Touch", {"barrier": 115.0, "direction": "up", "tau": 1.0}),
    _case("no touch", "Touch",
          {"barrier": 85.0, "direction": "down", "tau": 1.0, "is_touch": False, "pays_at": "expiry"}),
    _case("one touch, Haug", "Touch", {"barrier": 100.0, "direction": "down", "tau": 0.5, "amount": 15.0}, None,
          _at(105.0, 0.1, 0.0), (9.7264, 5e-5, "Haug (1998), p. 95")),
    _case("cash or nothing", "Digital", {"strike": 105.0, "tau": 1.0}),
    _case("cash, Haug", "Digital", {"strike": 80.0, "tau": 0.75, "is_call": False, "amount": 10.0}, _bs(0.35),
          _at(100.0, 0.06, 0.06), (2.6710, 5e-5, "Haug (1998), p. 88")),
    _case("asset or nothing", "Digital", {"strike": 95.0, "tau": 1.0, "is_call": False, "pays": "asset"}),
    _case("cash or nothing, Heston", "Digital", {"strike": 105.0, "tau": 1.0}, _FO),
    _case("arithmetic", "Asian", {"fixings": _FIFTHS, "strike": 100.0}),
    _case("geometric", "Asian", {"fixings": _FIFTHS, "strike": 100.0, "average": "geometric"}),
    _case("average strike", "Asian", {"fixings": _FIFTHS}),
    _case("snowball 雪球", "Autocallable",
          {"initial": 100.0, "observations": _MONTHS, "knock_out": 1.03, "coupon": 0.15, "knock_in": 0.75}, _bs(0.25)),
    _case("step-down, European knock-in", "Autocallable",
          {"initial": 100.0, "observations": _QUARTERS, "knock_out": [1.03, 1.02, 1.01, 1.0], "coupon": 0.1,
           "knock_in": 0.8, "knock_in_daily": False}, _bs(0.25)),
    _case("phoenix 凤凰", "Phoenix",
          {"initial": 100.0, "observations": _MONTHS, "knock_out": 1.03, "coupon": 0.01, "coupon_barrier": 0.8,
           "knock_in": 0.75}, _bs(0.25)),
    _case("shark fin 鲨鱼鳍", "SharkFin",
          {**_DAILY, "strike": 1.0, "barrier": 1.2, "rebate": 0.02, "participation": 0.8}),
    _case("range accrual 区间累计", "RangeAccrual", {**_DAILY, "low": 0.9, "high": 1.1, "rate": 0.05}),
    _case("quarterly, vol by expiry", "Autocallable",
          {"initial": 100.0, "observations": _QUARTERS, "knock_out": 1.03, "coupon": 0.1, "knock_in": 0.8,
           "knock_in_daily": False}, _BY_TIME),
    _case("quarterly, Heston", "Autocallable",
          {"initial": 100.0, "observations": _QUARTERS, "knock_out": 1.03, "coupon": 0.1, "knock_in": 0.8,
           "knock_in_daily": False}, _FO),
    _case("double no-touch deposit", "DoubleNoTouch", {**_DAILY, "low": 0.85, "high": 1.2, "rate": 0.06}),
    _case("airbag 安全气囊", "Airbag", {**_DAILY, "knock_in": 0.75, "participation": 0.9}),
    _case("structured deposit 结构性存款", "StructuredDeposit", {**_DAILY, "participation": 0.6, "width": 0.2}),
    _case("double, watched monthly", "DoubleBarrier",
          {"strike": 100.0, "tau": 1.0, "low": 85.0, "high": 120.0, "knock": "out", "n_monitoring": 12}),
    _case("double, watched monthly, Merton", "DoubleBarrier",
          {"strike": 100.0, "tau": 1.0, "low": 85.0, "high": 120.0, "knock": "out", "n_monitoring": 12}, _MERTON),
    _case("double knock-out", "DoubleBarrier",
          {"strike": 100.0, "tau": 0.4, "low": 85.0, "high": 120.0, "knock": "out"}),
    _case("double knock-out, Haug", "DoubleBarrier",
          {"strike": 100.0, "tau": 0.25, "low": 50.0, "high": 150.0, "knock": "out"}, _bs(0.15), _at(100.0, 0.1, 0.0),
          (4.3515, 5e-5, "Haug (2007), p. 156")),
    _case("neither touched", "DoubleTouch", {"low": 85.0, "high": 120.0, "tau": 0.4}),
    _case("watched at the start", "PartialBarrier",
          {**_YEAR, "barrier": 90.0, "direction": "down", "knock": "out", "watched": "start", "switch": 0.4}),
    _case("fixed strike", "Lookback", _YEAR),
    _case("floating strike, Haug", "Lookback", {"tau": 0.5, "extreme": 100.0}, _bs(0.3), _at(120.0, 0.1, 0.06),
          (25.3533, 1e-4, "Haug (1998), p. 61, good to a unit")),
    _case("floating strike", "Lookback", {"tau": 1.0, "is_call": False}),
    _case("starts in 73 days", "ForwardStart", {"start": 0.2, "tau": 1.0}),
    _case("starts in a quarter, Haug", "ForwardStart", {"start": 0.25, "strike": 1.1, "tau": 1.0, "is_call": False},
          _bs(0.3), _at(60.0, 0.08, 0.04), (8.2971, 5e-5, "Haug (1998), program to p. 37")),
    _case("starts in 73 days, Heston", "ForwardStart", {"start": 0.2, "tau": 1.0}, _FO),
    _case("five resets", "Cliquet", {"resets": _FIFTHS, "local_floor": -0.02, "local_cap": 0.04, "global_floor": 0.0}),
    _case("call on a call", "Compound", {"option": {"type": "European", "strike": 100.0, "tau": 1.0}, "strike": 6.0,
                                         "tau": 0.4}),
    _case("put on a call, Haug", "Compound",
          {"option": {"type": "European", "strike": 520.0, "tau": 0.5}, "strike": 50.0, "tau": 0.25, "is_call": False},
          _bs(0.35), _at(500.0, 0.08, 0.03), (21.1965, 2e-4, "Haug (2007), p. 133: a bivariate normal good to 2e-4")),
    _case("simple chooser, Haug", "Chooser",
          {"call": {"type": "European", "strike": 50.0, "tau": 0.5}, "tau": 0.25,
           "put": {"type": "European", "strike": 50.0, "tau": 0.5, "is_call": False}},
          _bs(0.25), _at(50.0, 0.08, 0.0), (6.1071, 5e-5, "Haug (1998), pp. 39-40")),
    _case("variance", "VarianceSwap", {"strike": 0.2, "tau": 1.0}),
    _case("variance, Heston", "VarianceSwap", {"strike": 0.2, "tau": 1.0}, _FO),
    _case("volatility", "VolatilitySwap", {"strike": 0.2, "tau": 1.0}),
    _case("volatility, Heston", "VolatilitySwap", {"strike": 0.2, "tau": 1.0}, _FO),
    _case("chosen in 146 days", "Chooser", {"tau": 0.4, "call": {"type": "European", **_YEAR},
                                            "put": {"type": "European", **_YEAR, "is_call": False}}),
    _case("switch in 146 days", "PartialLookback", {**_YEAR, "switch": 0.4}),
    _case("square", "Power", {"strike": 1e4, "power": 2.0, "tau": 1.0}),
    _case("square, Heston", "Power", {"strike": 1e4, "power": 2.0, "tau": 1.0}, _FO),
    _case("trigger above", "Gap", {**_YEAR, "trigger": 105.0}),
    _case("between 95 and 110", "Supershare", {"low": 95.0, "high": 110.0, "tau": 1.0}),
    _case("logarithm", "LogContract", _YEAR),
    _case("logarithm, Heston", "LogContract", _YEAR, _FO),
    _case("dual-currency deposit 双货币存款", "DualCurrencyDeposit", {"strike": 102.0, "coupon": 0.06, "tau": 0.2}),
    _case("rate fixed", "Quanto", {**_YEAR, "fx": 1.2}, _CROSS),
    _case("rate of the day", "Compo", {"strike": 700.0, "tau": 1.0}, _CROSS),
    _case("called and averaged, written down", "Composed", {"payments": [_AVERAGE]}),
    _case("called and averaged, Heston", "Composed", {"payments": [_AVERAGE]}, _FO),
    _case("one for the other", "Exchange", {"receive": "A", "give": "B", "tau": 1.0}, _PAIR, _two()),
    _case("spread of 5", "Spread", {"long": "A", "short": "B", "strike": 5.0, "tau": 1.0}, _PAIR, _two()),
    _case("spread put, prices apart", "Spread",
          {"long": "A", "short": "B", "strike": 20.0, "tau": 2.0, "is_call": False}, _APART, _two(0.0)),
    _case("who does better", "Outperformance", {"long": "A", "short": "B", "initials": [100.0, 95.0], "tau": 1.0},
          _PAIR, _two()),
    _case("half and half", "Basket", {**_NAMES, "weights": [0.5, 0.5], "strike": 98.0, "tau": 1.0}, _PAIR, _two()),
    _case("one and a half, prices apart", "Basket",
          {**_NAMES, "weights": [1.0, 0.5], "strike": 130.0, "tau": 2.0, "is_call": False}, _APART, _two(0.0)),
    _case("best of two", "BestOf", _RANKED, _PAIR, _two()),
    _case("worst of two put", "WorstOf", {**_RANKED, "is_call": False}, _PAIR, _two()),
    _case("weights by rank 彩虹", "Rainbow", {**_RANKED, "rank_weights": [0.7, 0.3]}, _PAIR, _two()),
    _case("worst-of snowball 双标的雪球", "WorstOfNote",
          {**_NAMES, "initials": [100.0, 95.0],
           "note": {"type": "Autocallable", "initial": 1.0, "observations": _QUARTERS, "knock_out": 1.0, "coupon": 0.15,
                    "knock_in": 0.7}}, _PAIR, _two()),
    _case("variance inside a corridor", "CorridorVarianceSwap",
          {"strike": 0.15, "low": 90.0, "high": 110.0, "tau": 1.0}),
    _case("variance inside a corridor, Heston", "CorridorVarianceSwap",
          {"strike": 0.1, "low": 90.0, "high": 110.0, "tau": 1.0}, _FO),
    _case("call on a call, Heston", "Compound",
          {"option": {"type": "European", "strike": 100.0, "tau": 1.0}, "strike": 4.0, "tau": 0.5}, _FO),
    _case("variance that counts with the price", "GammaSwap", {"strike": 0.2, "initial": 100.0, "tau": 1.0}),
    _case("variance that counts with the price, Heston", "GammaSwap", {"strike": 0.2, "initial": 100.0, "tau": 1.0},
          _FO),
    _case("cash or nothing, Bates", "Digital", {"strike": 105.0, "tau": 1.0}, _BATES),
    _case("cash or nothing, Variance Gamma", "Digital", {"strike": 101.0, "tau": 1.0}, _VG),
    _case("down and out, CEV", "Barrier", {**_YEAR, "barrier": 85.0, "direction": "down", "knock": "out"}, _CEV),
    _case("up and out, shifted", "Barrier", {**_YEAR, "barrier": 130.0, "direction": "up", "knock": "out"}, _SHIFTED),
    _case("put, normal", "American", _YEAR, _NORMAL),
    _case("down and out, normal", "Barrier", {**_YEAR, "barrier": 85.0, "direction": "down", "knock": "out"},
          _NORMAL),
    _case("snowball 雪球, normal", "Autocallable",
          {"initial": 100.0, "observations": _QUARTERS, "knock_out": 1.03, "coupon": 0.12, "knock_in": 0.75,
           "knock_in_daily": False}, _NORMAL),
)  # fmt: skip

"""Whatever stands in a field of a contract, a model or a market: taken as it was meant, or refused in one sentence."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research import instruments, market, models
from research.errors import InputError
from research.instruments import American, Asian, Autocallable, Bermudan, BestOf, Cliquet, Compound, European, Pay
from research.instruments.expressions import Spot
from research.instruments.terms import contracts
from research.market import DiscountCurve, Smile, flat_snapshot
from research.models import SVI, BlackScholes, Heston, LocalVol, MultiAssetBlackScholes, PowerLaw, RoughBergomi

QUARTERS = (0.25, 0.5, 0.75, 1.0)
CALL, PUT = European(strike=100.0, tau=1.0), European(strike=100.0, tau=1.0, is_call=False)
NOTE: dict[str, Any] = {"initial": 100.0, "tau": 1.0}
PAIR: dict[str, Any] = {"underlyings": ("A", "B"), "initials": (100.0, 50.0), "strike": 1.0, "tau": 1.0}
SNOWBALL: dict[str, Any] = {"initial": 100.0, "observations": QUARTERS, "knock_out": 1.03, "coupon": 0.1}
HESTON = {"v0": 0.04, "kappa": 1.5, "theta": 0.04, "sigma": 0.5, "rho": -0.7}
SLICE = SVI(a=0.02, b=0.1, rho=-0.3, m=0.0, sigma=0.2)
GRID = {"tau": [0.0, 1.0], "log_moneyness": [-0.1, 0.1], "vol": [[0.3, 0.2], [0.3, 0.2]]}
CURVE = DiscountCurve(as_of=date(2000, 1, 1), tau=[1.0], zero_rate=[0.03])
CORRIDOR: dict[str, Any] = {"low": 80.0, "high": 120.0, "tau": 1.0}
STRUCK: dict[str, Any] = {"strike": 100.0, "tau": 1.0}
BARRIER: dict[str, Any] = {"barrier": 90.0, "direction": "down", "tau": 1.0}
ONE_OF_EACH: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("European", "American", "Digital", "Lookback", "Quanto", "Compo", "LogContract"), STRUCK),
    **dict.fromkeys(("BestOf", "WorstOf"), PAIR),
    "VarianceSwap": {"strike": 0.2, "tau": 1.0},
    "GammaSwap": {"strike": 0.2, "initial": 100.0, "tau": 1.0},
    "VolatilitySwap": {"strike": 0.2, "tau": 1.0},
    "Rainbow": PAIR | {"rank_weights": (0.7, 0.3)},
    "Bermudan": {"strike": 100.0, "times": QUARTERS},
    "Asian": {"fixings": QUARTERS, "strike": 100.0},
    "Barrier": STRUCK | BARRIER | {"knock": "out"},
    "Touch": BARRIER,
    "DoubleBarrier": STRUCK | CORRIDOR | {"knock": "out"},
    "DoubleTouch": CORRIDOR,
    "Supershare": CORRIDOR,
    "PartialBarrier": STRUCK | BARRIER | {"knock": "out", "watched": "start", "switch": 0.5},
    "PartialLookback": STRUCK | {"switch": 0.5},
    "ForwardStart": {"start": 0.5, "tau": 1.0},
    "Cliquet": {"resets": QUARTERS, "local_cap": 0.05},
    "Compound": {"strike": 5.0, "tau": 0.5, "option": CALL},
    "Chooser": {"tau": 0.5, "call": CALL, "put": PUT},
    "Power": STRUCK | {"power": 2.0},
    "Gap": STRUCK | {"trigger": 105.0},
    "DualCurrencyDeposit": STRUCK | {"coupon": 0.1},
    "Autocallable": SNOWBALL | {"knock_in": 0.75},
    "Phoenix": SNOWBALL | {"coupon_barrier": 0.8},
    "SharkFin": NOTE | {"strike": 1.0, "barrier": 1.2},
    "RangeAccrual": NOTE | {"low": 0.9, "high": 1.1, "rate": 0.08},
    "DoubleNoTouch": NOTE | {"low": 0.9, "high": 1.1, "rate": 0.08},
    "Airbag": NOTE | {"knock_in": 0.8},
    "StructuredDeposit": NOTE | {"strike": 1.0},
    "CorridorVarianceSwap": {"strike": 0.2, "low": 90.0, "high": 110.0, "tau": 1.0},
    "Composed": {"payments": (Pay(at=1.0, amount=5.0),)},
    "Pay": {"at": 1.0, "amount": 5.0},
    "Fixing": {"at": date(1999, 1, 1), "value": 100.0},
    "Exchange": {"receive": "A", "give": "B", "tau": 1.0},
    "Spread": {"long": "A", "short": "B", "strike": 5.0, "tau": 1.0},
    "Outperformance": {"long": "A", "short": "B", "initials": (100.0, 50.0), "tau": 1.0},
    "Basket": {"underlyings": ("A", "B"), "weights": (0.5, 1.0), "strike": 100.0, "tau": 1.0},
    "WorstOfNote": {"underlyings": ("A", "B"), "initials": (100.0, 50.0), "note": Autocallable(**SNOWBALL)},
    "Position": {"contract": CALL, "underlying": "A"},
    "BlackScholes": {"sigma": 0.2},
    "BlackTermStructure": {"tau": (0.5, 1.0), "implied": (0.2, 0.21)},
    "Bachelier": {"sigma": 20.0},
    "DisplacedDiffusion": {"sigma": 0.2, "shift": 10.0},
    "CEV": {"sigma": 2.0, "beta": 0.5},
    "SABR": {"alpha": 0.2, "beta": 1.0, "rho": -0.3, "nu": 0.5},
    "ArbitrageFreeSABR": {"alpha": 0.2, "beta": 0.5, "rho": -0.3, "nu": 0.5},
    "Heston": HESTON,
    "Bates": HESTON | {"intensity": 0.1, "jump_mean": -0.1, "jump_std": 0.1},
    "Merton": {"sigma": 0.2, "intensity": 0.1, "jump_mean": -0.1, "jump_std": 0.1},
    "VarianceGamma": {"sigma": 0.2, "nu": 0.2, "theta": -0.1},
    "SVI": {"a": 0.02, "b": 0.1, "rho": -0.3, "m": 0.0, "sigma": 0.2},
    "SVISurface": {"tau": (1.0,), "slices": (SLICE,)},
    "SSVI": {"tau": (0.5, 1.0), "theta": (0.02, 0.04), "rho": -0.3, "phi": PowerLaw(eta=0.5, gamma=0.4)},
    "ESSVI": {"tau": (0.5, 1.0), "theta": (0.02, 0.045), "psi": (0.1, 0.15), "rho": (-0.6, -0.5)},
    "LocalVol": GRID,
    "LocalStochasticVol": {"heston": Heston(**HESTON), "leverage": LocalVol(**GRID)},
    "RoughBergomi": {"hurst": 0.1, "eta": 1.9, "rho": -0.9, "forward_variance": 0.04},
    "CrossCurrency": {"sigma": 0.2, "fx_vol": 0.1, "correlation": 0.3, "payout_rate": 0.02},
    "MultiAssetBlackScholes": {"names": ("A", "B"), "vols": [0.2, 0.3], "correlation": [[1.0, 0.5], [0.5, 1.0]]},
    "DiscountCurve": {"as_of": date(2000, 1, 1), "tau": [1.0], "zero_rate": [0.03]},
    "Smile": {"tau": 1.0, "forward": 100.0, "df": 0.98, "strike": [90.0, 100.0], "vol": [0.2, 0.2]},
    "Snapshot": {"as_of": date(2000, 1, 1), "spot": 100.0, "discount": CURVE},
    "CashDividends": {"tau": [0.5], "cash": [1.0]},
    "Underlying": {"name": "A", "spot": 100.0},
    "ForeignCurrency": {"name": "USD", "rate": 7.0, "discount": CURVE},
}  # fmt: skip
NONSENSE = (
    float("nan"), float("inf"), -float("inf"), None, "100", "abc", True, -1.0, 0.0, [], (), pd.Series([1.0, 2.0]),
    pd.DataFrame({"a": [1.0]}), np.array([0.5]), np.array([[0.5, 0.6]]), 1j, datetime(2030, 1, 1, 15), pd.NaT, {},
    object(), 1e300, (1.0, 0.5), (0.5, 0.5, 1.0), (0.5, float("nan")), ("a", "b"), (0.5, date(2030, 1, 1)), {1.0, 2.0},
)  # fmt: skip


def kind_of(name: str) -> Any:
    return next(getattr(room, name) for room in (instruments, models, market) if hasattr(room, name))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_nonsense_in_any_field_is_taken_or_refused_in_words(name: str) -> None:
    kind, good = kind_of(name), ONE_OF_EACH[name]
    kind(**good)
    for field in (f.name for f in dataclasses.fields(kind) if f.init):
        for value in NONSENSE:
            try:
                kind(**good | {field: value})
            except InputError as refusal:
                assert " must " in str(refusal), f"{field}={value!r}: {refusal}"


def test_there_is_one_of_each_contract() -> None:
    assert set(contracts()) <= set(ONE_OF_EACH)


def test_numbers_and_dates_of_numpy_and_pandas_become_pythons_own() -> None:
    item = European(strike=np.float32(100.0), expiry=pd.Timestamp("2030-01-31"), is_call=np.True_)
    assert item == European(strike=100.0, expiry=date(2030, 1, 31))
    assert (type(item.strike), type(item.expiry), type(item.is_call)) == (float, date, bool)
    assert European(strike=100, tau=np.array(1.0)) == CALL
    assert Bermudan(strike=100.0, times=np.array(QUARTERS)) == Bermudan(strike=100.0, times=list(QUARTERS))
    days = pd.to_datetime(["2030-01-31", "2030-02-28"])
    assert Asian(fixings=days).fixings == (date(2030, 1, 31), date(2030, 2, 28))
    assert Asian(fixings=np.array(["2030-01-31"], dtype="datetime64[D]")).fixings == (date(2030, 1, 31),)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: European(strike="100", tau=1.0), "strike must be a number; got '100'. Write 100, without quotes."),
        (lambda: European(strike=None, tau=1.0), "strike must be a number; got None."),
        (lambda: European(strike=True, tau=1.0), "strike must be a number; got True."),
        (lambda: European(strike=[90.0, 100.0], tau=1.0), "One contract holds one number: make a list of contracts"),
        (lambda: European(strike=100.0, tau=365.0), "tau must be at most 100 years; got 365. 90 days are 90 / 365 ye"),
        (lambda: European(strike=100.0, expiry="2030-01-31"), "expiry must be a date, or None; got '2030-01-31'. Wri"),
        (lambda: European(strike=100.0, expiry=datetime(2030, 1, 31, 15)), "Days count, not hours: give .date(), or"),
        (lambda: European(strike=100.0, tau=1.0, is_call="call"), "is_call must be True or False; got 'call'. A call"),
        (lambda: American(strike=-100.0, tau=1.0), "strike must be finite and > 0; got -100."),
        (lambda: Bermudan(strike=1.0, times=(1.0, 0.5)), "times must increase; the one before is 1.0; got '0.5'."),
        (lambda: Asian(fixings=(0.5, 0.5)), "fixings must be in order, each later than the one before; got"),
        (lambda: Asian(fixings={0.5, 1.0}), "Order matters: give a list."),
        (lambda: Asian(fixings=QUARTERS, fixed_mean=-1.0), "fixed_mean must be > 0 where fixings have passed, 0 wher"),
        (lambda: Autocallable(**SNOWBALL | {"knock_out": 103.0}), "fractions of the initial price: 103% is 1.03."),
        (lambda: Autocallable(**SNOWBALL | {"coupon": 15.0}), "A decimal is wanted: 15% is 0.15."),
        (lambda: BestOf(**PAIR | {"strike": 105.0}), "Beside initials the strike is a fraction: 105% is 1.05."),
        (lambda: Cliquet(resets=QUARTERS, local_cap=20.0), "local_cap must lie in (-10, 10); got 20. A decimal is wa"),
        (lambda: Compound(strike=5.0, tau=0.5, option=100.0), "option must be a European; got 100."),
        (lambda: BlackScholes(sigma=20.0), "sigma must be < 10; got 20 (1 of 1 values). A decimal is wanted: 20% is"),
        (lambda: BlackScholes(sigma=-0.2), "sigma must be finite and >= 0; got -0.2."),
        (lambda: Heston(**HESTON | {"rho": -1.2}), "rho must lie in [-1, 1]; got -1.2."),
        (lambda: RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance="x"), "forward_variance must be numbers"),
        (lambda: MultiAssetBlackScholes(names=("A",), vols=["x"], correlation=[[1.0]]), "vols must be numbers"),
        (lambda: DiscountCurve(as_of=date(2000, 1, 1), tau=[1.0], zero_rate=[3.0]), "A decimal is wanted: 3% is 0.03."),
        (lambda: Smile(tau=1.0, forward=1.0, df=1.0, strike=[1.0], vol=[20.0]), "vol must be < 10; got 20"),
        (lambda: Asian(fixings="2030-01-31"), "fixings must be a list of dates or a list of numbers; got"),
        (lambda: Spot(at=1.0) ** 2, "a power must be written as a product, or exp(p * log(x)); got ** 2."),
        (lambda: European(strike=1.0, expiry=date(2030, 1, 1)).years("today"), "as_of must be a date; got 'today'."),
        (lambda: flat_snapshot(spot="x"), "spot must be a number; got 'x'."),
        (lambda: flat_snapshot(spot=100.0, rate=3.0), "zero_rate must lie in (-1, 1); got 3"),
        (lambda: flat_snapshot(spot=100.0).discount.df(date(2030, 1, 1)), "Times are in years: conventions.year_frac"),
    ],
)  # fmt: skip
def test_a_wrong_kind_or_unit_is_named_with_what_was_meant(make: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: European(strik=100.0, tau=1.0),
            r"European must be among .*; got 'strik'\. Did you mean 'strike'\?",
        ),
        (lambda: European(tau=1.0), r"terms of European must have strike; got tau\."),
        (lambda: European(), r"terms of European must have strike; got none\."),
        (lambda: European(100.0, 1.0), r"terms of European must be given by name; got 100\. Write strike=\.\.\."),
        (lambda: BlackScholes(vol=0.2), r"terms of BlackScholes must be among sigma; got 'vol'\. Here it is sigma\.$"),
        (lambda: BlackScholes(), r"terms of BlackScholes must have sigma; got none\."),
    ],
)
def test_terms_that_are_misspelt_missing_or_without_a_name_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_a_contract_keeps_its_signature_and_can_be_copied():
    import inspect
    import pickle

    assert list(inspect.signature(European).parameters) == ["strike", "expiry", "tau", "is_call"]
    assert pickle.loads(pickle.dumps(CALL)) == CALL == dataclasses.replace(CALL, strike=CALL.strike)


def test_a_date_given_as_text_is_refused_with_the_line_to_write():
    with pytest.raises(InputError, match=r"Write date\.fromisoformat\('2027-06-15'\)\."):
        European(strike=100.0, expiry="2027-06-15")
    with pytest.raises(InputError, match=r"Write date\.fromisoformat\('2030-01-31'\)\."):
        European(strike=100.0, expiry="15/06/2027")

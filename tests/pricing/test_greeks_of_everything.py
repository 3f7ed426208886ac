"""Every contract under every model and curve has nine Greeks, and they are the differences of its prices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.pricing.greek_cases import MARKETS, MODELS, NINE, SIMULATED, contract, difference, higher, pairs

from research.errors import NoEngineError, NumericalError
from research.pricing import greeks, price

N_PATHS = 1 << 11
_JUMPS, _EARLY = ("Merton", "Bates", "VarianceGamma", "RoughBergomi"), ("American", "Bermudan")
_LOOKS = ("Lookback", "PartialLookback", "VarianceSwap", "VolatilitySwap", "CorridorVarianceSwap")
SLOW = {  # minutes each: by Longstaff and Schwartz, and 64 tables of moves a bump
    *((kind, model) for kind in _EARLY for model in _JUMPS),
    *((kind, "LocalVol") for kind in _LOOKS),
}
# Greeks by differences of second order of what is not a polynomial: of the size of the Greek
ROUGH = {"delta": 4e-3, "gamma": 2e-2, "vega": 1e-2, "rho": 4e-3}
A_FEW = [
    ("Barrier", "Heston", "yields"), ("Asian", "Merton", "sloped"), ("Autocallable", "BlackTermStructure", "borrow"),
    ("DoubleTouch", "LocalVol", "yields"), ("Cliquet", "VarianceGamma", "sloped"),
    ("Compound", "BlackScholes", "yields"),
    ("ForwardStart", "Bates", "borrow"), ("American", "LocalVol", "sloped"), ("VarianceSwap", "Heston", "yields"),
    ("DualCurrencyDeposit", "SVISurface", "flat"), ("Gap", "SABR", "sloped"), ("European", "CEV", "flat"),
    ("Digital", "Bachelier", "flat"), ("PartialLookback", "BlackScholes", "flat"), ("Phoenix", "LocalVol", "borrow"),
    ("Lookback", "BlackScholes", "flat"), ("Chooser", "DisplacedDiffusion", "flat"), ("Supershare", "Merton", "yields"),
]  # fmt: skip


def check(kind: str, model_name: str, market: str) -> list[str]:
    item, model, snapshot = contract(kind), MODELS[model_name], MARKETS[market]
    try:
        method = str(price(item, model, snapshot).method)
    except (NoEngineError, NumericalError):
        return []  # without a price there is nothing to derive
    options = {"n_paths": N_PATHS} if method in SIMULATED else {}
    found = greeks(item, model, snapshot, **options).set_index("greek")
    method = str(found.method.iloc[0])
    where = f"{kind} {model_name} {market} {method}"
    faults = [f"{where}: no {name}" for name in NINE if name not in found.index]
    faults += [f"{where}: {name} is {found.value[name]}" for name in found.index if not np.isfinite(found.value[name])]
    faults += [
        f"{where}: error of {name} is {found.error[name]}" for name in found.index if not found.error[name] >= 0.0
    ]
    for name, rough in ROUGH.items():
        if name == "vega" and higher(model, 0.0) is None:
            continue
        other, spread = difference(name, item, model, snapshot, method, N_PATHS)
        size = max(abs(found.value[name]), abs(other))
        floor = {"gamma": 2.0, "delta": 0.2}.get(name, 1.0) * 1e-6 * max(abs(found.value["value"]), 1.0) * 100.0
        room = 2.0 * (spread + found.error[name]) + rough * size + floor
        if abs(found.value[name] - other) > room:
            faults.append(f"{where}: {name} {found.value[name]:.6g} +- {found.error[name]:.1g}, differences {other:.6g}"
                          f" +- {spread:.1g}")  # fmt: skip
    return faults


@pytest.mark.parametrize(("kind", "model", "market"), A_FEW, ids=lambda x: x)
def test_greeks_of_some_contracts_are_the_differences_of_their_prices(kind: str, model: str, market: str) -> None:
    assert not check(kind, model, market)


def _shares() -> list[Any]:
    """Each pair once, the kinds of market in turn."""
    turn = list(MARKETS)
    return [(c, m, turn[i % len(turn)]) for i, (c, m) in enumerate(pairs())]


LONG = ("Bates", "LocalVol", "LocalStochasticVol", "RoughBergomi")  # minutes to an hour each


@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=pytest.mark.overnight if m in LONG else pytest.mark.deep) for m in MODELS]
)
def test_greeks_of_every_contract_are_the_differences_of_its_prices(model: str) -> None:
    faults: list[str] = []
    for kind, name, market in _shares():
        if name == model and (kind, model) not in SLOW:
            faults += check(kind, model, market)
    assert not faults, "\n".join(faults)

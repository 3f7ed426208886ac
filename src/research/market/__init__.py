"""What the market showed on one day: curves, smiles, surfaces, snapshots, and whether they can be true.

| question | function or class | reference |
|---|---|---|
| what is one unit at time tau worth today? | `DiscountCurve.df` | zero rates, continuously compounded |
| which amounts does the stock pay, and what is lognormal then? | `CashDividends` | Haug, Haug & Lewis (2003) |
| which vols were quoted for one expiry? | `Smile` | |
| ... in normal vols, forwards of any sign? | `NormalSmile` | |
| ... for every expiry? | `Surface` | |
| ... for every day of a history of chains? | `chains_from_quotes`, `Chains` | put-call parity |
| ... SIMULATED, to try a history on | `simulate_chains` | Gatheral & Jacquier (2014) |
| everything a calibration needs, checked | `Snapshot`, `build_snapshot`, `flat_snapshot` | |
| ... of several underlyings and currencies? | `BasketSnapshot`, `flat_basket` | |
| do the quotes allow a free lunch? | `find_arbitrage` | Carr & Madan (2005), Gatheral & Jacquier (2014) |
| ... within one expiry, between expiries? | `find_butterflies`, `find_calendars` | |
| refuse them, naming the worst | `refuse_arbitrage` | |
| the nearest quotes without any | `repair_quotes` | Cohen, Reisinger & Wang (2020) |
"""

from __future__ import annotations

import importlib
from typing import Any

from research.conventions import named_terms
from research.market.arbitrage import find_arbitrage, find_butterflies, find_calendars, refuse_arbitrage
from research.market.basket import BasketSnapshot, ForeignCurrency, Underlying, flat_basket
from research.market.curves import DiscountCurve
from research.market.dividends import CashDividends
from research.market.normal_smile import NormalSmile
from research.market.snapshot import Snapshot, build_snapshot, flat_snapshot
from research.market.surface import Smile, Surface
from research.market.terms import snapshot_from_json, to_json

# found when first used: they need a kernel or a solver, and a run's code closure holds what it used
_LAZY = {
    "Chains": "chains",
    "Repair": "repair",
    "repair_quotes": "repair",
    "chains_from_quotes": "chains",
    "SimulatedChains": "simulated_chains",
    "simulate_chains": "simulated_chains",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'research.market' has no attribute {name!r}")
    return getattr(importlib.import_module(f"research.market.{_LAZY[name]}"), name)


__all__ = [
    "build_snapshot",
    "chains_from_quotes",
    "find_arbitrage",
    "find_butterflies",
    "find_calendars",
    "flat_basket",
    "flat_snapshot",
    "refuse_arbitrage",
    "repair_quotes",
    "simulate_chains",
    "snapshot_from_json",
    "to_json",
    "BasketSnapshot",
    "CashDividends",
    "Chains",
    "DiscountCurve",
    "ForeignCurrency",
    "NormalSmile",
    "Repair",
    "SimulatedChains",
    "Smile",
    "Snapshot",
    "Surface",
    "Underlying",
]

named_terms(globals()[name] for name in __all__ if name not in _LAZY)

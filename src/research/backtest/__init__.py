"""Backtest: forecasts made in the past beside what came.

| question | function | gives |
|---|---|---|
| would this value at risk have held, day by day? | `value_at_risk` | `Backtest`: forecasts, exceptions, refits |
| what would hedging this claim have earned, and why? | `delta_hedging` | `Hedging`: gains by sale, by day, by cause |
| which vol would the hedger have believed in? | `hedge_vols` | Series: rolling, EWMA, GARCH, foresight |
| how large is the error of rare hedging in theory? | `hedge_error` | float: Derman and Kamal (1999) |
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from research.backtest.value_at_risk import Backtest, value_at_risk

if TYPE_CHECKING:
    from research.backtest.hedge_volatility import hedge_vols
    from research.backtest.hedging import PARTS, Hedging, delta_hedging, hedge_error

# found when first used: what prices options is no part of a value at risk
_LAZY = {
    "PARTS": "hedging",
    "Hedging": "hedging",
    "delta_hedging": "hedging",
    "hedge_error": "hedging",
    "hedge_vols": "hedge_volatility",
}
__all__ = ["PARTS", "Backtest", "Hedging", "delta_hedging", "hedge_error", "hedge_vols", "value_at_risk"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'research.backtest' has no attribute {name!r}")
    return getattr(importlib.import_module(f"research.backtest.{_LAZY[name]}"), name)

"""Backtest: forecasts made in the past beside what came.

| question | function | gives |
|---|---|---|
| would this value at risk have held, day by day? | `value_at_risk` | `Backtest`: forecasts, exceptions, refits |
| what would hedging this claim have earned, and why? | `delta_hedging` | `Hedging`: gains by sale, by day, by cause |
| which vol would the hedger have believed in? | `hedge_vols` | Series: rolling, EWMA, GARCH, foresight |
| how large is the error of rare hedging in theory? | `hedge_error` | float: Derman and Kamal (1999) |
"""

from research.backtest.delta_hedging import PARTS, Hedging, delta_hedging, hedge_error
from research.backtest.hedge_vols import hedge_vols
from research.backtest.value_at_risk import Backtest, value_at_risk

__all__ = ["PARTS", "Backtest", "Hedging", "delta_hedging", "hedge_error", "hedge_vols", "value_at_risk"]

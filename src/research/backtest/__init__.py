"""Backtest: forecasts made in the past beside what came.

| question | function | gives |
|---|---|---|
| would this value at risk have held, day by day? | `value_at_risk` | `Backtest`: forecasts, exceptions, refits |
"""

from research.backtest.value_at_risk import Backtest, value_at_risk

__all__ = ["Backtest", "value_at_risk"]

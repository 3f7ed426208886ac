"""Risk: what can be lost.

| question | function | reference |
|---|---|---|
| how much can be lost tomorrow, and how much beyond that? | `value_at_risk` | see the module |
| how far do the methods look back? | `Settings` | RiskMetrics (1996) |

`risk.forecasts` makes the same forecasts for a range of days; the backtest uses it.
"""

from research.risk.forecasts import METHODS, Method, Settings
from research.risk.value_at_risk import TailRisk, value_at_risk

__all__ = ["METHODS", "Method", "Settings", "TailRisk", "value_at_risk"]

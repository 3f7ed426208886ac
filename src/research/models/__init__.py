"""Models: parameters as frozen facts, and the formulas that need no engine.

| model | class or module | reference |
|---|---|---|
| Black's formula: price, Greeks, implied volatility | `black` | Black (1976) |
| stochastic variance | `Heston` | Heston (1993) |
"""

from research.models import black
from research.models.heston import Heston

__all__ = ["black", "Heston"]

"""Contract terms. An instrument never prices itself: `pricing.price(instrument, model, snapshot)` does.

| contract | class |
|---|---|
| the right to buy or sell at the strike on one day | `European` |
"""

from research.instruments.european import European

__all__ = ["European"]

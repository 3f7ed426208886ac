"""Contract terms. An instrument never prices itself: `pricing.price(instrument, model, snapshot)` does.

| contract | class |
|---|---|
| the right to buy or sell at the strike on one day | `European` |
| the same, on any day up to expiry | `American` |
| the same, on given days | `Bermudan` |
| a European option with one barrier: down or up, in or out | `Barrier` |

Each is a frozen dataclass and plain data: `to_json(contract)`, `contract_from_json(terms)`.
"""

from research.instruments.american import American
from research.instruments.barrier import Barrier
from research.instruments.bermudan import Bermudan
from research.instruments.european import European
from research.instruments.terms import contract_from_json, to_json

__all__ = ["American", "Barrier", "Bermudan", "European", "contract_from_json", "to_json"]

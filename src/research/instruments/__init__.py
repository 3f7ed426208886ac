"""Contract terms. An instrument never prices itself: `pricing.price(instrument, model, snapshot)` does.

| contract | class |
|---|---|
| the right to buy or sell at the strike on one day | `European` |
| the same, on any day up to expiry | `American` |
| the same, on given days | `Bermudan` |
| a European option with one barrier: down or up, in or out | `Barrier` |
| cash or the underlying beyond the strike | `Digital` |
| cash if a barrier is hit, or never hit | `Touch` |

Each is a frozen dataclass and plain data: `to_json(contract)`, `contract_from_json(terms)`.
"""

from research.instruments.american import American
from research.instruments.barrier import Barrier
from research.instruments.bermudan import Bermudan
from research.instruments.digital import Digital
from research.instruments.european import European
from research.instruments.terms import contract_from_json, to_json
from research.instruments.touch import Touch

__all__ = ["American", "Barrier", "Bermudan", "Digital", "European", "Touch", "contract_from_json", "to_json"]

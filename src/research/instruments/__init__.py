"""Contract terms. An instrument never prices itself: `pricing.price(instrument, model, snapshot)` does.

| contract | class |
|---|---|
| the right to buy or sell at the strike on one day | `European` |
| the same, on any day up to expiry | `American` |
| an option on the average of the price (亚式) | `Asian` |
| a note called at the first observation above a level (雪球) | `Autocallable` |
| ... that pays a coupon at each observation above a barrier (凤凰) | `Phoenix` |
| participation up to a barrier (鲨鱼鳍) | `SharkFin` |
| interest for each day inside a range (区间累计) | `RangeAccrual` |
| a high rate if the price stays inside a corridor (双边不触碰) | `DoubleNoTouch` |
| losses only after a low barrier (安全气囊) | `Airbag` |
| a safe principal, interest by an index (结构性存款) | `StructuredDeposit` |
| the same, on given days | `Bermudan` |
| a European option with one barrier: down or up, in or out | `Barrier` |
| cash or the underlying beyond the strike | `Digital` |
| cash if a barrier is hit, or never hit | `Touch` |
| payments written as `expressions` of the prices seen | `Composed`, `Pay`, `Fixing` |

Each is a frozen dataclass and plain data: `to_json(contract)`, `contract_from_json(terms)`.
"""

from research.instruments import expressions
from research.instruments.airbag import Airbag
from research.instruments.american import American
from research.instruments.asian import Asian
from research.instruments.autocallable import Autocallable
from research.instruments.barrier import Barrier
from research.instruments.bermudan import Bermudan
from research.instruments.composed import Composed, Fixing, Pay
from research.instruments.digital import Digital
from research.instruments.double_no_touch import DoubleNoTouch
from research.instruments.european import European
from research.instruments.phoenix import Phoenix
from research.instruments.range_accrual import RangeAccrual
from research.instruments.shark_fin import SharkFin
from research.instruments.structured_deposit import StructuredDeposit
from research.instruments.terms import contract_from_json, to_json
from research.instruments.touch import Touch

__all__ = [
    "Airbag",
    "American",
    "Asian",
    "Autocallable",
    "Barrier",
    "Bermudan",
    "Composed",
    "Digital",
    "DoubleNoTouch",
    "European",
    "Fixing",
    "Pay",
    "Phoenix",
    "RangeAccrual",
    "SharkFin",
    "StructuredDeposit",
    "Touch",
    "contract_from_json",
    "expressions",
    "to_json",
]

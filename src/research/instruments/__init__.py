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
| a high rate if the price stays inside a corridor (双边不触碰, double-no-touch deposit) | `DoubleNoTouch` |
| losses only after a low barrier (安全气囊) | `Airbag` |
| a safe principal, interest by an index (结构性存款) | `StructuredDeposit` |
| the same, on given days | `Bermudan` |
| a European option with one barrier: down or up, in or out | `Barrier` |
| the right to exchange one asset for another; the spread; who does better | `Exchange`, `Spread`, `Outperformance` |
| an option on a basket (一篮子) | `Basket` |
| an option on the best, the worst, a ranking (彩虹) | `BestOf`, `WorstOf`, `Rainbow` |
| a snowball, phoenix, ... on the worst performer (双标的雪球) | `WorstOfNote` |
| cash or the underlying beyond the strike | `Digital` |
| cash if a barrier is hit, or never hit | `Touch` |
| a European option with two barriers (双障碍) | `DoubleBarrier` |
| cash if one of two barriers is hit, or none | `DoubleTouch` |
| a barrier that is watched for a part of the life | `PartialBarrier` |
| a payment on the highest or lowest price (回望) | `Lookback`, `PartialLookback` |
| a strike set on a later day (远期生效) | `ForwardStart` |
| the sum of capped returns (棘轮) | `Cliquet` |
| an option on an option; call or put, chosen later | `Compound`, `Chooser` |
| a power of the price, a jump, a share, a logarithm | `Power`, `Gap`, `Supershare`, `LogContract` |
| paid in another currency, rate fixed or not | `Quanto`, `Compo` |
| realised against agreed variance (方差互换) | `VarianceSwap`, `VolatilitySwap` |
| ... counted inside a corridor only (区间方差互换) | `CorridorVarianceSwap` |
| ... counted with the price over the initial one (伽马互换) | `GammaSwap` |
| a deposit paid back in one of two currencies (双货币存款) | `DualCurrencyDeposit` |
| payments written as `expressions` of the prices seen | `Composed`, `Pay`, `Fixing` |
| so many of a contract, on a named underlying: a line of a book | `Position` |

Each is a frozen dataclass and plain data: `to_json(contract)`, `contract_from_json(terms)`.
"""

from research.conventions import named_terms
from research.instruments import expressions
from research.instruments.airbag import Airbag
from research.instruments.american import American
from research.instruments.asian import Asian
from research.instruments.autocallable import Autocallable
from research.instruments.barrier import Barrier
from research.instruments.basket import Basket
from research.instruments.bermudan import Bermudan
from research.instruments.cliquet import Cliquet
from research.instruments.composed import Composed, Fixing, Pay
from research.instruments.compound import Chooser, Compound
from research.instruments.corridor_swap import CorridorVarianceSwap
from research.instruments.digital import Digital
from research.instruments.double_barrier import DoubleBarrier
from research.instruments.double_no_touch import DoubleNoTouch
from research.instruments.double_touch import DoubleTouch
from research.instruments.dual_currency import DualCurrencyDeposit
from research.instruments.european import European
from research.instruments.exchange import Exchange, Outperformance, Spread
from research.instruments.forward_start import ForwardStart
from research.instruments.gamma_swap import GammaSwap
from research.instruments.lookback import Lookback, PartialLookback
from research.instruments.partial_barrier import PartialBarrier
from research.instruments.phoenix import Phoenix
from research.instruments.position import Position
from research.instruments.power import Gap, LogContract, Power, Supershare
from research.instruments.quanto import Compo, Quanto
from research.instruments.rainbow import BestOf, Rainbow, WorstOf
from research.instruments.range_accrual import RangeAccrual
from research.instruments.shark_fin import SharkFin
from research.instruments.structured_deposit import StructuredDeposit
from research.instruments.terms import contract_from_json, to_json
from research.instruments.touch import Touch
from research.instruments.variance_swap import VarianceSwap, VolatilitySwap
from research.instruments.worst_of_note import WorstOfNote

__all__ = [
    "contract_from_json",
    "expressions",
    "to_json",
    "Airbag",
    "American",
    "Asian",
    "Autocallable",
    "Barrier",
    "Basket",
    "Bermudan",
    "BestOf",
    "Chooser",
    "Cliquet",
    "Compo",
    "Composed",
    "Compound",
    "CorridorVarianceSwap",
    "Digital",
    "DoubleBarrier",
    "DoubleNoTouch",
    "DoubleTouch",
    "DualCurrencyDeposit",
    "European",
    "Exchange",
    "Fixing",
    "ForwardStart",
    "GammaSwap",
    "Gap",
    "LogContract",
    "Lookback",
    "Outperformance",
    "PartialBarrier",
    "PartialLookback",
    "Pay",
    "Phoenix",
    "Position",
    "Power",
    "Quanto",
    "Rainbow",
    "RangeAccrual",
    "SharkFin",
    "Spread",
    "StructuredDeposit",
    "Supershare",
    "Touch",
    "VarianceSwap",
    "VolatilitySwap",
    "WorstOf",
    "WorstOfNote",
]

named_terms(globals()[name] for name in __all__)

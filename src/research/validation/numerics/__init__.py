"""Does a pricer obey the laws that any prices free of arbitrage obey, and agree with another pricer?

Prices come as arrays of shape (n_expiries, n_strikes), undiscounted unless said; every test gives the largest
violation in units of the forward, and passes when it is within `tolerance`.

| question | function | reference |
|---|---|---|
| does call less put equal the forward contract? | `put_call_parity` | Stoll (1969); Merton (1973), theorem 12 |
| do prices lie between intrinsic value and the forward? | `price_bounds` | Merton (1973), theorems 1 to 3 |
| do calls fall in strike, by no more than the strike rises? | `strike_monotonicity` | Merton (1973), theorem 7 |
| are calls convex in strike? | `strike_convexity` | Merton (1973), theorem 4; Breeden and Litzenberger (1978) |
| do calls of one moneyness rise with time? | `calendar_order` | Gatheral and Jacquier (2014), lemma 2.1 |
| do two pricers agree? | `agreement` | |
"""

from research.validation.numerics.agreement import agreement
from research.validation.numerics.laws import (
    calendar_order,
    price_bounds,
    put_call_parity,
    strike_convexity,
    strike_monotonicity,
)

__all__ = [
    "agreement",
    "calendar_order",
    "price_bounds",
    "put_call_parity",
    "strike_convexity",
    "strike_monotonicity",
]

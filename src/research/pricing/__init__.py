"""One engine a numerical method; `price` finds the one that contract and model allow, `methods` lists them.

| engine | contracts | needs of the model | method | reference |
|---|---|---|---|---|
| `analytic` | European | implied_vol | Black's formula at the model's own implied vol | Black (1976) |
| `fourier` | European | characteristic_function | Lewis' integral, sinh contour | Boyarchenko & Levendorskii (2019) |
| `monte_carlo` | Asian, notes | lognormal | scrambled Sobol' or Philox paths | Glasserman (2004) |
| `longstaff_schwartz` | American | lognormal | exercise by regression, dual upper bound | Longstaff & Schwartz (2001) |

Of notes and Asian options: `term_sheet` (outcomes, life, margin), `solve` (the fair coupon), `greeks` (by simulation).
"""

from research.pricing import fourier, longstaff_schwartz, monte_carlo
from research.pricing.catalogue import CATALOGUE, Engine, Values, engines_for
from research.pricing.price import Price, methods, price
from research.pricing.simulated_greeks import greeks
from research.pricing.term_sheet import Solved, TermSheet, solve, term_sheet

__all__ = [
    "CATALOGUE",
    "Engine",
    "Price",
    "Solved",
    "TermSheet",
    "Values",
    "engines_for",
    "fourier",
    "greeks",
    "longstaff_schwartz",
    "methods",
    "monte_carlo",
    "price",
    "solve",
    "term_sheet",
]

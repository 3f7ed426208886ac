"""One engine a numerical method; `price` finds the one that contract and model allow, `methods` lists them.

| engine | contracts | needs of the model | method | reference |
|---|---|---|---|---|
| `analytic` | European | implied_vol, implied_vol_at | Black's formula at the model's own implied vol | Black (1976) |
| `fourier` | European | characteristic_function | Lewis' integral, sinh contour | Boyarchenko & Levendorskii (2019) |
| `cosine` | European | real_characteristic_function | Fourier cosine series | Fang & Oosterlee (2008) |
| `analytic` | Barrier, Touch, Digital | lognormal | closed forms | Reiner & Rubinstein (1991) |
| `spectral` | American | lognormal | collocation of the exercise boundary | Andersen, Lake & Offengenden (2016) |
| `pde` | European, American, Barrier | lognormal | Crank-Nicolson on a sinh grid | Rannacher (1984) |
| `lattice` | European, American, Bermudan | lognormal | binomial tree that meets the strike | Leisen & Reimer (1996) |
| `monte_carlo` | Asian, notes | lognormal | scrambled Sobol' or Philox paths | Glasserman (2004) |
| `quadrature` | notes without memory | lognormal | exact normal steps, date by date | Andricopoulos et al. (2003) |
| `longstaff_schwartz` | American | lognormal | exercise by regression, dual upper bound | Longstaff & Schwartz (2001) |

Of notes and Asian options: `term_sheet` (outcomes, life, margin), `solve` (the fair coupon), `greeks` (by simulation),
`note_grid` (every date and spot, for hedges).
"""

from __future__ import annotations

import importlib
from typing import Any

from research.pricing import fourier
from research.pricing.catalogue import CATALOGUE, Engine, Values, engines_for
from research.pricing.price import Price, methods, price

# found when first used, so that a run's code closure holds the engines it used
_LAZY = {
    "NoteGrid": "_note_grid",
    "note_grid": "_note_grid",
    "greeks": "simulated_greeks",
    "Solved": "term_sheets",
    "TermSheet": "term_sheets",
    "solve": "term_sheets",
    "term_sheet": "term_sheets",
    "american": "",
    "lattice": "",
    "longstaff_schwartz": "",
    "monte_carlo": "",
    "pde": "",
    "quadrature": "",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'research.pricing' has no attribute {name!r}")
    found = importlib.import_module(f"research.pricing.{_LAZY[name] or name}")
    return getattr(found, name) if _LAZY[name] else found


__all__ = [
    "CATALOGUE",
    "Engine",
    "NoteGrid",
    "Price",
    "Solved",
    "TermSheet",
    "Values",
    "american",
    "engines_for",
    "fourier",
    "greeks",
    "lattice",
    "longstaff_schwartz",
    "methods",
    "monte_carlo",
    "note_grid",
    "pde",
    "price",
    "quadrature",
    "solve",
    "term_sheet",
]

"""One engine a numerical method; `price` finds the one that contract and model allow, `methods` lists them.

| engine | contracts | needs of the model | method | reference |
|---|---|---|---|---|
| `analytic` | European | implied_vol | Black's formula at the model's own implied vol | Black (1976) |
| `analytic` | Barrier, Touch, Digital | lognormal | closed forms | Reiner & Rubinstein (1991) |
| `fourier` | European | characteristic_function | Lewis' integral, sinh contour | Boyarchenko & Levendorskii (2019) |
| `spectral` | American | lognormal | collocation of the exercise boundary | Andersen, Lake & Offengenden (2016) |
| `lattice` | European, American, Bermudan | lognormal | binomial tree that meets the strike | Leisen & Reimer (1996) |
| `pde` | European, American, Barrier | lognormal | Crank-Nicolson on a sinh grid | Rannacher (1984) |
"""

from research.pricing import american, fourier, lattice, pde
from research.pricing.catalogue import CATALOGUE, Engine, Values, engines_for
from research.pricing.price import Price, methods, price

__all__ = [
    "CATALOGUE",
    "Engine",
    "Price",
    "Values",
    "american",
    "engines_for",
    "fourier",
    "lattice",
    "methods",
    "pde",
    "price",
]

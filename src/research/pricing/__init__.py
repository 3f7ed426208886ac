"""One engine a numerical method; `price` finds the one that contract and model allow, `methods` lists them.

| engine | contracts | needs of the model | method | reference |
|---|---|---|---|---|
| `analytic` | European | implied_vol, implied_vol_at | Black's formula at the model's own implied vol | Black (1976) |
| `fourier` | European | characteristic_function | Lewis' integral, sinh contour | Boyarchenko & Levendorskii (2019) |
| `cosine` | European | real_characteristic_function | Fourier cosine series | Fang & Oosterlee (2008) |
"""

from research.pricing import fourier
from research.pricing.catalogue import CATALOGUE, Engine, Values, engines_for
from research.pricing.price import Price, methods, price

__all__ = ["CATALOGUE", "Engine", "Price", "Values", "engines_for", "fourier", "methods", "price"]

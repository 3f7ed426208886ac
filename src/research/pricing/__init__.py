"""One engine a numerical method; `price` finds the one that the model allows.

| engine | needs of the model | method | reference |
|---|---|---|---|
| `analytic` | implied_vol | Black's formula at the model's own implied vol | Black (1976) |
| `fourier` | characteristic_function | Lewis' integral on a tilted sinh contour | Boyarchenko & Levendorskii (2019) |
"""

from research.pricing import fourier
from research.pricing.price import ENGINES, Price, engines_for, price

__all__ = ["ENGINES", "Price", "engines_for", "fourier", "price"]

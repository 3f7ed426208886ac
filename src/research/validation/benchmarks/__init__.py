"""Independent pricers: plain NumPy and SciPy, or a third-party library; never our core.

| module | function | method |
|---|---|---|
| `heston` | `heston_price` | Lewis (2001) integral on the real axis, adaptive Gauss-Legendre panels, NumPy |
| `heston` | `heston_implied_vol_errors` | implied-vol errors of a surface under given parameters |
| `heston` | `best_heston` | the least squares of those errors, by SciPy from several starts |
| `quantlib_heston` | `quantlib_price`, `quantlib_fit` | QuantLib's AnalyticHestonEngine and Levenberg-Marquardt |
"""

from research.validation.benchmarks.heston import best_heston, heston_implied_vol_errors, heston_price
from research.validation.benchmarks.quantlib_heston import quantlib_fit, quantlib_price

__all__ = ["best_heston", "heston_implied_vol_errors", "heston_price", "quantlib_fit", "quantlib_price"]

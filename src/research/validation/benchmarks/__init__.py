"""Independent pricers: plain NumPy and SciPy, or a third-party library; never our core.

| module | function | method |
|---|---|---|
| `heston` | `heston_price` | Lewis (2001) integral on the real axis, adaptive Gauss-Legendre panels, NumPy |
| `heston` | `heston_implied_vol_errors` | implied-vol errors of a surface under given parameters |
| `heston` | `best_heston` | the least squares of those errors, by SciPy from several starts |
| `quantlib_heston` | `quantlib_price`, `quantlib_fit` | QuantLib's AnalyticHestonEngine and Levenberg-Marquardt |
| `quantlib_options` | `quantlib_option` | QuantLib's engine for a contract and a model, from their plain terms |
| `simulated_notes` | `simulated_note` | structured notes read off daily paths, NumPy |
| `two_assets` | `double_integral` | the payoff of two lognormal prices, integrated over both, NumPy |
| `two_assets` | `named_formula` | Kirk, Bjerksund and Stensland by QuantLib; three matched moments, NumPy |
"""

from research.validation.benchmarks.heston import best_heston, heston_implied_vol_errors, heston_price
from research.validation.benchmarks.quantlib_heston import quantlib_fit, quantlib_price
from research.validation.benchmarks.quantlib_options import NotPriced, quantlib_option
from research.validation.benchmarks.simulated_notes import DailyPaths, known_note, simulated_note
from research.validation.benchmarks.two_assets import double_integral, named_formula

__all__ = [
    "DailyPaths",
    "NotPriced",
    "best_heston",
    "double_integral",
    "heston_implied_vol_errors",
    "heston_price",
    "known_note",
    "named_formula",
    "quantlib_fit",
    "quantlib_option",
    "quantlib_price",
    "simulated_note",
]

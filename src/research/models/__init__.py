"""Models: parameters as frozen facts, and the formulas that need no engine.

| model | class or module | reference |
|---|---|---|
| Black's formula: price, Greeks, implied volatility | `black` | Black (1976) |
| one volatility for everything | `BlackScholes` | Black & Scholes (1973), Merton (1973) |
| a volatility by time | `BlackTermStructure` | Merton (1973) |
| one smile, a surface of smiles | `SVI`, `SVISurface` | Gatheral (2004) |
| a smile from stochastic volatility of a forward | `SABR` | Hagan et al. (2002), Obloj (2008) |
| stochastic variance | `Heston` | Heston (1993) |
| jumps; with stochastic variance; on a gamma clock | `Merton`, `Bates`, `VarianceGamma` | see `jumps` |
"""

from research.models import black
from research.models.black_scholes import BlackScholes
from research.models.black_term_structure import BlackTermStructure
from research.models.heston import Heston
from research.models.jumps import Bates, Merton, VarianceGamma
from research.models.sabr import SABR
from research.models.svi import SVI, SVISurface

__all__ = [
    "black",
    "Bates",
    "BlackScholes",
    "BlackTermStructure",
    "Heston",
    "Merton",
    "SABR",
    "SVI",
    "SVISurface",
    "VarianceGamma",
]

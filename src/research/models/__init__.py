"""Models: parameters as frozen facts, and the formulas that need no engine.

| model | class or module | reference |
|---|---|---|
| Black's formula: price, Greeks, implied volatility | `black` | Black (1976) |
| one volatility for everything | `BlackScholes` | Black & Scholes (1973), Merton (1973) |
| a normal forward: formula and model | `bachelier`, `Bachelier` | Bachelier (1900) |
| a shifted lognormal forward; a power of it | `DisplacedDiffusion`, `CEV` | Rubinstein (1983), Schroder (1989) |
| an underlying paid in another currency | `CrossCurrency` | Reiner (1992) |
| several correlated prices | `MultiAssetBlackScholes`, `correlation` | Margrabe (1978), Higham (2002) |
| a volatility by time | `BlackTermStructure` | Merton (1973) |
| one smile, a surface of smiles | `SVI`, `SVISurface` | Gatheral (2004) |
| the same, by natural or jump-wings parameters | `SVINatural`, `SVIJumpWings` | Gatheral & Jacquier (2014) |
| a surface free of static arbitrage by construction | `SSVI`, `ESSVI` | see `ssvi` |
| a smile from stochastic volatility of a forward | `SABR` | Hagan et al. (2002), Obloj (2008) |
| a volatility of time and spot, on a grid | `LocalVol`, `dupire` | Dupire (1994) |
| ... by its density, free of arbitrage | `ArbitrageFreeSABR` | Hagan et al. (2014) |
| stochastic variance | `Heston` | Heston (1993) |
| rough stochastic variance | `RoughBergomi` | Bayer, Friz & Gatheral (2016) |
| stochastic variance times a function of time and spot | `LocalStochasticVol` | Jex, Henderson, Wang (1999) |
| jumps; with stochastic variance; on a gamma clock | `Merton`, `Bates`, `VarianceGamma` | see `jumps` |

Each is a frozen dataclass and plain data: `to_json(model)`, `model_from_json(terms)`.
"""

from research.conventions import named_terms
from research.models import bachelier, black, correlation
from research.models.arbitrage_free_sabr import ArbitrageFreeSABR
from research.models.bachelier import Bachelier
from research.models.black_scholes import BlackScholes
from research.models.black_term_structure import BlackTermStructure
from research.models.cev import CEV
from research.models.cross_currency import CrossCurrency
from research.models.displaced_diffusion import DisplacedDiffusion
from research.models.heston import Heston
from research.models.jumps import Bates, Merton, VarianceGamma
from research.models.local_stochastic_vol import LocalStochasticVol
from research.models.local_vol import LocalVol, dupire
from research.models.multi_asset import MultiAssetBlackScholes
from research.models.rough_bergomi import RoughBergomi
from research.models.sabr import SABR
from research.models.ssvi import ESSVI, SSVI, HestonLike, PowerLaw
from research.models.svi import SVI, SVISurface
from research.models.svi_forms import SVIJumpWings, SVINatural
from research.models.terms import model_from_json, to_json

__all__ = [
    "bachelier",
    "black",
    "correlation",
    "dupire",
    "model_from_json",
    "to_json",
    "ArbitrageFreeSABR",
    "Bachelier",
    "Bates",
    "BlackScholes",
    "BlackTermStructure",
    "CEV",
    "CrossCurrency",
    "DisplacedDiffusion",
    "ESSVI",
    "Heston",
    "HestonLike",
    "LocalStochasticVol",
    "LocalVol",
    "Merton",
    "MultiAssetBlackScholes",
    "PowerLaw",
    "RoughBergomi",
    "SABR",
    "SSVI",
    "SVI",
    "SVIJumpWings",
    "SVINatural",
    "SVISurface",
    "VarianceGamma",
]

named_terms(globals()[name] for name in __all__)

"""Fit a model to a snapshot, a smile or a series; every fit answers with a `Fit`.

| model | data | module | method |
|---|---|---|---|
| `Heston` | `Snapshot` | `heston` | Levenberg-Marquardt on implied vols, analytic gradient (Cui et al. 2017) |
| `Merton`, `Bates`, `VarianceGamma` | `Snapshot` | `jumps` | trust region on implied vols, cosine series |
| `SVI`, `SVISurface` | `Smile`, `Surface` | `svi` | raw SVI, free of arbitrage; `svi_slices.fit_slices` for many |
| `SABR` | `Smile` | `sabr` | Levenberg-Marquardt, analytic gradient; `fit_slices` for many |
| `GARCH` | returns | `garch` | Gaussian quasi maximum likelihood |
"""

from research.calibration._registry import fits
from research.calibration.fit import Fit, fit

__all__ = ["Fit", "fit", "fits"]

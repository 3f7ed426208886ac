"""Fit a model to a snapshot, a smile or a series; every fit answers with a `Fit`.

| model | data | module | method |
|---|---|---|---|
| `Heston` | `Snapshot` | `heston` | Levenberg-Marquardt on implied vols, analytic gradient (Cui et al. 2017) |
| `Merton`, `Bates`, `VarianceGamma` | `Snapshot` | `jumps` | Levenberg-Marquardt on implied vols, analytic gradients |
| `BlackScholes` | `Smile`, `Surface`, `Snapshot` | `term_structure` | one vol, the weighted mean |
| `BlackTermStructure` | `Snapshot`, `Surface` | `term_structure` | weighted means, pooled where variance would fall |
| `MultiAssetBlackScholes` | returns of several names | `multi_asset` | sample vols and correlations, repaired |
| `Bachelier`, `DisplacedDiffusion`, `CEV` | `Smile`, `NormalSmile`, `Surface` | `forwards` | trust region |
| `RoughBergomi` | `Snapshot` | `rough_bergomi` | Levenberg-Marquardt, pathwise derivatives, extrapolated in the grid |
| `SVINatural`, `SVIJumpWings` | `Smile` | `svi_forms` | the raw fit in other parameters |
| `SSVI`, `ESSVI` | `Snapshot`, `Surface` | `ssvi` | least squares in a box of fair surfaces (Mingone 2022) |
| `LocalVol` | `Snapshot`, `Surface` | `local_vol` | Andreasen and Huge (2011), or SVI and Dupire |
| `LocalStochasticVol` | `Snapshot`, `Surface`, `LocalVol` | `local_stochastic_vol` | leverage by the forward equation |
| `SVI`, `SVISurface` | `Smile`, `Surface` | `svi` | raw SVI, free of arbitrage; `svi_slices.fit_slices` for many |
| `SABR` | `Smile` | `sabr` | Levenberg-Marquardt, analytic gradient; `fit_slices` for many |
| any of a surface | a history of chains | `history` | day after day, warm: `fit_history` |
| `ArbitrageFreeSABR` | `Smile`, `NormalSmile` | `arbitrage_free_sabr` | exact gradient of the density |
| `GARCH` | returns | `garch` | Gaussian quasi maximum likelihood |

Those of quotes share their options: `weights` ("vega", "bid_ask", an array; None takes the quotes' own), `bounds`,
`start`, `max_iter`, and `huber` against stale quotes. A table of one day's quotes, vols or prices, does for a surface.
`Fit.warnings` says which parameters the quotes do not tell; a search that fails raises, one that is stopped warns.
"""

from __future__ import annotations

from typing import Any

from research.calibration._registry import fits
from research.calibration.fit import CalibrationWarning, Fit, fit


def __getattr__(name: str) -> Any:
    if name not in ("FitHistory", "fit_history"):  # found when first used, as the fits are
        raise AttributeError(f"module 'research.calibration' has no attribute {name!r}")
    from research.calibration import history

    return getattr(history, name)


__all__ = ["CalibrationWarning", "Fit", "FitHistory", "fit", "fit_history", "fits"]

"""One engine a numerical method; `price` finds the one that contract and model allow, `methods` lists them.

| engine | contracts | needs of the model | method | reference |
|---|---|---|---|---|
| `analytic` | European | implied_vol, implied_vol_at | Black's formula at the model's own implied vol | Black (1976) |
| `analytic` | European | closed_form | the model's own formula | Bachelier (1900), Schroder (1989) |
| `fourier` | European | characteristic_function | Lewis' integral, sinh contour | Boyarchenko & Levendorskii (2019) |
| `analytic` | European | black_mixture | Merton's series, the gamma clock: sums of Black prices | Merton (1976) |
| `fourier` | European | heston_mixture | Bates by the number of jumps, on Heston's contour | Bates (1996) |
| `cosine` | European | real_characteristic_function | Fourier cosine series | Fang & Oosterlee (2008) |
| `cosine` | Bermudan, American, watched barriers | deterministic_vol, black_mixture | that series by dates | (2009) |
| `analytic` | Barrier, Touch, Digital | lognormal | closed forms | Reiner & Rubinstein (1991) |
| `analytic` | DoubleBarrier, DoubleTouch | lognormal | images, eigenfunctions | Ikeda & Kunitomo (1992), Hui (1996) |
| `analytic` | PartialBarrier | lognormal | bivariate normals | Heynen & Kat (1994) |
| `analytic` | Lookback, PartialLookback | lognormal | closed forms | Conze & Viswanathan (1991) |
| `analytic` | Compound, Chooser | deterministic_vol | bivariate normals | Geske (1979), Rubinstein (1991) |
| `analytic`, `fourier` | ForwardStart | deterministic_vol, characteristic function | a later return | Kruse, Noegel |
| `convolution` | Cliquet | deterministic_vol, characteristic function | laws convolved | see `forward_start` |
| `analytic` | Digital, Gap, Supershare, Power, LogContract | a smile | probabilities, options | Carr & Madan (1998) |
| `analytic` | Digital, Gap, Supershare | characteristic function | on the price's contour, with Greeks | see `_jets` |
| `analytic`, `replication` | VarianceSwap, VolatilitySwap | a smile | closed forms; options | Demeterfi et al. (1999) |
| `replication` | CorridorVarianceSwap | a smile | options inside, four on the way | Carr & Lewis (2004) |
| `analytic`, `replication` | GammaSwap | a smile | the share measure; options | Lee (2010) |
| `analytic` | Digital, Asian | normal | strikes of any sign | Bachelier (1900) |
| `analytic` | Quanto, Compo | lognormal_cross_currency | Black's formula in another measure | Reiner (1992) |
| `analytic` | DualCurrencyDeposit | a smile | a bond and an option | Garman & Kohlhagen (1983) |
| `analytic` | Asian, geometric | deterministic_vol | closed form | Kemna & Vorst (1990) |
| `spectral` | American | lognormal | collocation of the exercise boundary | Andersen, Lake & Offengenden (2016) |
| `pde` | all of one underlying but averages, extremes, resets | lognormal, local_vol | sinh grids | Rannacher (1984) |
| `pde` | the same without powers, logarithms | normal | grids in the price, below 0 too | see `normal_grid` |
| `adi` | the same | stochastic_variance | alternating directions | In 't Hout & Foulon (2010) |
| `adi` | the same | stochastic_variance_jumps | jumps an explicit part of them | In 't Hout & Toivanen (2018) |
| `lattice` | European, American, Bermudan | deterministic_vol | tree that meets the strike | Leisen & Reimer (1996) |
| `monte_carlo` | Asian, notes | deterministic_vol | scrambled Sobol' or Philox paths | Glasserman (2004) |
| `margrabe`, `quadrature` | Exchange, Spread, Basket of two, ... | multi_lognormal | exact | Margrabe (1978) |
| `kirk`, `bjerksund_stensland` | Spread, Outperformance | multi_lognormal | approximations | see `linear` |
| `analytic` | BestOf, WorstOf, Quanto, Compo | multi_lognormal | normal probabilities | Stulz (1982), Johnson (1987) |
| `monte_carlo` | Basket, Rainbow, WorstOfNote, ... | multi_lognormal | Sobol' points | see `multi_asset` |
| `monte_carlo` | European | rough_paths | conditional Black | McCrickerd & Pakkanen (2018) |
| `monte_carlo` | Compound, Chooser | rough_paths | paths within paths, two bounds | see `rough_compound` |
| `paths` | all but American, Bermudan; `Composed` | paths, paths_any_sign | blocks of paths | Andersen (2008) |
| `longstaff_schwartz` | American, Bermudan | paths | rule and dual, any model | Andersen & Broadie (2004) |
| `quadrature` | notes without memory | deterministic_vol | exact normal steps | Andricopoulos et al. (2003) |
| `longstaff_schwartz` | American | lognormal | exercise by regression, dual upper bound | Longstaff & Schwartz (2001) |

Of notes: `term_sheet` (outcomes, life, margin), `solve` (the fair coupon), `note_grid` (every date and spot, to hedge).
Of contracts on several underlyings: `basket_greeks`, `basket_ladder`. All first derivatives of one contract on paths,
by expiry, forward and parameter, in one sweep: `adjoint`. Of everything: `greeks`, by simulation with the quietest
`estimator` of bumps, pathwise, mixed and likelihood ratio (`simulated_greeks`); `ladder` (spot x vol), `vega_buckets`,
`rho_buckets`, `dividend_buckets`; `quote` (issuer credit, funding, liquidity, model reserve, overlays as lines). Of a
book across underlyings, models and markets: `portfolio`.
"""

from __future__ import annotations

import importlib
from typing import Any

from research.pricing import fourier
from research.pricing.catalogue import CATALOGUE, Engine, Values, engines_for
from research.pricing.price import Price, methods, price

# found when first used, so that a run's code closure holds the engines it used
_LAZY = {
    "adjoint": "paths.adjoint",
    "basket_greeks": "multi_asset_greeks",
    "basket_ladder": "basket_ladders",
    "NoteGrid": "_note_grid",
    "note_grid": "_note_grid",
    "greeks": "sensitivities",
    "dividend_buckets": "ladders",
    "ladder": "ladders",
    "vega_buckets": "ladders",
    "rho_buckets": "ladders",
    "quote": "adjustments",
    "portfolio": "book",
    "Quote": "adjustments",
    "adjustments": "",
    "Solved": "term_sheets",
    "TermSheet": "term_sheets",
    "solve": "term_sheets",
    "term_sheet": "term_sheets",
    "american": "",
    "lattice": "",
    "longstaff_schwartz": "",
    "monte_carlo": "",
    "paths": "",
    "pde": "",
    "quadrature": "",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'research.pricing' has no attribute {name!r}")
    found = importlib.import_module(f"research.pricing.{_LAZY[name] or name}")
    return getattr(found, name) if _LAZY[name] else found


__all__ = [
    "adjustments",
    "american",
    "adjoint",
    "basket_greeks",
    "basket_ladder",
    "engines_for",
    "fourier",
    "greeks",
    "dividend_buckets",
    "ladder",
    "lattice",
    "longstaff_schwartz",
    "methods",
    "monte_carlo",
    "note_grid",
    "paths",
    "pde",
    "portfolio",
    "price",
    "quadrature",
    "quote",
    "rho_buckets",
    "solve",
    "term_sheet",
    "vega_buckets",
    "CATALOGUE",
    "Engine",
    "NoteGrid",
    "Price",
    "Quote",
    "Solved",
    "TermSheet",
    "Values",
]

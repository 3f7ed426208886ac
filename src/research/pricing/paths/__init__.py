"""Simulation of any contract under any model with one underlying: blocks of paths, payoffs on blocks.

| question | function | module |
|---|---|---|
| what is it worth, and with what standard error? | `simulate`, or `price(..., method="paths")` | `engine` |
| what do the paths look like? | `sample` | `engine` |
| 1e5 lognormal paths of 252 days in a matrix, at once? | `lognormal.spots` | `lognormal` |
| the stock pays cash? | escrowed or falling, for every model and payoff | `cash` |
| how much do a scheme's steps matter? | `Price.error` counts it; `bias` | `engine` |
| how does it move with the spot? | `greeks.path_greeks`, or `pricing.greeks(..., method="paths")` | `greeks` |
| when to exercise, between which bounds is it worth? | `exercise.bounds` | `exercise` |

| model | scheme | reference |
|---|---|---|
| `BlackScholes`, also with a term structure of variance | exact | Glasserman (2004) |
| `LocalVol` | "transition": the law of each step by the backward equation; "euler" in steps | Alexander (1977) |
| `Heston` | "qe": QE-M; "poisson": near exact, of any step | Andersen (2008); Choi & Kwok (2024) |
| `LocalStochasticVol` | QE-M times leverage | Andersen (2008) |
| `Merton`, `Bates` | compound Poisson jumps on top | Glasserman (2004) |
| `VarianceGamma` | exact, on a gamma clock | Madan, Carr & Chang (1998) |
| `DisplacedDiffusion`, `Bachelier` | exact, below 0 too | Glasserman (2004) |
| `CEV` | quantiles of its Bessel process | Makarov & Glew (2010) |
| `ArbitrageFreeSABR` | SABR's own dynamics: CEV given the volatility | Choi, Hu & Kwok (2024) |
| `RoughBergomi` | variance on a grid, the spot given it | Bennedsen, Lunde & Pakkanen (2017) |

| payoffs | module |
|---|---|
| options, averages, single barriers, notes, `Composed` | `payoffs`, `notes`, `composed` |
| lookbacks, two barriers, partial barriers | `watched`, by the bridges of `watching`; their error: `between` |
| cliquets, forward starts, powers, gaps, realised variance | `terminal` |
| what a price at or below 0 has no value for | `charted.check_positive` |
| compounds and choosers | `nested` |

The fused engine `monte_carlo` is quicker for the notes and Asian options it knows under one volatility; this one agrees
with it and takes the rest.
"""

from research.pricing.paths.engine import bias, sample, simulate
from research.pricing.paths.generators import GENERATORS, Block, Generator, Logs, Request

__all__ = ["GENERATORS", "Block", "Generator", "Logs", "Request", "bias", "sample", "simulate"]

"""Monte Carlo on several lognormal prices: European pay-offs and worst-of notes, each with its standard error.

Sobol' points by default, several scrambles, so that the standard error comes from independent estimates; `philox` for
the classic kind. The normals go to the principal components of the covariance, the largest first; a note's factors are
joined by Brownian bridges. Options as of `pricing.monte_carlo`: n_paths, std_error, seed, sampler, antithetic, control,
replicates, progress.

| contract | controls |
|---|---|
| Basket, Spread, Exchange, Outperformance | the sum itself; for positive weights the option on the geometric basket |
| BestOf, WorstOf, Rainbow | the mean of S_i / F_i |
| WorstOfNote | the same, and the put on the worst |

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, sections 2.3, 4.1, 5.5.
Kemna, Vorst (1990), J. Banking and Finance 14, 113-129 (geometric control).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.pricing._moments import N_BASE
from research.core.random.brownian import brownian_paths
from research.instruments import BestOf, Rainbow, WorstOf, WorstOfNote
from research.pricing import worst_of
from research.pricing._lognormals import lognormals
from research.pricing._progress import shown
from research.pricing._simulation import Estimate, Problem, Settings, estimate
from research.pricing.catalogue import Values
from research.pricing.linear import Books, Linear, black_value, terms

Payoff = Callable[[Float2D], tuple[Float1D, Float1D, Float1D]]  # ratios S / F, shape (n, paths): value, two controls


OPTIONS = (Settings,)  # what `value` takes


def value(items: Sequence[Any], model: Any, snapshot: Any, **options: Any) -> Values:
    """The engine's door for `pricing.price`."""
    found = [simulate(item, model, snapshot, **options) for item in items]
    std_error = np.array([one.std_error for one in found])
    return Values(np.array([one.value for one in found]), std_error, 2.0 * std_error)


def simulate(item: Any, model: Any, snapshot: Any, **options: Any) -> Estimate:
    """Value, standard error and replicates; of a note also life, knocked out, knocked in, loss (`means`)."""
    progress = options.pop("progress", None)
    with shown(progress, options.get("std_error")) as callback:
        settings = Settings(progress=callback, **options)
        return estimate(problem(item, model, snapshot, settings), settings)


def problem(item: Any, model: Any, snapshot: Any, settings: Settings) -> Problem:
    """The contract as the simulation of this room knows it."""
    if isinstance(item, WorstOfNote):
        return worst_of.problem(item, model, snapshot, settings)
    if isinstance(item, (BestOf, WorstOf, Rainbow)):
        return _ranked(item, model, snapshot)
    given = terms(item, Books(model, snapshot))
    return _terminal(given.covariance, *_linear(given))


def _linear(given: Linear) -> tuple[Payoff, tuple[float, float]]:
    """A weighted sum, with the sum and its geometric twin as controls."""
    amounts, unit, sign, strike = given.amounts, given.unit, given.sign, given.strike
    total = float(amounts.sum())
    twin = bool((amounts >= 0.0).all()) and strike > 0.0 and amounts.size > 1
    share = amounts / total if twin else np.zeros_like(amounts)
    c = given.covariance
    mean = total * float(np.exp(0.5 * share @ c @ share - 0.5 * share @ np.diag(c)))
    level = strike + mean - total  # so that both options are as far in the money

    def payoff(ratio: Float2D) -> tuple[Float1D, Float1D, Float1D]:
        paid = np.tensordot(amounts, ratio, axes=1)
        geometric = total * np.exp(np.tensordot(share, np.log(ratio), axes=1)) if twin else np.zeros(ratio.shape[1])
        other = unit * np.maximum(sign * (geometric - level), 0.0) if twin else geometric
        return unit * np.maximum(sign * (paid - strike), 0.0), unit * paid, other

    exact = unit * float(black_value(mean, level, np.sqrt(share @ c @ share), sign)) if twin else float("nan")
    return payoff, (unit * total, exact)


def _ranked(item: BestOf | WorstOf | Rainbow, model: Any, snapshot: Any) -> Problem:
    tau, n = item.years(snapshot.as_of), len(item.underlyings)
    assets = lognormals(item.underlyings, item.fx, model, snapshot)
    forward = assets.forwards(tau) / np.array(item.initials if item.initials is not None else np.ones(n))
    unit, sign = float(snapshot.discount.df(tau)) * item.notional, 1.0 if item.is_call else -1.0
    weights = np.array(item.rank_weights) if isinstance(item, Rainbow) else None

    def payoff(ratio: Float2D) -> tuple[Float1D, Float1D, Float1D]:
        prices = forward[:, None] * ratio
        if weights is None:
            ranked = prices.max(axis=0) if isinstance(item, BestOf) else prices.min(axis=0)
        else:
            ranked = np.tensordot(weights, np.sort(prices, axis=0)[::-1], axes=1)
        return unit * np.maximum(sign * (ranked - item.strike), 0.0), ratio.mean(axis=0), np.zeros(ratio.shape[1])

    return _terminal(assets.covariance(tau), payoff, (1.0, float("nan")))


def _terminal(covariance: Float2D, payoff: Payoff, controls: tuple[float, float]) -> Problem:
    """One look at the prices: x = L z by principal components."""
    n = covariance.shape[0]
    mix, half = worst_of.principal(covariance), 0.5 * np.diag(covariance)[:, None]
    order, weights = np.zeros((n, 3), dtype=np.int64), np.zeros((n, 3))
    order[:, 0], weights[:, 2] = np.arange(1, n + 1), 1.0

    def run(tables, seed, rows, _order, _weights, out):  # type: ignore[no-untyped-def]
        for row, sums in zip(rows, out):
            z = np.empty((n, row[1]))
            brownian_paths(tables[row[4]], seed, int(row[0]), int(row[2]), order, weights, z)
            x = np.tensordot(mix, z, axes=1)
            y = np.array(payoff(np.exp(x - half)))
            if row[3]:
                y = 0.5 * (y + np.array(payoff(np.exp(-x - half))))
            v, a, b = y
            sums[:] = [part.sum() for part in (v, v * v, a, b, v * a, v * b, a * a, a * b, b * b)]

    return Problem(variance=np.arange(1.0, n + 1.0), run=run, n_moments=N_BASE, controls=controls)

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
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.pricing._moments import N_BASE
from research.core.random.brownian import brownian_paths
from research.instruments import BestOf, Rainbow, WorstOf, WorstOfNote
from research.pricing import _rare, worst_of
from research.pricing._lognormals import lognormals
from research.pricing._mixed_measure import Mixture, moments
from research.pricing._progress import shown
from research.pricing._simulation import Estimate, Problem, Settings, estimate
from research.pricing.catalogue import Values
from research.pricing.linear import Books, Linear, black_value, comonotonic, terms

# (S / F, shape (n, paths); 1, shape (paths,)) -> value, two controls: twice both arguments, twice the answers
Payoff = Callable[[Float2D, Float1D], tuple[Float1D, Float1D, Float1D]]


OPTIONS = (Settings,)  # what `value` takes
WIDE = 0.7  # standard deviation of a log price from which on a mixture of measures is drawn
_ROUNDING = 1e-13  # of the value
_LOOKS = 256  # wild paths that show what may be paid


def value(items: Sequence[Any], model: Any, snapshot: Any, **options: Any) -> Values:
    """The engine's door for `pricing.price`."""
    found = [simulate(item, model, snapshot, **options) for item in items]
    out, std_error = (np.array([getattr(one, name) for one in found]) for name in ("value", "std_error"))
    return Values(out, std_error, 2.0 * std_error + _ROUNDING * np.abs(out))


def simulate(item: Any, model: Any, snapshot: Any, **options: Any) -> Estimate:
    """Value, standard error and replicates; of a note also life, knocked out, knocked in, loss (`means`)."""
    progress = options.pop("progress", None)
    with shown(progress, options.get("std_error")) as callback:
        settings = Settings(progress=callback, **options)
        return estimate(problem(item, model, snapshot, settings), settings)


def simulate_sum(given: Linear, **options: Any) -> Estimate:
    """The same of a weighted sum alone."""
    return estimate(_terminal(_linear(given)), Settings(**options))


def problem(item: Any, model: Any, snapshot: Any, settings: Settings) -> Problem:
    """The contract as the simulation of this room knows it."""
    if isinstance(item, WorstOfNote):
        return worst_of.problem(item, model, snapshot, settings)
    if isinstance(item, (BestOf, WorstOf, Rainbow)):
        return _terminal(_ranked(item, model, snapshot))
    return _terminal(_linear(terms(item, Books(model, snapshot))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Claim:
    """One look at the prices: what is paid, its controls, and what it can be at most."""

    covariance: Float2D  # of the log prices, shape (n, n)
    payoff: Payoff
    controls: tuple[float, float]  # their means
    bound: Float1D  # |paid| <= b_0 + sum of b_i S_i / F_i; shape (n + 1,)
    most: float  # that paths which show nothing of it may miss


def _linear(given: Linear) -> _Claim:
    """A weighted sum, with the sum and its geometric twin as controls."""
    amounts, unit, sign, strike = given.amounts, given.unit, given.sign, given.strike
    total = float(amounts.sum())
    twin = bool((amounts >= 0.0).all()) and strike > 0.0 and amounts.size > 1
    share = amounts / total if twin else np.zeros_like(amounts)
    c = given.covariance
    mean = total * float(np.exp(0.5 * share @ c @ share - 0.5 * share @ np.diag(c)))
    level = strike + mean - total  # so that both options are as far in the money

    def payoff(ratio: Float2D, one: Float1D) -> tuple[Float1D, Float1D, Float1D]:
        gain = np.tensordot(amounts, ratio, axes=1) - strike * one
        with np.errstate(divide="ignore"):  # a price that underflows is 0, and so is the geometric mean
            logs = np.log(ratio)
        geometric = total * np.exp(np.tensordot(share, logs, axes=1)) if twin else np.zeros(ratio.shape[1])
        other = unit * np.maximum(sign * (geometric - level * one), 0.0) if twin else geometric
        return unit * np.maximum(sign * gain, 0.0), unit * gain, other

    exact = unit * float(black_value(mean, level, np.sqrt(share @ c @ share), sign)) if twin else float("nan")
    return _Claim(
        covariance=c,
        payoff=payoff,
        controls=(unit * (total - strike), exact),
        bound=unit * np.abs(np.concatenate(([strike], amounts))),
        most=unit * comonotonic(given),
    )


def _ranked(item: BestOf | WorstOf | Rainbow, model: Any, snapshot: Any) -> _Claim:
    tau, n = item.years(snapshot.as_of), len(item.underlyings)
    assets = lognormals(item.underlyings, item.fx, model, snapshot)
    forward = assets.forwards(tau) / np.array(item.initials if item.initials is not None else np.ones(n))
    unit, sign = float(snapshot.discount.df(tau)) * item.notional, 1.0 if item.is_call else -1.0
    weights = np.array(item.rank_weights) if isinstance(item, Rainbow) else np.ones(1)

    def payoff(ratio: Float2D, one: Float1D) -> tuple[Float1D, Float1D, Float1D]:
        prices = forward[:, None] * ratio
        if isinstance(item, Rainbow):
            ranked = np.tensordot(weights, np.sort(prices, axis=0)[::-1], axes=1)
        else:
            ranked = prices.max(axis=0) if isinstance(item, BestOf) else prices.min(axis=0)
        paid = unit * np.maximum(sign * (ranked - item.strike * one), 0.0)
        return paid, ratio.mean(axis=0), np.zeros(ratio.shape[1])

    return _Claim(
        covariance=assets.covariance(tau),
        payoff=payoff,
        controls=(1.0, float("nan")),
        bound=unit * np.concatenate(([item.strike], float(np.abs(weights).max()) * forward)),
        most=unit * _highest(item, forward, np.sqrt(np.diag(assets.covariance(tau))), sign),
    )


def _highest(item: BestOf | WorstOf | Rainbow, forward: Float1D, std: Float1D, sign: float) -> float:
    """A bound for an option on ranked prices, undiscounted, by options on each."""
    weights = np.array(item.rank_weights) if isinstance(item, Rainbow) else np.ones(1)
    if (weights < 0.0).any():
        return float("inf")
    each = black_value(float(weights.sum()) * forward, item.strike, std, sign)
    alone = isinstance(item, WorstOf if sign > 0.0 else BestOf)
    return float(each.min() if alone else each.sum())


def _terminal(claim: _Claim) -> Problem:
    """One look at the prices: x = L z by principal components; where they are wide, under a mixture of measures."""
    c, n = claim.covariance, claim.covariance.shape[0]
    root, half = worst_of.principal(c), 0.5 * np.diag(c)[:, None]
    wide = Mixture(bound=claim.bound, covariance=c) if float(np.diag(c).max()) > WIDE**2 else None
    dims = n + (wide is not None)
    order, weights = np.zeros((dims, 3), dtype=np.int64), np.zeros((dims, 3))
    order[:, 0], weights[:, 2] = np.arange(1, dims + 1), 1.0

    def paid(x: Float2D, pick: Float1D) -> Any:
        if wide is None:
            return np.array(claim.payoff(np.exp(x - half), np.ones(x.shape[1])))
        return np.array(claim.payoff(*wide.scaled(x + wide.shift(pick) - half)))

    def run(tables, seed, rows, _order, _weights, out):  # type: ignore[no-untyped-def]
        for row, sums in zip(rows, out):
            z = np.empty((dims, row[1]))
            brownian_paths(tables[row[4]], seed, int(row[0]), int(row[2]), order, weights, z)
            x = np.tensordot(root, z[dims - n :], axes=1)
            y = paid(x, z[0])
            if row[3]:
                y = 0.5 * (y + paid(-x, z[0]))
            sums[:] = moments(y)

    wild = np.random.default_rng(1).standard_normal((dims, _LOOKS))
    seen = paid(_rare.WILD * np.tensordot(root, wild[dims - n :], axes=1), wild[0])
    return Problem(
        variance=np.arange(1.0, dims + 1.0),
        run=run,
        n_moments=N_BASE,
        controls=claim.controls,
        spread=_rare.spread_of(seen[0], seen[1]),
        most=claim.most,
    )

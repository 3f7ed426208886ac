"""How much the looks matter where a contract is watched at every moment: the payoff at its looks and at twice as many.

Both are taken on the same paths, so that the difference is found with few of them. What is left of the error of looks
is about as large as that difference where bridges fill the gaps (order one), and up to 2.5 times as large where nothing
does (order one half).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.random import sobol
from research.market import Snapshot
from research.pricing.catalogue import abilities
from research.pricing.paths.generators import Block, Logs, Request, generator
from research.pricing.paths.payoffs import Payoff, Terms, payoff

_BLOCK, _BLOCKS = 1024, 4
_SAME = 1e-9  # years
_INEXACT = ("CorridorVarianceSwap", "GammaSwap")  # a gap counts by its ends, whatever the model
_FIRST = 1 << 33  # number of the first path: none of them is met elsewhere


def thinned(block: Block, times: Float1D) -> Block:
    """The same paths looked at at some of the times only."""
    keep = np.array([int(np.abs(block.times - t).argmin()) for t in times])
    starts = np.concatenate(([0], keep[:-1] + 1))

    def summed(rows: Float2D | None) -> Float2D | None:
        return None if rows is None else np.add.reduceat(np.asarray(rows)[: keep[-1] + 1], starts, axis=0)

    logs = block.logs
    fewer = Logs(
        x=logs.x[keep], variance=None if logs.variance is None else logs.variance[keep], exposed=summed(logs.exposed),
        jump=summed(logs.jump), martingale=None if logs.martingale is None else logs.martingale[keep],
    )  # fmt: skip
    return Block(times=block.times[keep], spot=block.spot[keep], logs=fewer, chart=block.chart)


def _late(item: Any, snapshot: Snapshot, paid: Payoff) -> float:
    """What the moment of a hit in its gap matters: half a gap's interest at most, as it is paid in the middle."""
    at_hit = "hit" in (getattr(item, "pays_at", ""), getattr(item, "rebate_at", ""))
    amount = getattr(item, "amount", getattr(item, "rebate", 0.0))
    if not at_hit or getattr(item, "n_monitoring", None) is not None:
        return 0.0
    ends = np.concatenate(([0.0], paid.times))
    df = np.asarray(snapshot.discount.df(np.maximum(ends, 1e-12)))
    return float(0.5 * amount * np.abs(np.diff(df)).max())


def looks_error(
    item: Any, model: Any, snapshot: Snapshot, paid: Payoff, scheme: str | None, steps_per_year: float | None, seed: int
) -> float:
    """Estimate of the error of looking at `paid.times` only, price units; 0 where bridges are exact."""
    cash = snapshot.cash_dividends
    still = cash is None or cash.model == "jump"  # else the variance of log S moves
    exact = still and "deterministic_vol" in abilities(model) and type(item).__name__ not in _INEXACT
    if not paid.bridged:
        return 0.0
    late = _late(item, snapshot, paid)
    if exact:
        return late
    gap = float(np.median(np.diff(paid.times, prepend=0.0)))
    coarse, fine = (payoff(item, Terms(snapshot=snapshot, watched=n / gap)) for n in (1.0, 2.0))
    if np.abs(fine.times[:, None] - coarse.times).min(axis=0).max() > _SAME:
        return late  # a life of one or two looks
    made = generator(
        model,
        Request(snapshot=snapshot, times=fine.times, bridge=False, scheme=scheme, steps_per_year=steps_per_year),
    )
    if made.chart is not None and made.chart.exact and type(item).__name__ not in _INEXACT:
        return late
    table = np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    found, known = [], False
    for k in range(_BLOCKS):
        block = made.block(table, seed, 0, _FIRST + k * _BLOCK, _BLOCK)
        known = block.logs.exposed is not None
        found.append(coarse.value(thinned(block, coarse.times)) - fine.value(block))
    each = np.concatenate(found)
    return late + float((2.0 if known else 3.5) * abs(each.mean()) + 2.0 * each.std() / np.sqrt(each.size))


__all__ = ["looks_error", "thinned"]

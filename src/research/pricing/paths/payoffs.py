"""What a contract pays on a block of paths: one function a contract, in NumPy, so that any model with paths prices it.

A payoff names the times it looks at and gives the present value of each path of a block. Knock-outs without coupons can
also be priced *within limits* (`survival`): paths are kept inside the barriers, and their weights, the probabilities of
that, turn the jump of the payoff into a smooth function of the path (Glasserman and Staum 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import BoolND, Float1D, Float2D
from research.errors import NoEngineError, require
from research.instruments import Asian, Barrier, Digital, European, Touch
from research.instruments._schedule import daily
from research.market import Snapshot
from research.pricing import _notes
from research.pricing._agreed_looks import equal_looks
from research.pricing.paths.cash import looked
from research.pricing.paths.generators import Block
from research.pricing.paths.watching import gaps, missed

_WATCHED = 64  # looks a year at a barrier that is watched at every moment, with a bridge in between


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Payoff:
    """A contract on blocks of paths."""

    times: Float1D  # years, increasing, > 0
    value: Callable[[Block], Float1D]  # present value of each path
    limits: Float2D | None = None  # (n, 2), low and high spot at `times` within which paths are kept
    bridged: bool = False  # asks what happened between observations
    counts: Callable[[Block], Float2D] | None = None  # what else is counted on each path, shape (n_counts, n_paths)
    jump: float = 0.0  # of the value at an edge of the last price, where that is all the payoff is


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a payoff is built with."""

    snapshot: Snapshot
    survival: bool = False  # keep paths inside barriers where the contract allows it
    watched: float = _WATCHED  # looks a year at a barrier that is watched at every moment
    model: Any = None  # for payoffs that ask it what an option is worth on a later day


def single(tau: float) -> Float1D:
    """One time; refuses what has expired."""
    require(tau > 0.0, "tau", tau, "be > 0 years")
    return np.array([tau])


def _vanilla(spot: Float1D, strike: float, is_call: bool) -> Float1D:
    out: Float1D = np.maximum(spot - strike if is_call else strike - spot, 0.0)
    return out


def european(item: European, terms: Terms) -> Payoff:
    """max(+-(S - K), 0)."""
    times = single(item.years(terms.snapshot.as_of))
    df = terms.snapshot.discount.df(float(times[0]))
    return Payoff(times=times, value=lambda block: df * _vanilla(block.spot[-1], item.strike, item.is_call))


def digital(item: Digital, terms: Terms) -> Payoff:
    """An amount of cash or of the underlying beyond the strike."""
    times = single(item.years(terms.snapshot.as_of))
    df = float(terms.snapshot.discount.df(float(times[0]))) * item.amount

    def value(block: Block) -> Float1D:
        spot = block.spot[-1]
        paid = spot > item.strike if item.is_call else spot < item.strike
        return df * np.where(paid, spot if item.pays == "asset" else 1.0, 0.0)

    return Payoff(times=times, value=value, jump=df * (item.strike if item.pays == "asset" else 1.0))


def asian(item: Asian, terms: Terms) -> Payoff:
    """The average of the fixings, those that have passed included."""
    times = item.years(terms.snapshot.as_of)
    df, n = float(terms.snapshot.discount.df(float(times[-1]))), times.size + item.n_fixed

    def value(block: Block) -> Float1D:
        if item.average == "geometric":
            mean = np.exp(np.log(block.spot).mean(axis=0))
        else:
            mean = (block.spot.sum(axis=0) + item.n_fixed * item.fixed_mean) / n
        high = block.spot[-1] - mean if item.strike is None else mean - item.strike
        return df * np.maximum(high if item.is_call else -high, 0.0)

    return Payoff(times=times, value=value)


def survived(block: Block, barrier: float, spot: float) -> Float2D:
    """Probability that a path did not touch the barrier up to each time, given where it was seen (`watching`)."""
    out: Float2D = np.cumprod(missed(gaps(block, spot), float(np.log(barrier))), axis=0, dtype=np.float64)
    return out


def inside(block: Block, barrier: float, down: bool) -> Float2D:
    """1 up to the look that finds the barrier passed, 0 from there on."""
    within = block.spot > barrier if down else block.spot < barrier
    return np.logical_and.accumulate(within, axis=0).astype(np.float64)


def looks(tau: float, terms: Terms, item: Any = None, n_looks: int | None = None, start: float = 0.0) -> Float1D:
    """Even looks after `start` up to `tau`: the contract's `n_looks`, or enough for bridges in between.

    Bridges do not span the fall of a cash dividend: its day is looked at too.
    """
    if n_looks is not None:
        return equal_looks(item, tau, n_looks, start)
    n = max(1, int(np.ceil((tau - start) * terms.watched - 1e-9)))
    out: Float1D = start + (tau - start) * np.arange(1, n + 1) / n
    return looked(out, terms.snapshot, start)


def barrier(item: Barrier, terms: Terms) -> Payoff:
    """Watched n times (by indicators, or within limits) or at every moment (by bridges)."""
    tau, snapshot = float(single(item.years(terms.snapshot.as_of))[0]), terms.snapshot
    item.check_alive(snapshot.spot)
    down, out, discrete = item.direction == "down", item.knock == "out", item.n_monitoring is not None
    times = looks(tau, terms, item, item.n_monitoring)
    df = np.asarray(snapshot.discount.df(times))
    within = terms.survival and discrete and out
    hit_df = df[:, None] if discrete else np.sqrt(df * np.concatenate(([1.0], df[:-1])))[:, None]

    def alive(block: Block) -> Float2D:
        if block.logs.weight is not None:
            return block.logs.weight
        return inside(block, item.barrier, down) if discrete else survived(block, item.barrier, snapshot.spot)

    def value(block: Block) -> Float1D:
        left = alive(block)
        paid = df[-1] * _vanilla(block.spot[-1], item.strike, item.is_call)
        if not out:
            return np.asarray(paid * (1.0 - left[-1]) + df[-1] * item.rebate * left[-1])
        total = paid * left[-1]
        if item.rebate > 0.0:
            before = np.concatenate((np.ones((1, block.n_paths)), left[:-1]))
            total = total + item.rebate * ((before - left) * hit_df).sum(axis=0)
        return np.asarray(total)

    limits = None
    if within:
        limits = np.tile([item.barrier, np.inf] if down else [0.0, item.barrier], (times.size, 1))
    return Payoff(times=times, value=value, limits=limits, bridged=not discrete)


def touch(item: Touch, terms: Terms) -> Payoff:
    """An amount if the barrier is hit, or if it never is; watched n times or at every moment."""
    tau, snapshot = float(single(item.years(terms.snapshot.as_of))[0]), terms.snapshot
    item.check_alive(snapshot.spot)
    down, discrete = item.direction == "down", item.n_monitoring is not None
    times = looks(tau, terms, item, item.n_monitoring)
    df = np.asarray(snapshot.discount.df(times))
    hit_df = df[:, None] if discrete else np.sqrt(df * np.concatenate(([1.0], df[:-1])))[:, None]

    def value(block: Block) -> Float1D:
        left = inside(block, item.barrier, down) if discrete else survived(block, item.barrier, snapshot.spot)
        if not item.is_touch:
            return np.asarray(item.amount * df[-1] * left[-1])
        if item.pays_at == "expiry":
            return np.asarray(item.amount * df[-1] * (1.0 - left[-1]))
        before = np.concatenate((np.ones((1, block.n_paths)), left[:-1]))
        return np.asarray(item.amount * ((before - left) * hit_df).sum(axis=0))

    return Payoff(times=times, value=value, bridged=not discrete)


def note(item: Any, terms: Terms) -> Payoff:
    """Every structured note, from the tables that the fused engine uses too."""
    from research.pricing.paths.notes import note_payoff

    return note_payoff(_notes.build(item, terms.snapshot), terms)


def composed(item: Any, terms: Terms) -> Payoff:
    """Payments written as expressions."""
    from research.pricing.paths.composed import composed_payoff

    return composed_payoff(item, terms)


PAYOFFS: dict[str, Callable[[Any, Terms], Payoff]] = {
    "European": european, "Digital": digital, "Asian": asian, "Barrier": barrier, "Touch": touch,
    "Composed": composed, **dict.fromkeys(_notes.BUILD, note),
}  # fmt: skip


def payoff(item: Any, terms: Terms) -> Payoff:
    """A contract on blocks of paths; NoEngineError for one that has no such form."""
    from research.pricing.paths import nested, terminal, watched  # noqa: F401  (they enter themselves)

    name = type(item).__name__
    if name not in PAYOFFS:
        raise NoEngineError(f"{name} has no payoff on paths. Contracts that have: {', '.join(PAYOFFS)}.")
    found = PAYOFFS[name](item, terms)
    if type(terms.model).__name__ in ("CEV", "DisplacedDiffusion", "Bachelier", "ArbitrageFreeSABR"):
        from research.pricing.paths.charted import check_positive

        check_positive(item, terms.model, terms.snapshot, float(found.times[-1]))
    return found


def first_true(hit: BoolND) -> Any:
    """Row of the first True of each column, shape (n,); the number of rows where there is none."""
    return np.where(hit.any(axis=0), hit.argmax(axis=0), hit.shape[0])


__all__ = ["PAYOFFS", "Payoff", "Terms", "daily", "first_true", "looks", "payoff", "single", "survived"]

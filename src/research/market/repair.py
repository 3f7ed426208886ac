"""The nearest quotes without arbitrage: as few moved as need be, by as little as need be, as a linear programme.

    minimise  sum of cost_i |new vol_i - vol_i|    subject to every rule of `find_arbitrage`

The rules are linear in call prices within an expiry and in total variance between expiries, so they are linear in vols
to first order; the programme is solved again at each answer until nothing moves (sequential linear programming). The
sum of absolute moves leaves most quotes where they are. With half spreads a move inside bid and ask costs its share of
the half spread, one beyond it `beyond` times as much.

References
----------
Cohen, Reisinger, Wang (2020), "Detecting and repairing arbitrage in traded option prices", Applied Mathematical Finance
27, 345-373 (the programme, in prices, and its cost by bid and ask, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from research.arrays import Float1D
from research.errors import NumericalError, require
from research.market.arbitrage import find_arbitrage
from research.market.arbitrage_rules import Quoted, calendar_gaps, quoted, strike_gaps
from research.market.snapshot import Snapshot
from research.market.surface import Surface

if TYPE_CHECKING:
    import pandas as pd

_MARGIN = 1e-9  # of a rule, whose largest weight is 1: what rounding may not break again
_FLAT = 1e-5  # vega and such below it: a rule that no vol can move is left to the next round
_REACH = 0.5  # most that a vol moves in a round, of itself
_ROUNDS = 60
_STILL = 1e-10  # vol


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repair:
    """Quotes without arbitrage, and what had to move."""

    surface: Surface
    changes: pd.DataFrame  # a row a quote that moved: expiry, tau, strike, vol, repaired, change, beyond_spread
    found: pd.DataFrame  # the violations that were there, as `find_arbitrage` lists them
    n_quotes: int

    @property
    def largest(self) -> float:
        """The largest move of a vol, decimal; 0 where nothing moved."""
        return float(self.changes["change"].abs().max()) if len(self.changes) else 0.0

    def __repr__(self) -> str:
        moved = f"{len(self.changes)} of {self.n_quotes} quotes moved, by at most {1e4 * self.largest:.3g} bp of vol"
        return f"Repair({len(self.found)} violations; {moved})"


def repair_quotes(data: Surface | Snapshot, *, beyond: float = 20.0) -> Repair:
    """The nearest surface of quotes without arbitrage.

    Parameters
    ----------
    data : Surface or Snapshot
        A smile's half_spread, where it has one, is the unit of a move; a quote of weight 0 moves before all others.
    beyond : float, default 20
        How much dearer a move beyond bid and ask is; of no effect without half_spread.

    Returns
    -------
    Repair
        `surface` passes `find_arbitrage`, with `weight`, `half_spread` and dates as they were; `changes` names the
        quotes that moved. beyond_spread is the part of a move, vol, outside bid and ask (nan where they are not known).

    Raises
    ------
    NumericalError
        When the programme does not settle.

    Examples
    --------
    >>> from datetime import date
    >>> from research.market import Smile
    >>> dear = Smile(tau=0.5, forward=100.0, df=1.0, strike=[90.0, 95.0, 100.0], vol=[0.2, 0.24, 0.2])
    >>> repair_quotes(Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=(dear,)))
    Repair(1 violations; 1 of 3 quotes moved, by at most 264 bp of vol)
    """
    surface = data.quotes if isinstance(data, Snapshot) else data
    require(isinstance(surface, Surface), "data", type(data).__name__, "be a market.Surface or Snapshot")
    require(beyond >= 1.0 and np.isfinite(beyond), "beyond", beyond, "be finite and >= 1")
    found = find_arbitrage(surface)
    if found.empty:
        return Repair(surface=surface, changes=_changes(surface, surface), found=found, n_quotes=surface.n_quotes)
    start = np.concatenate([smile.vol for smile in surface])
    now, cost, before = surface, _cost(surface, beyond), np.inf
    for _ in range(_ROUNDS):
        vol, value = _round(now, start, *cost)
        moved = float(np.abs(vol - np.concatenate([smile.vol for smile in now])).max())
        now = _with(surface, vol)
        settled = moved <= _STILL or abs(before - value) <= 1e-9 * value
        if settled and find_arbitrage(now).empty:
            return Repair(surface=now, changes=_changes(surface, now), found=found, n_quotes=surface.n_quotes)
        before = value
    raise NumericalError(
        f"the repair of {len(found)} violations must settle; it did not within {_ROUNDS} linear programmes."
    )


def _with(surface: Surface, vol: Float1D) -> Surface:
    parts = np.split(vol, np.cumsum([len(smile) for smile in surface])[:-1])
    return replace(surface, smiles=tuple(replace(smile, vol=part) for smile, part in zip(surface, parts)))


def _cost(surface: Surface, beyond: float) -> tuple[Float1D, Float1D, Float1D]:
    """(cost of a move, half spread, extra cost beyond it) of each quote; the half spread is inf where none is known."""
    cost, half, extra = [], [], []
    for smile in surface:
        n = len(smile)
        share = np.ones(n) if smile.weight is None else np.where(smile.weight > 0.0, 1.0, 1e-3)
        h = np.full(n, np.inf) if smile.half_spread is None else smile.half_spread
        unit = np.where(np.isfinite(h), 1e-2 / np.where(np.isfinite(h), h, 1.0), 1.0)  # a half spread is as a vol point
        cost.append(share * unit)
        half.append(h)
        extra.append(np.where(np.isfinite(h), (beyond - 1.0) * share * unit, 0.0))
    return np.concatenate(cost), np.concatenate(half), np.concatenate(extra)


def _round(now: Surface, start: Float1D, cost: Float1D, half: Float1D, extra: Float1D) -> tuple[Float1D, float]:
    """The linear programme at `now`: the vols, and what the moves from `start` cost.

    Unknown are vol, and size and excess of each move: size >= |vol - start|, excess >= size - half.
    """
    from scipy.optimize import linprog
    from scipy.sparse import bmat, csr_matrix, eye

    q = quoted(now.smiles)
    n = q.strike.size
    rules, right = _rules(q)
    one, spread = eye(n, format="csr"), np.isfinite(half)
    inside = csr_matrix((np.ones(n), (np.arange(n), np.arange(n))), shape=(n, n))[spread]
    matrix = bmat([[rules, None, None], [one, -one, None], [-one, -one, None], [None, inside, -inside]], format="csr")
    limit = np.concatenate([right, start, -start, half[spread]])
    box = np.stack([(1.0 - _REACH) * q.vol, (1.0 + _REACH) * q.vol], axis=1)
    free = np.stack([np.zeros(2 * n), np.full(2 * n, np.inf)], axis=1)
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    end = linprog(
        np.concatenate([np.zeros(n), cost, extra]), A_ub=matrix, b_ub=limit, bounds=np.vstack([box, free]),
        method="highs", options=options,
    )  # fmt: skip
    if end.status != 0:
        raise NumericalError(f"the linear programme of the repair must have an answer; it said: {end.message}")
    moved = np.asarray(end.x[:n])
    vol = np.where(np.abs(moved - start) <= 1e-11, start, moved)  # where it stands it stands to the last digit
    return vol, float(end.fun)


def _rules(q: Quoted) -> tuple[Any, Float1D]:
    """matrix @ vol <= right, each rule to first order at the vols of `q`, its largest weight scaled to 1."""
    from scipy.sparse import csr_matrix

    by_vol = {"price": q.vega, "variance": 2.0 * q.vol * q.tau}
    rows, columns, values, right = [], [], [], []
    count = 0
    for gaps in (*strike_gaps(q), *calendar_gaps(q)):
        slope = by_vol["variance" if gaps.kind == "calendar" else "price"]
        units = np.ones(q.strike.size) if gaps.kind == "calendar" else 1.0 / q.forward
        at = np.column_stack([gaps.quote, np.maximum(gaps.others, 0)])
        value = gaps.sign * np.column_stack([np.ones(gaps.quote.size), -gaps.weights]) * slope[at]
        value[:, 1:][gaps.others < 0] = 0.0
        value *= units[gaps.quote, None]
        scale = np.maximum(np.abs(value).max(axis=1, initial=0.0), _FLAT)
        value /= scale[:, None]
        row = count + np.repeat(np.arange(gaps.quote.size), 3)
        rows.append(row)
        columns.append(at.ravel())
        values.append(value.ravel())
        right.append((value * q.vol[at]).sum(axis=1) - gaps.size * units[gaps.quote] / scale - _MARGIN)
        count += gaps.quote.size
    shape = (count, q.strike.size)
    matrix = csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
    return matrix, np.concatenate(right)


def _changes(before: Surface, after: Surface) -> pd.DataFrame:
    """The quotes that moved, largest move first."""

    table = before.to_frame()[["expiry", "tau", "strike", "vol"]]
    repaired = np.concatenate([smile.vol for smile in after])
    half = np.concatenate([np.full(len(s), np.nan) if s.half_spread is None else s.half_spread for s in before])
    table = table.assign(repaired=repaired, change=repaired - table["vol"])
    table["beyond_spread"] = np.where(np.isnan(half), np.nan, np.maximum(table["change"].abs() - half, 0.0))
    moved = table[table["change"] != 0.0]
    order = moved["change"].abs().sort_values(ascending=False, kind="stable").index
    out: pd.DataFrame = moved.loc[order].reset_index(drop=True)
    return out

"""Contracts on several underlyings where all spots, vols and correlations move, and rho by node of each curve.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 7.1 (common random numbers).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, vector
from research.errors import require, require_all
from research.market import BasketSnapshot
from research.models.multi_asset import MultiAssetBlackScholes
from research.pricing import _calls
from research.pricing.multi_asset_greeks import currencies, move_spots, underlyings_of, with_changes, with_rates
from research.pricing.price import price


def book(instruments: Any, snapshot: Any, quantities: ArrayLike | None, market: type) -> tuple[list[Any], Float1D]:
    """The contracts and how many of each, in a market of that kind: BasketSnapshot, or Snapshot for one underlying."""
    items, _ = _calls.items_of(instruments)
    if market is not BasketSnapshot:
        _calls.check_snapshot(snapshot)
    require(isinstance(snapshot, market), "snapshot", snapshot, f"be a market.{market.__name__}")
    units = np.ones(len(items)) if quantities is None else vector(quantities, "quantities")
    require(units.size == len(items), "quantities", units.size, f"be as many as instruments, {len(items)}")
    require_all(np.isfinite(units), "quantities", units, "be finite")
    return items, units


def basket_ladder(
    instruments: Any,
    model: MultiAssetBlackScholes,
    snapshot: BasketSnapshot,
    *,
    spot: ArrayLike = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2),
    vol: ArrayLike = (-0.05, 0.0, 0.05),
    correlation: ArrayLike = (0.0,),
    quantities: ArrayLike | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Value of a portfolio where all spots, all vols and all correlations move together.

    Parameters
    ----------
    instruments : a contract on several underlyings, or a sequence of them
    spot : array-like, multiples of every spot
    vol : array-like, 1/sqrt(year), added to every vol
    correlation : array-like in [-1, 1]
        How far every correlation goes towards 1 (0.3: three tenths of the way) or, below 0, towards 0.
    quantities : array-like, default 1 each
    options
        As for `price`; a simulation's paths are the same at every node.

    Returns
    -------
    DataFrame
        Columns spot_move, vol_move, correlation_move, value, pnl (against the unmoved market).
    """
    items, units = book(instruments, snapshot, quantities, BasketSnapshot)
    moves, lifts, ties = (
        vector(np.atleast_1d(x), n) for x, n in ((spot, "spot"), (vol, "vol"), (correlation, "correlation"))
    )
    require_all(np.isfinite(moves) & (moves > 0.0), "spot", moves, "be finite multiples > 0 of the spots",
                hint="A fall by 10 % is 0.9.")  # fmt: skip
    require_all(np.isfinite(lifts) & (np.abs(lifts) < 5.0), "vol", lifts, "be finite shifts of the vol, decimal")
    require_all(np.abs(ties) <= 1.0, "correlation", ties, "lie in [-1, 1]")

    def value(move: float, lift: float, tie: float) -> float:
        there = move_spots(snapshot, dict.fromkeys(snapshot.names, move - 1.0))
        changed = with_changes(model, vols=np.maximum(model.vols + lift, 0.0), correlation=_tied(model, tie))
        return float(units @ np.asarray(price(items, changed, there, **options).value))

    base = value(1.0, 0.0, 0.0)
    rows = [(m - 1.0, b, c, value(m, b, c)) for m, b, c in product(moves.tolist(), lifts.tolist(), ties.tolist())]
    out = pd.DataFrame(rows, columns=["spot_move", "vol_move", "correlation_move", "value"])
    return out.assign(pnl=out["value"] - base)


def _tied(model: MultiAssetBlackScholes, by: float) -> Any:
    """A mixture of correlation matrices is one: with that of ones towards 1, with the unit matrix towards 0."""
    aim = np.ones_like(model.correlation) if by > 0.0 else np.eye(model.correlation.shape[0])
    return (1.0 - abs(by)) * model.correlation + abs(by) * aim


def basket_rho_buckets(
    instruments: Any, model: Any, snapshot: BasketSnapshot, *, bump: float = 1e-4, quantities: ArrayLike | None = None,
    **options: Any,
) -> pd.DataFrame:  # fmt: skip
    """Change of the portfolio's value by each zero rate of each currency's curve; exchange rates stay.

    Returns
    -------
    DataFrame
        Columns currency, tau, zero_rate, rho (price per 1.00 of that rate), rho_per_bp.
    """
    require(0.0 < bump < 0.1, "bump", bump, "lie in (0, 0.1)")
    items, units = book(instruments, snapshot, quantities, BasketSnapshot)
    names = tuple(dict.fromkeys(name for item in items for name in underlyings_of(item)))

    def value(there: BasketSnapshot) -> float:
        return float(units @ np.asarray(price(items, model, there, **options).value))

    rows = []
    for money in currencies(snapshot, names):
        foreign = next((c.discount for c in snapshot.currencies if c.name == money), None)
        curve = snapshot.discount if foreign is None else foreign
        for node in range(curve.tau.size):
            step = np.zeros(curve.tau.size)
            step[node] = bump
            up, down = (value(with_rates(snapshot, money, side * step)) for side in (1.0, -1.0))
            rows.append((money, float(curve.tau[node]), float(curve.zero_rate[node]), (up - down) / (2.0 * bump)))
    out = pd.DataFrame(rows, columns=["currency", "tau", "zero_rate", "rho"])
    return out.assign(rho_per_bp=out["rho"] / 1e4)


__all__ = ["basket_ladder", "basket_rho_buckets"]

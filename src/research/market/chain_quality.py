"""What a table of prices says of its own quality: the tick, and quotes that stood still while the market moved."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from research.arrays import Float1D

_ROUNDED = 0.95  # share of the prices that must be multiples of a tick
_MOVE = 0.10  # of the price: a change smaller than that may be made up by a change of vol


def tick_of(prices: Float1D) -> float:
    """The smallest step between prices where nearly all are multiples of it; 0 where they are not rounded."""
    known = np.unique(prices[np.isfinite(prices) & (prices > 0.0)])
    steps = np.diff(known)
    steps = steps[steps > 1e-9 * np.max(known, initial=0.0)]
    if not steps.size:
        return 0.0
    tick = float(steps.min())
    off = np.abs(known / tick - np.round(known / tick))
    return tick if np.mean(off < 1e-3) > _ROUNDED else 0.0


def half_tick_vols(quotes: pd.DataFrame, tick: float) -> Float1D:
    """Half a tick of price in vol: columns forward, strike, tau, df, vol."""
    f, k, t, df, vol = (quotes[name].to_numpy(dtype=np.float64) for name in ("forward", "strike", "tau", "df", "vol"))
    std = vol * np.sqrt(t)
    vega = df * f * np.sqrt(t / (2.0 * np.pi)) * np.exp(-0.5 * (np.log(f / k) / std + 0.5 * std) ** 2)
    return np.asarray(0.5 * tick / np.maximum(vega, 1e-300))


def stood_still(quotes: pd.DataFrame, tick: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Prices unchanged since the option was last quoted, though its forward moved them.

    A quote stood still where price (or bid and ask) is the same to the last digit while delta times the change of the
    forward exceeds two ticks and a tenth of the price. Columns as_of, expiry, strike, is_call, price, forward, tau and
    vol, perhaps bid and ask; vol may be nan, then nothing is said.
    """
    at = ["expiry", "strike", "is_call"]
    rows = quotes.assign(row=np.arange(len(quotes))).sort_values([*at, "as_of"], kind="stable")
    shown = [name for name in ("bid", "ask") if name in rows.columns] or ["price"]
    before = rows.groupby(at, sort=False)[[*shown, "forward"]].shift(1)
    same = np.logical_and.reduce([rows[name].to_numpy() == before[name].to_numpy() for name in shown])
    f, k, vol, tau = (rows[name].to_numpy(dtype=np.float64) for name in ("forward", "strike", "vol", "tau"))
    with np.errstate(invalid="ignore", divide="ignore"):
        std = vol * np.sqrt(tau)
        d1 = np.log(f / k) / std + 0.5 * std
        delta = ndtr(np.where(rows["is_call"].to_numpy(dtype=bool), d1, -d1))
        move = delta * np.abs(f - before["forward"].to_numpy(dtype=np.float64))
        still = same & (move > np.maximum(2.0 * tick, _MOVE * rows["price"].to_numpy(dtype=np.float64)))
    out = np.zeros(len(quotes), dtype=bool)
    out[rows["row"].to_numpy()] = still
    return out

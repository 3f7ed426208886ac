"""Do the quotes allow a free lunch? Butterflies (one expiry) and calendars (two expiries).

Butterfly: undiscounted call prices, with the forward itself as the call of strike 0, must be convex and
non-increasing in the strike. Calendar: total variance at the same log moneyness must not fall with expiry; the
quotes of one expiry are compared with the linear interpolation of its neighbour's total variance, inside its range.
Both assume deterministic rates and proportional dividends.

References
----------
Carr & Madan (2005), "A note on sufficient conditions for no arbitrage", Finance Research Letters 2.
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, lemma 2.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from research.arrays import Float1D
from research.errors import require
from research.market.surface import Smile, Surface

_COLUMNS = ["kind", "expiry", "tau", "strike", "log_moneyness", "against", "size", "unit"]


def find_arbitrage(surface: Surface, *, tolerance: float = 1e-10) -> pd.DataFrame:
    """Every butterfly and calendar violation in the quotes; an empty table when there is none.

    Parameters
    ----------
    surface : Surface
    tolerance : float, default 1e-10
        Smaller violations are rounding: relative to the forward for butterflies, total variance for calendars.

    Returns
    -------
    DataFrame
        kind, expiry, tau, strike, log_moneyness of the offending quote; against (the neighbouring strikes or expiry);
        size (> 0) and its unit.
    """
    parts = [find_butterflies(smile, tolerance=tolerance) for smile in surface]
    return _stack([*parts, find_calendars(surface, tolerance=tolerance)])


def find_butterflies(smile: Smile, *, tolerance: float = 1e-10) -> pd.DataFrame:
    """Quotes whose call is dearer than its neighbours allow (convexity), or dearer than a call of lower strike.

    size is the profit of the trade, undiscounted, price units.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    strike = np.concatenate([[0.0], smile.strike])
    call = np.concatenate([[smile.forward], _undiscounted_calls(smile)])
    limit, rows = tolerance * smile.forward, []
    for i in range(1, strike.size):
        if call[i] - call[i - 1] > limit:
            rows.append(_row("slope", smile, i - 1, f"{strike[i - 1]:g}", call[i] - call[i - 1], "price"))
        if i + 1 < strike.size:
            share = (strike[i + 1] - strike[i]) / (strike[i + 1] - strike[i - 1])
            excess = call[i] - (share * call[i - 1] + (1.0 - share) * call[i + 1])
            if excess > limit:
                against = f"{strike[i - 1]:g} and {strike[i + 1]:g}"
                rows.append(_row("butterfly", smile, i - 1, against, excess, "price"))
    return _stack([pd.DataFrame(rows, columns=_COLUMNS)])


def find_calendars(surface: Surface, *, tolerance: float = 1e-10) -> pd.DataFrame:
    """Quotes whose total variance is below that of the expiry before, or above that of the expiry after.

    size is the gap in total variance.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    rows = []
    for near, far in zip(surface.smiles[:-1], surface.smiles[1:]):
        for smile, other, sign in ((near, far, 1.0), (far, near, -1.0)):
            k, neighbour = smile.log_moneyness, other.log_moneyness
            there = np.interp(k, neighbour, other.total_variance)
            gap = np.where((k >= neighbour[0]) & (k <= neighbour[-1]), sign * (smile.total_variance - there), 0.0)
            for i in np.flatnonzero(gap > tolerance):
                rows.append(_row("calendar", smile, int(i), _name(other), float(gap[i]), "total variance"))
    return _stack([pd.DataFrame(rows, columns=_COLUMNS)])


def _undiscounted_calls(smile: Smile) -> Float1D:
    std = smile.vol * np.sqrt(smile.tau)
    d1 = -smile.log_moneyness / std + 0.5 * std
    out: Float1D = smile.forward * ndtr(d1) - smile.strike * ndtr(d1 - std)
    return out


def _name(smile: Smile) -> str:
    return str(smile.expiry) if smile.expiry else f"tau {smile.tau:g}"


def _row(kind: str, smile: Smile, i: int, against: str, size: float, unit: str) -> list[Any]:
    k = float(smile.log_moneyness[i])
    return [kind, smile.expiry, smile.tau, float(smile.strike[i]), k, against, float(size), unit]


def _stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    out = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=_COLUMNS)
    return out.assign(expiry=pd.to_datetime(out["expiry"]), size=out["size"].astype(float))

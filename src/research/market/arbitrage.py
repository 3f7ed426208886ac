"""Do the quotes allow a free lunch? Butterflies and call spreads (one expiry), calendars (two expiries).

Call spread: a call dearer than one of lower strike (kind "slope"), or a spread of two calls worth more than the
distance of their strikes, which is a put dearer than one of higher strike (kind "put slope"). Butterfly: undiscounted
call prices, with the forward itself as the call of strike 0, must be convex in the strike. Calendar: total variance at
the same log moneyness must not fall with expiry; the quotes of one expiry are compared with the linear interpolation of
its neighbour's total variance, inside its range. `find_arbitrage` reports, `refuse_arbitrage` refuses.
Both assume deterministic rates and proportional dividends.

References
----------
Carr & Madan (2005), "A note on sufficient conditions for no arbitrage", Finance Research Letters 2.
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, lemma 2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from research.arrays import Float1D
from research.errors import InputError, require
from research.market.surface import Smile, Surface

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ["kind", "expiry", "tau", "strike", "log_moneyness", "against", "size", "unit", "in_vol"]


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
        size (> 0) and its unit; in_vol, by how much the quote's vol would have to move to close it, to first order.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    require(isinstance(surface, Surface), "surface", surface, "be a market.Surface", hint="A Snapshot has one: .quotes")
    rows = [row for smile in surface for row in _butterflies(smile, tolerance)]
    return _table([*rows, *_calendars(surface, tolerance)])


def refuse_arbitrage(surface: Surface, *, tolerance: float = 0.0, show: int = 3) -> None:
    """InputError where a quote would have to move by more than `tolerance` (vol, decimal) to close a free lunch.

    The message names the worst `show` quotes, against which others, and by how much; `find_arbitrage` lists all.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0", hint="A vol in decimals: 0.01 is one vol point.")
    require(show >= 1, "show", show, "be >= 1")
    found = find_arbitrage(surface)
    worst = found[found["in_vol"] > tolerance].sort_values("in_vol", ascending=False, kind="stable")
    if worst.empty:
        return
    named = []
    for _, row in worst.head(show).iterrows():
        where = f"{row['kind']} at tau {row['tau']:.4g}, strike {row['strike']:g} against {row['against']}"
        named.append(f"{where}: {row['size']:.4g} {row['unit']}, {1e4 * row['in_vol']:.3g} bp of vol")
    raise InputError(
        f"quotes must be free of arbitrage within {tolerance:g} vol; got {len(worst)} violations: {'; '.join(named)}"
        f"{' ...' if len(worst) > show else '.'} market.find_arbitrage lists all."
    )


def find_butterflies(smile: Smile, *, tolerance: float = 1e-10) -> pd.DataFrame:
    """Quotes whose call is dearer than its neighbours allow (convexity), or that make a call spread free or too dear.

    size is the profit of the trade, undiscounted, price units.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    return _table(_butterflies(smile, tolerance))


def find_calendars(surface: Surface, *, tolerance: float = 1e-10) -> pd.DataFrame:
    """Quotes whose total variance is below that of the expiry before, or above that of the expiry after.

    size is the gap in total variance.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    return _table(_calendars(surface, tolerance))


def _butterflies(smile: Smile, tolerance: float) -> list[list[Any]]:
    strike = [0.0, *smile.strike.tolist()]
    call = [smile.forward, *_undiscounted_calls(smile).tolist()]
    limit, rows = tolerance * smile.forward, []
    for i in range(1, len(strike)):
        if call[i] - call[i - 1] > limit:
            rows.append(_row("slope", smile, i - 1, f"{strike[i - 1]:g}", call[i] - call[i - 1], "price"))
        if call[i - 1] - call[i] - (strike[i] - strike[i - 1]) > limit and i > 1:
            size = call[i - 1] - call[i] - (strike[i] - strike[i - 1])
            rows.append(_row("put slope", smile, i - 2, f"{strike[i]:g}", size, "price"))
        if i + 1 < len(strike):
            share = (strike[i + 1] - strike[i]) / (strike[i + 1] - strike[i - 1])
            excess = call[i] - (share * call[i - 1] + (1.0 - share) * call[i + 1])
            if excess > limit:
                against = f"{strike[i - 1]:g} and {strike[i + 1]:g}"
                rows.append(_row("butterfly", smile, i - 1, against, excess, "price"))
    return rows


def _calendars(surface: Surface, tolerance: float) -> list[list[Any]]:
    rows = []
    for near, far in zip(surface.smiles[:-1], surface.smiles[1:]):
        for smile, other, sign in ((near, far, 1.0), (far, near, -1.0)):
            k, neighbour = smile.log_moneyness, other.log_moneyness
            there = np.interp(k, neighbour, other.total_variance)
            gap = np.where((k >= neighbour[0]) & (k <= neighbour[-1]), sign * (smile.total_variance - there), 0.0)
            for i in np.flatnonzero(gap > tolerance):
                rows.append(_row("calendar", smile, int(i), _name(other), float(gap[i]), "total variance"))
    return rows


def _undiscounted_calls(smile: Smile) -> Float1D:
    from scipy.special import ndtr

    std = smile.vol * np.sqrt(smile.tau)
    d1 = -smile.log_moneyness / std + 0.5 * std
    out: Float1D = smile.forward * ndtr(d1) - smile.strike * ndtr(d1 - std)
    return out


def _name(smile: Smile) -> str:
    return str(smile.expiry) if smile.expiry else f"tau {smile.tau:g}"


def _row(kind: str, smile: Smile, i: int, against: str, size: float, unit: str) -> list[Any]:
    k = float(smile.log_moneyness[i])
    std = float(smile.vol[i] * np.sqrt(smile.tau))
    density = np.exp(-0.5 * (k / std - 0.5 * std) ** 2) / np.sqrt(2.0 * np.pi)  # at d1 = -k / std + std / 2
    vega = smile.forward * np.sqrt(smile.tau) * density
    in_vol = size / max(vega, 1e-300) if unit == "price" else size / (2.0 * smile.vol[i] * smile.tau)
    return [kind, smile.expiry, smile.tau, float(smile.strike[i]), k, against, float(size), unit, float(in_vol)]


def _table(rows: list[list[Any]]) -> pd.DataFrame:
    import pandas as pd

    out = pd.DataFrame(rows, columns=_COLUMNS)
    numbers = {name: out[name].astype(float) for name in ("size", "in_vol")}
    return out.assign(expiry=pd.to_datetime(out["expiry"]), **numbers)

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

from research.errors import InputError, require
from research.market.arbitrage_rules import Gaps, Quoted, calendar_gaps, quoted, strike_gaps
from research.market.surface import Smile, Surface

if TYPE_CHECKING:
    import pandas as pd

_ROUNDING = 1e-10  # a smaller violation is rounding: of the forward, or total variance
_COLUMNS = ["kind", "expiry", "tau", "strike", "log_moneyness", "against", "size", "unit", "in_vol"]


def find_arbitrage(surface: Surface, *, tolerance: float = _ROUNDING) -> pd.DataFrame:
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
    q = quoted(surface.smiles)
    return _table(_rows(q, [*strike_gaps(q), *calendar_gaps(q)], tolerance))


def refuse_arbitrage(
    surface: Surface, *, tolerance: float = 0.0, show: int = 3, hint: str = "market.find_arbitrage lists all."
) -> None:
    """InputError where a quote would have to move by more than `tolerance` (vol, decimal) to close a free lunch.

    The message names the worst `show` quotes, against which others, and by how much; `find_arbitrage` lists all.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0", hint="A vol in decimals: 0.01 is one vol point.")
    require(show >= 1, "show", show, "be >= 1")
    if largest_miss(surface) <= tolerance:
        return
    found = find_arbitrage(surface)
    worst = found[found["in_vol"] > tolerance].sort_values("in_vol", ascending=False, kind="stable")
    named = []
    for _, row in worst.head(show).iterrows():
        where = f"{row['kind']} at tau {row['tau']:.4g}, strike {row['strike']:g} against {row['against']}"
        named.append(f"{where}: {row['size']:.4g} {row['unit']}, {1e4 * row['in_vol']:.3g} bp of vol")
    raise InputError(
        f"quotes must be free of arbitrage within {tolerance:g} vol; got {len(worst)} violations: {'; '.join(named)}"
        f"{' ...' if len(worst) > show else '.'} {hint}"
    )


def find_butterflies(smile: Smile, *, tolerance: float = _ROUNDING) -> pd.DataFrame:
    """Quotes whose call is dearer than its neighbours allow (convexity), or that make a call spread free or too dear.

    size is the profit of the trade, undiscounted, price units.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    q = quoted([smile])
    return _table(_rows(q, strike_gaps(q), tolerance))


def find_calendars(surface: Surface, *, tolerance: float = _ROUNDING) -> pd.DataFrame:
    """Quotes whose total variance is below that of the expiry before, or above that of the expiry after.

    size is the gap in total variance.
    """
    require(tolerance >= 0.0, "tolerance", tolerance, "be >= 0")
    q = quoted(surface.smiles)
    return _table(_rows(q, calendar_gaps(q), tolerance))


def largest_miss(surface: Surface) -> float:
    """The most that a quote's vol would have to move to close a free lunch; 0 where there is none."""
    q = quoted(surface.smiles)
    worst = 0.0
    for gaps in (*strike_gaps(q), *calendar_gaps(q)):
        least = _ROUNDING * (1.0 if gaps.kind == "calendar" else q.forward[gaps.quote])
        worst = max(worst, float(np.max(np.where(gaps.size > least, q.miss(gaps), 0.0), initial=0.0)))
    return worst


def _rows(q: Quoted, found: list[Gaps], tolerance: float) -> list[list[Any]]:
    """Those of some rules that are broken, by quote."""
    rows = []
    for gaps in found:
        least = tolerance * (1.0 if gaps.kind == "calendar" else q.forward[gaps.quote])
        miss = q.miss(gaps)
        for g in np.flatnonzero(gaps.size > least):
            i, others = int(gaps.quote[g]), gaps.others[g]
            smile = q.smiles[int(np.searchsorted(q.first, i, side="right")) - 1]
            if gaps.kind == "calendar":
                against = _name(q.smiles[int(np.searchsorted(q.first, others[0], side="right")) - 1])
            else:
                named = [f"{q.strike[j] if j >= 0 else 0.0:g}" for j in others]
                against = " and ".join(named if gaps.kind == "butterfly" else named[:1])
            unit = "total variance" if gaps.kind == "calendar" else "price"
            rows.append([gaps.kind, smile.expiry, smile.tau, float(q.strike[i]), float(q.k[i]), against,
                         float(gaps.size[g]), unit, float(miss[g]), i])  # fmt: skip
    return [row[:-1] for row in sorted(rows, key=lambda row: (row[0] == "calendar", row[-1]))]


def _name(smile: Smile) -> str:
    return str(smile.expiry) if smile.expiry else f"tau {smile.tau:g}"


def _table(rows: list[list[Any]]) -> pd.DataFrame:
    import pandas as pd

    out = pd.DataFrame(rows, columns=_COLUMNS)
    numbers = {name: out[name].astype(float) for name in ("size", "in_vol")}
    return out.assign(expiry=pd.to_datetime(out["expiry"]), **numbers)

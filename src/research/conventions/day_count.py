"""Day counts: the fraction of a year between two dates (ISDA 2006 definitions, section 4.16).

References
----------
ISDA (2006), 2006 ISDA Definitions, section 4.16: (d) Actual/365 (Fixed), (e) Actual/360.
"""

from __future__ import annotations

from datetime import date

from research.errors import require

_BASIS = {"ACT/365F": 365.0, "ACT/360": 360.0}


def year_fraction(start: date, end: date, convention: str = "ACT/365F") -> float:
    """Years from `start` to `end`; negative when `end` comes first.

    Parameters
    ----------
    start, end : date
    convention : "ACT/365F" or "ACT/360"

    Examples
    --------
    >>> round(year_fraction(date(2002, 7, 5), date(2002, 7, 18)) * 365, 10)
    13.0
    """
    require(convention in _BASIS, "convention", convention, f"be one of {', '.join(_BASIS)}")
    return (end - start).days / _BASIS[convention]

"""The days on which a contract is looked at n times: equal steps from its beginning, whatever its age.

A contract that `_bumps.aged` has made older keeps the looks that were agreed: each is nearer by its age, and what has
passed is gone. Equal steps up to the end of the older contract would be other days, and a theta of other days.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D

DAYS = 365.0
_SAME = 1e-9  # years: a look this near is over


def age_of(item: Any) -> float:
    """Years by which a contract was made older; 0 for one as it was agreed."""
    return float(getattr(item, "older_by", 0.0)) / DAYS


def equal_looks(item: Any, end: float, n: int, start: float = 0.0) -> Float1D:
    """Times of n looks in equal steps after `start` up to `end` (years from today), those still to come."""
    begin = start if start > 0.0 else -age_of(item)
    times: Float1D = begin + (end - begin) * np.arange(1, n + 1) / n
    times[-1] = end
    return times[times > _SAME]


def looks_left(item: Any, end: float) -> float:
    """Looks up to `end` at the spacing that was agreed, not always a whole number; inf for every moment."""
    n = item.n_monitoring
    return np.inf if n is None else n * end / (end + age_of(item))

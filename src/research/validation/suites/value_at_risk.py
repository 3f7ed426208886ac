"""What a value-at-risk model must pass: the tests of `validation.value_at_risk` over one out-of-sample series."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from research.errors import require
from research.evidence import Evidence
from research.validation import value_at_risk as tests


def run(
    returns: ArrayLike,
    value_at_risk: ArrayLike,
    expected_shortfall: ArrayLike | None = None,
    *,
    level: float,
    size: float = 0.05,
    alternative: float = 2.0,
    year: int = 250,
) -> list[Evidence]:
    """Kupiec, Christoffersen (twice), Basel's zones over the last year, and the depth of the tail.

    Parameters
    ----------
    returns : array-like, decimal, shape (n,)
        What came, in order of time. A missing one counts as an exception (MAR32).
    value_at_risk : array-like, decimal, positive = loss, shape (n,)
        What was forecast the day before. A missing one counts as an exception.
    expected_shortfall : array-like, optional
        With it, Acerbi and Szekely's test is run over the days where all three are there.
    level : float
        99% is 0.99.
    size, alternative : float
        Passed to the tests: probability of rejecting a right model; multiple of the claimed exception probability
        against which the power is stated.
    year : int, default 250
        The traffic light looks at the last so many days.

    Returns
    -------
    list of Evidence
    """
    r, q = np.asarray(returns, dtype=np.float64), np.asarray(value_at_risk, dtype=np.float64)
    require(r.ndim == 1, "returns", r.shape, "have one dimension")
    require(r.shape == q.shape, "value_at_risk", q.shape, f"have the shape of returns, {r.shape}")
    require(year >= 2, "year", year, "be at least 2 days")
    require(
        r.size >= year, "returns", r.size, f"have at least {year} days", hint="The traffic light looks at that many."
    )
    hits = ~(-r <= q)  # a comparison with a missing value is False: an exception
    found = [
        tests.kupiec_pof(hits, level=level, size=size, alternative=alternative),
        tests.christoffersen_independence(hits, level=level, size=size),
        tests.christoffersen_coverage(hits, level=level, size=size, alternative=alternative),
        tests.basel_traffic_light(hits[-year:], level=level, alternative=alternative),
    ]
    if expected_shortfall is not None:
        shortfall = np.asarray(expected_shortfall, dtype=np.float64)
        require(
            r.shape == shortfall.shape, "expected_shortfall", shortfall.shape, f"have the shape of returns, {r.shape}"
        )
        there = np.isfinite(r) & np.isfinite(q) & np.isfinite(shortfall)
        found.append(tests.acerbi_szekely(r[there], q[there], shortfall[there], level=level, size=size))
    return found

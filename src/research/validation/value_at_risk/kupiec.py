"""Kupiec (1995): is the number of VaR exceptions right?

Under a right model the exceptions in n days are binomial(n, p) with p = 1 - level, if they are independent.
The proportion-of-failures statistic is the likelihood ratio

    LR = 2 [ x log(x / (n p)) + (n - x) log((n - x) / (n (1 - p))) ],   0 log 0 = 0,

compared with chi-squared(1). The count is discrete and p small, so its true size differs from the nominal one
(99% VaR, 250 days, 5%: 9.5%); `details` gives the size, and the p-values that need no large sample. Size and
power are sums over the binomial distribution, exact.

References
----------
Kupiec, P. (1995). Techniques for verifying the accuracy of risk measurement models. J. of Derivatives 3(2), 73-84.
Jorion, P. (2007). Value at Risk, 3rd ed., table 6-2: non-rejection regions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import require
from research.evidence import Evidence
from research.validation.value_at_risk._checks import (
    check_coverage,
    check_exceptions,
    check_level,
    check_size,
    percent,
)

REFERENCE = "Kupiec (1995), J. of Derivatives 3(2), 73-84"


def pof_statistic(count: ArrayLike, n: int, probability: float) -> NDArray[np.float64]:
    """The likelihood ratio for `count` exceptions in `n` days that were claimed to have `probability` each."""
    from scipy.special import xlogy

    x = np.asarray(count, dtype=np.float64)
    share = x / n
    ratio = xlogy(x, share / probability) + xlogy(n - x, (1.0 - share) / (1.0 - probability))
    out: NDArray[np.float64] = 2.0 * np.maximum(ratio, 0.0)
    return out


def _rejected(n: int, probability: float, size: float) -> NDArray[np.bool_]:
    from scipy.stats import chi2

    return pof_statistic(np.arange(n + 1), n, probability) > chi2.isf(size, 1)


def kupiec_acceptance(n: int, level: float, *, size: float = 0.05) -> tuple[int, int]:
    """Fewest and most exceptions in `n` days that the test does not reject.

    Examples
    --------
    >>> kupiec_acceptance(255, 0.99)  # Jorion: N < 7
    (1, 6)
    """
    p = check_level(level)
    check_size(size)
    require(n >= 2, "n", n, "be at least 2 days")
    kept = np.flatnonzero(~_rejected(n, p, size))
    return int(kept[0]), int(kept[-1])


def kupiec_power(n: int, level: float, true_probability: float, *, size: float = 0.05) -> float:
    """Exact probability that the test rejects when exceptions have `true_probability`, by binomial enumeration."""
    from scipy.stats import binom

    p = check_level(level)
    check_size(size)
    require(n >= 2, "n", n, "be at least 2 days")
    require(0.0 <= true_probability <= 1.0, "true_probability", true_probability, "lie in [0, 1]")
    return float(min(1.0, binom.pmf(np.arange(n + 1), n, true_probability)[_rejected(n, p, size)].sum()))


def kupiec_pof(exceptions: ArrayLike, *, level: float, size: float = 0.05, alternative: float = 2.0) -> Evidence:
    """Kupiec's proportion-of-failures test.

    Parameters
    ----------
    exceptions : array-like of 0 and 1, shape (n,)
        1 on days whose loss exceeded the VaR.
    level : float
        Level of the VaR; 99% is 0.99.
    size : float, default 0.05
        Probability of rejecting a right model that one accepts (asymptotic).
    alternative : float, default 2.0
        `power` is against a model with this multiple of the claimed exception probability.

    Returns
    -------
    Evidence
        statistic LR, threshold from chi-squared(1), its p-value, exact power; `details` has the exact size, the
        p-value from the exact distribution of LR, the two-sided binomial p-value and the non-rejection region.

    Examples
    --------
    >>> days = [1] * 7 + [0] * 248
    >>> found = kupiec_pof(days, level=0.99)
    >>> found.verdict, round(found.statistic, 2), round(found.p_value, 3)
    ('fail', 5.32, 0.021)
    """
    from scipy.stats import binom, binomtest, chi2

    p = check_level(level)
    check_size(size)
    wrong = check_coverage(alternative, p)
    hits = check_exceptions(exceptions)
    n, x = hits.size, int(hits.sum())
    statistic, threshold = float(pof_statistic(x, n, p)), float(chi2.isf(size, 1))
    mass = binom.pmf(np.arange(n + 1), n, p)
    as_bad = pof_statistic(np.arange(n + 1), n, p) >= statistic * (1.0 - 1e-12)
    return Evidence(
        test="kupiec_pof",
        verdict="fail" if statistic > threshold else "pass",
        statistic=statistic,
        threshold=threshold,
        p_value=float(chi2.sf(statistic, 1)),
        power=kupiec_power(n, level, wrong, size=size),
        n=n,
        claim=f"the {percent(level)} VaR is exceeded on {percent(1.0 - level)} of days",
        reference=REFERENCE,
        details={
            "exceptions": x,
            "expected": round(n * p, 9),
            "rate": x / n,
            "p_value_exact": float(min(1.0, mass[as_bad].sum())),
            "p_value_binomial": float(binomtest(x, n, p).pvalue),
            "size_exact": kupiec_power(n, level, p, size=size),
            "accepted": list(kupiec_acceptance(n, level, size=size)),
            "power_against": f"exception probability {wrong:.4g}",
        },
    )

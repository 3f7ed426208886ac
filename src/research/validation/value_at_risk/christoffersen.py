"""Christoffersen (1998): do VaR exceptions come independently, and with the right frequency?

Exceptions are taken as a first-order Markov chain with transition counts n_ij. Independence says
pi_01 = pi_11; conditional coverage says that both equal p = 1 - level:

    LR_ind = 2 log [ L(pi_01, pi_11) / L(pi, pi) ],   chi-squared(1), over the n - 1 transitions
    LR_cc  = LR_uc + LR_ind,                          chi-squared(2), LR_uc Kupiec's over all n days

Exceptions are rare, so the chi-squared laws are rough. The distribution of (exceptions, runs of exceptions,
first day, last day) is known in closed form, and both statistics are functions of it: size, power and exact
p-values are sums over it, without simulation. The exact p-values take the claimed p as the true one.

References
----------
Christoffersen, P. (1998). Evaluating interval forecasts. International Economic Review 39(4), 841-862.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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
    round_level,
)
from research.validation.value_at_risk.kupiec import pof_statistic

REFERENCE = "Christoffersen (1998), Int. Economic Review 39(4), 841-862"
Counts = NDArray[np.float64]


def transitions(hits: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """n00, n01, n10, n11: how often state j followed state i."""
    code = 2 * hits[:-1] + hits[1:]
    n00, n01, n10, n11 = np.bincount(code, minlength=4)
    return int(n00), int(n01), int(n10), int(n11)


def independence_statistic(n00: ArrayLike, n01: ArrayLike, n10: ArrayLike, n11: ArrayLike) -> Counts:
    """LR_ind of transition counts; an empty state contributes nothing."""
    from scipy.special import xlogy

    a, b, c, d = (np.asarray(v, dtype=np.float64) for v in (n00, n01, n10, n11))

    def log_likelihood(zeros: Counts, ones: Counts) -> Any:
        total = np.maximum(zeros + ones, 1.0)
        return xlogy(zeros, zeros / total) + xlogy(ones, ones / total)

    ratio = log_likelihood(a, b) + log_likelihood(c, d) - log_likelihood(a + c, b + d)
    out: Counts = 2.0 * np.maximum(ratio, 0.0)
    return out


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Every class of exception series of `n` days with at most `most` exceptions, and how many series it has."""

    first: Counts  # 1 if the first day is an exception
    count: Counts  # exceptions
    n00: Counts
    n01: Counts
    n10: Counts
    n11: Counts
    log_ways: Counts

    def probability(self, after_none: float, after_one: float) -> Counts:
        """Of each class under a stationary Markov chain with these exception probabilities."""
        from scipy.special import xlog1py, xlogy

        start = after_none / (1.0 + after_none - after_one)
        log_p = self.log_ways + xlogy(self.first, start) + xlog1py(1.0 - self.first, -start)
        log_p = log_p + xlogy(self.n01, after_none) + xlog1py(self.n00, -after_none)
        log_p = log_p + xlogy(self.n11, after_one) + xlog1py(self.n10, -after_one)
        out: Counts = np.exp(log_p)
        return out


def _patterns(n: int, most: int) -> _Patterns:
    """Classes of series: k ones in r runs, with ends f and l, leave z = r + 1 - f - l runs of zeros, which gives
    C(k-1, r-1) C(n-k-1, z-1) series."""
    from scipy.special import gammaln

    grid = np.meshgrid(np.arange(1, most + 1), np.arange(1, most + 1), [0, 1], [0, 1])
    k, r, f, l = (v.ravel() for v in grid)
    some = (r <= k) & np.where(k < n, (r + 1 - f - l >= 1) & (r + 1 - f - l <= n - k), r + 1 - f - l == 0)
    k, r, f, l = (v[some] for v in (k, r, f, l))
    z, zeros = r + 1 - f - l, n - k
    log_factorial = gammaln(np.arange(n + 1) + 1.0)

    def log_choose(top: NDArray[np.int64], bottom: NDArray[np.int64]) -> Counts:
        out: Counts = log_factorial[top] - log_factorial[bottom] - log_factorial[top - bottom]
        return out

    empty = zeros == 0
    ways = log_choose(k - 1, r - 1) + log_choose(np.where(empty, 0, zeros - 1), np.where(empty, 0, z - 1))
    # and the one series without exceptions
    none = np.zeros(1)
    return _Patterns(
        first=np.append(f, none),
        count=np.append(k, none),
        n00=np.append(zeros - z, n - 1.0),
        n01=np.append(r - f, none),
        n10=np.append(r - l, none),
        n11=np.append(k - r, none),
        log_ways=np.append(ways, none),
    )


@lru_cache(maxsize=4)
def _enumerate(n: int, probability: float, after_one: float) -> tuple[_Patterns, Counts]:
    """The classes that carry all but 1e-10 of the probability, and their probabilities."""
    after_none = probability * (1.0 - after_one) / (1.0 - probability)
    spread = np.sqrt(
        n * probability * (1.0 - probability) * (1.0 + after_one - after_none) / (1.0 - after_one + after_none)
    )
    most = int(min(n, n * probability + 8.0 * spread + 10.0))
    while True:
        classes = _patterns(n, most)
        mass = classes.probability(after_none, after_one)
        if most == n or mass.sum() > 1.0 - 1e-10:
            return classes, mass
        most = min(n, 2 * most)


def _statistics(classes: _Patterns, n: int, claimed: float, coverage: bool) -> Counts:
    out = independence_statistic(classes.n00, classes.n01, classes.n10, classes.n11)
    return out + pof_statistic(classes.count, n, claimed) if coverage else out


@lru_cache(maxsize=512)
def _rejection(n: int, level: float, probability: float, after_one: float, size: float, coverage: bool) -> float:
    from scipy.stats import chi2

    p = check_level(level)
    check_size(size)
    require(n >= 2, "n", n, "be at least 2 days")
    require(0.0 < probability < 1.0, "true_probability", probability, "lie in (0, 1)")
    require(0.0 <= after_one < 1.0, "after_exception", after_one, "lie in [0, 1)")
    chain = probability * (1.0 - after_one) / (1.0 - probability)
    require(chain < 1.0, "after_exception", after_one, "allow a stationary chain with this exception probability")
    classes, mass = _enumerate(n, probability, after_one)
    rejected = _statistics(classes, n, p, coverage) > chi2.isf(size, 2 if coverage else 1)
    return float(min(1.0, mass[rejected].sum()))


def independence_power(
    n: int, level: float, *, after_exception: float = 0.2, true_probability: float | None = None, size: float = 0.05
) -> float:
    """Exact probability that `christoffersen_independence` rejects exceptions that follow each other with
    probability `after_exception`, their overall probability being 1 - level or `true_probability`."""
    share = 1.0 - level if true_probability is None else true_probability
    return _rejection(n, level, share, after_exception, size, coverage=False)


def coverage_power(
    n: int, level: float, *, true_probability: float, after_exception: float | None = None, size: float = 0.05
) -> float:
    """Exact probability that `christoffersen_coverage` rejects exceptions of `true_probability`, independent or
    following each other with probability `after_exception`."""
    after = true_probability if after_exception is None else after_exception
    return _rejection(n, level, true_probability, after, size, coverage=True)


def _details(hits: NDArray[np.int64], level: float, statistic: float, size: float, coverage: bool) -> dict[str, Any]:
    n00, n01, n10, n11 = transitions(hits)
    p, n = 1.0 - level, hits.size
    classes, mass = _enumerate(n, p, p)
    as_bad = _statistics(classes, n, p, coverage) >= statistic * (1.0 - 1e-12)
    return {
        "exceptions": int(hits.sum()),
        "transitions": {"00": n00, "01": n01, "10": n10, "11": n11},
        "rate_after_none": n01 / max(n00 + n01, 1),
        "rate_after_exception": n11 / max(n10 + n11, 1),
        "p_value_exact": float(min(1.0, mass[as_bad].sum())),
        "size_exact": _rejection(n, level, p, p, size, coverage),
    }


def christoffersen_independence(
    exceptions: ArrayLike, *, level: float, size: float = 0.05, after_exception: float = 0.2
) -> Evidence:
    """Christoffersen's test that exceptions do not cluster from one day to the next.

    Parameters
    ----------
    exceptions : array-like of 0 and 1, shape (n,), in order of time
    level : float
        Level of the VaR; 99% is 0.99. The statistic does not use it; size, power and exact p-value do.
    size : float, default 0.05
    after_exception : float, default 0.2
        `power` is against exceptions of the claimed frequency that are followed by another with this probability.

    Returns
    -------
    Evidence
        "not applicable" with fewer than two exceptions: nothing can follow.
    """
    from scipy.stats import chi2

    p = check_level(level)
    check_size(size)
    require(p < after_exception < 1.0, "after_exception", after_exception, f"lie in ({round_level(level):g}, 1)")
    hits = check_exceptions(exceptions)
    statistic, threshold = float(independence_statistic(*transitions(hits))), float(chi2.isf(size, 1))
    details = _details(hits, level, statistic, size, coverage=False)
    details["power_against"] = f"an exception followed by another with probability {after_exception:g}"
    verdict = "fail" if statistic > threshold else "pass"
    return Evidence(
        test="christoffersen_independence",
        verdict="not applicable" if hits.sum() < 2 else verdict,  # type: ignore[arg-type]
        statistic=statistic,
        threshold=threshold,
        p_value=float(chi2.sf(statistic, 1)),
        power=independence_power(hits.size, level, after_exception=after_exception, size=size),
        n=hits.size,
        claim=f"an exception of the {percent(level)} VaR says nothing about the next day",
        reference=REFERENCE,
        details=details,
    )


def christoffersen_coverage(
    exceptions: ArrayLike, *, level: float, size: float = 0.05, alternative: float = 2.0
) -> Evidence:
    """Christoffersen's joint test of frequency and independence (conditional coverage).

    Parameters
    ----------
    exceptions : array-like of 0 and 1, shape (n,), in order of time
    level : float
        Level of the VaR; 99% is 0.99.
    size : float, default 0.05
    alternative : float, default 2.0
        `power` is against independent exceptions with this multiple of the claimed probability; `details` adds
        the power against exceptions of the claimed frequency, one in five of which is followed by another.
    """
    from scipy.stats import chi2

    p = check_level(level)
    check_size(size)
    wrong = check_coverage(alternative, p)
    hits = check_exceptions(exceptions)
    lr_uc = float(pof_statistic(int(hits.sum()), hits.size, p))
    lr_ind = float(independence_statistic(*transitions(hits)))
    statistic, threshold = lr_uc + lr_ind, float(chi2.isf(size, 2))
    details = _details(hits, level, statistic, size, coverage=True)
    details.update(
        lr_uc=lr_uc,
        lr_ind=lr_ind,
        power_against=f"independent exceptions of probability {wrong:.4g}",
        power_against_clusters=coverage_power(
            hits.size, level, true_probability=p, after_exception=max(0.2, p), size=size
        ),
    )
    return Evidence(
        test="christoffersen_coverage",
        verdict="fail" if statistic > threshold else "pass",
        statistic=statistic,
        threshold=threshold,
        p_value=float(chi2.sf(statistic, 2)),
        power=coverage_power(hits.size, level, true_probability=wrong, size=size),
        n=hits.size,
        claim=f"each day exceeds the {percent(level)} VaR with probability {percent(p)}, whatever came before",
        reference=REFERENCE,
        details=details,
    )

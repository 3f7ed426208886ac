"""Christoffersen's tests: published digits, brute-force enumeration, simulation, limits."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.stats import chi2

from research.errors import InputError
from research.validation.value_at_risk import (
    christoffersen_coverage,
    christoffersen_independence,
    coverage_power,
    independence_power,
)
from research.validation.value_at_risk.christoffersen import _enumerate, independence_statistic, transitions
from research.validation.value_at_risk.kupiec import pof_statistic


def matlab_series() -> np.ndarray:
    """1043 days with the transitions n00 932, n01 53, n10 53, n11 4."""
    runs = [2] * 4 + [1] * 49  # 53 runs, 57 exceptions, 4 of them after another
    out: list[int] = [0]
    for run in runs:
        out += [1] * run + [0]
    return np.array(out + [0] * (1043 - len(out)))


def test_statistics_agree_with_the_matlab_documentation() -> None:
    """MathWorks, Risk Management Toolbox, varbacktest.cc and varbacktest.cci, first example."""
    hits = matlab_series()
    assert transitions(hits) == (932, 53, 53, 4)
    alone, both = christoffersen_independence(hits, level=0.95), christoffersen_coverage(hits, level=0.95)
    assert alone.statistic == pytest.approx(0.25866, abs=5e-6)
    assert alone.p_value == pytest.approx(0.61104, abs=5e-6)
    assert both.statistic == pytest.approx(0.72013, abs=5e-6)
    assert both.p_value == pytest.approx(0.69763, abs=5e-6)


def test_transitions_go_forward_in_time() -> None:
    assert transitions(np.array([0, 0, 0, 1, 1, 1, 1])) == (2, 1, 0, 3)
    found = christoffersen_independence([0] * 50 + [1] * 3 + [0] * 40 + [1], level=0.95)
    assert found.details["transitions"] == {"00": 88, "01": 2, "10": 1, "11": 2}
    assert found.details["rate_after_exception"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize(("probability", "after"), [(0.2, 0.2), (0.2, 0.5), (0.3, 0.05)])
def test_enumeration_agrees_with_all_series_of_ten_days(coverage: bool, probability: float, after: float) -> None:
    n, level = 10, 0.9
    start, none = probability, probability * (1.0 - after) / (1.0 - probability)
    rejected = 0.0
    for series in product((0, 1), repeat=n):
        hits = np.array(series)
        chance = start if hits[0] else 1.0 - start
        for yesterday, today in pairwise(hits):
            one = after if yesterday else none
            chance *= one if today else 1.0 - one
        statistic = float(independence_statistic(*transitions(hits)))
        if coverage:
            statistic += float(pof_statistic(hits.sum(), n, 1.0 - level))
        rejected += chance * (statistic > chi2.isf(0.05, 2 if coverage else 1))
    if coverage:
        found = coverage_power(n, level, true_probability=probability, after_exception=after)
    else:
        found = independence_power(n, level, true_probability=probability, after_exception=after)
    assert found == pytest.approx(rejected, rel=1e-9)


@pytest.mark.parametrize(("n", "probability", "after"), [(250, 0.01, 0.2), (1000, 0.025, 0.025), (4000, 0.05, 0.3)])
def test_enumerated_probabilities_sum_to_one(n: int, probability: float, after: float) -> None:
    _, mass = _enumerate(n, probability, after)
    assert mass.sum() == pytest.approx(1.0, abs=1e-9)


def test_power_against_clusters_agrees_with_simulation() -> None:
    n, paths, p, after = 500, 40_000, 0.025, 0.2
    rng = np.random.default_rng(11)
    none = p * (1.0 - after) / (1.0 - p)
    hits = np.empty((n, paths), dtype=bool)
    hits[0] = rng.random(paths) < p
    for t in range(1, n):
        hits[t] = rng.random(paths) < np.where(hits[t - 1], after, none)
    before, now = hits[:-1], hits[1:]
    n11, n01 = (before & now).sum(0), (~before & now).sum(0)
    n10, n00 = (before & ~now).sum(0), (~before & ~now).sum(0)
    share = (independence_statistic(n00, n01, n10, n11) > chi2.isf(0.05, 1)).mean()
    exact = independence_power(n, 1.0 - p, after_exception=after)
    assert abs(share - exact) < 4.0 * np.sqrt(exact * (1.0 - exact) / paths)


def test_clustered_exceptions_fail_and_spread_ones_pass() -> None:
    spread, clustered = np.zeros(1000, dtype=int), np.zeros(1000, dtype=int)
    spread[::100] = 1
    clustered[500:510] = 1
    assert christoffersen_independence(spread, level=0.99).verdict == "pass"
    assert christoffersen_independence(clustered, level=0.99).verdict == "fail"
    assert christoffersen_coverage(clustered, level=0.99).verdict == "fail"


def test_coverage_is_kupiec_plus_independence() -> None:
    hits = (np.random.default_rng(2).random(600) < 0.03).astype(int)
    both = christoffersen_coverage(hits, level=0.975)
    assert both.statistic == both.details["lr_uc"] + both.details["lr_ind"]
    assert both.details["lr_ind"] == christoffersen_independence(hits, level=0.975).statistic


def test_fewer_than_two_exceptions_cannot_cluster() -> None:
    found = christoffersen_independence([0] * 250, level=0.99)
    assert (found.verdict, found.statistic, found.p_value) == ("not applicable", 0.0, 1.0)
    assert christoffersen_independence([0] * 100 + [1] + [0] * 100, level=0.99).verdict == "not applicable"


def test_every_day_an_exception_is_no_division_by_zero() -> None:
    found = christoffersen_coverage([1] * 50, level=0.99)
    assert found.verdict == "fail"
    assert np.isfinite(found.statistic)


def test_an_alternative_without_clustering_is_refused() -> None:
    with pytest.raises(InputError, match=r"^after_exception must lie in \(0.01, 1\); got 0.005\."):
        christoffersen_independence([0, 1, 0, 1], level=0.99, after_exception=0.005)


def test_level_in_percent_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError) as refused:
        christoffersen_coverage([0, 1, 0], level=97.5)
    assert str(refused.value) == "level must lie in (0, 1); got 97.5. Use 0.99 for a 99% VaR, not 99."

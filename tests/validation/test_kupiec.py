"""Kupiec's test: published regions, exact size and power, refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, chi2

from research.errors import InputError
from research.validation.value_at_risk import kupiec_acceptance, kupiec_pof, kupiec_power

REFERENCE = Path(__file__).parents[1] / "reference"


def series(count: int, n: int) -> np.ndarray:
    out = np.zeros(n, dtype=int)
    out[np.linspace(0, n - 1, count).astype(int)] = 1
    return out


def regions() -> list[dict[str, str]]:
    lines = (REFERENCE / "kupiec_nonrejection.csv").read_text().splitlines()[1:]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize("row", regions(), ids=lambda row: f"{row['p']}-{row['T']}")
def test_non_rejection_regions_agree_with_jorion(row: dict[str, str]) -> None:
    fewest, most = kupiec_acceptance(int(row["T"]), 1.0 - float(row["p"]))
    assert most == int(row["high"]) - 1
    assert row["low"] == "" or fewest == int(row["low"]) + 1


def test_statistic_agrees_with_the_matlab_documentation() -> None:
    """MathWorks, Risk Management Toolbox, varbacktest.pof: 57 exceptions in 1043 days at 95%."""
    found = kupiec_pof(series(57, 1043), level=0.95)
    assert found.statistic == pytest.approx(0.46147, abs=5e-6)
    assert found.p_value == pytest.approx(0.49694, abs=5e-6)


@pytest.mark.parametrize("level", [0.99, 0.975, 0.95])
@pytest.mark.parametrize("count", [0, 1, 9, 40])
def test_statistic_is_the_likelihood_ratio(level: float, count: int) -> None:
    n, p = 400, 1.0 - level
    null, best = binom.logpmf(count, n, p), binom.logpmf(count, n, count / n)
    assert kupiec_pof(series(count, n), level=level).statistic == pytest.approx(2.0 * (best - null), abs=1e-9)


def test_power_agrees_with_simulation() -> None:
    count = np.random.default_rng(5).binomial(250, 0.02, 200_000)
    fewest, most = kupiec_acceptance(250, 0.99)
    share = ((count < fewest) | (count > most)).mean()
    exact = kupiec_power(250, 0.99, 0.02)
    assert abs(share - exact) < 4.0 * np.sqrt(exact * (1.0 - exact) / count.size)


def test_power_at_the_null_is_the_size_and_grows_with_the_sample() -> None:
    found = kupiec_pof(series(3, 250), level=0.99)
    assert found.details["size_exact"] == pytest.approx(kupiec_power(250, 0.99, 0.01), rel=1e-9)
    assert found.details["size_exact"] == pytest.approx(binom.pmf(0, 250, 0.01) + binom.sf(6, 250, 0.01), rel=1e-12)
    assert kupiec_power(250, 0.99, 0.02) < kupiec_power(1000, 0.99, 0.02) < kupiec_power(4000, 0.99, 0.02)
    assert kupiec_power(4000, 0.99, 0.02) > 0.99


def test_exact_p_value_of_the_likeliest_count_is_one() -> None:
    found = kupiec_pof(series(10, 1000), level=0.99)
    assert found.statistic == pytest.approx(0.0, abs=1e-12)
    assert found.details["p_value_exact"] == pytest.approx(1.0)
    assert found.verdict == "pass"


def test_verdict_and_p_value_say_the_same() -> None:
    for count in range(20):
        found = kupiec_pof(series(count, 500), level=0.99, size=0.1)
        assert found.p_value is not None
        assert (found.verdict == "fail") == (found.p_value < 0.1)
        assert found.threshold == pytest.approx(chi2.isf(0.1, 1))


def test_level_in_percent_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError) as refused:
        kupiec_pof([0, 1, 0], level=99)
    assert str(refused.value) == "level must lie in (0, 1); got 99. Use 0.99 for a 99% VaR, not 99."


def test_exceptions_other_than_zero_and_one_are_refused() -> None:
    with pytest.raises(InputError, match=r"^exceptions must be 0 or 1 each day; got 0.013 \(1 of 3 values\)\."):
        kupiec_pof([0.0, 0.013, 1.0], level=0.99)
    with pytest.raises(InputError, match=r"^exceptions must be 0 or 1 each day; got nan"):
        kupiec_pof([0.0, np.nan], level=0.99)
    with pytest.raises(InputError, match="exceptions must have at least 2 days; got 0"):
        kupiec_pof([], level=0.99)

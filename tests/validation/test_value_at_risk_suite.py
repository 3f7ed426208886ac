"""The suite of value at risk, and the test of its tail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from research.errors import InputError
from research.validation import suites
from research.validation.value_at_risk import acerbi_szekely
from research.validation.value_at_risk.acerbi_szekely import _simulate


@pytest.mark.parametrize(("tail_df", "published"), [(3.0, -0.82), (5.0, -0.74), (10.0, -0.71), (100.0, -0.70)])
def test_five_percent_points_agree_with_acerbi_and_szekely(tail_df: float, published: float) -> None:
    """Acerbi and Szekely (2014), table 3: critical values of test 2 for 250 days at 97.5%."""
    draws = _simulate(250, 0.025, tail_df, 1.0, 100_000, 1)
    assert np.quantile(draws, 0.05) == pytest.approx(published, abs=0.015)


def forecasts(n: int, level: float, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal returns with volatility scale, and the VaR and ES of volatility one percent."""
    r = np.random.default_rng(seed).normal(0.0, 0.01 * scale, n)
    q = norm.ppf(level)
    return r, np.full(n, 0.01 * q), np.full(n, 0.01 * norm.pdf(q) / (1.0 - level))


def test_a_right_model_passes_and_one_that_halves_the_risk_fails_everything() -> None:
    right = suites.run("value_at_risk", *forecasts(2000, 0.975, 1.0, 3), level=0.975)
    wrong = suites.run("value_at_risk", *forecasts(2000, 0.975, 2.0, 3), level=0.975)
    assert [item.test for item in right] == [
        "kupiec_pof",
        "christoffersen_independence",
        "christoffersen_coverage",
        "basel_traffic_light",
        "acerbi_szekely",
    ]
    assert all(item.passed for item in right)
    assert [item.test for item in wrong if item.passed] == ["christoffersen_independence"]
    assert all(item.p_value is not None and 0.0 <= item.p_value <= 1.0 for item in right + wrong)
    assert all(item.power is not None and 0.0 < item.power <= 1.0 for item in right + wrong)


def test_size_of_the_tail_test_is_five_percent_under_its_own_law() -> None:
    level, paths = 0.975, 400
    rng = np.random.default_rng(8)
    q = float(t.ppf(level, 5.0))
    shortfall = float(t.expect(lambda x: x, args=(5.0,), lb=q) / (1.0 - level))
    returns = t.ppf(rng.random((paths, 250)), 5.0)
    failed = [
        acerbi_szekely(r, np.full(250, q), np.full(250, shortfall), level=level, n_paths=5000).verdict == "fail"
        for r in returns
    ]
    assert abs(np.mean(failed) - 0.05) < 4.0 * np.sqrt(0.05 * 0.95 / paths)


def test_same_seed_same_evidence() -> None:
    data = forecasts(500, 0.975, 1.1, 5)
    assert acerbi_szekely(*data, level=0.975).to_json() == acerbi_szekely(*data, level=0.975).to_json()


def test_a_missing_return_or_forecast_counts_as_an_exception() -> None:
    r, q, _ = forecasts(400, 0.99, 0.1, 1)
    r[10], q[20] = np.nan, np.nan
    found = suites.run("value_at_risk", r, q, level=0.99)
    assert found[0].details["exceptions"] == 2


def test_evidence_is_json_with_plain_numbers() -> None:
    import json

    for item in suites.run("value_at_risk", *forecasts(500, 0.99, 1.0, 2), level=0.99):
        assert json.loads(json.dumps(item.to_json()))["test"] == item.test


def test_refusals_name_what_is_wrong() -> None:
    r, q, es = forecasts(100, 0.99, 1.0, 1)
    with pytest.raises(InputError, match=r"^returns must have at least 250 days; got 100\."):
        suites.run("value_at_risk", r, q, level=0.99)
    with pytest.raises(InputError, match=r"^value_at_risk must have the shape of returns, \(100,\); got \(99,\)\."):
        suites.run("value_at_risk", r, q[:-1], level=0.99, year=50)
    with pytest.raises(InputError, match="expected_shortfall must be > 0; got -"):
        acerbi_szekely(r, q, -es, level=0.99)
    with pytest.raises(InputError, match="name must be one of heston, value_at_risk; got 'var'"):
        suites.run("var", r, q, level=0.99)

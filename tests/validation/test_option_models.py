"""The comparison of engines: it finds what is wrong, counts errors as stated, and its benchmarks know closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from research.errors import InputError
from research.validation import benchmarks
from research.validation.option_models import CASES, Case, agreement, matrix, pairs

MARKET = {"spot": 100.0, "rate": 0.03, "dividend_yield": 0.01}
BLACK = {"type": "BlackScholes", "sigma": 0.2}


def frame(**values: tuple[float, float, float]) -> pd.DataFrame:
    """Prices of one case: method=(value, error, std_error)."""
    rows = [("European: one", "European", "BlackScholes", m, *v) for m, v in values.items()]
    return pd.DataFrame(rows, columns=["case", "contract", "model", "method", "value", "error", "std_error"])


def test_prices_agree_within_the_sum_of_what_they_state() -> None:
    found = pairs(frame(a=(5.0, 1e-6, 0.0), b=(5.0 + 1.9e-6, 1e-6, 0.0), c=(5.03, 0.02, 0.01)))
    assert list(found["ratio"] <= 1.0) == [True, True, True]
    assert found["ratio"].iloc[0] == pytest.approx(0.95, rel=1e-4)
    assert found["ratio"].iloc[1] == pytest.approx(0.75, rel=1e-3)  # four standard errors, not the two stated
    assert matrix(found).loc["a", "b"] == matrix(found).loc["b", "a"]


@pytest.mark.parametrize("wrong", [(5.1, 1e-6, 0.0), (np.nan, 1e-6, 0.0), (5.0, np.nan, 0.0)])
def test_a_wrong_price_fails_and_is_named(wrong: tuple[float, float, float]) -> None:
    (item,) = agreement(frame(good=(5.0, 1e-6, 0.0), fine=(5.0, 1e-6, 0.0), bad=wrong), [])
    assert item.verdict == "fail"
    assert "bad" in (item.details["first"], item.details["second"])


def test_published_digits_count_half_a_unit() -> None:
    one = Case(name="one", terms={"type": "European"}, model=BLACK, market=MARKET, published=(5.01, 5e-3, "a book"))
    passed = agreement(frame(a=(5.0136, 1e-9, 0.0), b=(5.0136, 1e-9, 0.0)), [one])
    failed = agreement(frame(a=(5.016, 1e-9, 0.0), b=(5.016, 1e-9, 0.0)), [one])
    assert [e.verdict for e in passed] == ["pass", "pass"]
    assert [e.verdict for e in failed] == ["pass", "fail"]
    assert failed[1].reference == "a book"


def test_missing_columns_are_named() -> None:
    with pytest.raises(InputError, match=r"prices must have columns .*; got 'std_error'"):
        pairs(frame(a=(1.0, 0.0, 0.0)).drop(columns="std_error"))


def test_cases_have_their_own_names_and_plain_terms() -> None:
    names = [(c.contract, c.name) for c in CASES]
    assert len(set(names)) == len(names)
    assert all("type" in c.terms and "type" in c.model for c in CASES)
    several = {"spots", "rate", "dividend_yield"}
    assert all(set(c.market) in (set(MARKET), several) for c in CASES)


def test_quantlib_gives_blacks_price_and_says_what_it_cannot() -> None:
    pytest.importorskip("QuantLib")
    value, _ = benchmarks.quantlib_option({"type": "European", "strike": 105.0, "tau": 1.0}, BLACK, MARKET)
    d1 = (np.log(100.0 / 105.0) + 0.02 + 0.02) / 0.2
    want = 100.0 * np.exp(-0.01) * norm.cdf(d1) - 105.0 * np.exp(-0.03) * norm.cdf(d1 - 0.2)
    assert abs(value - want) < 1e-11
    with pytest.raises(benchmarks.NotPriced, match="whole number of days"):
        benchmarks.quantlib_option({"type": "European", "strike": 105.0, "tau": 0.5}, BLACK, MARKET)
    with pytest.raises(benchmarks.NotPriced, match="no engine for Phoenix"):
        benchmarks.quantlib_option({"type": "Phoenix"}, BLACK, MARKET)


def test_simulated_notes_know_what_is_certain() -> None:
    paths = benchmarks.DailyPaths(sigma=0.2, market=MARKET, years=1.0, n_steps=252, n_paths=4000, seed=1)
    sure = {"initial": 100.0, "tau": 1.0}
    always = {**sure, "type": "RangeAccrual", "low": 0.01, "high": 9.0, "rate": 0.05}
    assert benchmarks.simulated_note(always, paths)[0] == pytest.approx(105.0 * np.exp(-0.03))
    hit = {**sure, "type": "DoubleNoTouch", "low": 0.9999, "high": 1.0001, "rate": 0.05}
    assert benchmarks.simulated_note(hit, paths)[0] == pytest.approx(100.0 * np.exp(-0.03), rel=1e-3)
    call = {**sure, "type": "StructuredDeposit", "participation": 1.0}
    value, error = benchmarks.simulated_note(call, paths)
    d1 = 0.02 / 0.2 + 0.1
    want = 100.0 * np.exp(-0.03) + 100.0 * (np.exp(-0.01) * norm.cdf(d1) - np.exp(-0.03) * norm.cdf(d1 - 0.2))
    assert abs(value - want) < 4.0 * error
    assert benchmarks.known_note("Phoenix") and not benchmarks.known_note("European")


PAIR = {"type": "MultiAssetBlackScholes", "names": ["A", "B"], "vols": [0.2, 0.3], "correlation": [[1, 0.5], [0.5, 1]]}
TWO = {"spots": {"A": 100.0, "B": 95.0}, "rate": 0.03, "dividend_yield": {"A": 0.01, "B": 0.02}}
SPREAD = {"type": "Spread", "long": "A", "short": "B", "strike": 5.0, "tau": 1.0}


def test_the_double_integral_knows_margrabe_and_that_best_and_worst_make_both():
    def black(a, b, std):
        d1 = np.log(a / b) / std + 0.5 * std
        return a * norm.cdf(d1) - b * norm.cdf(d1 - std)

    a, b, strike = 100.0 * np.exp(-0.01), 95.0 * np.exp(-0.02), 98.0 * np.exp(-0.03)
    terms = {"type": "Exchange", "receive": "A", "give": "B", "tau": 1.0}
    exchange, error = benchmarks.double_integral(terms, PAIR, TWO)
    assert abs(exchange - black(a, b, np.sqrt(0.04 + 0.09 - 2 * 0.5 * 0.06))) < error < 1e-9
    ranked = {"underlyings": ["A", "B"], "strike": 98.0, "tau": 1.0}
    both = [benchmarks.double_integral({"type": t, **ranked}, PAIR, TWO)[0] for t in ("BestOf", "WorstOf")]
    assert sum(both) == pytest.approx(black(a, strike, 0.2) + black(b, strike, 0.3), abs=1e-9)
    with pytest.raises(benchmarks.NotPriced, match="3 prices"):
        benchmarks.double_integral({**ranked, "type": "BestOf", "underlyings": ["A", "B", "A"]}, PAIR, TWO)


def spread_prices(value: float, error: float) -> pd.DataFrame:
    rows = [("Spread: one", "Spread", "MultiAssetBlackScholes", m, v, e, 0.0) for m, v, e in
            (("quadrature", 10.459644916794344, 2e-13), ("kirk", value, error))]  # fmt: skip
    return pd.DataFrame(rows, columns=["case", "contract", "model", "method", "value", "error", "std_error"])


@pytest.mark.parametrize(
    ("value", "error", "verdicts"),
    [
        (10.460257664624017, 6.12747829673e-4, ["pass", "pass"]),
        (10.460357664624017, 7.12747829673e-4, ["fail", "pass"]),  # another formula, whose distance is stated
        (10.460257664624017, 5.12747829673e-4, ["pass", "fail"]),  # stated too small
        (10.460257664624017, 7.12747829673e-4, ["pass", "fail"]),  # and too large
    ],
)
def test_an_approximation_is_held_to_its_formula_and_to_its_distance(value, error, verdicts):
    pytest.importorskip("QuantLib")
    prices, case = spread_prices(value, error), Case(name="one", terms=SPREAD, model=PAIR, market=TWO)
    assert pairs(prices).empty  # kirk against quadrature could not fail
    assert [e.verdict for e in agreement(prices, [case])] == verdicts

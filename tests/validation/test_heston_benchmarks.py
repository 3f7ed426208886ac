"""The independent Heston pricers: against published digits and against each other, before they judge ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.errors import InputError, NumericalError
from research.validation.benchmarks import best_heston, heston_implied_vol_errors, heston_price
from research.validation.benchmarks import heston as slow

REFERENCE = Path(__file__).parents[1] / "reference"
FIVE = ("v0", "kappa", "theta", "sigma", "rho")
MILD = (0.04, 1.5, 0.06, 0.5, -0.7)


def test_the_slow_integral_agrees_with_lewis() -> None:
    table = pd.read_csv(REFERENCE / "heston_lewis.csv", comment="#")
    ours = heston_price(100.0 * np.exp(-0.01), table["strike"], 1.0, np.exp(-0.01), (0.04, 4.0, 0.25, 1.0, -0.5))
    assert np.abs(ours - table["call"]).max() < 1e-12


def test_the_slow_integral_agrees_with_34_digit_arithmetic() -> None:
    table = pd.read_csv(REFERENCE / "heston_extremes.csv", comment="#")
    for row in table.to_dict("records"):
        ours = heston_price(1.0, row["strike"], row["tau"], 1.0, [row[name] for name in FIVE])
        assert abs(float(ours) - row["call"]) < 2e-14, row


def test_puts_follow_from_calls() -> None:
    call, put = (heston_price(100.0, [80.0, 120.0], 0.5, 0.9, MILD, is_call=flag) for flag in (True, False))
    assert call - put == pytest.approx(0.9 * (100.0 - np.array([80.0, 120.0])), abs=1e-12)


def test_vol_errors_vanish_where_the_model_made_the_quotes() -> None:
    forward, strike, tau = 100.0, np.array([70.0, 90.0, 100.0, 120.0]), np.array([0.1, 0.5, 1.0, 2.0])
    vol = heston_implied_vol_errors(forward, strike, tau, 0.0, MILD)
    assert (vol > 0.1).all() and (vol < 0.5).all()
    assert np.abs(heston_implied_vol_errors(forward, strike, tau, vol, MILD)).max() == 0.0


@pytest.mark.slow
def test_the_slow_search_recovers_exact_parameters() -> None:
    strike, tau = (a.ravel() for a in np.meshgrid([80.0, 95.0, 105.0, 120.0], [0.1, 0.5, 2.0]))
    vol = heston_implied_vol_errors(100.0, strike, tau, 0.0, MILD)
    found, total = best_heston(100.0, strike, tau, vol, starts=[(0.1, 1.0, 0.1, 0.8, -0.4)])
    assert total < 1e-10
    assert found == pytest.approx(MILD, rel=1e-4)


def test_an_integral_that_does_not_settle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "_MAX_NODES", 100)
    with pytest.raises(NumericalError, match="heston_price must settle within 100 nodes"):
        heston_price(100.0, 100.0, 1.0, 1.0, MILD)


def test_an_expired_option_is_refused() -> None:
    with pytest.raises(InputError, match="tau must be > 0 years"):
        heston_price(100.0, 100.0, 0.0, 1.0, MILD)


@pytest.mark.parametrize("five", [MILD, (0.19, 15.6, 0.075, 3.3, -0.51), (0.04, 1.0, 0.04, 0.6, -0.999)])
def test_quantlib_agrees_with_the_slow_integral(five: tuple[float, ...]) -> None:
    pytest.importorskip("QuantLib")
    from research.validation.benchmarks import quantlib_price

    strike, tau = np.meshgrid([70.0, 100.0, 130.0], np.array([14, 365, 3650]) / 365.0)
    forward, df = 100.0 * np.exp(0.02 * tau), np.exp(-0.03 * tau)
    theirs = quantlib_price(100.0, strike, tau, 0.03, five, dividend_yield=0.01)
    assert np.abs(theirs - heston_price(forward, strike, tau, df, five)).max() < 1e-7
    puts = quantlib_price(100.0, strike, tau, 0.03, five, dividend_yield=0.01, is_call=False)
    assert np.abs(theirs - puts - df * (forward - strike)).max() < 1e-7


def test_quantlib_needs_whole_days() -> None:
    pytest.importorskip("QuantLib")
    from research.validation.benchmarks import quantlib_price

    with pytest.raises(InputError, match=r"tau must be a whole number of days over 365; got 0.5"):
        quantlib_price(100.0, 100.0, 0.5, 0.03, MILD)


def test_quantlib_calibrates_exact_quotes() -> None:
    pytest.importorskip("QuantLib")
    from research.validation.benchmarks import quantlib_fit

    strike, tau = (a.ravel() for a in np.meshgrid([80.0, 95.0, 105.0, 120.0], np.array([30, 182, 730]) / 365.0))
    vol = heston_implied_vol_errors(100.0, strike, tau, 0.0, MILD)
    found = quantlib_fit(100.0, strike, tau, 0.0, vol)
    assert found == pytest.approx(MILD, rel=2e-3)

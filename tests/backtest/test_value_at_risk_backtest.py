"""The rolling backtest: no look-ahead, the same numbers as one day at a time, the same bits on any threads."""

from __future__ import annotations

import numba
import numpy as np
import pandas as pd
import pytest

from research import backtest, risk
from research.calibration import fit
from research.errors import InputError
from research.models.garch import GARCH
from research.risk import Settings

SMALL = Settings(window=120, fit_window=260, refit_every=15)


def sample(n: int = 420) -> np.ndarray:
    rng = np.random.default_rng(12)
    h, out = 1e-4, np.empty(n)
    for t in range(n):
        out[t] = np.sqrt(h) * rng.standard_t(5) / np.sqrt(5.0 / 3.0)
        h = 2e-6 + 0.1 * out[t] ** 2 + 0.88 * h
    return out


def forecasts(found: backtest.Backtest) -> np.ndarray:
    """VaR and ES, shape (levels x methods, days, 2)."""
    values = found.frame[["value_at_risk", "expected_shortfall"]].to_numpy()
    return values.reshape(-1, found.n_days, 2)


@pytest.mark.parametrize("filter_", ["garch", "ewma"])
def test_no_forecast_sees_its_own_day_or_later(filter_: str) -> None:
    settings = Settings(window=120, fit_window=260, refit_every=15, filter=filter_)  # type: ignore[arg-type]
    x = sample()
    base = forecasts(backtest.value_at_risk(x, settings=settings))
    for day in (260, 261, 275, 333, 419):
        changed = x.copy()
        changed[day:] = np.random.default_rng(day).normal(0.0, 0.2, x.size - day)
        other = forecasts(backtest.value_at_risk(changed, settings=settings))
        known = day - 260 + 1  # the forecast for `day` itself is made before it
        np.testing.assert_array_equal(other[:, :known], base[:, :known])
        assert day == 419 or not np.array_equal(other[:, known:], base[:, known:])


def test_each_forecast_uses_the_day_before() -> None:
    x = sample()
    base = forecasts(backtest.value_at_risk(x, settings=SMALL))
    changed = x.copy()
    changed[300] = -0.5
    other = forecasts(backtest.value_at_risk(changed, settings=SMALL))
    after = 301 - 260
    assert np.all(other[:, after] != base[:, after])


@pytest.mark.parametrize("method", risk.METHODS)
def test_each_day_agrees_with_the_single_forecast_to_the_bit(method: risk.Method) -> None:
    settings = Settings(window=120, fit_window=260, refit_every=1)
    x = sample()
    rows = backtest.value_at_risk(x, methods=[method], levels=[0.975], settings=settings, start=300).rows(method, 0.975)
    for t in (300, 301, 350, 419):
        one = risk.value_at_risk(x[:t], level=0.975, method=method, settings=settings)
        row = rows.iloc[t - 300]
        assert (row["value_at_risk"], row["expected_shortfall"]) == (one.value_at_risk, one.expected_shortfall)


@pytest.mark.parametrize("level", [0.99, 0.975, 0.9, 0.5, 0.05])
@pytest.mark.parametrize("shape", ["ties", "trend up", "trend down", "volatility falls"])
def test_rolling_quantiles_agree_with_sorting_each_window(level: float, shape: str) -> None:
    x = np.round(sample(), 3)
    if shape != "ties":
        x = x + {"trend up": 1e-3, "trend down": -1e-3, "volatility falls": 0.0}[shape] * np.arange(x.size)
    if shape == "volatility falls":
        x = x * np.linspace(5.0, 0.1, x.size)
    rows = backtest.value_at_risk(x, methods=["historical"], levels=[level], settings=SMALL).rows("historical", level)
    mass = 120 * (1.0 - level)
    whole, k = int(mass + 1e-9), int(np.ceil(mass - 1e-9))
    for day, (var, es) in enumerate(zip(rows["value_at_risk"], rows["expected_shortfall"])):
        low = np.sort(x[day : day + 120])
        assert var == -low[k - 1]
        part = (mass - whole) * low[whole] if mass - whole > 1e-9 else 0.0
        assert es == pytest.approx(-(low[:whole].sum() + part) / mass, rel=1e-12, abs=1e-15)


def test_between_refits_the_parameters_stay() -> None:
    found = backtest.value_at_risk(sample(), methods=["garch"], settings=SMALL)
    assert found.garch["date"].tolist() == list(range(260, 420, 15))
    assert (found.garch["persistence"] < 1.0).all()
    first = fit(GARCH, sample()[:260]).model
    assert found.garch[["mu", "omega", "alpha", "beta"]].iloc[0].tolist() == list(first.to_json().values())
    none = backtest.value_at_risk(sample(), methods=["historical"], settings=SMALL)
    assert len(none.garch) == 0


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_same_bits_on_any_number_of_threads(threads: int) -> None:
    reference = forecasts(backtest.value_at_risk(sample(), settings=SMALL))
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        np.testing.assert_array_equal(forecasts(backtest.value_at_risk(sample(), settings=SMALL)), reference)
    finally:
        numba.set_num_threads(before)


def test_an_exception_is_a_loss_beyond_the_var() -> None:
    frame = backtest.value_at_risk(sample(), settings=SMALL).frame
    assert (frame["exception"] == (frame["return"] < -frame["value_at_risk"])).all()
    assert frame["exception"].any()


def test_summary_and_years_count_the_same_exceptions() -> None:
    x = sample()
    series = pd.Series(x, index=pd.bdate_range("2020-01-01", periods=x.size))
    found = backtest.value_at_risk(series, settings=SMALL)
    summary, years = found.summary(), found.by_year()
    assert (
        summary["exceptions"].sum()
        == found.frame["exception"].sum()
        == years.drop(columns=["year", "days"]).sum().sum()
    )
    assert years["days"].sum() == found.n_days == 160
    assert found.frame["date"].iloc[0] == series.index[260]
    row = summary[(summary["method"] == "ewma") & (summary["level"] == 0.99)].iloc[0]
    assert row["exceptions"] == found.exceptions("ewma", 0.99).sum()
    assert row["expected"] == 1.6


def test_all_methods_start_on_the_same_day() -> None:
    frame = backtest.value_at_risk(sample(), settings=SMALL).frame
    assert frame.groupby(["method", "level"])["date"].min().unique().tolist() == [260]


def test_filtered_simulation_covers_better_than_a_normal_tail() -> None:
    """On fat-tailed clustered returns the normal quantile is broken too often at 99%."""
    rng = np.random.default_rng(1)
    n = 3000
    h, x = 1e-4, np.empty(n)
    for t in range(n):
        x[t] = np.sqrt(h) * rng.standard_t(3) / np.sqrt(3.0)
        h = 2e-6 + 0.1 * min(x[t] ** 2, 0.002) + 0.88 * h
    found = backtest.value_at_risk(x, methods=["garch", "filtered_historical"], levels=[0.99])
    garch, filtered = (found.exceptions(m, 0.99).mean() for m in ("garch", "filtered_historical"))
    assert abs(filtered - 0.01) < abs(garch - 0.01)


def test_refusals_name_what_is_wrong() -> None:
    x = sample()
    with pytest.raises(InputError) as refused:
        backtest.value_at_risk(x, levels=[99.0], settings=SMALL)
    assert str(refused.value) == "level must lie in (0, 1); got 99. Use 0.99 for a 99% VaR, not 99."
    with pytest.raises(InputError, match=r"^start must lie in \[260, 420\); got 100\. Days before it are history\."):
        backtest.value_at_risk(x, settings=SMALL, start=100)
    with pytest.raises(InputError, match=r"^returns must have at least 1000 observations for garch; got 420\."):
        backtest.value_at_risk(x, methods=["garch"])
    with pytest.raises(InputError, match="methods must name at least one of historical"):
        backtest.value_at_risk(x, methods=[], settings=SMALL)
    with pytest.raises(InputError, match=r"^dates must have one entry a return, 420; got 3\."):
        backtest.value_at_risk(x, dates=[1, 2, 3], settings=SMALL)
    with pytest.raises(InputError, match="dates must increase"):
        backtest.value_at_risk(x, dates=np.arange(420)[::-1], settings=SMALL)
    with pytest.raises(InputError, match=r"^\(method, level\) must be one of"):
        backtest.value_at_risk(x, settings=SMALL).rows("ewma", 0.95)
    with pytest.raises(InputError, match=r"^returns must be finite; got nan"):
        backtest.value_at_risk(np.r_[x, np.nan], settings=SMALL)

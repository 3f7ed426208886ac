"""Value at risk and expected shortfall: textbook numbers, slow twins, laws, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from research import risk
from research.calibration import fit
from research.errors import InputError
from research.models.garch import GARCH, conditional_variance
from research.risk import Settings, value_at_risk

HULL = [477_841, 345_435, 282_204, 277_041, 253_385, 217_974, 202_256, 201_389, 191_269, 191_050]


def sample(n: int = 1200, seed: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_t(4, n) * 0.01 * np.exp(0.5 * np.sin(np.arange(n) / 60.0))


def test_historical_var_agrees_with_hull() -> None:
    """Hull, Options, Futures, and Other Derivatives, 9th ed., table 22.4: the fifth worst of 500 losses."""
    returns = np.full(500, 0.0)
    returns[37:47] = -np.array(HULL, dtype=float)[::-1]
    found = value_at_risk(returns, level=0.99)
    assert found.value_at_risk == 253_385.0
    assert found.expected_shortfall == pytest.approx(np.mean(HULL[:5]))


@pytest.mark.parametrize("level", [0.9, 0.95, 0.975, 0.99, 0.995, 0.998])
@pytest.mark.parametrize("window", [500, 503, 777])
def test_expected_shortfall_is_the_mean_of_the_quantile_function(level: float, window: int) -> None:
    """Acerbi and Tasche: the integral of the empirical quantile over the tail, here on a fine grid."""
    x = np.sort(sample()[-window:])
    cells = 200_000
    grid = (np.arange(cells) + 0.5) / cells * (1.0 - level)
    quantiles = x[np.minimum((grid * window).astype(int), window - 1)]
    found = value_at_risk(sample(), level=level, settings=Settings(window=window))
    assert found.expected_shortfall == pytest.approx(-quantiles.mean(), rel=1e-4)
    worse = (-x > found.value_at_risk).sum()
    assert worse <= (1.0 - level) * window < worse + 2


@given(
    arrays(np.float64, 250, elements=st.floats(-0.25, 0.25)),
    st.floats(0.5, 0.996),
    st.floats(0.1, 10.0),
    st.floats(-0.1, 0.1),
)
@settings(max_examples=60, deadline=None)
def test_laws_of_historical_risk(x: np.ndarray, level: float, scale: float, shift: float) -> None:
    assume(np.ptp(x) > 1e-3)
    chosen = Settings(window=250)
    base = value_at_risk(x, level=level, settings=chosen)
    moved = value_at_risk(scale * x + shift, level=level, settings=chosen)
    assert float(base.expected_shortfall) >= float(base.value_at_risk) - 1e-12
    assert moved.value_at_risk == pytest.approx(scale * float(base.value_at_risk) - shift, abs=1e-9)
    assert moved.expected_shortfall == pytest.approx(scale * float(base.expected_shortfall) - shift, abs=1e-9)


def test_expected_shortfall_is_subadditive_where_var_need_not_be() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.standard_t(2, (2, 500))
        chosen = Settings(window=500)
        es = [float(value_at_risk(v, level=0.975, settings=chosen).expected_shortfall) for v in (a, b, a + b)]
        assert es[2] <= es[0] + es[1] + 1e-9


def test_deeper_levels_lose_more() -> None:
    for method in risk.METHODS:
        found = value_at_risk(sample(), level=[0.9, 0.95, 0.975, 0.99], method=method)
        assert np.all(np.diff(found.value_at_risk) > 0.0)
        assert np.all(np.diff(found.expected_shortfall) > 0.0)
        assert np.all(np.asarray(found.expected_shortfall) > np.asarray(found.value_at_risk))


def test_ewma_agrees_with_the_recursion_written_out() -> None:
    x, decay, burn_in = sample(), 0.94, 500
    variance = np.mean(x[:burn_in] ** 2)
    for value in x:
        variance = decay * variance + (1.0 - decay) * value**2
    found = value_at_risk(x, level=0.99, method="ewma")
    assert found.volatility == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert found.value_at_risk == pytest.approx(np.sqrt(variance) * norm.ppf(0.99), rel=1e-12)
    shortfall = np.sqrt(variance) * norm.pdf(norm.ppf(0.99)) / 0.01
    assert found.expected_shortfall == pytest.approx(shortfall, rel=1e-12)


def test_garch_agrees_with_fit_and_filter() -> None:
    x = sample()
    model = fit(GARCH, x[-1000:]).model
    sd = float(np.sqrt(conditional_variance(x[-1000:], model)[-1]))
    found = value_at_risk(x, level=0.975, method="garch")
    assert found.model == model
    assert found.volatility == pytest.approx(sd, rel=1e-13)
    assert found.value_at_risk == pytest.approx(norm.ppf(0.975) * sd - model.mu, rel=1e-12)


def test_filtered_simulation_agrees_with_the_steps_written_out() -> None:
    x = sample()
    model = fit(GARCH, x[-1000:]).model
    h = conditional_variance(x[-1000:], model)
    z = np.sort(((x[-1000:] - model.mu) / np.sqrt(h[:-1]))[-500:])
    found = value_at_risk(x, level=0.99, method="filtered_historical")
    assert found.value_at_risk == pytest.approx(-model.mu - np.sqrt(h[-1]) * z[4], rel=1e-12)
    assert found.expected_shortfall == pytest.approx(-model.mu - np.sqrt(h[-1]) * z[:5].mean(), rel=1e-12)


def test_filtered_simulation_by_ewma_agrees_with_hull_and_white() -> None:
    x = sample()
    variance = [np.mean(x[:500] ** 2)]
    for value in x:
        variance.append(0.94 * variance[-1] + 0.06 * value**2)
    z = np.sort((x / np.sqrt(variance[:-1]))[-500:])
    found = value_at_risk(x, level=0.99, method="filtered_historical", settings=Settings(filter="ewma"))
    assert found.value_at_risk == pytest.approx(-np.sqrt(variance[-1]) * z[4], rel=1e-12)
    assert found.model is None


def test_a_scalar_level_gives_floats_and_a_list_gives_arrays() -> None:
    one, many = value_at_risk(sample(), level=0.99), value_at_risk(sample(), level=[0.99, 0.975])
    assert isinstance(one.value_at_risk, float)
    assert np.asarray(many.value_at_risk).tolist() == [
        one.value_at_risk,
        value_at_risk(sample(), level=0.975).value_at_risk,
    ]
    assert many.to_frame().columns.tolist() == ["method", "level", "value_at_risk", "expected_shortfall"]
    assert len(one.to_frame()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 99}, "level must lie in (0, 1); got 99. Use 0.99 for a 99% VaR, not 99."),
        ({"level": 99.0}, "level must lie in (0, 1); got 99. Use 0.99 for a 99% VaR, not 99."),
        (
            {"level": [0.99, 97.5]},
            "level must lie in (0, 1); got 97.5 (1 of 2 values). Use 0.99 for a 99% VaR, not 99.",
        ),
        (
            {"level": 0.999},
            "window must be at least 1000 days at level 0.999; got 500. It must hold one day of the tail.",
        ),
        ({"method": "normal"}, "method must be one of historical, ewma, garch, filtered_historical; got 'normal'."),
        ({"settings": Settings(window=5000)}, "returns must have at least 5000 observations for historical; got 1200."),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        value_at_risk(sample(), **options)  # type: ignore[arg-type]
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decay": 1.0}, "decay must lie in (0, 1); got 1. RiskMetrics takes 0.94."),
        ({"fit_window": 100}, "fit_window must be at least 250 days; got 100. GARCH needs a year."),
        ({"refit_every": 0}, "refit_every must be at least 1 day; got 0."),
        ({"window": 1}, "window must be at least 2 days; got 1."),
        ({"filter": "sma"}, "filter must be garch or ewma; got 'sma'."),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        Settings(**change)  # type: ignore[arg-type]
    assert str(refused.value) == message


def test_bad_returns_are_refused() -> None:
    with pytest.raises(InputError, match=r"^returns must be finite; got nan \(1 of 601 values\)\. Drop or fill"):
        value_at_risk(np.r_[sample(600), np.nan])
    with pytest.raises(InputError, match=r"^returns must vary; all are equal; got 0\. A stale price\?$"):
        value_at_risk(np.zeros(600))
    flat_end = np.r_[sample(600), np.zeros(1000)]
    with pytest.raises(InputError, match="returns must vary within every fit window"):
        value_at_risk(flat_end, method="garch")

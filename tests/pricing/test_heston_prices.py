"""Heston prices by Fourier: published digits, 34-digit arithmetic, an independent integral, laws and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from research.errors import InputError, NumericalError
from research.models import Heston, black
from research.pricing import fourier
from research.validation.benchmarks.heston import heston_price

REFERENCE = Path(__file__).parents[1] / "reference"
PLAIN = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
FIVE = ("v0", "kappa", "theta", "sigma", "rho")


def rows(name: str) -> list[dict[str, object]]:
    return pd.read_csv(REFERENCE / name, comment="#").to_dict("records")


@pytest.mark.parametrize("row", rows("heston_lewis.csv"), ids=lambda row: f"K={row['strike']:g}")
def test_calls_agree_with_lewis(row: dict[str, float]) -> None:
    model = Heston(v0=0.04, kappa=4.0, theta=0.25, sigma=1.0, rho=-0.5)
    ours = fourier.price(model, 100.0 * np.exp(-0.01), row["strike"], 1.0, df=np.exp(-0.01))
    assert ours == pytest.approx(row["call"], rel=0.0, abs=2e-12)


@pytest.mark.parametrize("row", rows("heston_fang_oosterlee.csv"), ids=lambda row: f"T={row['tau']:g}")
def test_calls_agree_with_fang_and_oosterlee_to_their_accuracy(row: dict[str, float]) -> None:
    model = Heston(v0=0.0175, kappa=1.5768, theta=0.0398, sigma=0.5751, rho=-0.5711)
    assert fourier.price(model, 100.0, 100.0, row["tau"]) == pytest.approx(row["call"], rel=0.0, abs=2e-8)


@pytest.mark.parametrize("row", rows("heston_extremes.csv"), ids=lambda row: f"{row['case']} K={row['strike']:g}")
def test_extreme_parameters_agree_with_34_digit_arithmetic(row: dict[str, float]) -> None:
    model = Heston(**{name: row[name] for name in FIVE})
    value, error = fourier.price_with_error(model, 1.0, row["strike"], row["tau"])
    miss = abs(value - row["call"])
    assert miss < 2e-11
    assert miss <= error


def test_prices_agree_with_an_adaptive_integral_on_a_random_grid() -> None:
    rng = np.random.default_rng(11)
    for _ in range(25):
        five = np.exp(rng.uniform([-6.0, -2.0, -6.0, -2.5, 0.0], [0.0, 3.0, 0.0, 1.5, 0.0]))
        five[4] = rng.uniform(-0.99, 0.99)
        tau = float(np.exp(rng.uniform(np.log(3.0 / 365.0), np.log(30.0))))
        model = Heston(**dict(zip(FIVE, five)))
        spread = 3.0 * np.sqrt(float(model.average_variance(tau)) * tau)
        strike = 100.0 * np.exp(np.linspace(-min(spread, 2.0), min(spread, 2.0), 7))
        ours, error = fourier.price_with_error(model, 100.0, strike, tau)
        miss = np.abs(ours - heston_price(100.0, strike, tau, 1.0, five))
        assert miss.max() < 1e-8, model  # 1e-10 of the spot
        assert (miss <= error + 2e-12).all(), model


variances = st.floats(1e-4, 1.0)
models = st.builds(
    Heston,
    v0=variances,
    kappa=st.floats(0.0, 30.0),
    theta=variances,
    sigma=st.floats(0.0, 10.0),
    rho=st.floats(-1.0, 1.0),
)
taus = st.floats(1.0 / 365.0, 30.0)


@settings(max_examples=60, deadline=None)
@given(model=models, tau=taus)
def test_prices_obey_parity_bounds_and_convexity(model: Heston, tau: float) -> None:
    strike = np.linspace(40.0, 250.0, 43)
    call, puts = (fourier.price(model, 100.0, strike, tau, is_call=flag) for flag in (True, False))
    assert np.abs(call - puts - (100.0 - strike)).max() < 1e-12 * 250.0
    assert (call >= np.maximum(100.0 - strike, 0.0)).all()
    assert (call < 100.0 * (1.0 + 1e-12)).all()
    slope = np.diff(call) / np.diff(strike)
    assert slope.min() > -1.0 - 1e-9
    assert slope.max() < 1e-9
    assert np.diff(call, 2).min() > -1e-8


@settings(max_examples=30, deadline=None)
@given(model=models)
def test_a_later_expiry_is_worth_more_at_the_same_forward(model: Heston) -> None:
    strike, tau = np.meshgrid([70.0, 100.0, 150.0], [0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 30.0])
    assert np.diff(fourier.price(model, 100.0, strike, tau), axis=0).min() > -1e-8


@pytest.mark.parametrize("sigma", [0.0, 1e-14, 1e-8])
def test_without_vol_of_vol_it_is_black_with_the_average_variance(sigma: float) -> None:
    model = Heston(v0=0.09, kappa=2.0, theta=0.02, sigma=sigma, rho=-0.9)
    strike, tau = np.meshgrid([60.0, 100.0, 160.0], [0.01, 1.0, 30.0])
    expected = black.price(100.0, strike, tau, np.sqrt(model.average_variance(tau)))
    assert np.abs(fourier.price(model, 100.0, strike, tau) - expected).max() < (1e-12 if sigma < 1e-10 else 1e-6)


def test_constant_variance_is_black_whatever_the_other_parameters() -> None:
    model = Heston(v0=0.04, kappa=0.0, theta=0.5, sigma=0.0, rho=1.0)
    assert fourier.price(model, 100.0, 90.0, 2.0) == pytest.approx(black.price(100.0, 90.0, 2.0, 0.2), abs=1e-12)


def test_no_variance_at_all_gives_intrinsic_value() -> None:
    model = Heston(v0=0.0, kappa=0.0, theta=0.04, sigma=1.0, rho=-0.5)
    assert fourier.price(model, 100.0, np.array([80.0, 100.0, 120.0]), 1.0).tolist() == [20.0, 0.0, 0.0]


def test_at_expiry_the_value_is_intrinsic() -> None:
    assert fourier.price(PLAIN, 100.0, 90.0, 0.0, df=0.5) == 5.0
    assert fourier.price(PLAIN, 100.0, 90.0, 0.0, is_call=False) == 0.0


@pytest.mark.parametrize("rho", [-1.0, 1.0])
def test_perfect_correlation_is_the_limit_of_strong_correlation(rho: float) -> None:
    strike = np.array([70.0, 90.0, 100.0, 110.0, 140.0])
    at = fourier.price(Heston(v0=0.04, kappa=1.0, theta=0.05, sigma=0.6, rho=rho), 100.0, strike, 1.0)
    near = [
        fourier.price(Heston(v0=0.04, kappa=1.0, theta=0.05, sigma=0.6, rho=rho * (1.0 - e)), 100.0, strike, 1.0)
        for e in (2e-6, 1e-6)
    ]
    assert np.abs(2.0 * near[1] - near[0] - at).max() < 1e-9  # the error is linear in the distance


def test_many_strikes_of_one_expiry_equal_each_strike_alone() -> None:
    strike = np.linspace(50.0, 200.0, 301)  # three chunks of the kernel
    together = fourier.price(PLAIN, 100.0, strike, 0.5)
    alone = np.array([fourier.price(PLAIN, 100.0, float(k), 0.5) for k in strike[::50]])
    assert np.abs(together[::50] - alone).max() < 1e-11


def test_scalars_in_a_float_out_and_shapes_broadcast() -> None:
    assert isinstance(fourier.price(PLAIN, 100.0, 100.0, 1.0), float)
    assert fourier.price(PLAIN, 100.0, np.ones((3, 1)) * 90.0, np.array([0.5, 1.0])).shape == (3, 2)


def test_prices_scale_with_the_currency_unit() -> None:
    one, thousand = fourier.price(PLAIN, 1.0, 1.2, 0.3), fourier.price(PLAIN, 1000.0, 1200.0, 0.3)
    assert thousand == pytest.approx(1000.0 * one, rel=1e-13)


def test_a_negative_forward_is_refused() -> None:
    with pytest.raises(InputError, match=r"^forward must be finite and > 0; got -1 \(1 of 2 values\)\.$"):
        fourier.price(PLAIN, [-1.0, 100.0], 100.0, 1.0)


def test_a_nan_expiry_is_refused() -> None:
    with pytest.raises(InputError, match=r"^tau must be finite and >= 0 years; got nan"):
        fourier.price(PLAIN, 100.0, 100.0, np.nan)


def test_an_unsettled_integral_is_an_error_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fourier, "_STEPS", (0.8,))
    with pytest.raises(NumericalError, match="the Fourier integral must settle for every option"):
        fourier.price(PLAIN, 100.0, 100.0, 1.0)


@pytest.mark.parametrize("tau", [0.003, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(
    "five",
    [
        (0.04, 1.5, 0.06, 0.5, -0.7),
        (0.19, 15.5, 0.075, 3.3, -0.51),
        (0.01, 0.5, 0.02, 1.5, 0.95),
        (0.04, 1, 0.04, 1e-3, 0),
    ],
)
def test_many_strikes_between_grid_points_agree_with_each_strike_alone(tau: float, five: tuple[float, ...]) -> None:
    model = Heston(**dict(zip(("v0", "kappa", "theta", "sigma", "rho"), five)))
    strike = np.sort(np.concatenate([np.geomspace(20.0, 400.0, 500), np.linspace(90.0, 110.0, 100)]))
    many, bound = fourier.price_with_error(model, 100.0, strike, tau)
    parts = [fourier.price_with_error(model, 100.0, part, tau) for part in np.array_split(strike, 60)]
    few, other = (np.concatenate(column) for column in zip(*parts))
    assert (np.abs(many - few) <= bound + other).all()  # two contours: each is within its own bound
    assert np.abs(many - few).max() < 1e-9
    assert (bound < 1.1e-10 * np.maximum(100.0, strike)).all()


def test_the_order_of_many_strikes_does_not_matter() -> None:
    model = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
    strike = np.linspace(60.0, 150.0, 700)
    mixed = np.random.default_rng(0).permutation(700)
    found = fourier.price(model, 100.0, strike, [[0.5], [1.0]])
    assert (fourier.price(model, 100.0, strike[mixed], [[0.5], [1.0]]) == found[:, mixed]).all()
    assert (fourier.price(model, 100.0, strike[::-1], [[1.0], [0.5]]) == found[::-1, ::-1]).all()


@pytest.mark.parametrize(
    ("five", "tau"),
    [
        ((0.00185, 2.33, 0.201, 0.0114, -0.9813), 0.001085),
        ((0.00205, 0.078, 0.41, 0.007, 0.499), 0.0817),
        ((0.059, 0.097, 0.032, 0.0615, -0.9684), 0.311),
        ((0.0251, 2.43, 0.472, 1.173, 0.98), 24.0),
        ((0.256, 4.22, 0.0335, 2.23, -0.9827), 0.0011),
    ],
)
def test_strikes_a_thousand_deviations_out_settle_and_keep_the_law_of_prices(five: Any, tau: float) -> None:
    model = Heston(**dict(zip(("v0", "kappa", "theta", "sigma", "rho"), five)))
    strike = 100.0 * np.exp(np.linspace(-2.5, 2.5, 101))
    call, bound = fourier.price_with_error(model, 100.0, strike, tau)
    assert np.isfinite(call).all() and (bound < 1.1e-10 * np.maximum(100.0, strike)).all()
    slope = np.diff(call) / np.diff(strike)
    slack = 2.0 * bound.max() / np.diff(strike).min()
    assert (slope >= -1.0 - slack).all() and (slope <= slack).all() and (np.diff(slope) >= -2.0 * slack).all()


def test_the_stated_error_covers_a_finer_rule_for_random_models() -> None:
    rng = np.random.default_rng(12)
    for _ in range(25):
        model = Heston(
            v0=10 ** rng.uniform(-3, 0), kappa=10 ** rng.uniform(-2, 1.3), theta=10 ** rng.uniform(-3, 0),
            sigma=10 ** rng.uniform(-3, 0.7), rho=rng.uniform(-0.999, 0.999),
        )  # fmt: skip
        tau, strike = 10 ** rng.uniform(-3, 1.5), np.sort(100.0 * np.exp(rng.uniform(-2.0, 2.0, 400)))
        many, bound = fourier.price_with_error(model, 100.0, strike, tau)
        few, other = (
            np.concatenate(c)
            for c in zip(*(fourier.price_with_error(model, 100.0, k, tau) for k in np.array_split(strike, 4)))
        )
        assert (np.abs(many - few) <= bound + other).all(), (model, tau)

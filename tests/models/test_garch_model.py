"""GARCH as a frozen fact, its conditional variance and its likelihood."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from research.errors import InputError
from research.models.garch import GARCH, conditional_variance, log_likelihood

MODEL = GARCH(mu=4e-4, omega=2e-6, alpha=0.08, beta=0.9)


def naive_variance(x: np.ndarray, model: GARCH, initial: float) -> np.ndarray:
    h = [model.omega + (model.alpha + model.beta) * initial]
    for value in x:
        h.append(model.omega + model.alpha * (value - model.mu) ** 2 + model.beta * h[-1])
    return np.array(h)


def returns(n: int = 300) -> np.ndarray:
    return np.random.default_rng(1).standard_t(5, n) * 0.01


@pytest.mark.parametrize("initial", ["sample", 2e-4])
def test_variance_and_likelihood_agree_with_the_recursion_written_out(initial: float | str) -> None:
    x = returns()
    start = np.mean((x - MODEL.mu) ** 2) if initial == "sample" else float(initial)
    h = naive_variance(x, MODEL, float(start))
    np.testing.assert_allclose(conditional_variance(x, MODEL, initial=initial), h, rtol=1e-13)  # type: ignore[arg-type]
    expected = norm.logpdf(x, MODEL.mu, np.sqrt(h[:-1])).sum()
    assert log_likelihood(x, MODEL, initial=initial) == pytest.approx(expected, rel=1e-12)  # type: ignore[arg-type]


def test_without_alpha_and_beta_the_variance_is_omega() -> None:
    flat = replace(MODEL, alpha=0.0, beta=0.0)
    np.testing.assert_array_equal(conditional_variance(returns(), flat), MODEL.omega)


@given(st.floats(0.0, 0.5), st.floats(0.0, 0.499), st.floats(1e-8, 1e-2), st.integers(1, 400))
@settings(max_examples=50, deadline=None)
def test_variance_ahead_reverts_to_the_long_run(alpha: float, beta: float, start: float, steps: int) -> None:
    model = GARCH(mu=0.0, omega=1e-6, alpha=alpha, beta=beta)
    one = model.omega + model.persistence * start
    assert model.variance_ahead(start, 1) == pytest.approx(one, rel=1e-9)
    assert model.variance_ahead(start, 0) == pytest.approx(start, rel=1e-9)
    gap = abs(float(model.variance_ahead(start, steps)) - model.long_run_variance)
    assert gap <= abs(start - model.long_run_variance) * (1.0 + 1e-9) + 1e-18
    assert model.variance_ahead(start, 10_000) == pytest.approx(model.long_run_variance, rel=1e-6)


def test_half_of_a_shock_is_left_after_the_half_life() -> None:
    shock = MODEL.long_run_variance
    left = float(MODEL.variance_ahead(MODEL.long_run_variance + shock, MODEL.half_life)) - MODEL.long_run_variance
    assert left == pytest.approx(0.5 * shock, rel=1e-9)
    assert replace(MODEL, alpha=0.0, beta=0.0).half_life == 0.0


def test_model_survives_json_and_cannot_be_changed() -> None:
    assert GARCH.from_json(MODEL.to_json()) == MODEL
    with pytest.raises(FrozenInstanceError):
        MODEL.alpha = 0.2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"omega": 0.0}, "omega must be > 0; got 0."),
        ({"alpha": -0.01}, "alpha must be >= 0; got -0.01."),
        ({"beta": -0.5}, "beta must be >= 0; got -0.5."),
        ({"mu": float("nan")}, "mu must be finite; got nan."),
        ({"beta": 0.92}, "alpha + beta must be < 1; got 1. Otherwise there is no long-run variance."),
    ],
)
def test_an_impossible_model_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as refused:
        replace(MODEL, **change)
    assert str(refused.value) == message


def test_bad_returns_and_initial_variance_are_refused() -> None:
    with pytest.raises(InputError, match=r"^returns must be finite; got nan \(1 of 2 values\)\."):
        log_likelihood([0.01, np.nan], MODEL)
    with pytest.raises(InputError, match="initial must be a variance > 0 or \"sample\"; got 'backcast'"):
        conditional_variance([0.01], MODEL, initial="backcast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match='initial must be a variance > 0 or "sample"; got -1'):
        conditional_variance([0.01], MODEL, initial=-1.0)

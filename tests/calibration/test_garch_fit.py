"""Fitting GARCH: the published benchmark, an independent package, derivatives, limits, refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from research.calibration import CalibrationWarning, fit
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS
from research.core.calibration.garch import garch_derivatives, garch_refits, garch_scores
from research.errors import InputError
from research.models.garch import GARCH, conditional_variance, log_likelihood

REFERENCE = Path(__file__).parents[1] / "reference"


def exchange_rate() -> np.ndarray:
    return np.loadtxt(REFERENCE / "demgbp_returns.csv", skiprows=2)


def simulated(seed: int, n: int = 2000, alpha: float = 0.08, beta: float = 0.9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    h, out = 1e-4, np.empty(n + 200)
    for t in range(out.size):
        e = np.sqrt(h) * rng.standard_t(6) / np.sqrt(1.5)
        out[t] = 3e-4 + e
        h = 1e-4 * (1.0 - alpha - beta) + alpha * e * e + beta * h
    return out[200:]


def test_agrees_with_the_published_benchmark_to_five_digits() -> None:
    """Estimates, Hessian and robust standard errors of the Bollerslev-Ghysels series."""
    lines = (REFERENCE / "garch_demgbp_benchmark.csv").read_text().splitlines()[1:]
    found = fit(GARCH, exchange_rate())
    assert found.status == CONVERGED
    assert log_likelihood(exchange_rate(), found.model) == pytest.approx(-1106.6079, abs=1e-4)
    by_name = found.parameters.set_index("name")
    for row in csv.DictReader(lines):
        ours = by_name.loc[row["name"]]
        for column in ("value", "std_error_hessian", "std_error_robust"):
            assert ours[column] == pytest.approx(float(row[column]), rel=1e-5), (row["name"], column)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_arch_on_simulated_returns(seed: int) -> None:
    arch = pytest.importorskip("arch")
    x = simulated(seed)
    past = float(np.var(x) * 0.8)
    scale = 100.0  # arch's search wants percent
    theirs = arch.arch_model(scale * x, mean="Constant", vol="GARCH", p=1, q=1, rescale=False).fit(
        disp="off", backcast=past * scale**2, options={"ftol": 1e-14, "maxiter": 2000}
    )
    ours = fit(GARCH, x, initial=past)
    assert log_likelihood(x, ours.model, initial=past) >= theirs.loglikelihood + x.size * np.log(scale) - 1e-8
    unit = np.array([scale, scale**2, 1.0, 1.0])
    np.testing.assert_allclose(ours.parameters["value"] * unit, theirs.params, rtol=2e-3, atol=2e-5)
    robust = theirs.std_err.to_numpy()
    np.testing.assert_allclose(ours.parameters["std_error_robust"] * unit, robust, rtol=2e-2)


def test_gradient_and_hessian_agree_with_differences() -> None:
    x = exchange_rate()[:400]
    at = np.array([0.01, 0.02, 0.1, 0.8])
    for initial in (0.0, 0.3):
        out = np.empty(15)
        garch_derivatives(x, *at, initial, out)
        hessian = np.zeros((4, 4))
        hessian[np.triu_indices(4)] = out[5:]
        scores = np.empty((x.size, 4))
        garch_scores(x, *at, initial, scores)
        np.testing.assert_allclose(scores.sum(0), out[1:5], rtol=1e-9)
        for i in range(4):
            step = np.zeros(4)
            step[i] = 1e-5
            up, down = np.empty(15), np.empty(15)
            garch_derivatives(x, *(at + step), initial, up)
            garch_derivatives(x, *(at - step), initial, down)
            slope = (up[:5] - down[:5]) / 2e-5
            assert slope[0] == pytest.approx(out[1 + i], rel=1e-5)
            full = hessian + np.triu(hessian, 1).T
            np.testing.assert_allclose(slope[1:], full[i], rtol=2e-5, atol=1e-3)


def test_no_random_start_finds_a_better_fit() -> None:
    """scipy from random starts, on series with strong, weak and no clustering."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(9)
    for x in (simulated(7, 600), simulated(8, 600, 0.03, 0.9)):
        ours = log_likelihood(x, fit(GARCH, x).model)
        unit = x / x.std()

        def loss(q: np.ndarray, unit: np.ndarray = unit) -> float:
            omega, p, u = np.exp(q[1]), 1.0 / (1.0 + np.exp(-q[2])), 1.0 / (1.0 + np.exp(-q[3]))
            if p > 0.999999:
                return 1e9
            return -log_likelihood(unit, GARCH(mu=q[0], omega=omega, alpha=p * u, beta=p * (1.0 - u)))

        best = min(
            minimize(loss, rng.normal([0.0, -2.0, 2.0, -2.0], [0.1, 1.5, 2.0, 1.0]), method="Nelder-Mead").fun
            for _ in range(8)
        )
        assert ours >= -best - x.size * np.log(x.std()) - 1e-6


def test_a_break_in_volatility_does_not_stop_the_search() -> None:
    """Twenty times the volatility in the last third: the ridge near alpha + beta = 1 is long and curved."""
    for seed in range(12):
        x = simulated(seed, 260)
        x[-(10 + 6 * seed) :] = np.random.default_rng(seed).normal(0.0, 0.2, 10 + 6 * seed)
        assert fit(GARCH, x).status in (CONVERGED, AT_BOUND)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
def test_units_of_the_returns_do_not_matter(scale: float) -> None:
    x = exchange_rate()
    base, other = fit(GARCH, x).model, fit(GARCH, scale * x).model
    assert other.alpha == pytest.approx(base.alpha, rel=1e-7)
    assert other.beta == pytest.approx(base.beta, rel=1e-7)
    assert other.mu == pytest.approx(scale * base.mu, rel=1e-7)
    assert other.omega == pytest.approx(scale**2 * base.omega, rel=1e-7)


def test_residuals_are_standardised_returns() -> None:
    x = exchange_rate()
    found = fit(GARCH, x)
    h = conditional_variance(x, found.model)[:-1]
    np.testing.assert_allclose(found.residuals["residual"], (x - found.model.mu) / np.sqrt(h), rtol=1e-12)
    assert found.rmse == pytest.approx(1.0, abs=0.01)
    assert found.unit == "standard deviations"


def test_independent_returns_give_constant_variance_on_the_bound() -> None:
    x = np.random.default_rng(0).normal(0.0, 0.01, 400)
    found = fit(GARCH, x)
    assert found.status == AT_BOUND
    assert found.message.startswith("converged on a bound; log-likelihood")
    assert (found.model.alpha, found.model.beta) == (0.0, 0.0)
    assert found.model.omega == pytest.approx(np.var(x), rel=1e-9)
    assert found.parameters["std_error"].isna().tolist() == [False, False, True, True]
    assert found.parameters["std_error"][0] == pytest.approx(np.std(x) / np.sqrt(x.size), rel=1e-6)


def test_pure_arch_ends_on_the_bound_of_beta() -> None:
    found = fit(GARCH, simulated(3, 1500, 0.5, 0.0))
    errors = found.parameters.set_index("name")["std_error"]
    assert found.model.alpha > 0.2
    assert (found.model.beta == 0.0) == np.isnan(errors["beta"])
    assert errors["alpha"] > 0.0


def test_a_search_cut_short_says_so() -> None:
    with pytest.warns(CalibrationWarning, match="did not settle"):
        found = fit(GARCH, exchange_rate(), max_iter=1)
    assert found.status == MAX_ITERATIONS
    assert not found.converged
    assert found.message.startswith("stopped by max_iter")


def test_refits_agree_with_single_fits_to_the_bit() -> None:
    x = exchange_rate()
    end = np.array([500, 900, 1974], dtype=np.int64)
    out, status, n_iter = np.empty((3, 9)), np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    garch_refits(x, end, 500, 0.0, 200, out, status, n_iter)
    for i, stop in enumerate(end):
        np.testing.assert_array_equal(out[i, :4], fit(GARCH, x[stop - 500 : stop]).parameters["value"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(100, 0.01), "returns must have at least 250 observations; got 100. GARCH needs a year of days."),
        (np.full(300, 0.01), "returns must vary; all are equal; got 0.01. A stale price?"),
        (np.zeros(300), "returns must vary; all are equal; got 0. A stale price?"),
        (
            np.r_[np.ones(300), np.nan],
            "returns must be finite; got nan (1 of 301 values). Drop or fill missing returns first.",
        ),
        (np.ones((20, 20)), "returns must have one dimension; got shape (20, 20)."),
    ],
    ids=["too few", "constant", "zero", "nan", "two columns"],
)
def test_unusable_returns_are_refused(bad: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as refused:
        fit(GARCH, bad)
    assert str(refused.value) == message

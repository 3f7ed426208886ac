"""Expected variance at its dates, expected volatility by Laplace transforms: independent integrals, moments, paths."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import gammaln

from research.instruments import VarianceSwap, VolatilitySwap
from research.market import flat_snapshot
from research.models import Bates, Heston, VarianceGamma
from research.pricing import price
from research.pricing._realised import log_laplace_affine, log_laplace_gamma
from research.pricing.variance import fair_variance, fair_volatility

MARKET = flat_snapshot(spot=100.0, rate=0.04, dividend_yield=0.01)
HOUR = 1.0 / 8760.0


def second_moments(model: Heston, tau: float, n: int, carry: float) -> float:
    """Sum of E[return^2] of n periods: the linear equations of E(1, v, v^2, X, Xv, X^2), by matrix exponentials."""
    k, m, s, r = model.kappa, model.kappa * model.theta, model.sigma, model.rho
    a = np.zeros((6, 6))
    a[1, [0, 1]] = m, -k
    a[2, [1, 2]] = 2.0 * m + s * s, -2.0 * k
    a[3, [0, 1]] = carry, -0.5
    a[4, [1, 2, 3, 4]] = carry + r * s, -0.5, m, -k
    a[5, [1, 3, 4]] = 1.0, 2.0 * carry, -1.0
    step, state, total = expm(a * tau / n), np.array([1.0, model.v0, model.v0**2, 0.0, 0.0, 0.0]), 0.0
    for _ in range(n):
        state = step @ state
        total += state[5]
        state[3:] = 0.0
    return total / tau


@pytest.mark.parametrize(
    ("model", "tau"),
    [
        (Heston(v0=0.04, kappa=2.0, theta=0.09, sigma=0.6, rho=-0.7), 1.0),
        (Heston(v0=3e-6, kappa=1e-12, theta=0.02, sigma=3.7, rho=-1.0), 0.1),  # differences lost all digits here
        (Heston(v0=0.0, kappa=1e-6, theta=20.0, sigma=0.2, rho=1.0), 5.0),
        (Heston(v0=1e-6, kappa=0.0, theta=1.0, sigma=1e-3, rho=0.5), HOUR),
        (Heston(v0=9.0, kappa=0.5, theta=4.0, sigma=5.0, rho=-0.3), 2.0),
    ],
)
@pytest.mark.parametrize("n", [1, 12])
def test_variance_at_its_dates_agrees_with_the_equations_of_moments(model: Heston, tau: float, n: int) -> None:
    found, error = fair_variance(model, MARKET, tau, n_observations=n)
    assert found == pytest.approx(second_moments(model, tau, n, 0.03), rel=1e-11)
    assert error <= 1e-12 * found


def test_expected_variance_keeps_its_digits_as_kappa_and_today_vanish() -> None:
    for kappa, tau in ((1e-10, HOUR), (1e-13, 1.0)):
        model = Heston(v0=0.0, kappa=kappa, theta=0.09, sigma=0.5, rho=-1.0)
        assert fair_variance(model, MARKET, tau)[0] == pytest.approx(0.09 * kappa * tau / 2.0, rel=1e-9)
        assert model.average_variance(tau) == pytest.approx(0.09 * kappa * tau / 2.0, rel=1e-9)


@pytest.mark.parametrize(
    ("model", "tau"),
    [(VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1), 1.0), (VarianceGamma(sigma=0.1, nu=4.0, theta=0.2), 0.02)],
)
def test_squared_jumps_have_the_transform_of_their_levy_measure(model: VarianceGamma, tau: float) -> None:
    # Madan, Carr, Chang (1998): exp(theta x / sigma^2 - sqrt(2 / nu + theta^2 / sigma^2) |x| / sigma) / (nu |x|)
    s2 = model.sigma**2
    fall, lean = np.sqrt(2.0 / model.nu + model.theta**2 / s2) / model.sigma, model.theta / s2
    s = np.exp(0.05 * np.arange(-700, 300)) / s2

    def term(t: float, s: float) -> float:
        x = np.exp(t)
        return float(-np.expm1(-s * x * x / tau) * (np.exp((lean - fall) * x) + np.exp(-(lean + fall) * x)) / model.nu)

    found = log_laplace_gamma(s, model.characteristic()[1], tau)
    for i in (500, 650, 750, 900):
        edges = np.linspace(-40.0, 6.0, 24)
        true = -tau * sum(quad(term, a, b, args=(s[i],), epsabs=1e-15)[0] for a, b in pairwise(edges))
        assert found[i] == pytest.approx(true, rel=1e-10)


def test_volatility_under_variance_gamma_agrees_with_simulated_jumps() -> None:
    model, tau, n, m = VarianceGamma(sigma=0.2, nu=0.5, theta=-0.2), 1.0, 4000, 1500
    rng = np.random.default_rng(3)
    clock = rng.gamma(tau / m / model.nu, model.nu, (n, m))
    jumps = model.theta * clock + model.sigma * np.sqrt(clock) * rng.standard_normal((n, m))
    roots = np.sqrt((jumps**2).sum(axis=1) / tau)
    found, error = fair_volatility(model, tau)
    assert abs(found - roots.mean()) < 4.0 * roots.std() / np.sqrt(n) and error < 1e-12
    assert price(VolatilitySwap(strike=0.2, tau=tau), model, MARKET).method == "analytic"


@pytest.mark.parametrize("model", [
    Heston(v0=0.04, kappa=2.0, theta=0.06, sigma=0.5, rho=-0.7),
    Bates(v0=0.04, kappa=2.0, theta=0.06, sigma=0.5, rho=-0.7, intensity=0.5, jump_mean=-0.1, jump_std=0.15),
    VarianceGamma(sigma=0.2, nu=0.02, theta=-0.1),
], ids=lambda m: type(m).__name__)  # fmt: skip
def test_a_volatility_swap_that_has_run_agrees_with_paths_and_with_its_limits(model) -> None:
    item = VolatilitySwap(strike=0.2, tau=0.5, elapsed=0.5, elapsed_variance=0.03)
    exact, found = price(item, model, MARKET), price(item, model, MARKET, method="paths", n_paths=16384, progress=False)
    assert exact.error < 1e-10 and abs(found.value - exact.value) < 4.0 * found.std_error + found.error
    # little is left beside what has run: the root is nearly straight, E sqrt(R + V) = sqrt(R) + E V / sqrt(R) / 2
    old = fair_volatility(model, 1e-4, elapsed=1.0, elapsed_variance=0.09)[0] * np.sqrt(1.0001)
    rest = price(VarianceSwap(strike=0.0, tau=1e-4), model, flat_snapshot(spot=100.0)).value * 1e-4
    assert old - 0.3 == pytest.approx(rest / 0.6, rel=1e-3 if type(model) is Heston else 0.05)
    assert fair_volatility(model, 0.5, elapsed_variance=0.0) == fair_volatility(model, 0.5)


def test_paths_say_what_looking_now_and_then_costs_a_swap_on_jumps() -> None:
    model, item = VarianceGamma(sigma=0.2, nu=0.02, theta=-0.1), VolatilitySwap(strike=0.2, tau=0.1)
    true, found = price(item, model, MARKET), price(item, model, MARKET, method="paths", n_paths=16384, progress=False)
    assert 8.0 * found.std_error < abs(found.value - true.value) < found.error


def test_volatility_under_variance_gamma_in_its_limits() -> None:
    calm = VarianceGamma(sigma=0.3, nu=1e-6, theta=0.0)  # the variance of V over 2 years is 3 sigma^4 nu / tau
    assert fair_volatility(calm, 2.0)[0] == pytest.approx(0.3 * (1.0 - 3.0 * 1e-6 / 2.0 / 8.0), rel=1e-11)
    rare = VarianceGamma(
        sigma=0.2, nu=10.0, theta=0.0
    )  # one jump counts in an hour: sqrt(tau) times the integral of |x|
    assert fair_volatility(rare, HOUR)[0] == pytest.approx(2.0 * np.sqrt(HOUR) / 10.0 * 0.2 * np.sqrt(5.0), rel=1e-4)


def cox_ingersoll_ross(s: float, model: Any, tau: float) -> float:
    """Log of the transform as it is printed, in 80 bits."""
    v0, k, th, sg, t = (np.longdouble(z) for z in (model.v0, model.kappa, model.theta, model.sigma, tau))
    x = np.longdouble(s) / t
    g = np.sqrt(k * k + 2.0 * x * sg * sg)
    bottom = (g + k) * np.expm1(g * t) + 2.0 * g
    return float(
        2.0 * k * th / sg**2 * np.log(2.0 * g * np.exp(0.5 * (k + g) * t) / bottom)
        - 2.0 * x * np.expm1(g * t) / bottom * v0
    )


def test_the_transform_of_the_integrated_variance_keeps_its_digits() -> None:
    for model, tau in ((Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7), 1.0),
                       (Heston(v0=1e-6, kappa=1e-6, theta=9.0, sigma=0.1, rho=0.0), 0.01),
                       (Heston(v0=4.0, kappa=20.0, theta=0.01, sigma=10.0, rho=0.0), 10.0)):  # fmt: skip
        p = model.characteristic()[1]
        for s in (0.1, 10.0, 1e3):
            true = cox_ingersoll_ross(s, model, tau)
            assert log_laplace_affine(np.array([s]), p, tau)[0] == pytest.approx(true, rel=1e-7)


def test_volatility_under_bates_is_heston_with_the_squares_of_its_jumps() -> None:
    """Variance that hardly moves, jumps of one size: sqrt(v + n j^2 / tau) in the mean of a Poisson number."""
    model = Bates(v0=0.04, kappa=0.0, theta=0.0, sigma=1e-8, rho=0.0, intensity=0.8, jump_mean=-0.15, jump_std=0.0)
    n, rate = np.arange(60), 0.8 * 2.0
    weight = np.exp(n * np.log(rate) - rate - gammaln(n + 1.0))
    assert fair_volatility(model, 2.0)[0] == pytest.approx(weight @ np.sqrt(0.04 + n * 0.15**2 / 2.0), rel=1e-11)

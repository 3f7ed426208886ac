"""Heston, Bates, Merton, Variance Gamma: life of an hour, vol tiny or huge, correlation one; the stated error holds."""

from __future__ import annotations

from decimal import Decimal, localcontext
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, ndtr
from tests.pricing.extremes.precise import CONTEXT, cdf

from research.instruments import Digital, European, Gap, Power
from research.market import flat_snapshot
from research.models import Bates, Heston, Merton, VarianceGamma
from research.pricing import bates, cosine, fourier, mixtures, price

HOUR = 1.0 / 8760.0
STRIKES = (1e-3, 50.0, 99.9, 100.0, 130.0, 1e5)
BOOK = [(k, c) for k in STRIKES for c in (True, False)]


def merton_twin(model: Merton, strike: float, tau: float, is_call: bool) -> Decimal:
    """Merton (1976), eq. (16), in 70 digits; forward 100."""
    with localcontext(CONTEXT):
        sigma, lam, mu, std = (Decimal(x) for x in (model.sigma, model.intensity, model.jump_mean, model.jump_std))
        rate, growth, total = lam * Decimal(tau), mu + std * std / 2, Decimal(0)
        weight = (-rate).exp()
        for n in range(90):
            forward = 100 * (n * growth - rate * (growth.exp() - 1)).exp()
            s = (sigma * sigma * Decimal(tau) + n * std * std).sqrt()
            d1 = (forward / Decimal(strike)).ln() / s + s / 2
            sign = 1 if is_call else -1
            total += weight * sign * (forward * cdf(sign * d1) - Decimal(strike) * cdf(sign * (d1 - s)))
            weight *= rate / (n + 1)
        return total


@pytest.mark.parametrize("tau", [HOUR, 0.5, 50.0])
@pytest.mark.parametrize("sigma", [0.001, 0.2, 5.0])
def test_mertons_series_keeps_its_digits_however_far_the_strike(sigma: float, tau: float) -> None:
    model = Merton(sigma=sigma, intensity=0.3, jump_mean=-0.2, jump_std=0.15)
    for strike in (30.0, 99.99, 250.0):
        is_call = strike > 100.0
        found, error = mixtures.price_with_error(model, 100.0, strike, tau, is_call=is_call)
        true = merton_twin(model, strike, tau, is_call)
        assert abs(Decimal(float(found)) - true) <= Decimal(float(error))
        assert float(abs(Decimal(float(found)) / true - 1)) < 1e-11


def gamma_twin(model: VarianceGamma, strike: float, tau: float) -> float:
    """The out-of-the-money option by SciPy over s = log(G / tau); forward 100."""
    alpha, sigma, theta = tau / model.nu, model.sigma, model.theta
    omega = np.log1p(-theta * model.nu - 0.5 * sigma**2 * model.nu) / model.nu
    norm = alpha * np.log(alpha) - alpha - gammaln(alpha)
    sign = 1.0 if strike > 100.0 else -1.0

    def given(clock: float) -> float:
        forward, std = 100.0 * np.exp(omega * tau + (theta + 0.5 * sigma**2) * clock), sigma * np.sqrt(clock) + 1e-200
        d1 = np.log(forward / strike) / std + 0.5 * std
        return float(sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std))))

    def term(s: float) -> float:
        return float(np.exp(norm + alpha * (s - np.expm1(s))) * given(tau * np.exp(s)))

    top = float(min(np.log1p(60.0 / alpha) + 1.0, 9.0 / np.sqrt(alpha)))
    low = -50.0 / min(alpha, 1.0)  # of the clock: what lies below weighs exp(-50)
    edges = np.unique(np.concatenate([[low], np.linspace(max(low, -60.0), -6.0, 10), np.linspace(-6.0, top, 25)]))
    return float(sum(quad(term, a, b, epsabs=1e-14, epsrel=1e-12)[0] for a, b in pairwise(edges)))


@pytest.mark.parametrize(
    ("sigma", "nu", "theta", "tau"),
    [(0.2, 4.0, -0.1, 0.05), (0.12, 0.2, -0.14, 0.02), (0.3, 1.0, 0.1, 0.5), (0.05, 0.05, -0.5, 10.0),
     (0.25, 4.0, -0.3, 1.0), (1.0, 0.3, 0.0, HOUR * 24.0)],
)  # fmt: skip
def test_variance_gamma_covers_the_integral_where_the_cosine_series_is_poor(
    sigma: float, nu: float, theta: float, tau: float
) -> None:
    model = VarianceGamma(sigma=sigma, nu=nu, theta=theta)
    for strike in (60.0, 97.0, 101.0, 180.0):
        found, error = mixtures.price_with_error(model, 100.0, strike, tau, is_call=strike > 100.0)
        assert abs(found - gamma_twin(model, strike, tau)) <= error + 2e-11
        assert error < 1e-9


def test_a_gamma_clock_without_noise_is_the_limit_of_little_noise() -> None:
    for theta in (-0.4, 0.3):
        still, noisy = (VarianceGamma(sigma=s, nu=0.5, theta=theta) for s in (0.0, 1e-3))
        strikes = np.array([80.0, 95.0, 110.0, 130.0])
        a, b = (mixtures.price_with_error(m, 100.0, strikes, 1.0)[0] for m in (still, noisy))
        assert a == pytest.approx(b, abs=2e-4)


def lewis(model: Heston, strike: float, tau: float) -> float:
    """Lewis (2001): the call by SciPy along Im z = -1/2, the characteristic function as Albrecher et al. write it."""
    x = np.log(100.0 / strike)

    def term(u: float) -> float:
        z = u - 0.5j
        b = model.kappa - 1j * model.rho * model.sigma * z
        d = np.sqrt(b * b + model.sigma**2 * (z * z + 1j * z))
        g, e = (b - d) / (b + d), np.exp(-d * tau)
        c = model.kappa * model.theta / model.sigma**2 * ((b - d) * tau - 2.0 * np.log((1.0 - g * e) / (1.0 - g)))
        phi = np.exp(c + model.v0 * (b - d) / model.sigma**2 * (1.0 - e) / (1.0 - g * e))
        return float((np.exp(1j * u * x) * phi).real / (u * u + 0.25))

    edges = np.concatenate([[0.0], np.geomspace(0.5, 4e4, 30)])
    total = sum(quad(term, a, b, epsabs=1e-13, limit=400)[0] for a, b in pairwise(edges))
    return 100.0 - float(np.sqrt(100.0 * strike)) / np.pi * float(total)


@pytest.mark.parametrize(
    ("model", "tau"),
    [
        (Heston(v0=0.0, kappa=0.4946, theta=3.913, sigma=0.0125, rho=1.0), 0.104),  # refused once
        (Heston(v0=0.0, kappa=0.5, theta=4.0, sigma=0.1, rho=-1.0), 0.1),
        (Heston(v0=1.0, kappa=0.5, theta=0.04, sigma=0.5, rho=1.0), 0.5),
        (Heston(v0=0.04, kappa=2.0, theta=0.04, sigma=0.3, rho=-0.999), 0.1),
    ],
)
def test_heston_with_a_correlation_of_one_agrees_with_scipy(model: Heston, tau: float) -> None:
    width = float(np.sqrt(model.average_variance(tau) * tau))
    for x in (-3.0, -0.5, 0.0, 1.0, 3.0):
        strike = 100.0 * float(np.exp(x * width))
        found, error = fourier.price_with_error(model, 100.0, strike, tau)
        assert abs(found - lewis(model, strike, tau)) <= error + 1e-9


def test_bates_with_a_variance_that_stands_still_is_merton_down_to_an_hour_and_a_vol_of_nothing() -> None:
    strikes = np.array([1e-3, 60.0, 99.99, 100.0, 100.01, 150.0, 1e5])
    jumps: dict[str, float] = {"intensity": 0.7, "jump_mean": -0.2, "jump_std": 0.3}
    for tau, vol in product((HOUR, 1.0, 50.0), (1e-3, 0.2, 5.0)):
        other = Bates(v0=vol * vol, kappa=0.0, theta=0.0, sigma=0.0, rho=0.0, **jumps)
        a, b = bates.price_with_error(other, 100.0, strikes, tau), mixtures.price_with_error(
            Merton(sigma=vol, **jumps), 100.0, strikes, tau)  # fmt: skip
        assert (np.abs(a[0] - b[0]) <= a[1] + b[1]).all()


def test_bates_agrees_with_the_cosine_series_where_that_is_good() -> None:
    model = Bates(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7, intensity=4.0, jump_mean=-0.1, jump_std=0.15)
    strikes = np.array([40.0, 80.0, 100.0, 130.0, 250.0])
    for tau in (0.1, 1.0, 10.0):
        a, b = (e.price_with_error(model, 100.0, strikes, tau) for e in (bates, cosine))
        assert (np.abs(a[0] - b[0]) <= a[1] + b[1]).all()


def corners() -> list[Any]:
    """Twenty odd models, each with something out of the ordinary."""
    wild = [Heston(v0=v, kappa=k, theta=0.04, sigma=s, rho=r)
            for v, k, s, r in ((0.0, 0.5, 2.0, -1.0), (1e-6, 20.0, 0.1, 1.0), (25.0, 0.0, 10.0, -0.999))]  # fmt: skip
    jumps = ((0.01, -1.0, 0.0), (20.0, 0.3, 0.2))
    mixed = [Bates(**m.to_json(), intensity=i, jump_mean=u, jump_std=d) for m in wild for i, u, d in jumps]
    merton = [Merton(sigma=s, intensity=i, jump_mean=u, jump_std=d) for s in (1e-3, 5.0) for i, u, d in jumps]
    clock = [VarianceGamma(sigma=s, nu=n, theta=t)
             for s, n, t in ((1e-3, 4.0, -0.1), (5.0, 0.01, 0.0), (0.2, 20.0, -0.5), (0.0, 0.2, 0.4))]  # fmt: skip
    return [*wild, *mixed, *merton, *clock]


@pytest.mark.parametrize("tau", [HOUR, 0.1, 50.0])
def test_no_corner_is_refused_and_parity_holds_within_the_errors(tau: float) -> None:
    market = flat_snapshot(spot=100.0, rate=-0.01)
    items = [European(strike=k, tau=tau, is_call=c) for k, c in BOOK]
    for model in corners():
        found = price(items, model, market)
        size = np.maximum(100.0, [k for k, _ in BOOK]) * np.exp(0.01 * tau)
        assert np.isfinite(found.value).all() and (found.error < 1e-8 * size).all(), (model, tau)
        pairs = found.value.reshape(-1, 2)
        gap = pairs[:, 0] - pairs[:, 1] - (100.0 - np.array(STRIKES) * np.exp(0.01 * tau))
        assert (np.abs(gap) <= found.error.reshape(-1, 2).sum(axis=1) + 1e-14 * size[::2]).all(), (model, tau)


def test_what_builds_on_options_has_a_price_an_hour_before_expiry() -> None:
    market = flat_snapshot(spot=100.0, rate=0.02)
    items = [Digital(strike=100.0, tau=HOUR), Gap(strike=95.0, trigger=100.0, tau=HOUR),
             Power(strike=1e4, power=2.0, tau=HOUR)]  # fmt: skip
    for model in (Merton(sigma=1e-3, intensity=0.5, jump_mean=-0.2, jump_std=0.1),
                  VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1)):  # fmt: skip
        found = price(items, model, market)
        assert np.isfinite(found.value).all() and (found.error <= 1e-6 * np.array([1.0, 100.0, 1e4])).all()
        assert 0.0 <= found.value[0] <= 1.0

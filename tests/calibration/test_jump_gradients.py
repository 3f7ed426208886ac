"""Kernels of the jump fits: vols and derivatives against the pricing engine, quadrature over the gamma clock, and
differences."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, ndtr

from research.core.calibration.jumps import jump_vol_errors
from research.core.calibration.variance_gamma import variance_gamma_vol_errors
from research.models import Bates, Merton, VarianceGamma, black
from research.pricing.cosine import log_price_range, price_with_error

TAU = np.array([0.05, 0.5, 2.0])
K = np.linspace(-1.5, 1.2, 7)


def table(vol: float = 0.25) -> tuple[Any, Any]:
    k = np.concatenate([-K * vol * np.sqrt(t) for t in TAU])  # log(F / K), to be increasing
    k = np.concatenate([np.sort(part) for part in np.split(k, TAU.size)])
    strike, years = 100.0 * np.exp(-k), np.sqrt(np.repeat(TAU, K.size))
    one = np.ones(k.size)
    rows = np.array([k, 100.0 * one, strike, vol * one, one, years, np.sqrt(100.0 * strike)])
    return np.arange(0, k.size + 1, K.size), rows


def errors(model: Any, p: Any) -> tuple[Any, Any]:
    """Implied vols and their derivatives."""
    first, quotes = table()
    vols = np.empty((3, quotes.shape[1]))
    if isinstance(model, VarianceGamma):
        slope = np.empty((3, quotes.shape[1]))
        variance_gamma_vol_errors(p, TAU, first, quotes, vols, slope)
        return vols[0], slope
    slope, kind = np.empty((8, quotes.shape[1])), model.characteristic()[0]
    ranges = [log_price_range(kind, p, float(t)) for t in TAU]
    span = np.array([(c - 10.0 * s - r, 2.0 * (10.0 * s + r)) for c, s, r in ranges])
    left = jump_vol_errors(p, TAU, first, span, quotes, 1e-14, 16384, vols, slope)
    assert left < 1e-13
    return vols[0], slope


MODELS = [
    Bates(v0=0.05, kappa=2.0, theta=0.06, sigma=0.6, rho=-0.6, intensity=0.5, jump_mean=-0.1, jump_std=0.15),
    Bates(v0=0.02, kappa=0.5, theta=0.09, sigma=1.1, rho=0.4, intensity=2.0, jump_mean=0.05, jump_std=0.02),
    Merton(sigma=0.2, intensity=0.7, jump_mean=-0.12, jump_std=0.2),
    VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15),
    VarianceGamma(sigma=0.25, nu=0.01, theta=0.2),
]


@pytest.mark.parametrize("model", MODELS)
def test_derivatives_are_those_of_differences(model: Any) -> None:
    p = model.characteristic()[1]
    _, slope = errors(model, p)
    for j in np.flatnonzero(p):
        up, down = p.copy(), p.copy()
        h = 1e-4 * abs(p[j])
        up[j], down[j] = p[j] + h, p[j] - h
        differences = (errors(model, up)[0] - errors(model, down)[0]) / (2.0 * h)
        assert slope[j] == pytest.approx(differences, rel=1e-4, abs=1e-4 * np.abs(slope[j]).max())


@pytest.mark.parametrize("model", MODELS[:3])
def test_vols_are_those_of_the_cosine_engine(model: Any) -> None:
    _, quotes = table()
    found = errors(model, model.characteristic()[1])[0]
    call = quotes[2] >= 100.0
    value = price_with_error(model, 100.0, quotes[2], quotes[5] ** 2, is_call=call)[0]
    assert found == pytest.approx(black.implied_vol(value, 100.0, quotes[2], quotes[5] ** 2, is_call=call), abs=1e-9)


@pytest.mark.parametrize("nu", [0.003, 0.1, 1.0, 5.0])
def test_variance_gamma_agrees_with_quadrature_over_the_clock(nu: float) -> None:
    model = VarianceGamma(sigma=0.25, nu=nu, theta=-0.1)
    _, quotes = table()
    found = errors(model, model.characteristic()[1])[0]
    for i in range(0, quotes.shape[1], 3):
        strike, tau = float(quotes[2, i]), float(quotes[5, i] ** 2)
        value = _gamma_mixture(model, strike, tau)
        implied = black.implied_vol(value, 100.0, strike, tau, is_call=strike >= 100.0)
        assert found[i] == pytest.approx(float(implied), abs=2e-7)


def _gamma_mixture(model: VarianceGamma, strike: float, tau: float) -> float:
    """Out-of-the-money value: the mean of Black's over a gamma clock, by adaptive quadrature in its log."""
    shape = tau / model.nu
    omega = np.log1p(-model.theta * model.nu - 0.5 * model.sigma**2 * model.nu) / model.nu
    sign = 1.0 if strike >= 100.0 else -1.0

    def inside(t: float) -> float:
        g = model.nu * np.exp(t)
        forward = 100.0 * np.exp(omega * tau + model.theta * g + 0.5 * model.sigma**2 * g)
        std = model.sigma * np.sqrt(g)
        if std < 1e-8 or forward <= 0.0:
            return max(sign * (forward - strike), 0.0) * float(np.exp(shape * t - np.exp(t) - gammaln(shape)))
        d1 = np.log(forward / strike) / std + 0.5 * std
        value = sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std)))
        return float(value * np.exp(shape * t - np.exp(t) - gammaln(shape)))

    middle = np.log(max(shape, 1e-3))
    width = 12.0 / np.sqrt(shape) if shape > 100.0 else 60.0 / min(shape, 1.0) ** 0.5 + 30.0
    edges = np.unique(np.concatenate([[middle - 60.0 / min(shape, 1.0), middle - width], np.linspace(-20, 5, 26)]))
    edges = np.append(edges, max(edges[-1], middle) + min(width, 5.0))
    if shape > 100.0:
        edges = middle + width * np.linspace(-1.0, 1.0, 25)
    return float(sum(quad(inside, a, b, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for a, b in pairwise(edges)))

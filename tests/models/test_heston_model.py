"""The Heston model as a fact, and its characteristic function against plain NumPy and finite differences."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from research.core.models.heston import heston_log_cfs
from research.core.pricing.fourier import heston_group, heston_group_gradient
from research.errors import InputError
from research.models import Heston
from research.validation.benchmarks.heston import log_characteristic_function

FIVE = (0.1, 3.0, 0.07, 1.5, -0.5)


def log_cf(xi: np.ndarray, tau: float, five: tuple[float, ...]) -> np.ndarray:
    re, im = np.ascontiguousarray(xi.real), np.ascontiguousarray(xi.imag)
    out_re, out_im = np.empty(re.size), np.empty(re.size)
    heston_log_cfs(re, im, tau, *five, out_re, out_im)
    return out_re + 1j * out_im


@pytest.mark.parametrize("tau", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("five", [FIVE, (0.04, 0.1, 0.04, 5.0, 0.95), (0.04, 1.0, 0.04, 1e-3, -0.95)])
def test_log_cf_agrees_with_plain_numpy_on_tilted_lines(tau: float, five: tuple[float, ...]) -> None:
    u = np.geomspace(1e-3, 300.0, 60)
    for angle in (-0.3, 0.0, 0.3):
        xi = u * np.exp(1j * angle)
        expected = log_characteristic_function(xi, tau, five)
        assert np.abs(log_cf(xi, tau, five) - expected).max() < 1e-12 * np.abs(expected).max() + 1e-13


def test_log_cf_is_continuous_along_the_contour() -> None:
    y = np.linspace(0.0, 9.0, 20_000)
    rng = np.random.default_rng(4)
    for _ in range(40):
        five = (*np.exp(rng.uniform([-6.0, -3.0, -6.0, -3.0], [0.0, 3.0, 0.0, 2.5])), rng.uniform(-1.0, 1.0))
        tau = float(np.exp(rng.uniform(-6.0, np.log(30.0))))
        for omega in (-0.3, 0.3):
            xi = np.sinh(y + 1j * omega) - 1j * np.sin(omega)
            value = log_cf(xi, tau, five)
            step = np.abs(np.diff(value)) / (1.0 + np.abs(value[1:]))
            assert step.max() < 0.05, (five, tau)  # a crossed branch would jump by 4 pi kappa theta / sigma^2


def test_the_forward_and_the_unit_are_priced_exactly() -> None:
    at_poles = log_cf(np.array([0.5j, -0.5j]), 2.0, FIVE)  # z = 0 and z = -i: E[1] and E[S_T / F]
    assert np.abs(at_poles).max() < 1e-15


@pytest.mark.parametrize("name", ["v0", "kappa", "theta", "sigma", "rho"])
@pytest.mark.parametrize("tau", [0.04, 1.0, 15.0])
def test_gradient_agrees_with_differences(name: str, tau: float) -> None:
    j = ["v0", "kappa", "theta", "sigma", "rho"].index(name)
    x = np.linspace(-0.3, 0.3, 7)

    def integrals(bump: float) -> np.ndarray:
        p = np.array(FIVE)
        p[j] += bump
        out = np.zeros(7)
        for side, start, stop in ((-1.0, 0, 3), (1.0, 3, 7)):
            even, odd = np.zeros(7), np.zeros(7)
            w, _ = heston_group(p, tau, side, start, stop, x, 0.05, 1e-17, even, odd)
            out += even + odd - black_part(x, w) * ((np.arange(7) >= start) & (np.arange(7) < stop))
        return out

    step = 1e-3 * abs(FIVE[j])
    difference = (8.0 * (integrals(step) - integrals(-step)) - (integrals(2 * step) - integrals(-2 * step))) / (
        12 * step
    )
    found = np.zeros((7, 7))
    heston_group_gradient(np.array(FIVE), tau, -1.0, 0, 3, x, 0.05, 1e-17, found)
    heston_group_gradient(np.array(FIVE), tau, 1.0, 3, 7, x, 0.05, 1e-17, found)
    assert np.abs(found[:, 2 + j] - difference).max() < 1e-8 * np.abs(difference).max()


def black_part(x: np.ndarray, w: float) -> np.ndarray:
    """Black's call over sqrt(F K): what the integral leaves out, and which also moves with w."""
    from scipy.special import ndtr

    s = np.sqrt(w)
    return np.exp(x / 2.0) * ndtr(x / s + s / 2.0) - np.exp(-x / 2.0) * ndtr(x / s - s / 2.0)


def test_average_variance_runs_from_v0_to_theta() -> None:
    model = Heston(v0=0.09, kappa=2.0, theta=0.04, sigma=0.5, rho=-0.5)
    assert model.average_variance([0.0, 1e9]) == pytest.approx([0.09, 0.04])
    assert float(model.average_variance(1.0)) == pytest.approx(0.04 + 0.05 * (1 - np.exp(-2.0)) / 2.0)


def test_feller_ratio() -> None:
    assert Heston(v0=0.1, kappa=2.0, theta=0.04, sigma=0.4, rho=0.0).feller_ratio == pytest.approx(1.0)


def test_json_round_trip() -> None:
    model = Heston(v0=0.1, kappa=2.0, theta=0.04, sigma=0.4, rho=-0.3)
    assert Heston.from_json(model.to_json()) == model


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("v0", -0.1, r"^v0 must be >= 0; got -0.1. v0 is a variance: 20% vol is 0.04.$"),
        ("rho", -1.1, r"^rho must lie in \[-1, 1\]; got -1.1.$"),
        ("kappa", float("nan"), r"^kappa must be finite; got nan.$"),
        ("sigma", -1.0, r"^sigma must be >= 0; got -1.$"),
    ],
)
def test_impossible_parameters_are_refused(name: str, value: float, sentence: str) -> None:
    model = Heston(v0=0.1, kappa=2.0, theta=0.04, sigma=0.4, rho=-0.3)
    with pytest.raises(InputError, match=sentence):
        dataclasses.replace(model, **{name: value})

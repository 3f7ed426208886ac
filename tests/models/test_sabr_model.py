"""SABR's formula against a plain transcription, its limits, and its gradient."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from research.errors import InputError
from research.models import SABR

STRIKES = np.array([20.0, 50.0, 80.0, 95.0, 99.999999, 105.0, 140.0, 300.0, 2000.0])


def hagan(k: Any, f: float, t: float, m: SABR) -> Any:
    """Hagan, Kumar, Lesniewski, Woodward (2002), eq. (2.17a), as printed."""
    log_fk, one = np.log(f / k), 1.0 - m.beta
    middle = (f * k) ** (one / 2)
    z = m.nu / m.alpha * middle * log_fk
    x = np.log((np.sqrt(1 - 2 * m.rho * z + z * z) + z - m.rho) / (1 - m.rho))
    first = m.alpha / (middle * (1 + one**2 / 24 * log_fk**2 + one**4 / 1920 * log_fk**4))
    rest = one**2 / 24 * m.alpha**2 / middle**2 + m.rho * m.beta * m.nu * m.alpha / (4 * middle)
    return first * z / x * (1 + (rest + (2 - 3 * m.rho**2) / 24 * m.nu**2) * t)


def obloj(k: Any, f: float, t: float, m: SABR) -> Any:
    """Obloj (2008): the leading term of Berestycki, Busca, Florent (2004), for beta < 1."""
    one = 1.0 - m.beta
    z = m.nu / m.alpha * (f**one - k**one) / one
    leading = m.nu * np.log(f / k) / np.log((np.sqrt(1 - 2 * m.rho * z + z * z) + z - m.rho) / (1 - m.rho))
    middle = (f * k) ** (one / 2)
    rest = one**2 / 24 * m.alpha**2 / middle**2 + m.rho * m.beta * m.nu * m.alpha / (4 * middle)
    return leading * (1 + (rest + (2 - 3 * m.rho**2) / 24 * m.nu**2) * t)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("rho", [-0.95, -0.3, 0.0, 0.7])
def test_both_formulas_are_those_of_the_papers(beta: float, rho: float) -> None:
    model = SABR(alpha=0.25 * 100.0 ** (1.0 - beta), beta=beta, rho=rho, nu=0.8)
    far = np.abs(np.log(STRIKES / 100.0)) > 1e-3  # as printed, 0 / 0 at the money
    assert model.vol_at(100.0, STRIKES, 2.0)[far] == pytest.approx(obloj(STRIKES, 100.0, 2.0, model)[far], rel=1e-12)
    old = replace(model, formula="hagan")
    assert old.vol_at(100.0, STRIKES, 2.0)[far] == pytest.approx(hagan(STRIKES, 100.0, 2.0, old)[far], rel=1e-12)


def test_the_formulas_agree_at_beta_one_and_at_the_money() -> None:
    model = SABR(alpha=0.2, beta=1.0, rho=-0.4, nu=0.6)
    assert model.vol_at(100.0, STRIKES, 1.0) == pytest.approx(
        replace(model, formula="hagan").vol_at(100.0, STRIKES, 1.0), rel=1e-14
    )
    half = SABR(alpha=2.0, beta=0.5, rho=-0.4, nu=0.6)
    assert half.vol_at(100.0, 100.0, 1.0) == pytest.approx(
        replace(half, formula="hagan").vol_at(100.0, 100.0, 1.0), rel=1e-15
    )


def test_without_vol_of_vol_it_is_the_leading_term_of_cev_and_lognormal_at_beta_one() -> None:
    flat = SABR(alpha=0.2, beta=1.0, rho=0.3, nu=0.0)
    assert flat.vol_at(100.0, STRIKES, 1.0) == pytest.approx(np.full(STRIKES.size, 0.2), rel=1e-14)
    cev = SABR(alpha=2.0, beta=0.5, rho=0.3, nu=0.0)
    chord = 2.0 * 0.5 * np.log(100.0 / 64.0) / (10.0 - 8.0)
    assert cev.vol_at(100.0, 64.0, 0.0) == pytest.approx(chord, rel=1e-14)


@pytest.mark.parametrize("formula", ["obloj", "hagan"])
@pytest.mark.parametrize(("beta", "rho", "nu"), [(0.0, -0.9, 2.0), (0.5, 0.2, 0.5), (1.0, 0.95, 1.5), (1.0, 0.0, 0.01)])
def test_the_gradient_is_the_derivative(formula: Any, beta: float, rho: float, nu: float) -> None:
    model = SABR(alpha=0.25 * 100.0 ** (1.0 - beta), beta=beta, rho=rho, nu=nu, formula=formula)
    gradient = model.gradient(100.0, STRIKES, 1.5)
    for row, name in enumerate(("alpha", "rho", "nu")):
        value = getattr(model, name)
        h = 1e-5 * max(abs(value), 0.01)
        up, down = (replace(model, **{name: value + s * h}).vol_at(100.0, STRIKES, 1.5) for s in (1.0, -1.0))
        assert gradient[row] == pytest.approx((up - down) / (2.0 * h), rel=2e-5, abs=1e-8)


@pytest.mark.parametrize("rho", [-0.999999, -0.9, 0.9, 0.999999])
def test_it_keeps_its_digits_near_full_correlation(rho: float) -> None:
    long = np.longdouble
    strike = 100.0 * np.exp(np.linspace(-2.0, 2.0, 400))
    z = long(0.9) / long(0.2) * -np.log(strike.astype(long) / 100)
    root = np.sqrt(1 - 2 * long(rho) * z + z * z)
    chi = np.where(  # the two forms are one; take the sum that does not cancel
        z > long(rho),
        np.log((root + z - long(rho)) / (1 - long(rho))),
        -np.log((root - z + long(rho)) / (1 + long(rho))),
    )
    vol = SABR(alpha=0.2, beta=1.0, rho=rho, nu=0.9).vol_at(100.0, strike, 0.0)
    assert vol == pytest.approx((long(0.2) * z / chi).astype(float), rel=1e-9)


def test_a_shift_admits_negative_rates() -> None:
    model = SABR(alpha=0.01, beta=0.5, rho=-0.2, nu=0.4, shift=0.03)
    assert 0.0 < model.vol_at(-0.005, 0.001, 1.0) < 1.0
    with pytest.raises(InputError, match=r"strike must be > -0.03; got -0.04"):
        model.vol_at(-0.005, -0.04, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.0}, "alpha must be > 0; got 0"),
        ({"beta": 1.2}, r"beta must lie in \[0, 1\]; got 1.2"),
        ({"rho": 1.0}, r"rho must lie in \(-1, 1\); got 1"),
        ({"nu": -0.1}, "nu must be >= 0; got -0.1"),
        ({"formula": "best"}, "formula must be obloj or hagan; got 'best'"),
    ],
)
def test_what_is_no_sabr_model_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SABR(**({"alpha": 0.2, "beta": 0.5, "rho": 0.0, "nu": 0.3} | change))


def test_it_survives_json() -> None:
    model = SABR(alpha=0.2, beta=0.5, rho=0.1, nu=0.3, shift=0.02, formula="hagan")
    assert SABR.from_json(json.loads(json.dumps(model.to_json()))) == model

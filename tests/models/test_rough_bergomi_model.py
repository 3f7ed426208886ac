"""Rough Bergomi: parameters, the forward variance curve, the covariance of the Volterra motion."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.integrate import quad

from research.errors import InputError
from research.models import RoughBergomi
from research.models.rough_bergomi import volterra_covariance


@pytest.mark.parametrize("hurst", [0.02, 0.1, 0.3, 0.5])
def test_covariance_agrees_with_its_integral(hurst: float) -> None:
    """2H times the integral of ((s - u)(t - u))^(H - 1/2); u = s - y^(1/(H + 1/2)) takes the singularity away."""
    times = np.array([0.01, 0.5, 0.51, 2.0])
    found = volterra_covariance(times, hurst)
    for i, s in enumerate(times):
        for j, t in enumerate(times[i + 1 :], i + 1):
            power = hurst + 0.5
            value, _ = quad(
                lambda y, s=s, t=t, p=power: (t - s + y ** (1 / p)) ** (p - 1) / p,
                0.0,
                s**power,
                epsabs=1e-13,
                limit=400,
            )
            assert found[i, j] == pytest.approx(2 * hurst * value, rel=1e-8)
        assert found[i, i] == pytest.approx(s ** (2 * hurst), rel=4e-16)
    assert np.linalg.eigvalsh(found).min() > -1e-14


def test_total_variance_integrates_the_curve() -> None:
    model = RoughBergomi(hurst=0.1, eta=1.5, rho=-0.7, forward_variance=[0.04, 0.09], forward_tau=[0.5, 1.0])
    assert model.total_variance([0.25, 0.5, 1.0, 2.0]) == pytest.approx([0.01, 0.02, 0.065, 0.155])
    flat = RoughBergomi(hurst=0.1, eta=1.5, rho=-0.7, forward_variance=0.04)
    assert flat.total_variance(3.0) == pytest.approx(0.12)


def test_the_model_survives_json() -> None:
    model = RoughBergomi(hurst=0.1, eta=1.5, rho=-0.7, forward_variance=[0.04, 0.09], forward_tau=[0.5, 1.0])
    assert RoughBergomi.from_json(json.loads(json.dumps(model.to_json()))).to_json() == model.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hurst": 0.0}, r"hurst must lie in \(0, 1/2\]; got 0. Index options: about 0.1."),
        ({"hurst": 0.7}, "hurst must lie"),
        ({"eta": -1.0}, "eta must be >= 0"),
        ({"rho": 1.2}, r"rho must lie in \[-1, 1\]; got 1.2"),
        ({"forward_variance": -0.04}, "forward_variance must be finite and >= 0; got -0.04"),
        ({"forward_tau": [0.5, 1.0]}, "forward_variance must have as many values as forward_tau, 2; got 1"),
    ],
)
def test_wrong_parameters_are_refused_by_name(change: dict[str, object], message: str) -> None:
    given = {"hurst": 0.1, "eta": 1.5, "rho": -0.7, "forward_variance": 0.04, **change}
    with pytest.raises(InputError, match=message):
        RoughBergomi(**given)  # type: ignore[arg-type]

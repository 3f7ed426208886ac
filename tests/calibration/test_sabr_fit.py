"""SABR fits: exact smiles come back, SciPy finds no better ones, and bad quotes are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from research.calibration import fit
from research.calibration.sabr import fit_slices
from research.errors import InputError
from research.market import Smile
from research.models import SABR

K = np.array([-1.5, -1.0, -0.6, -0.3, -0.1, 0.1, 0.3, 0.6, 1.0])


def slices(m: int = 40, noise: float = 0.0, beta: float = 1.0) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    tau = rng.uniform(0.05, 3.0, m)
    forward = rng.uniform(50.0, 150.0, m)
    strike = forward[:, None] * np.exp(K[None, :] * 0.3 * np.sqrt(tau)[:, None])
    alpha, rho, nu = rng.uniform(0.1, 0.4, m), rng.uniform(-0.9, 0.5, m), rng.uniform(0.2, 1.2, m)
    models = [SABR(alpha=a * f ** (1.0 - beta), beta=beta, rho=r, nu=n) for a, f, r, n in zip(alpha, forward, rho, nu)]
    vol = np.array([x.vol_at(f, k, t) for x, f, k, t in zip(models, forward, strike, tau)])
    return {
        "forward": forward, "tau": tau, "strike": strike, "vol": vol + noise * rng.standard_normal(vol.shape),
        "models": models,
    }  # fmt: skip


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_exact_smiles_come_back(beta: float) -> None:
    made = slices(beta=beta)
    models = made.pop("models")
    found = fit_slices(**made, beta=beta)
    assert found.rmse.max() < 1e-9
    assert found.rho == pytest.approx([m.rho for m in models], abs=1e-5)
    assert found.nu == pytest.approx([m.nu for m in models], rel=1e-5)
    assert found.converged.all()


def test_scipy_finds_no_better_fit_and_the_same_errors() -> None:
    from scipy.optimize import least_squares

    made = slices(m=6, noise=1e-3)
    made.pop("models")
    found = fit_slices(**made)
    for i in range(6):

        def residual(p: Any, i: int = i) -> Any:
            model = SABR(alpha=p[0], beta=1.0, rho=p[1], nu=p[2])
            return model.vol_at(made["forward"][i], made["strike"][i], made["tau"][i]) - made["vol"][i]

        best = least_squares(
            residual,
            [0.2, 0.0, 0.5],
            bounds=([1e-3, -0.999, 1e-3], [2.0, 0.999, 5.0]),
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        sse = found.rmse[i] ** 2 * K.size
        assert sse <= 2.0 * best.cost * (1.0 + 1e-9)
        error = np.sqrt(np.diag(np.linalg.inv(best.jac.T @ best.jac)) * 2.0 * best.cost / (K.size - 3))
        assert found.std_error.iloc[i].to_numpy() == pytest.approx(error, rel=1e-3)


def test_one_smile_answers_with_a_fit() -> None:
    made = slices(m=1, noise=5e-4)
    smile = Smile(tau=made["tau"][0], forward=made["forward"][0], df=0.97, strike=made["strike"][0], vol=made["vol"][0])
    found = fit(SABR, smile, beta=1.0)
    assert found.unit == "vol" and found.converged and found.rmse_bp < 15.0
    assert found.parameters["name"].tolist() == ["alpha", "rho", "nu"]
    assert (found.parameters["std_error"] > 0.0).all()
    assert found.sse == pytest.approx((found.residuals["residual"] ** 2).sum())


def test_a_missing_quote_and_a_zero_weight_are_left_out() -> None:
    made = slices(m=3, noise=1e-3)
    made.pop("models")
    weight = np.ones_like(made["vol"])
    weight[1, 2] = 0.0
    spoilt = made["vol"].copy()
    spoilt[1, 2] = np.nan
    one, two = fit_slices(**made, weight=weight), fit_slices(**(made | {"vol": spoilt}))
    assert (one.alpha == two.alpha).all() and (one.rmse == two.rmse).all()


def test_slices_do_not_see_each_other() -> None:
    made = slices(m=5, noise=1e-3)
    made.pop("models")
    together = fit_slices(**made)
    alone = fit_slices(**{name: value[3:4] for name, value in made.items()})
    assert alone.alpha[0] == together.alpha[3] and alone.nu[0] == together.nu[3]


def test_a_flat_smile_ends_without_vol_of_vol() -> None:
    found = fit_slices([100.0], [1.0], 100.0 * np.exp(K)[None, :], np.full((1, K.size), 0.2))
    assert found.alpha[0] == pytest.approx(0.2, abs=1e-6) and found.rmse[0] < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vol": -0.2}, "vol must be finite and > 0; got -0.2"),
        ({"few": True}, "quotes of a slice must be at least 4; got 3 .* SABR has three parameters."),
        ({"tau": 0.0}, "tau must be finite and > 0 years; got 0"),
        ({"beta": 2.0}, r"beta must lie in \[0, 1\]; got 2"),
    ],
)
def test_bad_quotes_are_refused(change: dict[str, Any], message: str) -> None:
    made = slices(m=2)
    made.pop("models")
    if "vol" in change:
        made["vol"][1, 1] = change["vol"]
    if "few" in change:
        made["vol"][0, 3:] = np.nan
    if "tau" in change:
        made["tau"][0] = 0.0
    with pytest.raises(InputError, match=message):
        fit_slices(**made, beta=change.get("beta", 1.0))

"""Fits of SSVI, eSSVI and of SVI in other letters: exact quotes, the optimum, warm starts, bad quotes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from research.calibration import _ssvi_search, fit
from research.errors import InputError
from research.market import Smile, Surface, build_snapshot
from research.models import ESSVI, SSVI, SVI, HestonLike, PowerLaw, SVIJumpWings, SVINatural
from research.models.ssvi import slice_variance

TAU = np.array([0.05, 0.25, 1.0, 2.0])
TRUE = SSVI(tau=tuple(TAU), theta=(0.002, 0.011, 0.045, 0.1), rho=-0.65, phi=PowerLaw(eta=1.1, gamma=0.42))
EXTENDED = ESSVI(
    tau=tuple(TAU), theta=(0.002, 0.011, 0.045, 0.1), psi=(0.06, 0.13, 0.25, 0.35), rho=(-0.6, -0.65, -0.7, -0.72)
)


def quotes_of(model, noise=0.0, seed=1, tau=TAU, n=13, weight=None):
    rng = np.random.default_rng(seed)
    smiles = []
    for t in tau:
        k = np.linspace(-2.0, 1.5, n) * 0.22 * np.sqrt(t)
        vol = model.vol(k, float(t)) + noise * rng.standard_normal(n)
        smiles.append(Smile(tau=t, forward=100.0, df=1.0, strike=100.0 * np.exp(k), vol=vol, weight=weight))
    return Surface(as_of=date(2024, 3, 1), spot=100.0, smiles=tuple(smiles))


def dax():
    path = Path(__file__).parents[2] / "data" / "raw" / "dax_surface_20020705.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in data/raw")
    return build_snapshot(pd.read_csv(path, comment="#", parse_dates=["as_of", "expiry"]), as_of=date(2002, 7, 5))


def test_exact_quotes_give_their_parameters_back():
    found = fit(SSVI, quotes_of(TRUE))
    assert found.rmse < 1e-9 and found.converged
    assert (found.model.rho, found.model.phi.eta, found.model.phi.gamma) == pytest.approx((-0.65, 1.1, 0.42), rel=1e-5)
    assert found.model.theta == pytest.approx(TRUE.theta, rel=1e-7)
    found = fit(ESSVI, quotes_of(EXTENDED))
    assert found.rmse < 1e-8
    for name in ("theta", "psi", "rho"):
        assert getattr(found.model, name) == pytest.approx(getattr(EXTENDED, name), rel=1e-4), name
    flat = SSVI(tau=tuple(TAU), theta=TRUE.theta, rho=-0.3, phi=HestonLike(lam=1.5))
    found = fit(SSVI, quotes_of(flat), phi="heston")
    assert found.rmse < 1e-9 and found.model.phi.lam == pytest.approx(1.5, rel=1e-4)


def test_essvi_never_ends_above_ssvi():
    for surface in (dax().surface, quotes_of(TRUE, noise=3e-3), quotes_of(EXTENDED, noise=1e-3)):
        whole, each = (fit(model, surface, allow_arbitrage=True) for model in (SSVI, ESSVI))
        assert each.sse <= whole.sse * (1 + 1e-9)
        assert each.model.arbitrage().empty and whole.model.arbitrage().empty


def test_the_optimum_is_that_of_a_search_with_the_conditions_as_constraints():
    # an independent search: (theta, psi, rho) themselves, the conditions of the papers as inequalities, SLSQP
    tau = TAU[:2]
    surface = quotes_of(EXTENDED, noise=4e-3, seed=8, tau=tau)
    found = fit(ESSVI, surface, allow_arbitrage=True)
    smiles = list(surface)

    def sse(p):
        parts = [
            (np.sqrt(slice_variance(s.log_moneyness, p[i], p[2 + i], p[4 + i]) / s.tau) - s.vol)
            for i, s in enumerate(smiles)
        ]
        return 1e4 * float(np.sum(np.concatenate(parts) ** 2))

    def conditions(p):
        theta, psi, rho = p[:2], p[2:4], p[4:]
        one = 1 + np.abs(rho)
        wings = [psi[1] * (1 + s * rho[1]) - psi[0] * (1 + s * rho[0]) for s in (1, -1)]
        return np.array([*(4 - psi * one), *(4 * theta - psi**2 * one), *wings, psi[0] / theta[0] - psi[1] / theta[1]])

    bounds = [(1e-5, 1)] * 2 + [(1e-3, 2)] * 2 + [(-0.99, 0.99)] * 2
    starts = [(0.002, 0.011, 0.04, 0.1, r, r) for r in (-0.6, -0.2)]
    rule = {"type": "ineq", "fun": conditions}
    best = min(
        minimize(sse, s, bounds=bounds, constraints=rule, options={"maxiter": 500, "ftol": 1e-13}).fun for s in starts
    )
    assert 1e4 * found.sse <= best * (1 + 1e-5)


def test_crossing_quotes_are_refused_and_fitted_without_crossing():
    high = SSVI(tau=(0.5, 0.6), theta=(0.03, 0.03), rho=-0.3, phi=PowerLaw(eta=1.0, gamma=0.4))
    near, far = quotes_of(high, tau=np.array([0.5])).smiles[0], quotes_of(high, tau=np.array([0.6])).smiles[0]
    low = Smile(tau=0.6, forward=100.0, df=1.0, strike=far.strike, vol=0.8 * far.vol)
    surface = Surface(as_of=date(2024, 3, 1), spot=100.0, smiles=(near, low))
    with pytest.raises(InputError, match=r"quotes must be free of arbitrage within 0\.01 vol; got .* calendar at tau"):
        fit(ESSVI, surface)
    for model in (SSVI, ESSVI):
        found = fit(model, surface, allow_arbitrage=True)
        assert found.model.arbitrage().empty and found.status == 2
        assert "a bound holds" in found.message


def test_a_warm_start_lands_where_a_cold_one_does_with_fewer_steps():
    yesterday = fit(ESSVI, quotes_of(EXTENDED, noise=5e-4, seed=1))
    today = quotes_of(EXTENDED, noise=5e-4, seed=2, tau=TAU - 1 / 365)
    cold, warm = fit(ESSVI, today), fit(ESSVI, today, start=yesterday.model)
    assert warm.sse == pytest.approx(cold.sse, rel=1e-6)
    assert warm.n_iter < cold.n_iter
    other = quotes_of(EXTENDED, noise=5e-4, seed=3, tau=np.array([0.1, 0.6, 1.7, 2.5, 3.0]))
    assert fit(ESSVI, other, start=yesterday.model).sse == pytest.approx(fit(ESSVI, other).sse, rel=1e-5)


def test_a_few_stale_quotes_pull_less_with_huber():
    clean = quotes_of(TRUE, noise=5e-4)
    smiles = []
    for smile in clean:
        vol = smile.vol.copy()
        vol[3] += 0.05
        smiles.append(Smile(tau=smile.tau, forward=100.0, df=1.0, strike=smile.strike, vol=vol))
    dirty = Surface(as_of=clean.as_of, spot=100.0, smiles=tuple(smiles))
    plain, robust = (fit(SSVI, dirty, allow_arbitrage=True, huber=h) for h in (None, 0.002))
    truth = np.concatenate([TRUE.vol(s.log_moneyness, s.tau) for s in clean])

    def distance(found):
        return np.abs(found.residuals["model_vol"].to_numpy() - truth).max()

    assert distance(robust) < 0.35 * distance(plain)


def test_weights_turn_the_fit_and_a_quote_without_weight_counts_for_nothing():
    weight = np.ones(13)
    weight[:6] = 0.0
    noisy = quotes_of(TRUE, noise=3e-3)
    half = quotes_of(TRUE, noise=3e-3, weight=weight)
    right = noisy.to_frame()["log_moneyness"].to_numpy() > -1e-3
    plain, turned = (fit(ESSVI, q, allow_arbitrage=True).residuals["error_bp"].to_numpy() for q in (noisy, half))
    assert (turned[right] ** 2).sum() < (plain[right] ** 2).sum()
    assert fit(SSVI, noisy, weights="vega", allow_arbitrage=True).residuals["weight"].std() > 0.1


@pytest.mark.slow
def test_standard_errors_are_those_of_repeated_noise():
    for model, truth in ((SSVI, TRUE), (ESSVI, EXTENDED)):
        found = [fit(model, quotes_of(truth, noise=5e-4, seed=s), start=truth, allow_arbitrage=True) for s in range(60)]
        values = np.array([one.parameters["value"] for one in found])
        errors = np.array([one.parameters["std_error"] for one in found])
        assert np.nanmedian(errors, axis=0) == pytest.approx(values.std(axis=0), rel=0.35)


def test_what_the_quotes_cannot_tell_is_named():
    tau = np.array([0.5])
    narrow = [Smile(tau=0.5, forward=100.0, df=1.0, strike=[99.5, 99.8, 100.0, 100.2, 100.5, 100.7],
                    vol=[0.2001, 0.1999, 0.2001, 0.1998, 0.2002, 0.1999])]  # fmt: skip
    found = fit(SSVI, Surface(as_of=date(2024, 3, 1), spot=100.0, smiles=tuple(narrow)), allow_arbitrage=True)
    assert tau.size == 1 and ("hardly identified" in found.message or found.parameters["std_error"].isna().any())


def test_coordinates_come_back_from_the_model():
    n, rng = TAU.size, np.random.default_rng(2)
    for _ in range(50):
        rho, rise, share = (
            rng.uniform(-0.9, 0.9, (1, n)),
            rng.exponential(0.02, (1, n)),
            rng.uniform(0.05, 0.95, (1, n)),
        )
        theta, psi, tilt = (part[0] for part in _ssvi_search.essvi_slices(rho, rise, share))
        ESSVI(tau=tuple(TAU), theta=tuple(theta), psi=tuple(psi), rho=tuple(tilt))  # refuses what is not fair
        again = _ssvi_search.essvi_slices(
            *(p[None, :] for p in np.split(_ssvi_search.essvi_point(theta, psi, tilt), 3))
        )
        assert again[0][0] == pytest.approx(theta, rel=1e-9) and again[1][0] == pytest.approx(psi, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (SSVI, {"phi": "flat"}, "phi must be 'power_law' or 'heston'; got 'flat'"),
        (SSVI, {"huber": -1.0}, "huber must be > 0; got -1"),
        (SSVI, {"bounds": {"eta": (0, 1)}}, "bounds must name rho or gamma; got 'eta'"),
        (ESSVI, {"bounds": {"rho": (-2.0, 0.0)}}, r"bounds of rho must lie in \(-0.999, 0.999\)"),
        (ESSVI, {"start": "yesterday"}, "start must be an ESSVI or an SSVI, or None; got 'yesterday'"),
        (ESSVI, {"max_iter": 0}, "max_iter must be >= 1; got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        fit(model, quotes_of(TRUE), **options)


def test_too_few_quotes_are_refused_by_expiry():
    with pytest.raises(
        InputError, match=r"quotes must number at least 3 at tau 0\.05; got 2\. A slice has 3 parameters."
    ):
        fit(ESSVI, quotes_of(TRUE, n=2), allow_arbitrage=True)


def test_svi_in_other_letters_is_the_same_smile_with_its_own_errors():
    true = SVI(a=0.01, b=0.1, rho=-0.4, m=0.05, sigma=0.2)
    k, rng = np.linspace(-0.8, 0.6, 21), np.random.default_rng(3)

    def smile(noise):
        vol = true.vol(k, 0.5) + noise
        return Smile(tau=0.5, forward=100.0, df=0.98, strike=100.0 * np.exp(k), vol=vol)

    exact = smile(0.0)
    assert fit(SVINatural, exact).model.raw().a == pytest.approx(0.01, abs=1e-6)
    for model in (SVINatural, SVIJumpWings):
        found = [fit(model, smile(5e-4 * rng.standard_normal(21)), allow_arbitrage=True) for _ in range(20)]
        values = np.array([one.parameters["value"] for one in found])
        errors = np.array([one.parameters["std_error"] for one in found])
        assert np.nanmedian(errors, axis=0) == pytest.approx(values.std(axis=0), rel=0.5)
        assert found[0].model.vol(k, 0.5) == pytest.approx(found[0].residuals["model"].to_numpy(), rel=1e-6)


def test_a_start_that_leads_nowhere_still_ends_at_the_optimum():
    surface = quotes_of(EXTENDED, noise=3e-3, seed=4)
    cold = fit(ESSVI, surface, allow_arbitrage=True)
    for rho in (0.95, -0.995):
        bad = SSVI(tau=tuple(TAU), theta=(0.2, 0.3, 0.4, 0.5), rho=rho, phi=PowerLaw(eta=0.01, gamma=0.05))
        assert fit(ESSVI, surface, start=bad, allow_arbitrage=True).sse == pytest.approx(cold.sse, rel=1e-5)

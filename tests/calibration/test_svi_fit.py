from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

from research.calibration import CalibrationWarning, fit
from research.calibration.svi_slices import fit_slices
from research.errors import InputError
from research.market import Smile, Surface, build_snapshot
from research.models import SVI, SVISurface

TRUE = SVI(a=0.01, b=0.1, rho=-0.4, m=0.05, sigma=0.2)
VOGT = SVI(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)
K = np.linspace(-0.8, 0.6, 21)


def smile_of(model, k=K, tau=0.5, noise=0.0, **changes):
    strike = 100.0 * np.exp(k)
    vol = model.vol(np.log(strike / 100.0), tau) + noise
    return Smile(**({"tau": tau, "forward": 100.0, "df": 0.98, "strike": strike, "vol": vol} | changes))


def dax():
    path = Path(__file__).parents[2] / "data" / "raw" / "dax_surface_20020705.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in data/raw")
    return build_snapshot(pd.read_csv(path, comment="#", parse_dates=["as_of", "expiry"]), as_of=date(2002, 7, 5))


@pytest.mark.parametrize(
    "model",
    [
        TRUE,
        SVI(a=0.04, b=0.4, rho=-0.7, m=-0.1, sigma=0.1),
        SVI(a=0.002, b=0.05, rho=0.3, m=0.1, sigma=0.4),
        SVI(a=-0.01, b=0.2, rho=0.0, m=0.0, sigma=0.3),
    ],
)
def test_exact_quotes_give_their_parameters_back(model):
    found = fit(SVI, smile_of(model), allow_arbitrage=True, arbitrage_free=False)
    assert found.rmse < 1e-9
    for name in ("a", "b", "rho", "m", "sigma"):
        assert getattr(found.model, name) == pytest.approx(getattr(model, name), abs=2e-6), name
    assert found.converged


def test_five_quotes_are_met_exactly_and_have_no_standard_error():
    found = fit(SVI, smile_of(TRUE, k=np.linspace(-0.5, 0.4, 5)))
    assert found.rmse < 1e-8
    assert found.parameters["std_error"].isna().all()


def test_the_optimum_agrees_with_scipy_from_many_starts():
    rng = np.random.default_rng(11)
    for tau, noise in ((0.1, 1e-3), (1.0, 2e-3)):
        smile = smile_of(TRUE, tau=tau, noise=noise * rng.standard_normal(K.size))
        k = smile.log_moneyness

        def residual(p, k=k, smile=smile):
            w = p[0] + p[1] * (p[2] * (k - p[3]) + np.sqrt((k - p[3]) ** 2 + p[4] ** 2))
            return np.sqrt(np.maximum(w, 1e-12) / smile.tau) - smile.vol

        starts = [(0.01, b, rho, 0.0, sigma) for b in (0.05, 0.2) for rho in (-0.5, 0.3) for sigma in (0.1, 0.5)]
        bounds = ([-1.0, 1e-8, -0.9999, -2.0, 1e-3], [1.0, 2.0, 0.9999, 2.0, 5.0])
        best = min(2.0 * least_squares(residual, start, bounds=bounds, x_scale="jac").cost for start in starts)
        found = fit(SVI, smile, allow_arbitrage=True, arbitrage_free=False)
        assert found.sse <= best * (1.0 + 1e-8)


@pytest.mark.slow
def test_standard_errors_are_those_of_repeated_noise():
    rng = np.random.default_rng(5)
    fits = [
        fit(SVI, smile_of(TRUE, noise=1e-3 * rng.standard_normal(K.size)), allow_arbitrage=True) for _ in range(200)
    ]
    values = np.array([one.parameters["value"] for one in fits])
    errors = np.array([one.parameters["std_error"] for one in fits])
    assert np.median(errors, axis=0) == pytest.approx(values.std(axis=0), rel=0.25)


def test_vogts_quotes_are_refused_and_fitted_without_their_butterfly():
    smile = smile_of(VOGT, k=np.linspace(-1.5, 1.5, 31), tau=1.0)
    with pytest.raises(InputError) as caught:
        fit(SVI, smile)
    assert str(caught.value).startswith("quotes must be free of arbitrage within 0 vol; got ")
    assert "slope at tau 1, strike 1" in str(caught.value)
    assert "market.repair_quotes" in str(caught.value)
    assert "allow_arbitrage=True fits them as they are." in str(caught.value)
    plain = fit(SVI, smile, allow_arbitrage=True, arbitrage_free=False)
    assert plain.rmse < 1e-9 and plain.model.butterflies()
    fair = fit(SVI, smile, allow_arbitrage=True)
    assert fair.model.butterflies() == []
    assert 0.0 < fair.rmse_bp < 100.0


def test_crossing_slices_are_fitted_without_crossing():
    near = smile_of(TRUE, tau=0.5)
    far = smile_of(replace(TRUE, a=0.012, b=0.06), tau=0.6)
    surface = Surface(as_of=date(2024, 3, 1), spot=100.0, smiles=(near, far))
    with pytest.raises(InputError, match=r"quotes must be free of arbitrage within 0 vol; got .* calendar at tau"):
        fit(SVISurface, surface)
    plain = fit(SVISurface, surface, allow_arbitrage=True, arbitrage_free=False)
    assert plain.model.crossings()
    fair = fit(SVISurface, surface, allow_arbitrage=True)
    assert fair.model.arbitrage().empty
    assert fair.sse > plain.sse


def test_the_dax_surface_has_a_fair_fit_close_to_the_unfair_one():
    snapshot = dax()
    fair = fit(SVISurface, snapshot, allow_arbitrage=True)
    plain = fit(SVISurface, snapshot, allow_arbitrage=True, arbitrage_free=False)
    assert fair.model.arbitrage().empty
    assert fair.converged
    assert plain.rmse_bp < fair.rmse_bp < 1.05 * plain.rmse_bp
    assert len(fair.residuals) == 104 and len(fair.parameters) == 40


def test_weights_turn_the_fit_to_the_quotes_they_favour():
    rng = np.random.default_rng(2)
    smile = smile_of(TRUE, noise=3e-3 * rng.standard_normal(K.size))
    weight = np.where(K > 0.0, 100.0, 1.0)
    plain = fit(SVI, smile, allow_arbitrage=True)
    heavy = fit(SVI, replace(smile, weight=weight), allow_arbitrage=True)
    by_vega = fit(SVI, smile, weights="vega", allow_arbitrage=True)

    def right(found):
        return (found.residuals.loc[K > 0.0, "residual"] ** 2).sum()

    assert right(heavy) < right(plain)
    assert heavy.residuals["weight"].mean() == pytest.approx(1.0)
    at_money = np.abs(K) < 0.2
    assert by_vega.residuals.loc[at_money, "weight"].min() > by_vega.residuals.loc[K < -0.7, "weight"].max()


def test_residuals_are_model_minus_market():
    found = fit(SVI, smile_of(TRUE, noise=1e-3 * np.cos(40 * K)), allow_arbitrage=True)
    table = found.residuals
    assert (table["model"] - table["market"] - table["residual"]).abs().max() < 1e-15
    assert found.sse == pytest.approx((table["residual"] ** 2).sum(), rel=1e-12)
    assert found.rmse == pytest.approx(np.sqrt((table["residual"] ** 2).mean()), rel=1e-12)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (lambda: smile_of(TRUE, k=np.linspace(-0.3, 0.3, 4)), {},
         "quotes must be at least 5 with a positive weight at tau 0.5; got 4. SVI has five parameters."),
        (lambda: smile_of(TRUE, weight=(np.arange(K.size) < 3) * 1.0), {},
         "quotes must be at least 5 with a positive weight at tau 0.5; got 3. SVI has five parameters."),
        (lambda: smile_of(TRUE), {"weights": "volume"},
         "weights must be 'equal', 'vega', 'bid_ask' or an array; got 'volume'."),
        (lambda: smile_of(TRUE), {"max_iter": 0}, "max_iter must be >= 1; got 0."),
        (lambda: [0.2, 0.3], {}, "data must be a market.Smile; got 'list'."),
    ],
)  # fmt: skip
def test_what_svi_cannot_be_fitted_to_is_refused(build, options, message):
    with pytest.raises(InputError) as caught:
        fit(SVI, build(), **options)
    assert str(caught.value) == message


def test_nan_quotes_never_reach_the_fit():
    with pytest.raises(InputError, match=r"vol must be finite and > 0; got nan \(1 of 21 values\)"):
        smile_of(TRUE, noise=np.where(np.arange(K.size) == 3, np.nan, 0.0))


def test_an_iteration_limit_is_reported():
    rng = np.random.default_rng(9)
    with pytest.warns(CalibrationWarning, match="did not settle"):
        found = fit(SVI, smile_of(TRUE, noise=2e-3 * rng.standard_normal(K.size)), allow_arbitrage=True, max_iter=1)
    assert not found.converged
    assert found.message.startswith("stopped by max_iter")


def test_a_wider_least_width_takes_the_kink_out_of_the_last_dax_slice():
    snapshot = dax()
    narrow = fit(SVISurface, snapshot, allow_arbitrage=True, least_width=0.02)
    smooth = fit(SVISurface, snapshot, allow_arbitrage=True, least_width=0.2)
    beyond = float(np.log(6000.0 / snapshot.surface.smiles[-1].forward))
    assert narrow.model.slices[-1].vol(beyond, 1.926) > 0.24 > 0.23 > smooth.model.slices[-1].vol(beyond, 1.926)
    assert smooth.rmse_bp < 1.002 * narrow.rmse_bp
    assert smooth.parameters["std_error"].notna().all()


def test_a_least_width_in_percent_is_refused():
    with pytest.raises(InputError, match=r"least_width must lie in \(0, 1\]; got 20. A share of the quoted range."):
        fit(SVI, smile_of(TRUE), least_width=20)


def test_slices_fitted_in_one_call_are_those_fitted_alone():
    rng = np.random.default_rng(6)
    tau = np.array([0.1, 0.5, 1.5])
    k = np.linspace(-0.8, 0.5, 25) * np.sqrt(tau)[:, None]
    true = [SVI(a=0.02 * t, b=0.1 * np.sqrt(t), rho=-0.5, m=0.02, sigma=0.2 * np.sqrt(t)) for t in tau]
    vol = np.array([one.vol(x, t) for one, x, t in zip(true, k, tau)]) + 0.001 * rng.standard_normal(k.shape)
    vol[1, [3, 7]] = np.nan
    found = fit_slices(k, tau, vol)
    for i, model in enumerate(found.models()):
        here = ~np.isnan(vol[i])
        smile = Smile(tau=tau[i], forward=1.0, df=1.0, strike=np.exp(k[i][here]), vol=vol[i][here])
        alone = fit(SVI, smile, allow_arbitrage=True, arbitrage_free=False)
        assert found.rmse[i] == pytest.approx(alone.rmse, rel=1e-6)
        np.testing.assert_allclose(model.vol(k[i], tau[i]), alone.model.vol(k[i], tau[i]), atol=2e-6)
    with pytest.raises(InputError, match="quotes of a slice must be at least 5; got 4"):
        fit_slices(k[:, :4], tau, vol[:, 8:12])
    with pytest.raises(InputError, match="log_moneyness must increase along a slice"):
        fit_slices(k[:, ::-1], tau, vol)

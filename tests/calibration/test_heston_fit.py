"""Heston calibration: the DAX optimum found independently, exact recovery, derivatives, weights, bounds, refusals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.calibration import CalibrationWarning, fit
from research.calibration.heston import NAMES
from research.core.calibration.heston import heston_vol_errors
from research.errors import InputError
from research.market import Smile, Snapshot, Surface, build_snapshot
from research.models import Heston, black
from research.pricing import fourier
from research.validation.benchmarks.heston import heston_implied_vol_errors

ROOT = Path(__file__).parents[2]
WEEKS = [14, 42, 77, 168, 259, 343, 525, 700]
TRUTH = Heston(v0=0.05, kappa=3.0, theta=0.08, sigma=0.9, rho=-0.6)


def optimum(expiries: str) -> pd.Series:
    table = pd.read_csv(ROOT / "tests" / "reference" / "heston_dax.csv", comment="#", index_col="expiries")
    return table.loc[expiries]


def dax(expiries: str = "days") -> Snapshot:
    frame = pd.read_csv(
        ROOT / "data" / "raw" / "dax_surface_20020705.csv", comment="#", parse_dates=["as_of", "expiry"]
    )
    if expiries == "weeks":
        days = np.unique(frame["days"])
        rates = frame.drop_duplicates("days").set_index("days")["zero_rate"].loc[days].to_numpy()
        frame["days"] = frame["days"].map(dict(zip(days, WEEKS)))
        frame["zero_rate"] = np.interp(frame["days"], days, rates)
        frame["expiry"] = frame["as_of"] + pd.to_timedelta(frame["days"], unit="D")
    return build_snapshot(frame)


def model_surface(model: Heston, *, noise: float = 0.0, seed: int = 1) -> Surface:
    rng, smiles = np.random.default_rng(seed), []
    for tau in (0.1, 0.3, 1.0, 2.5):
        forward = 100.0 * np.exp(0.02 * tau)
        spread = float(np.sqrt(model.average_variance(tau) * tau))
        strike = forward * np.exp(np.linspace(-1.5, 1.2, 9) * spread)
        call = strike >= forward
        value = fourier.price(model, forward, strike, tau, is_call=call)
        vol = black.implied_vol(value, forward, strike, tau, is_call=call) + noise * rng.normal(size=9)
        smiles.append(Smile(tau=tau, forward=forward, df=np.exp(-0.02 * tau), strike=strike, vol=vol))
    return Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smiles))


def by_judge(snapshot: Snapshot, model: Heston) -> np.ndarray:
    """Vol errors by the independent integral."""
    quotes = snapshot.to_frame()
    columns = (quotes[name] for name in ("forward", "strike", "tau", "vol"))
    return heston_implied_vol_errors(*columns, list(model.to_json().values()))


@pytest.mark.parametrize("expiries", ["days", "weeks"])
def test_the_dax_surface_is_fitted_to_the_optimum_found_independently(expiries: str) -> None:
    snapshot, expected = dax(expiries), optimum(expiries)
    found = fit(Heston, snapshot)
    assert found.converged and found.status == 0
    assert 1e4 * np.sum(by_judge(snapshot, found.model) ** 2) <= expected["sse"] * (1.0 + 1e-9)
    assert 1e4 * found.sse == pytest.approx(expected["sse"], rel=1e-9)
    for name in NAMES:
        assert getattr(found.model, name) == pytest.approx(expected[name], rel=1e-5)


def test_every_start_ends_in_the_same_dax_optimum() -> None:
    snapshot, expected = dax(), optimum("days")
    for v0, kappa, theta, sigma, rho in [
        (0.1, 1.0, 0.1, 0.5, -0.5),
        (0.02, 0.1, 0.02, 0.1, 0.0),
        (1.0, 30.0, 0.5, 10.0, -0.9),
    ]:
        start = Heston(v0=v0, kappa=kappa, theta=theta, sigma=sigma, rho=rho)
        assert 1e4 * fit(Heston, snapshot, start=start).sse == pytest.approx(expected["sse"], rel=1e-8)


def test_the_residuals_agree_with_the_independent_integral() -> None:
    snapshot = dax()
    found = fit(Heston, snapshot)
    table = found.residuals
    assert np.abs(table["error_bp"] - 1e4 * by_judge(snapshot, found.model)).max() < 1e-6
    assert table["strike"].tolist() == snapshot.to_frame()["strike"].tolist()
    assert table["market_vol"].tolist() == snapshot.to_frame()["vol"].tolist()
    assert found.rmse == pytest.approx(np.sqrt(np.mean((table["error_bp"] / 1e4) ** 2)), rel=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        TRUTH,
        Heston(v0=0.02, kappa=0.5, theta=0.09, sigma=0.3, rho=0.3),
        Heston(v0=0.15, kappa=12.0, theta=0.03, sigma=2.5, rho=-0.9),
        Heston(v0=0.01, kappa=1.0, theta=0.02, sigma=1.5, rho=-0.4),
    ],
)
def test_exact_quotes_give_the_parameters_back(model: Heston) -> None:
    found = fit(Heston, model_surface(model))
    assert found.rmse < 1e-9
    for name in NAMES:
        assert getattr(found.model, name) == pytest.approx(getattr(model, name), rel=1e-6)


def test_the_gradient_agrees_with_differences_of_implied_vols() -> None:
    from research.calibration._quotes import read_quotes

    quotes = read_quotes(dax(), None, allow_arbitrage=True, tolerance=0.0)
    p = np.array([0.15, 8.0, 0.07, 2.0, -0.5])

    def vols(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model, jacobian = np.empty((3, quotes.n)), np.empty((5, quotes.n))
        heston_vol_errors(at, quotes.tau, quotes.first, quotes.table, 0.05, 1e-17, model, jacobian)
        return model[0].copy(), jacobian.copy()

    jacobian = vols(p)[1]
    for j in range(5):
        step = np.zeros(5)
        step[j] = 1e-4 * abs(p[j])
        difference = (vols(p + step)[0] - vols(p - step)[0]) / (2.0 * step[j])
        assert np.abs(jacobian[j] - difference).max() < 1e-6 * np.abs(difference).max()


def test_standard_errors_are_those_of_repeated_noise() -> None:
    noise = 2e-3
    fits = [fit(Heston, model_surface(TRUTH, noise=noise, seed=seed), allow_arbitrage=True) for seed in range(60)]
    values = np.array([[getattr(f.model, name) for name in NAMES] for f in fits])
    claimed = np.mean([f.parameters["std_error"] for f in fits], axis=0)
    ratio = values.std(axis=0, ddof=1) / claimed
    assert ((ratio > 0.65) & (ratio < 1.45)).all(), ratio  # 60 repeats: 4 standard errors of a standard deviation


def test_a_weight_of_zero_leaves_a_quote_out_but_shows_it() -> None:
    surface = model_surface(TRUTH)
    first = surface.smiles[0]
    spoiled = Smile(tau=first.tau, forward=first.forward, df=first.df, strike=first.strike, vol=first.vol + 0.05)
    mixed = Surface(as_of=surface.as_of, spot=surface.spot, smiles=(spoiled, *surface.smiles[1:]))
    weights = np.where(np.arange(mixed.n_quotes) < len(first), 0.0, 1.0)
    found = fit(Heston, mixed, weights=weights, allow_arbitrage=True)
    assert found.model.kappa == pytest.approx(TRUTH.kappa, rel=1e-5)
    assert found.residuals["error_bp"].head(9).to_numpy() == pytest.approx(-500.0, abs=1e-2)
    assert found.residuals["weight"].tolist() == weights.tolist()


def test_vega_weights_move_the_fit_towards_the_money() -> None:
    equal, vega = fit(Heston, dax()), fit(Heston, dax(), weights="vega")
    near = np.abs(equal.residuals["log_moneyness"]) < 0.05
    rmse = [np.sqrt(np.mean(f.residuals.loc[near, "error_bp"] ** 2)) for f in (equal, vega)]
    assert rmse[1] < rmse[0]


def test_a_bound_that_binds_is_reported_and_has_no_standard_error() -> None:
    found = fit(Heston, dax(), bounds={"kappa": (0.5, 5.0)})
    table = found.parameters.set_index("name")
    assert found.status == 2 and found.converged
    assert found.model.kappa == pytest.approx(5.0)
    assert "on its bound: kappa" in found.message
    assert np.isnan(table.loc["kappa", "std_error"]) and np.isfinite(table.loc["sigma", "std_error"])
    assert table.loc["kappa", ["lower", "upper"]].tolist() == [0.5, 5.0]


def test_a_fixed_parameter_stays_where_it_is() -> None:
    found = fit(Heston, model_surface(TRUTH), bounds={"rho": (-0.6, -0.6)})
    assert found.model.rho == pytest.approx(-0.6, abs=1e-15)
    assert found.rmse < 1e-9


def test_too_few_evaluations_are_reported_as_not_converged() -> None:
    with pytest.warns(CalibrationWarning, match="did not settle"):
        found = fit(Heston, dax(), max_iter=3)
    assert found.status == 1 and not found.converged
    assert found.message == "stopped by max_iter after 3 evaluations"


def test_fewer_than_six_quotes_are_refused() -> None:
    smile = Smile(tau=1.0, forward=100.0, df=1.0, strike=np.array([80.0, 90, 100, 110, 120]), vol=np.full(5, 0.2))
    surface = Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=(smile,))
    with pytest.raises(InputError, match=r"^quotes must number at least 6; got 5. Heston has 5 parameters.$"):
        fit(Heston, surface)


def test_a_quote_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="vol must be finite and > 0; got nan"):
        Smile(tau=1.0, forward=100.0, df=1.0, strike=np.array([90.0, 100.0]), vol=np.array([0.2, np.nan]))


def with_vol(surface: Surface, expiry: int, strike: int, vol: float) -> Surface:
    smiles = list(surface.smiles)
    old = smiles[expiry]
    vols = old.vol.copy()
    vols[strike] = vol
    smiles[expiry] = Smile(tau=old.tau, forward=old.forward, df=old.df, strike=old.strike, vol=vols)
    return Surface(as_of=surface.as_of, spot=surface.spot, smiles=tuple(smiles))


def test_butterfly_arbitrage_is_refused_with_its_place() -> None:
    bad = with_vol(model_surface(TRUTH), 2, 4, 0.45)
    with pytest.raises(InputError, match=r"quotes must be free of arbitrage within 0.01 vol; got .* butterfly at tau"):
        fit(Heston, bad)
    assert fit(Heston, bad, allow_arbitrage=True).rmse > 0.01


def test_calendar_arbitrage_is_refused() -> None:
    surface = model_surface(TRUTH)
    last = surface.smiles[-1]
    low = Smile(tau=last.tau, forward=last.forward, df=last.df, strike=last.strike, vol=last.vol * 0.5)
    with pytest.raises(InputError, match=r"got .* calendar at tau"):
        fit(Heston, Surface(as_of=surface.as_of, spot=100.0, smiles=(*surface.smiles[:-1], low)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weights": [1.0, 2.0]}, r"^weights must have one value a quote, 36; got 2.$"),
        ({"weights": "market"}, r"^weights must be 'equal', 'vega', 'bid_ask' or an array; got 'market'.$"),
        ({"weights": np.full(36, -1.0)}, r"^weights must be finite and >= 0; got -1"),
        ({"bounds": {"sigmaa": (0.1, 1.0)}}, r"^bounds must name one of v0, kappa, theta, sigma, rho; got 'sigmaa'.$"),
        ({"bounds": {"rho": (-1.1, 0.0)}}, r"^bounds\['rho'\] must lie inside \(-1, 1\)"),
        ({"bounds": {"v0": (0.2, 0.1)}}, r"^bounds\['v0'\] must be \(lower, upper\) with lower <= upper"),
        ({"max_iter": 0}, r"^max_iter must be >= 1; got 0.$"),
        ({"tolerance": 0.0}, r"^tolerance must lie in \(0, 1\); got 0.$"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        fit(Heston, model_surface(TRUTH), **options)


def test_data_that_is_no_surface_is_refused() -> None:
    with pytest.raises(InputError, match=r"^data must be a Snapshot or a Surface; got list.$"):
        fit(Heston, [1.0])

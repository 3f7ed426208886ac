"""Rough Bergomi fitted: simulated quotes give the truth back, and the DAX surface a better fit than Heston."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research import calibration
from research.calibration._climb import climb
from research.calibration._quotes import read_quotes
from research.calibration._rough_vols import rough_vols
from research.errors import InputError
from research.instruments import European
from research.market import Smile, Surface, build_snapshot, flat_snapshot
from research.models import RoughBergomi, black
from research.pricing import price

TRUTH = RoughBergomi(hurst=0.12, eta=1.6, rho=-0.75, forward_variance=[0.05, 0.04, 0.045], forward_tau=[0.1, 0.4, 1.0])


def simulated_surface(seed: int) -> Surface:
    """Quotes by the model's own price, on paths of their own and a grid that is not the fit's."""
    market, smiles = flat_snapshot(spot=100.0), []
    taus, moneyness = (0.1, 0.4, 1.0), np.linspace(-1.2, 0.8, 9)
    strikes = [100.0 * np.exp(0.2 * np.sqrt(t) * moneyness) for t in taus]
    items = [European(strike=float(k), tau=t, is_call=bool(k > 100)) for t, row in zip(taus, strikes) for k in row]
    found = price(items, TRUTH, market, n_paths=1 << 14, n_steps=240, scheme="hybrid", seed=seed, check_scheme=False)
    for g, (tau, row) in enumerate(zip(taus, strikes)):
        value = found.value[9 * g : 9 * g + 9]
        vol = black.implied_vol(value, 100.0, row, tau, is_call=row > 100)
        smiles.append(Smile(tau=tau, forward=100.0, df=1.0, strike=row, vol=vol))
    return Surface(as_of=date(2000, 1, 1), spot=100.0, smiles=tuple(smiles))


def test_simulated_quotes_give_the_truth_back_within_standard_errors() -> None:
    fit = calibration.fit(RoughBergomi, simulated_surface(77), n_steps=192, n_paths=1024)
    assert fit.converged and fit.rmse_bp < 40.0
    truth = [TRUTH.hurst, TRUTH.eta, TRUTH.rho, *TRUTH.forward_variance]
    z = (fit.parameters["value"] - truth) / fit.parameters["std_error"]
    assert z.abs().max() < 4.0
    assert (fit.parameters["std_error"] < [0.1, 0.5, 0.2, 0.02, 0.02, 0.02]).all()


def test_a_fit_is_the_same_every_time() -> None:
    surface = simulated_surface(78)
    with pytest.warns(calibration.CalibrationWarning, match="did not settle"):
        first, second = (calibration.fit(RoughBergomi, surface, n_steps=24, n_paths=256, max_iter=3) for _ in range(2))
    assert first.parameters.equals(second.parameters) and first.status == 1 and "stopped by max_iter" in first.message


def test_too_few_quotes_are_refused() -> None:
    smile = Smile(tau=0.5, forward=100.0, df=1.0, strike=[90.0, 100.0, 110.0], vol=[0.25, 0.2, 0.18])
    with pytest.raises(InputError, match=r"quotes must number at least 5; got 3. Rough Bergomi has three parameters"):
        calibration.fit(RoughBergomi, Surface(as_of=date(2000, 1, 1), spot=100.0, smiles=(smile,)))


@pytest.mark.slow
def test_the_dax_surface_of_2002() -> None:
    """104 quotes; Heston's best rmse is 132 bp."""
    path = Path(__file__).parents[2] / "data" / "curated" / "equity" / "dax_surface.parquet"
    if not path.is_file():
        pytest.skip("needs data/curated/equity/dax_surface.parquet: research data curate equity/dax_surface")
    snapshot = build_snapshot(pd.read_parquet(path), as_of="2002-07-05")
    fit = calibration.fit(RoughBergomi, snapshot, n_paths=1024, n_steps=192)
    assert fit.rmse_bp < 90.0
    values = fit.parameters.set_index("name")["value"]
    assert 0.01 <= values["hurst"] < 0.2 and values["rho"] < -0.5


def test_pathwise_derivatives_are_those_of_the_vols_by_differences() -> None:
    """By H and eta the paths are walked once more 1e-5 aside, so to 1e-4 of their size; the others to rounding."""
    quotes = read_quotes(simulated_surface(79), None, allow_arbitrage=True, tolerance=1.0)
    paths = rough_vols(quotes, 256, 24, "hybrid", 3)
    y = np.array([0.2, 1.3, -0.6, *np.log([0.045, 0.05, 0.04])])
    held = paths.held(y)
    vol, by_y = paths.vols_and_slopes(y, held)
    assert vol == pytest.approx(paths.vols(y, held)[-1], abs=1e-15)
    for j, row in enumerate(by_y):

        def moved(size: float, j: int = j) -> np.ndarray:
            at = [y.copy(), y.copy()]
            at[0][j] += size
            at[1][j] -= size
            up, down = (paths.vols(one, held)[-1] for one in at)
            return np.asarray((up - down) / (2.0 * size))

        exact = (4.0 * moved(5e-4) - moved(1e-3)) / 3.0
        assert np.abs(row - exact).max() < (1e-4 if j < 2 else 1e-9) * np.abs(exact).max()


@pytest.mark.slow
def test_vols_extrapolated_from_two_grids_are_near_those_of_a_much_finer_grid() -> None:
    """At the nearest expiry a coarse grid loses skew: its wings lie half a point of vol off."""
    quotes = read_quotes(simulated_surface(80), None, allow_arbitrage=True, tolerance=1.0)
    y = np.array([0.08, 1.8, -0.75, *np.log([0.05, 0.05, 0.04])])

    def vols(n_steps: int) -> np.ndarray:
        paths = rough_vols(quotes, 8192, n_steps, "hybrid", 3)
        return paths.vols(y, paths.held(y))[-1][:9]  # of the first expiry

    exact, coarse, fine = 2.0 * vols(400) - vols(200), vols(50), vols(100)
    assert np.abs(coarse - exact).max() > 0.004
    assert np.abs(2.0 * fine - coarse - exact).max() < 0.4 * np.abs(coarse - exact).max()


def test_a_search_with_large_residuals_does_not_swing_from_side_to_side() -> None:
    """r = (x - 1, y - 1, 0.4 x y + 1.5) has its optimum far from r = 0: Gauss and Newton's steps overshoot there."""

    def evaluate(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r = np.array([y[0] - 1.0, y[1] - 1.0, 0.4 * y[0] * y[1] + 1.5])
        return r, np.array([[1.0, 0.0, 0.4 * y[1]], [0.0, 1.0, 0.4 * y[0]]])

    far = np.full(2, 50.0)
    plain, curved = (climb(evaluate, np.array([2.0, -1.0]), -far, far, curved=flag) for flag in (False, True))
    assert plain is not None and curved is not None and plain.settled and curved.settled
    assert curved.sse == pytest.approx(plain.sse, rel=1e-9)
    assert 2 * curved.n_iter < plain.n_iter

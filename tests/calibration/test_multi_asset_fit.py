"""Vols and correlations from returns: the truth back, honest errors under fat tails, gaps, repairs, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from research.calibration import fit
from research.errors import InputError
from research.models import MultiAssetBlackScholes
from research.models.correlation import CorrelationWarning

NAMES = ("A", "B", "C")
RHO = np.array([[1.0, 0.6, -0.2], [0.6, 1.0, 0.3], [-0.2, 0.3, 1.0]])
VOLS = np.array([0.2, 0.35, 0.1])


def returns(seed: int, n: int = 1000, tails: float = np.inf) -> pd.DataFrame:
    """Daily returns; `tails` are degrees of freedom of a common Student t."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 3)) @ np.linalg.cholesky(RHO).T
    if np.isfinite(tails):
        z *= np.sqrt((tails - 2.0) / rng.chisquare(tails, (n, 1)))
    return pd.DataFrame(z * VOLS / np.sqrt(252.0), columns=list(NAMES))


def truth() -> np.ndarray:
    return np.concatenate([VOLS, RHO[np.triu_indices(3, 1)]])


def test_the_numbers_are_those_of_numpy() -> None:
    x = returns(1)
    found = fit(MultiAssetBlackScholes, x)
    assert found.model.vols[:, 0] == pytest.approx(x.std(ddof=1).to_numpy() * np.sqrt(252.0), rel=1e-12)
    assert found.model.correlation == pytest.approx(np.corrcoef(x.to_numpy().T), rel=1e-12)
    assert found.parameters["name"].tolist() == [
        "vol A", "vol B", "vol C", "correlation A B", "correlation A C", "correlation B C",
    ]  # fmt: skip
    assert found.rmse == 0.0 and found.converged and found.model.repaired_by == 0.0


@pytest.mark.parametrize("tails", [np.inf, 6.0])
def test_standard_errors_cover_the_truth_as_often_as_they_say_also_with_fat_tails(tails: float) -> None:
    inside = []
    for seed in range(200):
        table = fit(MultiAssetBlackScholes, returns(seed, 500, tails)).parameters
        inside.append(np.abs((table["value"] - truth()) / table["std_error"]) < 1.96)
    share = np.mean(inside, axis=0)
    assert (share > 0.88).all() and (share < 0.985).all() and 0.92 < share.mean() < 0.97


def test_normal_returns_have_the_errors_of_the_textbook() -> None:
    table = fit(MultiAssetBlackScholes, returns(3, 20_000)).parameters
    expected = np.concatenate([VOLS / np.sqrt(40_000.0), (1.0 - RHO[np.triu_indices(3, 1)] ** 2) / np.sqrt(20_000.0)])
    assert table["std_error"].to_numpy() == pytest.approx(expected, rel=0.05)


def test_missing_and_stale_days_cost_only_their_own_name() -> None:
    x = returns(4)
    holes = x.copy()
    holes.loc[:299, "B"] = np.nan
    holes.loc[::7, "C"] = 0.0
    found = fit(MultiAssetBlackScholes, holes, drop_stale=True)
    assert found.model.vol("A", 1.0) == pytest.approx(float(x["A"].std() * np.sqrt(252.0)), rel=1e-12)
    assert found.model.vol("B", 1.0) == pytest.approx(float(x["B"][300:].std() * np.sqrt(252.0)), rel=1e-12)
    assert "443 of 3000 returns missing" in found.message
    stale = fit(MultiAssetBlackScholes, holes)
    assert stale.model.vol("C", 1.0) < found.model.vol("C", 1.0)


def test_pairs_that_do_not_fit_together_are_repaired_and_it_is_said() -> None:
    rng = np.random.default_rng(5)
    x = pd.DataFrame(np.nan, index=range(90), columns=list(NAMES))
    for k, (a, b, sign) in enumerate((("A", "B", 1.0), ("B", "C", 1.0), ("A", "C", -1.0))):
        base = 0.01 * rng.standard_normal(30)
        x.loc[30 * k : 30 * k + 29, a] = base
        x.loc[30 * k : 30 * k + 29, b] = sign * base
    with pytest.warns(CorrelationWarning, match="not positive semidefinite"):
        found = fit(MultiAssetBlackScholes, x)
    assert "correlation repaired" in found.message and found.model.repaired_by > 0.5
    assert np.linalg.eigvalsh(found.model.correlation)[0] > -1e-10
    assert found.rmse > 0.2 and found.residuals["market"].tolist() == pytest.approx([1.0, -1.0, 1.0])


def test_a_half_life_follows_the_last_returns() -> None:
    x = pd.concat([returns(6), 3.0 * returns(7)], ignore_index=True)
    flat, quick = fit(MultiAssetBlackScholes, x).model, fit(MultiAssetBlackScholes, x, half_life=60.0).model
    assert quick.vol("A", 1.0) == pytest.approx(0.6, rel=0.2) and flat.vol("A", 1.0) < 0.5


def test_bad_returns_are_refused_by_name() -> None:
    x = returns(8, 100)
    with pytest.raises(InputError, match="returns must be a DataFrame, a column a name; got 'list'"):
        fit(MultiAssetBlackScholes, [1.0])
    with pytest.raises(InputError, match=r"returns of B must be below 2 in size; got .* 1% is 0\.01"):
        fit(MultiAssetBlackScholes, x.assign(B=100.0 * x["B"]))
    with pytest.raises(InputError, match="returns of A must number at least 20; got 10"):
        fit(MultiAssetBlackScholes, x.iloc[:10])
    with pytest.raises(InputError, match="returns of C must move; all are alike"):
        fit(MultiAssetBlackScholes, x.assign(C=0.01))
    gap = x.assign(A=x["A"].where(x.index < 50), B=x["B"].where(x.index >= 45))
    with pytest.raises(InputError, match="returns that A and B share must number at least 20; got 5"):
        fit(MultiAssetBlackScholes, gap)

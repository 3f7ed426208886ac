"""Several correlated prices: correlation matrices are checked and repaired, vols have a term structure."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from research.errors import InputError
from research.market import BasketSnapshot, DiscountCurve, ForeignCurrency, Underlying, flat_basket
from research.models import MultiAssetBlackScholes
from research.models.correlation import CorrelationWarning, is_semidefinite, nearest_correlation
from research.models.multi_asset import equicorrelation


def test_nearest_correlation_agrees_with_higham() -> None:
    """Higham (2002), section 4: three variables that cannot all be so correlated."""
    nearest, distance = nearest_correlation(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))
    assert np.allclose(nearest, [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]], atol=5e-5)
    assert distance == pytest.approx(0.5278, abs=5e-5)


@pytest.mark.parametrize("n", [3, 6, 15])
def test_no_correlation_matrix_nearby_is_nearer(n: int) -> None:
    """The optimality condition of a projection on a convex set: no admissible direction leads towards the target."""
    rng = np.random.default_rng(n)
    given = np.clip(equicorrelation(n, 0.3) + 0.8 * np.tril(rng.uniform(-1, 1, (n, n)), -1), -1, 1)
    given = np.tril(given, -1) + np.tril(given, -1).T + np.eye(n)
    nearest, distance = nearest_correlation(given)
    assert is_semidefinite(nearest) and np.all(np.diag(nearest) == 1.0)
    for _ in range(50):
        factor = rng.normal(size=(n, n))
        other = factor @ factor.T
        other /= np.sqrt(np.outer(np.diag(other), np.diag(other)))
        assert np.sum((given - nearest) * (other - nearest)) < 1e-7 * distance + 1e-9


def test_a_repair_is_said_and_kept() -> None:
    bad = [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]
    with pytest.warns(CorrelationWarning, match=r"nearest one \(Higham 2002\) stands in its place, 0.98 away"):
        model = MultiAssetBlackScholes(names=("A", "B", "C"), vols=[0.2, 0.2, 0.2], correlation=bad)
    assert model.repaired_by == pytest.approx(np.linalg.norm(model.correlation - np.array(bad)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = MultiAssetBlackScholes(names=model.names, vols=model.vols, correlation=model.correlation)
    assert again.repaired_by == 0.0


@pytest.mark.parametrize("rho", [-1.0, 1.0])
def test_perfect_correlation_needs_no_repair(rho: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultiAssetBlackScholes(names=("A", "B"), vols=[0.2, 0.3], correlation=[[1.0, rho], [rho, 1.0]])
    assert (model.repaired_by, model.correlation[0, 1]) == (0.0, rho)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correlation": [[1, 60], [60, 1]]}, r"correlation of A and B must lie in \[-1, 1\]; got 60. .*60% is 0.60"),
        ({"correlation": [[1, 0.5], [0.4, 1]]}, "correlation of A and B must equal that of B and A, 0.4; got 0.5"),
        ({"correlation": [[1, np.nan], [np.nan, 1]]}, r"correlation of A and B must lie in \[-1, 1\]; got nan"),
        ({"correlation": [[0.9, 0], [0, 1]]}, "diagonal of correlation must be 1; got 0.9"),
        ({"correlation": [[1.0]]}, r"correlation must have shape \(2, 2\)"),
        ({"vols": [0.2, -0.1]}, "vol of B must be finite and >= 0; got -0.1"),
        ({"vols": [[0.2, 0.1], [0.2, 0.2]], "vol_tau": [0.5, 1.0]}, "vol of A must not let the total variance"),
        ({"names": ("A", "A")}, "names must differ"),
    ],
)
def test_wrong_parameters_are_refused_by_name(change: dict[str, object], message: str) -> None:
    given = {"names": ("A", "B"), "vols": [0.2, 0.3], "correlation": [[1.0, 0.5], [0.5, 1.0]], **change}
    with pytest.raises(InputError, match=message):
        MultiAssetBlackScholes(**given)  # type: ignore[arg-type]


def test_covariance_integrates_the_instantaneous_vols() -> None:
    vols, tau = np.array([[0.2, 0.25, 0.24], [0.3, 0.28, 0.3]]), np.array([0.5, 1.0, 2.0])
    model = MultiAssetBlackScholes(names=("A", "B"), vols=vols, vol_tau=tau, correlation=[[1, 0.4], [0.4, 1]])
    for k, t in enumerate(tau):
        assert np.allclose(np.diag(model.covariance(float(t))), vols[:, k] ** 2 * t, rtol=1e-14)
    rate = np.sqrt(np.diff(np.column_stack((np.zeros(2), vols**2 * tau)), axis=1) / np.diff(tau, prepend=0.0))
    steps = np.linspace(0.0, 3.0, 30_001)
    middle = 0.5 * (steps[1:] + steps[:-1])
    at = np.minimum(np.searchsorted(tau, middle), 2)
    numeric = 0.4 * np.sum(rate[0, at] * rate[1, at]) * 1e-4
    assert model.covariance(3.0)[0, 1] == pytest.approx(numeric, rel=1e-10)
    assert model.vol("B", 1.0) == pytest.approx(0.28)


def test_the_model_survives_json() -> None:
    model = MultiAssetBlackScholes(names=("A", "B"), vols=[0.2, 0.3], correlation=[[1, 0.4], [0.4, 1]])
    back = MultiAssetBlackScholes.from_json(json.loads(json.dumps(model.to_json())))
    assert back.names == model.names and np.array_equal(back.covariance(1.3), model.covariance(1.3))


def test_a_snapshot_refuses_an_unknown_currency_and_a_missing_name() -> None:
    market = flat_basket({"A": 100.0}, rate=0.03)
    with pytest.raises(InputError, match=r"currency of SPX must be known to the snapshot; got 'USD'. Known: CNY."):
        BasketSnapshot(
            as_of=market.as_of,
            discount=market.discount,
            underlyings=(Underlying(name="SPX", spot=1.0, currency="USD"),),
        )
    with pytest.raises(InputError, match="underlying must be one of A; got 'B'"):
        market.forward("B", 1.0)
    with pytest.raises(InputError, match="rate of USD must be finite and > 0"):
        curve = DiscountCurve(as_of=market.as_of, tau=[1.0], zero_rate=[0.05])
        ForeignCurrency(name="USD", rate=-7.0, discount=curve)

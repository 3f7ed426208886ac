"""Paths of every model: any slice alone, martingales, the model's own prices, limits to simpler models, extremes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

from research.core._jit import n_threads
from research.errors import InputError, NoEngineError
from research.instruments import European
from research.market import Snapshot, flat_snapshot
from research.models import Bates, BlackScholes, Heston, Merton, VarianceGamma, black
from research.pricing import price
from research.pricing.paths import bias, heston, lognormal, sample, simulate

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
WILD = Heston(v0=0.04, kappa=0.5, theta=0.04, sigma=1.0, rho=-0.9)  # Andersen's case I: Feller ratio 0.04
JUMPS = {"intensity": 0.5, "jump_mean": -0.1, "jump_std": 0.15}
BATES = Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, **JUMPS)
MERTON = Merton(sigma=0.2, **JUMPS)
GAMMA = VarianceGamma(sigma=0.2, nu=0.3, theta=-0.14)


X = np.linspace(-2.5, 2.5, 401)


@dataclass(frozen=True)
class LocalVol:
    """Stands in for a fitted one."""

    tau: Any
    log_moneyness: Any
    vol: Any


@dataclass(frozen=True)
class LocalStochasticVol:
    heston: Heston
    leverage: LocalVol


def levered(factor: float) -> LocalStochasticVol:
    """A constant leverage."""
    grid = LocalVol(tau=np.array([0.5, 2.0]), log_moneyness=X, vol=np.full((2, X.size), factor))
    return LocalStochasticVol(HESTON, grid)


FLAT = LocalVol(tau=np.array([0.5, 2.0]), log_moneyness=X, vol=np.full((2, X.size), 0.2))
MODELS = [
    (BlackScholes(sigma=0.2), None), (HESTON, "qe"), (HESTON, "poisson"), (WILD, "qe"), (WILD, "poisson"),
    (BATES, "qe"), (BATES, "poisson"), (MERTON, None), (GAMMA, None), (FLAT, None),
    (levered(1.1), None),
]  # fmt: skip
NAMED = pytest.mark.parametrize(("model", "scheme"), MODELS, ids=[f"{type(m).__name__}-{s}" for m, s in MODELS])
TIMES = [0.1, 0.5, 1.0]


@NAMED
@pytest.mark.parametrize("sampler", ["philox", "sobol"])
def test_a_slice_made_alone_has_the_bits_of_the_whole(model: Any, scheme: str | None, sampler: str) -> None:
    options: dict[str, Any] = {"seed": -3, "sampler": sampler, "replicate": 1, "scheme": scheme}
    whole = sample(model, MARKET, TIMES, n_paths=700, **options)
    part = sample(model, MARKET, TIMES, n_paths=50, first_path=501, **options)
    assert np.array_equal(part.spot, whole.spot[:, 501:551])


@NAMED
def test_spot_over_forward_is_a_martingale(model: Any, scheme: str | None) -> None:
    block = sample(model, MARKET, TIMES, n_paths=60_000, scheme=scheme)
    ratio = block.spot / MARKET.forward(np.array(TIMES))[:, None]
    z = (ratio.mean(axis=1) - 1.0) / (ratio.std(axis=1) / np.sqrt(ratio.shape[1]))
    assert np.abs(z).max() < 4.0


@pytest.mark.parametrize("strike", [80.0, 100.0, 125.0])
@pytest.mark.parametrize(
    ("model", "scheme"),
    [
        (HESTON, "qe"),
        (HESTON, "poisson"),
        (WILD, "qe"),
        (WILD, "poisson"),
        (BATES, "qe"),
        (MERTON, None),
        (GAMMA, None),
    ],
)
def test_european_options_cost_what_their_characteristic_function_says(
    model: Any, scheme: str | None, strike: float
) -> None:
    option = European(strike=strike, tau=1.0)
    exact = float(price(option, model, MARKET))
    found = simulate(option, model, MARKET, n_paths=1 << 16, scheme=scheme)
    assert abs(found.value - exact) < 4.0 * found.std_error + 0.003  # bias of the scheme
    assert found.std_error < 0.03


@pytest.mark.parametrize("model", [HESTON, WILD], ids=["heston", "wild"])
def test_poisson_conditioning_has_the_exact_law_of_the_variance(model: Heston) -> None:
    tau = 0.7
    variance = sample(model, MARKET, [tau], n_paths=40_000, scheme="poisson").logs.variance[0]  # type: ignore[index]
    decay = np.exp(-model.kappa * tau)
    scale = model.sigma**2 * (1.0 - decay) / (4.0 * model.kappa)
    law = stats.ncx2(4.0 * model.kappa * model.theta / model.sigma**2, model.v0 * decay / scale, scale=scale)
    assert stats.kstest(variance, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("kappa", [1e-6, 0.1, 0.21, 1.5, 80.0])
def test_moments_of_the_integral_agree_with_the_series(kappa: float) -> None:
    sigma, dt, n = 0.5, 1.0, np.arange(1.0, 200_001.0)
    a2 = (kappa * dt) ** 2 + 4.0 * np.pi**2 * n**2
    gamma = a2 / (2.0 * sigma**2 * dt**2)
    rate = 16.0 * np.pi**2 * n**2 / (sigma**2 * dt * a2)
    twin = [(rate / gamma).sum(), 2.0 * (rate / gamma**2).sum(), (1.0 / gamma).sum(), (1.0 / gamma**2).sum()]
    found = [float(each[0]) for each in heston._series(kappa, sigma, np.array([dt]))]
    assert found == pytest.approx(twin, rel=2e-5 * (1.0 + kappa))  # the twin leaves out the tail of its sums


def test_the_integral_of_the_variance_has_the_exact_mean_in_both_schemes() -> None:
    for scheme, steps in (("qe", None), ("qe", 1.0), ("poisson", None)):
        block = sample(HESTON, MARKET, [0.5, 2.0], n_paths=40_000, scheme=scheme, seed=4, steps_per_year=steps)
        total = block.logs.exposed.sum(axis=0)  # type: ignore[union-attr]
        error = total.std() / np.sqrt(total.size)
        assert abs(total.mean() - 2.0 * float(HESTON.average_variance(2.0))) < 4.0 * error, scheme


def test_poisson_conditioning_needs_no_steps() -> None:
    option = European(strike=110.0, tau=5.0)
    exact = float(price(option, HESTON, MARKET))
    found = simulate(option, HESTON, MARKET, n_paths=1 << 17, scheme="poisson", sampler="philox", seed=9)
    assert abs(found.value - exact) < 4.0 * found.std_error
    assert found.std_error < 0.05


def test_the_bias_of_qe_falls_with_the_step() -> None:
    option, exact = European(strike=100.0, tau=1.0), float(price(European(strike=100.0, tau=1.0), WILD, MARKET))
    misses = [
        abs(simulate(option, WILD, MARKET, steps_per_year=n, n_paths=1 << 17).value - exact) for n in (1.0, 4.0, 32.0)
    ]
    assert misses[0] > 0.05 > 3.0 * misses[2]
    difference, error = bias(option, WILD, MARKET, steps_per_year=1.0, n_paths=1 << 15)
    assert abs(difference) > 4.0 * error


def displaced(market: Snapshot, sigma: float, shift: float, strike: float, tau: float) -> tuple[LocalVol, float]:
    """dF = sigma (F + shift) dW: its local volatility on a grid, and its price by Black's formula."""
    level = market.spot * np.exp(X)
    local = sigma * (level + shift) / level
    exact = black.price(market.spot + shift, strike + shift, tau, sigma)
    return LocalVol(tau=np.array([1.0]), log_moneyness=X, vol=local[None, :]), float(exact)


@pytest.mark.parametrize("strike", [70.0, 100.0, 140.0])
def test_local_volatility_prices_a_displaced_diffusion(strike: float) -> None:
    market = flat_snapshot(spot=100.0)
    model, exact = displaced(market, 0.12, 60.0, strike, 1.0)
    found = simulate(European(strike=strike, tau=1.0), model, market, n_paths=1 << 16, steps_per_year=200)
    assert abs(found.value - exact) < 4.0 * found.std_error + 2e-3


def test_a_flat_local_volatility_is_black_and_scholes() -> None:
    ours = sample(FLAT, MARKET, TIMES, n_paths=200, steps_per_year=1.0).logs.x
    plain = sample(BlackScholes(sigma=0.2), MARKET, TIMES, n_paths=200).logs.x
    assert np.abs(ours - plain).max() < 1e-12


def test_leverage_one_is_heston_and_a_constant_one_scales_the_variance() -> None:
    ours, plain = (sample(m, MARKET, TIMES, n_paths=300).logs.x for m in (levered(1.0), HESTON))
    assert np.abs(ours - plain).max() < 1e-12
    c = 1.3
    scaled = Heston(v0=c * c * 0.04, kappa=1.5, theta=c * c * 0.05, sigma=c * 0.5, rho=-0.7)
    option = European(strike=105.0, tau=1.0)
    found = simulate(option, levered(c), MARKET, n_paths=1 << 16)
    assert abs(found.value - float(price(option, scaled, MARKET))) < 4.0 * found.std_error + 0.003


@pytest.mark.parametrize("tau", [1.0 / 8760.0, 50.0])
@pytest.mark.parametrize("rate", [-0.02, 0.0, 0.05])
@pytest.mark.parametrize(
    "model",
    [
        BlackScholes(sigma=0.001), BlackScholes(sigma=5.0), Heston(v0=0.0, kappa=2.0, theta=0.09, sigma=0.9, rho=1.0),
        Heston(v0=0.09, kappa=0.0, theta=0.0, sigma=0.3, rho=-1.0),
        Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.0, rho=-0.5),
    ],
    ids=["0.1%", "500%", "rho 1", "rho -1", "no vol of vol"],
)  # fmt: skip
def test_extremes_stay_finite_and_fair(model: Any, rate: float, tau: float) -> None:
    market = flat_snapshot(spot=100.0, rate=rate)
    block = sample(model, market, [0.5 * tau, tau], n_paths=4096)
    assert np.isfinite(block.logs.x).all()
    ratio = block.spot[-1] / market.forward(tau)
    if block.logs.x[-1].std() < 1.2:  # else a mean says nothing
        assert abs(ratio.mean() - 1.0) < 4.0 * ratio.std() / 64.0 + 1e-9


def test_a_deterministic_variance_is_black_and_scholes() -> None:
    still = Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.0, rho=-0.5)
    option = European(strike=100.0, tau=1.0)
    found = simulate(option, still, MARKET, n_paths=1 << 14)
    exact = float(price(option, BlackScholes(sigma=0.2), MARKET))
    assert abs(found.value - exact) < 4.0 * found.std_error + 2e-3


def test_fast_lognormal_paths_have_the_right_law_and_the_same_bits() -> None:
    import numba

    times, model = np.arange(1, 8) / 50.0, BlackScholes(sigma=0.3)
    whole = lognormal.spots(model, MARKET, times, n_paths=50_001, seed=8)
    before = n_threads()
    try:
        numba.set_num_threads(1)
        assert np.array_equal(whole, lognormal.spots(model, MARKET, times, n_paths=50_001, seed=8))
    finally:
        numba.set_num_threads(before)
    part = lognormal.spots(model, MARKET, times, n_paths=10, first_path=49_000, seed=8)
    assert np.array_equal(part, whole[:, 49_000:49_010])
    steps = np.diff(np.log(whole / 100.0), axis=0, prepend=0.0)
    z = (steps - ((0.03 - 0.01) - 0.045) / 50.0) / (0.3 / np.sqrt(50.0))
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(z) - np.eye(7)).max() < 4.5 / np.sqrt(50_001)
    mirrored = lognormal.spots(model, MARKET, times, n_paths=50_001, seed=8, mirror=True)
    drift = ((0.03 - 0.01) - 0.045) * times[:, None]
    assert np.abs(np.log(mirrored / 100.0) + np.log(whole / 100.0) - 2.0 * drift).max() < 1e-12


@dataclass(frozen=True)
class BlackTermStructure:
    """Volatility that rises with time."""

    def total_variance(self, tau: Any) -> Any:
        return 0.04 * np.asarray(tau) ** 2


def test_a_term_structure_of_variance_is_followed() -> None:
    x = sample(BlackTermStructure(), MARKET, [0.5, 2.0], n_paths=40_000).logs.x
    assert x.var(axis=1) == pytest.approx([0.01, 0.16], rel=0.04)
    assert np.corrcoef(x)[0, 1] == pytest.approx(0.25, abs=0.02)


def test_refusals_name_what_is_wrong() -> None:
    with pytest.raises(InputError, match="times must be finite, > 0 and increase"):
        sample(HESTON, MARKET, [1.0, 0.5], n_paths=3)
    with pytest.raises(InputError, match="scheme must be one of 'qe', 'poisson'; got 'euler'"):
        sample(HESTON, MARKET, [1.0], n_paths=3, scheme="euler")
    with pytest.raises(InputError, match=r"sigma must be >= 0.01 for scheme='poisson'.*Take scheme='qe'"):
        sample(Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.0, rho=0.0), MARKET, [1.0], n_paths=3, scheme="poisson")
    crooked = LocalVol(tau=np.array([1.0]), log_moneyness=X, vol=np.ones((1, 3)))
    with pytest.raises(InputError, match="vol must have 401 values a time"):
        sample(crooked, MARKET, [1.0], n_paths=3)
    with pytest.raises(NoEngineError, match=r"float has no paths\. Models that have: .*Bates, BlackScholes, .*Heston"):
        sample(0.2, MARKET, [1.0], n_paths=3)

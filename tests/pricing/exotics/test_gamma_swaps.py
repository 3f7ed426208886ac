"""Gamma swaps: the share measure against simulation in NumPy, options and paths; laws."""

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import GammaSwap, VarianceSwap, contract_from_json, to_json
from research.market import flat_snapshot
from research.models import (
    CEV,
    SABR,
    Bates,
    BlackScholes,
    BlackTermStructure,
    DisplacedDiffusion,
    Heston,
    LocalVol,
    Merton,
    RoughBergomi,
    VarianceGamma,
)
from research.pricing import greeks, price
from research.pricing._bumps import aged, bumped
from research.pricing.gamma_swap import dual, fair_gamma

LEVEL = flat_snapshot(spot=100.0)
MARKET = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.01)
HESTON = Heston(v0=0.04, kappa=2.0, theta=0.06, sigma=0.5, rho=-0.7)
JUMPS = {"intensity": 0.5, "jump_mean": -0.1, "jump_std": 0.15}
CLOSED = [
    BlackScholes(sigma=0.2), HESTON, Merton(sigma=0.15, **JUMPS),
    Bates(v0=0.04, kappa=2.0, theta=0.06, sigma=0.5, rho=-0.7, **JUMPS), VarianceGamma(sigma=0.2, nu=0.3, theta=-0.1),
]  # fmt: skip


def fair(model, market=MARKET, **options):
    return fair_gamma(model, market, 1.0, **options)[0]


def test_under_one_volatility_it_is_that_and_the_growth_of_the_price():
    """sigma^2 (e^(c T) - 1) / (c T); n observations by the moments of a lognormal return."""
    assert fair(BlackScholes(sigma=0.2), LEVEL) == pytest.approx(0.04, rel=1e-13)
    assert fair(BlackScholes(sigma=0.2)) == pytest.approx(0.04 * np.expm1(0.04) / 0.04, rel=1e-12)
    dt = 1.0 / 12.0
    each = 0.04 * dt + ((0.04 + 0.02) * dt) ** 2
    twin = sum(np.exp(0.04 * (i + 1) * dt) * each for i in range(12))
    assert fair(BlackScholes(sigma=0.2), n_observations=12) == pytest.approx(twin, rel=1e-12)
    by_time = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.25))
    late = 2.0 * (0.25**2 - 0.5 * 0.2**2)
    part = np.expm1(0.02) / 0.04
    assert fair(by_time) == pytest.approx(0.04 * part + late * (np.expm1(0.04) / 0.04 - part), rel=1e-10)


def test_under_merton_by_simulation():
    model, g, n = CLOSED[2], np.random.default_rng(3), 200_000
    dt, log_s, total = 0.25, np.zeros(n), np.zeros(n)
    drift = 0.04 - 0.5 * 0.15**2 - 0.5 * np.expm1(-0.1 + 0.5 * 0.15**2)
    for _ in range(4):
        k = g.poisson(0.5 * dt, n)
        move = (
            drift * dt + 0.15 * np.sqrt(dt) * g.standard_normal(n) - 0.1 * k + 0.15 * np.sqrt(k) * g.standard_normal(n)
        )
        log_s += move
        total += np.exp(log_s) * move**2
    assert abs(total.mean() - fair(model, n_observations=4)) < 4.0 * total.std() / np.sqrt(n)


@pytest.mark.parametrize("model", CLOSED, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("n_observations", [None, 12])
def test_paths_agree_with_the_share_measure(model, n_observations):
    item = GammaSwap(strike=0.0, initial=100.0, tau=1.0, n_observations=n_observations)
    found = price(item, model, MARKET, method="paths", n_paths=1 << 14)
    exact = price(item, model, MARKET)
    assert exact.method == "analytic"
    assert abs(found.value - exact.value) < 4.0 * found.std_error + found.error


def test_heston_by_options():
    for market in (LEVEL, MARKET):
        found, error = fair_gamma(HESTON, market, 1.0, replicate=True)
        assert abs(found - fair(HESTON, market)) < error < 1e-6


def test_the_dual_of_the_dual_is_the_model():
    for model in CLOSED[1:]:
        again = dual(dual(model))
        for name in model.to_json():
            assert getattr(again, name) == pytest.approx(getattr(model, name), rel=1e-12), (model, name)


def test_skew_down_makes_it_cheaper_than_variance():
    for model in (HESTON, SABR(alpha=0.2, beta=1.0, rho=-0.5, nu=0.3)):
        gamma = price(GammaSwap(strike=0.0, initial=100.0, tau=1.0), model, LEVEL).value
        assert gamma < price(VarianceSwap(strike=0.0, tau=1.0), model, LEVEL).value - 1e-3


@pytest.mark.parametrize("model", [
    CEV(sigma=2.0, beta=0.5), DisplacedDiffusion(sigma=0.1, shift=60.0),
    RoughBergomi(forward_variance=0.04, eta=1.5, rho=-0.7, hurst=0.1),
    LocalVol(tau=(1.0,), log_moneyness=(0.0,), vol=((0.2,),)),
], ids=lambda m: type(m).__name__)  # fmt: skip
def test_every_model_with_paths_has_one(model):
    found = price(GammaSwap(strike=0.0, initial=100.0, tau=1.0), model, LEVEL, method="paths", n_paths=1 << 12)
    twin = {"CEV": 0.04, "LocalVol": 0.04, "DisplacedDiffusion": 0.01 * (1.0 + 1.2 + 0.36)}
    # E of F (1 + shift / F)^2 = F + 2 shift + shift^2 / F, at F = 100 up to the convexity of 1 / F
    if type(model).__name__ in twin:
        assert found.value == pytest.approx(twin[type(model).__name__], rel=6e-3)
    assert found.value > 0.0


def test_a_swap_that_has_run_is_worth_what_has_run_and_what_is_left():
    young = price(GammaSwap(strike=0.0, initial=80.0, tau=0.5), HESTON, MARKET).value
    item = GammaSwap(strike=0.2, initial=80.0, tau=0.5, elapsed=0.5, elapsed_variance=0.03, notional=10.0)
    df = float(MARKET.discount.df(0.5))
    assert price(item, HESTON, MARKET).value == pytest.approx(10.0 * (df * (0.03 - 0.04) + 0.5 * young))
    delta = greeks(item, HESTON, MARKET, which=("delta",)).set_index("greek")["value"]["delta"]
    assert delta == pytest.approx(10.0 * 0.5 * young / 100.0, rel=1e-6)


@pytest.mark.parametrize("kind", [GammaSwap, VarianceSwap])
def test_observations_stay_on_the_days_that_were_agreed(kind):
    """100 days on, the looks of 12 over a year are those of the year, not 12 of what is left; paths say the same."""
    share = {"initial": 100.0} if kind is GammaSwap else {}
    item, days = kind(strike=0.0, tau=1.0, n_observations=12, **share), 100
    old, market = aged(item, days), bumped(MARKET, days=days)
    times = np.append(0.0, [i / 12 - days / 365 for i in range(4, 13)])
    each = 0.04 * np.diff(times) + (0.02 * np.diff(times)) ** 2
    if kind is GammaSwap:
        each = np.exp(0.04 * times[1:]) * (0.04 * np.diff(times) + (0.06 * np.diff(times)) ** 2)
    df = float(market.discount.df(times[-1]))
    found = price(old, BlackScholes(sigma=0.2), market, method="analytic")
    assert found.value == pytest.approx(df * each.sum(), rel=1e-12)
    by_options = price(old, SABR(alpha=0.2, beta=1.0, rho=0.0, nu=0.0), market, method="replication")
    assert abs(by_options.value - found.value) <= by_options.error < 1e-3
    paths = price(old, HESTON, market, method="paths", n_paths=1 << 14)
    exact = price(old, HESTON, market, method="analytic")
    assert abs(paths.value - exact.value) < 4.0 * paths.std_error + paths.error


def test_it_survives_json():
    item = GammaSwap(strike=0.2, initial=80.0, tau=0.5, elapsed=0.5, elapsed_variance=0.03, n_observations=10)
    assert contract_from_json(to_json(item)) == item


def test_what_has_no_share_measure_is_refused_and_left_to_paths():
    model = Heston(v0=0.04, kappa=0.1, theta=0.06, sigma=0.5, rho=0.7)
    item = GammaSwap(strike=0.2, initial=100.0, tau=1.0)
    with pytest.raises(NoEngineError, match=r"kappa must exceed rho sigma, 0.35, for a closed form"):
        price(item, model, MARKET, method="analytic")
    assert price(item, model, MARKET).method == "replication"
    with pytest.raises(InputError, match="initial must be"):
        GammaSwap(strike=0.2, initial=-1.0, tau=1.0)

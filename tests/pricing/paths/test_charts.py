"""Paths of CEV, shifted lognormal, normal and SABR prices: against their closed forms, laws, grids and each other."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ncx2, norm

from research.errors import NoEngineError
from research.instruments import (
    American,
    Asian,
    Barrier,
    Bermudan,
    Cliquet,
    Composed,
    CorridorVarianceSwap,
    Digital,
    DoubleBarrier,
    DoubleTouch,
    European,
    ForwardStart,
    Lookback,
    PartialBarrier,
    PartialLookback,
    Pay,
    Power,
    Touch,
    VarianceSwap,
)
from research.instruments.expressions import Spot, log
from research.market import flat_snapshot
from research.models import CEV, SABR, ArbitrageFreeSABR, Bachelier, BlackScholes, DisplacedDiffusion
from research.pricing import methods, price
from research.pricing.paths import sample
from research.pricing.paths.cev import table
from research.pricing.paths.engine import simulate
from research.pricing.paths.exercise import bounds

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
LEVEL = flat_snapshot(spot=100.0)  # no carry
QUARTERS = (0.25, 0.5, 0.75, 1.0)
SQUARE_ROOT = CEV(sigma=2.0, beta=0.5)


def near(found, value, extra=0.0):
    assert abs(found.value - value) < 4.0 * found.std_error + extra, (found, value)


@pytest.mark.parametrize("beta", [0.5, 0.0, -1.0, 0.9])
def test_quantiles_of_a_cev_step_are_those_of_the_noncentral_chi_square_law(beta):
    """Schroder (1989): P(h' > y | h) = ncx2.cdf(h^2; 1 / (1 - beta), y^2), what is absorbed below every y."""
    rows, edges, z, c = table(beta)
    nu = 0.5 / (1.0 - beta)
    for i in (40, 80, 120, 150):
        rho = i / (rows.shape[0] - 1.0)
        h = c * rho / (1.0 - rho)
        quantile = h + z + rows[i] / (h + c)
        some = (np.abs(z) < 3.0) & (quantile > 1e-3)
        left = ncx2.cdf(h * h, 2.0 * nu, quantile[some] ** 2)  # P(h' > quantile)
        gone = ncx2.sf(h * h, 2.0 * nu, 0.0)
        found = norm.isf(left / (1.0 - gone))
        assert np.abs(found - z[some]).max() < (2e-5 if h < 6.0 else 1e-6)
        assert norm.cdf(edges[i]) == pytest.approx(gone, abs=1e-12)


@pytest.mark.parametrize(("beta", "sigma"), [(0.5, 2.0), (0.0, 60.0), (-1.0, 2000.0), (0.9, 0.32), (1.1, 0.126)])
@pytest.mark.parametrize("n_times", [1, 12])
def test_cev_paths_have_the_law_of_the_closed_form(beta, sigma, n_times):
    model = CEV(sigma=sigma, beta=beta)
    times = np.linspace(0.0, 1.0, n_times + 1)[1:]
    block = sample(model, MARKET, times, n_paths=1 << 14, sampler="sobol")
    forward, last = MARKET.forward(1.0), block.spot[-1]
    assert last.mean() == pytest.approx(forward, rel=4e-4)
    assert (last == 0.0).mean() == pytest.approx(model.absorbed_mass(forward, 1.0), abs=1e-3)
    for strike in (90.0, 110.0):
        put = np.maximum(strike - last, 0.0).mean()
        assert put == pytest.approx(model.price(forward, strike, 1.0, is_call=False), rel=2e-3)


def test_a_cev_path_that_is_absorbed_stays_there():
    block = sample(CEV(sigma=60.0, beta=0.0), MARKET, np.linspace(0.1, 1.0, 10), n_paths=4096)
    dead = block.spot == 0.0
    assert dead[-1].mean() > 0.05
    assert (dead[1:] >= dead[:-1]).all()


def test_any_slice_of_the_paths_can_be_made_again_alone():
    for model in (SQUARE_ROOT, Bachelier(sigma=20.0), ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=-0.3, nu=0.5)):
        whole = sample(model, MARKET, QUARTERS, n_paths=300, seed=5)
        part = sample(model, MARKET, QUARTERS, n_paths=7, first_path=123, seed=5)
        assert (whole.spot[:, 123:130] == part.spot).all()


def test_limits_to_one_lognormal_volatility():
    item = Barrier(strike=100.0, barrier=85.0, tau=1.0, direction="down", knock="out")
    plain = price(item, BlackScholes(sigma=0.2), MARKET, method="paths", n_paths=1 << 13)
    for model in (CEV(sigma=0.2, beta=1.0), DisplacedDiffusion(sigma=0.2, shift=0.0)):
        assert price(item, model, MARKET, method="paths", n_paths=1 << 13).value == pytest.approx(plain.value, rel=1e-9)
    for model in (CEV(sigma=0.2 * 100.0**1e-3, beta=0.999),
                  ArbitrageFreeSABR(alpha=0.2, beta=1.0, rho=0.0, nu=1e-5)):  # fmt: skip
        near(price(item, model, MARKET, method="paths", n_paths=1 << 13), plain.value, 0.02)


def test_a_large_shift_is_a_normal_price():
    shifted = DisplacedDiffusion(sigma=20.0 / 1e6, shift=1e6 - 100.0)
    for item in (Lookback(tau=1.0), DoubleTouch(low=80.0, high=125.0, tau=1.0, pays_if="none"),
                 Asian(strike=100.0, fixings=QUARTERS)):  # fmt: skip
        a, b = (price(item, model, LEVEL, method="paths", n_paths=1 << 12)
                for model in (shifted, Bachelier(sigma=20.0)))  # fmt: skip
        assert a.value == pytest.approx(b.value, rel=1e-3)


@pytest.mark.parametrize("shift", [60.0, -30.0])
def test_without_carry_a_shift_moves_every_level(shift):
    """S + shift is lognormal: barriers and extremes have the closed forms of one volatility at shifted levels."""
    model, there = DisplacedDiffusion(sigma=0.2, shift=shift), flat_snapshot(spot=100.0 + shift)
    k, low, high = 100.0 + shift, 80.0 + shift, 125.0 + shift
    pairs = [
        (Barrier(strike=100.0, barrier=80.0, tau=1.0, direction="down", knock="out"),
         Barrier(strike=k, barrier=low, tau=1.0, direction="down", knock="out")),
        (Touch(barrier=125.0, direction="up", tau=1.0), Touch(barrier=high, direction="up", tau=1.0)),
        (DoubleBarrier(strike=100.0, low=80.0, high=125.0, tau=1.0, knock="out"),
         DoubleBarrier(strike=k, low=low, high=high, tau=1.0, knock="out")),
        (DoubleTouch(low=80.0, high=125.0, tau=1.0, pays_if="low"),
         DoubleTouch(low=low, high=high, tau=1.0, pays_if="low")),
        (Lookback(tau=1.0), Lookback(tau=1.0)),
        (Lookback(tau=1.0, strike=110.0, is_call=False), Lookback(tau=1.0, strike=110.0 + shift, is_call=False)),
        (PartialLookback(tau=1.0, switch=0.5, strike=100.0), PartialLookback(tau=1.0, switch=0.5, strike=k)),
        (PartialBarrier(strike=100.0, barrier=90.0, tau=1.0, switch=0.5, direction="down", knock="out",
                        watched="end"),
         PartialBarrier(strike=k, barrier=90.0 + shift, tau=1.0, switch=0.5, direction="down", knock="out",
                        watched="end")),
    ]  # fmt: skip
    for item, moved in pairs:
        exact = price(moved, BlackScholes(sigma=0.2), there, method="analytic")
        near(price(item, model, LEVEL, method="paths", n_paths=1 << 13), exact.value)


def test_normal_barriers_and_extremes_by_reflection():
    """Without carry: C(F, K) - C(2 B - F, K); E[max] - F = sigma sqrt(2 T / pi)."""
    model, sigma = Bachelier(sigma=20.0), 20.0
    out = Barrier(strike=100.0, barrier=85.0, tau=1.0, direction="down", knock="out")
    exact = model.price(100.0, 100.0, 1.0) - model.price(70.0, 100.0, 1.0)
    near(price(out, model, LEVEL, method="paths", n_paths=1 << 13), exact)
    near(price(Lookback(tau=1.0, is_call=False), model, LEVEL, n_paths=1 << 13), sigma * np.sqrt(2.0 / np.pi))
    near(price(Lookback(tau=1.0), model, LEVEL, n_paths=1 << 13), sigma * np.sqrt(2.0 / np.pi))


BY_GRID = [
    Digital(strike=105.0, tau=1.0),
    Barrier(strike=100.0, barrier=120.0, tau=1.0, direction="up", knock="out", rebate=2.0),
    Barrier(strike=100.0, barrier=85.0, tau=1.0, direction="down", knock="in", n_monitoring=12),
    DoubleTouch(low=85.0, high=125.0, tau=1.0, pays_if="high"),
    PartialBarrier(strike=100.0, barrier=90.0, tau=1.0, switch=0.5, direction="down", knock="out", watched="start"),
]


@pytest.mark.slow
@pytest.mark.parametrize("model", [
    SQUARE_ROOT, CEV(sigma=20.0, beta=0.0), CEV(sigma=0.126, beta=1.1), DisplacedDiffusion(sigma=0.1, shift=100.0),
    Bachelier(sigma=20.0), Bachelier(sigma=60.0),
], ids=str)  # fmt: skip
def test_paths_agree_with_the_grids(model):
    for item in BY_GRID:
        grid = price(item, model, MARKET, method="pde")
        found = price(item, model, MARKET, method="paths", n_paths=1 << 13)
        assert abs(found.value - grid.value) < 4.0 * found.std_error + found.error + grid.error


@pytest.mark.slow
@pytest.mark.parametrize("model", [SQUARE_ROOT, DisplacedDiffusion(sigma=0.1, shift=100.0), Bachelier(sigma=20.0)],
                         ids=str)  # fmt: skip
def test_bounds_of_early_exercise_enclose_the_grid(model):
    for item in (Bermudan(strike=105.0, times=QUARTERS, is_call=False), American(strike=105.0, tau=1.0, is_call=False)):
        grid = price(item, model, MARKET, method="pde").value
        found = bounds(item, model, MARKET, n_dates=25)
        assert found.lower - 3.0 * found.lower_error < grid
        assert found.upper + 3.0 * found.upper_error > grid - 0.03  # an American one is given 25 dates here
        assert found.upper - found.lower < 0.12


def test_where_a_grid_in_logarithms_breaks_down_paths_are_taken():
    found = price(Touch(barrier=85.0, direction="down", tau=1.0), CEV(sigma=40.0, beta=0.0), LEVEL, n_paths=1 << 12)
    assert found.method == "paths"
    near(found, 2.0 * norm.cdf(-15.0 / 40.0))  # a normal price, absorbed far below


def test_variance_under_cev_is_twice_the_log_contract():
    item = VarianceSwap(strike=0.0, tau=1.0)
    found = price(item, SQUARE_ROOT, LEVEL, method="paths", n_paths=1 << 12)
    exact = price(item, SQUARE_ROOT, LEVEL, method="replication")
    assert abs(found.value - exact.value) < 4.0 * found.std_error + 2e-6
    y = np.exp(np.linspace(-6.0, 3.0, 200_001)) * 100.0  # by the density itself
    density = SQUARE_ROOT.density(100.0, y, 1.0)
    assert exact.value == pytest.approx(-2.0 * np.trapezoid(np.log(y / 100.0) * density, y), rel=1e-7)


def test_sabr_paths_meet_the_published_values_of_the_model_itself():
    """BENCHOP-SLV (2019), section 2.1: the closed form of the expansion is 1.9% and 12% off, paths of the dynamics are
    within their error."""
    path = Path(__file__).parents[2] / "reference" / "benchop_sabr.csv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        f, k, tau, alpha, beta, rho, nu, value = (
            float(row[name]) for name in ("forward", "strike", "tau", "alpha", "beta", "rho", "nu", "value")
        )
        model = ArbitrageFreeSABR(alpha=alpha, beta=beta, rho=rho, nu=nu)
        steps = 32.0 if tau < 5.0 else 16.0
        found = price(European(strike=k, tau=tau), model, flat_snapshot(spot=f), method="paths", n_paths=1 << 13,
                      steps_per_year=steps)  # fmt: skip
        assert abs(found.value - value) < min(found.error, 0.012 * value)


def test_lognormal_sabr_paths_agree_with_obloj_for_a_short_life():
    model = ArbitrageFreeSABR(alpha=0.2, beta=1.0, rho=-0.5, nu=0.5)
    for strike in (90.0, 100.0, 110.0):
        item = European(strike=strike, tau=0.25)
        formula = price(item, SABR(alpha=0.2, beta=1.0, rho=-0.5, nu=0.5), MARKET).value
        near(price(item, model, MARKET, method="paths", n_paths=1 << 13), formula, 2e-3)


def test_what_is_infinite_or_nothing_where_a_price_ends_at_or_below_zero_is_refused_by_name():
    shifted, absorbed = DisplacedDiffusion(sigma=0.04, shift=400.0), CEV(sigma=60.0, beta=0.0)
    logs = Composed(payments=(Pay(at=1.0, amount=log(Spot(1.0))),))
    for item, model, word in (
        (VarianceSwap(strike=0.2, tau=1.0), shifted, "logarithms"),
        (CorridorVarianceSwap(strike=0.2, low=90.0, tau=1.0), absorbed, "logarithms"),
        (Cliquet(resets=QUARTERS, local_cap=0.05), absorbed, "returns"),
        (ForwardStart(start=0.5, tau=1.0, on_return=True), Bachelier(sigma=20.0), "returns"),
        (Asian(strike=100.0, fixings=QUARTERS, average="geometric"), Bachelier(sigma=20.0), "powers"),
        (Power(strike=1e4, power=2.0, tau=1.0), shifted, "powers"),
        (logs, absorbed, "log"),
    ):  # fmt: skip
        with pytest.raises(NoEngineError, match=f"{type(item).__name__} takes {word} of the price, which ends at or"):
            price(item, model, MARKET, method="paths", n_paths=1024)
    assert "paths" not in set(methods(Cliquet(resets=QUARTERS, local_cap=0.05), Bachelier(sigma=20.0)).method)


def test_a_strict_local_martingale_has_no_paths():
    with pytest.raises(NoEngineError, match="beta must leave the mean at the forward"):
        sample(CEV(sigma=0.002, beta=2.0), MARKET, [1.0], n_paths=8)


KNOCKS = (
    Barrier(strike=100.0, barrier=95.0, direction="down", knock="out", tau=1.0, n_monitoring=12, rebate=1.0),
    DoubleBarrier(strike=100.0, low=88.0, high=115.0, knock="out", tau=1.0, n_monitoring=12),
)


@pytest.mark.parametrize(
    "model",
    [Bachelier(sigma=20.0), DisplacedDiffusion(sigma=0.3, shift=-20.0), SQUARE_ROOT,
     CEV(sigma=0.08, beta=1.2)],
    ids=lambda one: f"{type(one).__name__}-{getattr(one, 'beta', '')}",
)  # fmt: skip
def test_paths_kept_inside_barriers_agree_with_the_grid_and_are_quieter(model):
    for item in KNOCKS:
        grid = price(item, model, MARKET, method="pde")
        free, kept = (simulate(item, model, MARKET, n_paths=1 << 12, survival=one) for one in (False, True))
        assert abs(kept.value - grid.value) < 4.0 * kept.std_error + grid.error, item
        assert kept.std_error < 0.6 * free.std_error


def test_a_price_below_zero_is_inside_an_upper_barrier():
    """The low limit of an up-and-out is none: under Bachelier a put is worth most down there."""
    market, model = flat_snapshot(spot=5.0), Bachelier(sigma=10.0)
    item = Barrier(strike=4.0, barrier=12.0, direction="up", knock="out", tau=1.0, n_monitoring=4, is_call=False)
    kept = simulate(item, model, market, n_paths=1 << 13, survival=True)
    rng = np.random.default_rng(3)
    path = 5.0 + 10.0 * 0.5 * np.cumsum(rng.standard_normal((4, 400_000)), axis=0)
    paid = np.where((path < 12.0).all(axis=0), np.maximum(4.0 - path[-1], 0.0), 0.0)
    assert abs(kept.value - paid.mean()) < 4.0 * np.hypot(kept.std_error, paid.std() / 400_000**0.5)


def test_the_walk_of_sabr_is_not_kept_within_limits():
    item = KNOCKS[0]
    for model in (ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=0.0, nu=0.3),):
        with pytest.raises(NoEngineError, match="cannot be kept within limits"):
            price(item, model, MARKET, method="paths", survival=True, n_paths=1024)

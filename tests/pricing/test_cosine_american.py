"""American options by extrapolated cosine series: published digits, a jump grid, collocation, bounds by simulation."""

import numpy as np
import pytest
from tests.pricing import cosine_twins
from tests.pricing.published.tables import rows

from research.instruments import American, European
from research.market import flat_snapshot
from research.models import BlackScholes, Merton, VarianceGamma
from research.pricing import greeks, price
from research.pricing.cosine_dates import bermudan_jets, weights

JUMPS = Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
MARKET = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows("american_jumps.csv"), ids=lambda row: row.model)
def test_puts_of_dhalluin_forsyth_labahn_and_of_hirsa_and_madan(row):
    jumps = row.model == "Merton"
    model = (Merton(sigma=row.sigma, intensity=row.a, jump_mean=row.b, jump_std=row.c) if jumps else
             VarianceGamma(sigma=row.sigma, nu=row.a, theta=row.b))  # fmt: skip
    market = flat_snapshot(spot=float(row.spot), rate=row.rate, dividend_yield=row.dividend_yield)
    found = price(American(strike=float(row.strike), tau=row.tau), model, market)
    assert found.method == "cosine"
    assert abs(found.value - row.value) < found.error + row.digits
    assert found.error < 1e-4 * row.strike


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spot", "dividend_yield", "is_call"), [(100.0, 0.02, False), (90.0, 0.02, False), (100.0, 0.07, True)]
)
def test_options_under_merton_lie_within_their_error_of_a_jump_grid(spot, dividend_yield, is_call):
    market = flat_snapshot(spot=spot, rate=0.05, dividend_yield=dividend_yield)
    found = price(American(strike=100.0, tau=1.0, is_call=is_call), JUMPS, market)
    given = (JUMPS, spot, 100.0, 1.0, 0.05, dividend_yield, is_call)
    coarse, fine = (cosine_twins.american_on_a_grid(*given, m=m, n=m // 2) for m in (1000, 2000))
    left = abs(fine - coarse) / 3.0
    assert abs(found.value - (4.0 * fine - coarse) / 3.0) < found.error + 0.3 * left
    assert left < 2e-4
    assert found.error < 6e-4


CASES = [
    (100.0, 1.0, 0.05, 0.0, 0.2, False), (83.0, 1.0, 0.05, 0.0, 0.2, False), (85.0, 1.0, 0.05, 0.0, 0.2, False),
    (120.0, 1.0, 0.05, 0.0, 0.2, False), (110.0, 2.0, 0.1, 0.05, 0.2, False), (100.0, 0.25, 0.05, 0.02, 0.3, False),
    (100.0, 1.0, 0.03, 0.07, 0.25, True), (125.0, 1.0, 0.02, 0.06, 0.25, True), (100.0, 10.0, 0.03, 0.01, 0.3, False),
    (100.0, 0.02, 0.05, 0.0, 0.4, False), (100.0, 1.0, 0.08, 0.0, 0.05, False), (60.0, 1.0, 0.05, 0.1, 0.8, False),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("spot", "tau", "rate", "dividend_yield", "sigma", "is_call"), CASES)
def test_the_error_covers_the_distance_to_collocation(spot, tau, rate, dividend_yield, sigma, is_call):
    market = flat_snapshot(spot=spot, rate=rate, dividend_yield=dividend_yield)
    given, model = American(strike=100.0, tau=tau, is_call=is_call), BlackScholes(sigma=sigma)
    found, exact = (price(given, model, market, method=method) for method in ("cosine", "spectral"))
    assert abs(found.value - exact.value) <= found.error + exact.error
    assert found.error < 2e-2


@pytest.mark.slow
def test_dates_that_crowd_towards_today_see_a_boundary_that_equal_ones_do_not():
    model, market, y = BlackScholes(sigma=0.2), flat_snapshot(spot=85.0, rate=0.05), np.array([np.log(0.85)])
    exact = float(price(American(strike=100.0, tau=1.0), model, market, method="spectral"))
    missed = []
    for power, exponents in ((1.0, (1.0, 2.0, 3.0)), (2.0, (1.0, 1.5, 2.0))):
        values = [float(bermudan_jets(model, market, (np.arange(1, n + 1) / n) ** power, False, y)[0][0, 0])
                  for n in (8, 16, 32, 64)]  # fmt: skip
        missed.append(abs(100.0 * float(weights(exponents) @ np.array(values)) - exact))
    assert missed[1] < 2e-4
    assert missed[0] > 5.0 * missed[1]


@pytest.mark.slow
def test_bounds_by_simulation_hold_the_value_between_them():
    given = American(strike=100.0, tau=1.0)
    found = price(given, JUMPS, MARKET)
    bounds = price(given, JUMPS, MARKET, method="longstaff_schwartz", n_paths=20_000, n_dates=50)
    assert found.method == "cosine"
    assert bounds.value - 4.0 * bounds.std_error < found.value + found.error
    assert found.value - found.error < bounds.value + 4.0 * bounds.std_error + bounds.error + 0.01


def test_limits():
    calm = flat_snapshot(spot=100.0, rate=0.05)
    call = price(American(strike=100.0, tau=1.0, is_call=True), JUMPS, calm)
    plain = price(European(strike=100.0, tau=1.0), JUMPS, calm)
    assert abs(call.value - plain.value) < call.error + plain.error < 1e-4  # no dividends: never exercised early
    deep = price(American(strike=200.0, tau=0.5), JUMPS, calm)
    assert deep.value == 100.0
    assert price(American(strike=120.0, tau=0.0), JUMPS, calm).value == 20.0


def test_an_option_that_is_exercised_now_has_the_greeks_of_its_payoff():
    table = greeks(American(strike=200.0, tau=0.5), JUMPS, MARKET, which=("value", "delta", "gamma")).set_index("greek")
    assert table.value.tolist() == [100.0, -1.0, 0.0]


@pytest.mark.slow
def test_greeks_agree_with_the_jump_grid():
    item = American(strike=100.0, tau=1.0)
    table = greeks(item, JUMPS, MARKET, which=("delta", "gamma")).set_index("greek")
    grid = [cosine_twins.american_on_a_grid(JUMPS, 100.0 + h, 100.0, 1.0, 0.05, 0.02, m=2000, n=500)
            for h in (-1.0, 0.0, 1.0)]  # fmt: skip
    assert abs(table.value["delta"] - (grid[2] - grid[0]) / 2.0) < table.error["delta"] + 2e-4
    assert abs(table.value["gamma"] - (grid[2] - 2.0 * grid[1] + grid[0])) < table.error["gamma"] + 1e-4
    assert table.error["delta"] < 2e-3

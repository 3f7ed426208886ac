"""Contracts with dates by finite differences: notes, Bermudan options, looks on given days, a barrier for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.stats import norm

from research.errors import InputError
from research.instruments import (
    Airbag,
    American,
    Autocallable,
    Barrier,
    Bermudan,
    DoubleBarrier,
    DoubleNoTouch,
    DoubleTouch,
    European,
    PartialBarrier,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.market import flat_snapshot
from research.models import CEV, BlackScholes, BlackTermStructure, Heston, LocalStochasticVol, LocalVol
from research.pricing import greeks, lattice, methods, price
from research.pricing._dated_contracts import march_of, terms_of
from research.pricing._dated_march import line
from research.pricing._pde_grid import near

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01, as_of=date(2024, 1, 3))
MODEL = BlackScholes(sigma=0.25)
CALM = Heston(v0=0.0625, kappa=1.0, theta=0.0625, sigma=0.01, rho=0.0)
LOGS = np.linspace(-2.5, 1.5, 801)
SKEW = LocalVol(tau=[0.0], log_moneyness=LOGS, vol=[0.25 * np.exp(-0.5 * LOGS)])
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(j / 252 for j in range(63, 253, 21)), knock_out=1.03, coupon=0.15, knock_in=0.75
)
MONTHS = tuple(i / 12 for i in range(3, 13))
DATES = (date(2024, 4, 3), date(2024, 7, 3), date(2024, 10, 9), date(2025, 1, 3))
FIN = SharkFin(initial=100.0, strike=1.0, barrier=1.2, participation=0.8, rebate=0.02, tau=0.5)
NOTES = [
    SNOWBALL,
    replace(SNOWBALL, knocked_in=True, floor=0.6),
    replace(SNOWBALL, knock_in_daily=False, strike=0.95, maturity_coupon=0.02),
    replace(SNOWBALL, observations=DATES, knock_out=(1.05, 1.03, 1.0, 0.97)),
    Phoenix(initial=100.0, observations=MONTHS, knock_out=1.05, coupon=0.01, coupon_barrier=0.8, knock_in=0.75),
    FIN,
    replace(FIN, barrier=0.8, is_call=False),
    RangeAccrual(initial=100.0, low=0.9, high=1.1, rate=0.05, tau=0.5),
    DoubleNoTouch(initial=100.0, low=0.85, high=1.15, rate=0.06, tau=0.5),
    Airbag(initial=100.0, knock_in=0.8, participation=0.9, tau=1.0),
    StructuredDeposit(initial=100.0, participation=0.5, width=0.2, tau=1.0),
]
OUT = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12)
YEAR = {"strike": 100.0, "tau": 1.0, "switch": 0.4, "rebate": 2.0}


@pytest.mark.parametrize("note", NOTES, ids=lambda n: type(n).__name__)
def test_notes_agree_with_quadrature(note):
    exact, found = (price(note, MODEL, MARKET, method=m) for m in ("quadrature", "pde"))
    assert abs(found.value - exact.value) <= found.error
    assert abs(found.value - exact.value) < 4e-5  # of a notional of 100


@pytest.mark.parametrize("position", [1, 2, 6, 10])
def test_notes_in_two_dimensions_agree_with_one_where_variance_is_calm(position):
    one, two = (price(NOTES[position], m, MARKET, method=how) for m, how in ((MODEL, "pde"), (CALM, "adi")))
    assert two.value == pytest.approx(one.value, abs=5e-4)
    assert abs(two.value - one.value) <= two.error


@pytest.mark.slow
@pytest.mark.parametrize("position", [0, 4, 5, 7, 9])
def test_simulated_notes_agree_with_the_grids_within_their_standard_errors(position):
    heston = Heston(v0=0.06, kappa=2.0, theta=0.07, sigma=0.5, rho=-0.6)
    for model, method in ((SKEW, "pde"), (heston, "adi")):
        exact = price(NOTES[position], model, MARKET, method=method)
        drawn = price(NOTES[position], model, MARKET, method="paths", n_paths=1 << 14)
        assert abs(drawn.value - exact.value) < 4.0 * drawn.std_error + exact.error


def test_a_phoenix_that_remembers_its_coupons_is_that_of_the_paths():
    plain = replace(NOTES[4], observations=(0.25, 0.5, 0.75, 1.0), coupon_barrier=0.95, coupon=0.03)
    note = replace(plain, memory=True)
    for item, model in ((note, MODEL), (replace(note, knocked_in=True), MODEL)):
        drawn = price(item, model, MARKET, method="monte_carlo", n_paths=1 << 16)
        found = price(item, model, MARKET, method="pde")
        assert abs(found.value - drawn.value) < 4.0 * drawn.std_error + found.error
    # a barrier that is never missed, or a coupon whose missing has no later date, leaves nothing to remember
    low, last = (replace(plain, coupon_barrier=1e-6), replace(plain, observations=(1.0,)))
    for item in (low, last):
        one, other = (price(i, SKEW, MARKET, method="pde").value for i in (item, replace(item, memory=True)))
        assert one == pytest.approx(other, abs=1e-9)
    assert price(note, SKEW, MARKET).value > price(plain, SKEW, MARKET).value + 0.1


def test_a_note_under_equal_vols_by_expiry_or_a_cev_of_power_one_is_that_of_black_and_scholes():
    note = NOTES[2]
    exact = price(note, MODEL, MARKET, method="pde").value
    for model in (BlackTermStructure(tau=(0.5, 1.0), implied=(0.25, 0.25)), CEV(sigma=0.25, beta=1.0)):
        assert price(note, model, MARKET, method="pde").value == pytest.approx(exact, abs=1e-9)


def twin(contract, model, market):
    """A knock-out looked at n times, by Gauss-Legendre over the living side from look to look; a rebate at the hit."""
    n, drift = contract.n_monitoring, 0.02 - 0.5 * model.sigma**2
    dt, rate = contract.tau / n, 0.03
    std = model.sigma * np.sqrt(dt)
    low, high = np.log(contract.barrier), np.log(market.spot) + 8.0 * model.sigma * np.sqrt(contract.tau)
    nodes, weight = np.polynomial.legendre.leggauss(16)
    edges = np.unique([*np.linspace(low, high, 40), np.log(contract.strike)])
    half = 0.5 * np.diff(edges)
    x = (edges[:-1] + half)[:, None] + half[:, None] * nodes
    x, w = x.ravel(), (half[:, None] * weight).ravel()
    spot = np.array([np.log(market.spot)])

    def back(start, v):
        gap = (x[None, :] - start[:, None] - drift * dt) / std
        return np.exp(-rate * dt) * (np.exp(-0.5 * gap**2) * w / (std * np.sqrt(2.0 * np.pi))) @ v

    def dead(start):
        return np.exp(-rate * dt) * contract.rebate * norm.cdf((low - start - drift * dt) / std)

    v = np.maximum(np.exp(x) - contract.strike, 0.0)
    step = back(x, np.eye(x.size)) if n > 1 else None
    for _ in range(n - 1):
        v = step @ v + dead(x)
    return float((back(spot, v) + dead(spot))[0])


@pytest.mark.parametrize("n", [1, 4, 50])
def test_a_knock_out_looked_at_on_given_days_agrees_with_its_integral(n):
    contract = replace(OUT, n_monitoring=n, rebate=3.0)
    found = price(contract, MODEL, MARKET, method="pde")
    assert abs(found.value - twin(contract, MODEL, MARKET)) < 2e-5
    assert abs(found.value - twin(contract, MODEL, MARKET)) <= found.error


def test_the_shift_of_the_barrier_is_met_within_its_stated_error():
    terms = {"barrier": 90.0, "direction": "down", "n_monitoring": 20, **YEAR}
    items = (
        OUT,
        replace(OUT, barrier=115.0, direction="up", knock="in", n_monitoring=50),
        DoubleBarrier(strike=100.0, low=85.0, high=120.0, knock="out", tau=1.0, n_monitoring=50),
        DoubleTouch(low=85.0, high=120.0, tau=1.0, n_monitoring=50),
        PartialBarrier(knock="out", watched="start", **terms),
        PartialBarrier(knock="in", watched="end", **terms),
    )
    for item in items:
        shifted, found = (price(item, MODEL, MARKET, method=m) for m in ("analytic", "pde"))
        assert abs(shifted.value - found.value) <= shifted.error + found.error, item


@pytest.mark.parametrize("n", [12, 250])
def test_the_plain_grids_error_falls_with_its_square(n):
    contract, errors, sizes = replace(OUT, n_monitoring=n), [], (100, 200, 400)
    plan = terms_of(contract, MARKET)
    exact = price(contract, MODEL, MARKET, method="pde", n_space=1600, n_time=max(1600, 8 * n)).value
    for size in sizes:
        grid = line(plan, MODEL, MARKET, size, size, 1, (), size // 50)
        here, weights = near(grid.x, 0.0)
        errors.append(abs(weights[0] @ march_of(contract, plan, grid)[0, here] - exact))
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.25)


def test_knock_in_and_knock_out_make_the_european_option_and_touches_the_bond():
    for model in (MODEL, SKEW):
        pair = price([OUT, replace(OUT, knock="in")], model, MARKET, method="pde").value
        whole = price(European(strike=100.0, tau=1.0), model, MARKET, method="pde").value
        assert pair.sum() == pytest.approx(whole, abs=2e-5)
        looks = {"low": 85.0, "high": 120.0, "tau": 1.0, "n_monitoring": 12}
        four = price([DoubleTouch(pays_if=wins, **looks) for wins in ("none", "low", "high", "either")], model, MARKET,
                     method="pde").value  # fmt: skip
        assert four[0] + four[3] == pytest.approx(float(MARKET.discount.df(1.0)), abs=1e-6)
        assert four[1] + four[2] == pytest.approx(four[3], abs=1e-9)


def test_more_looks_make_a_knock_out_worth_less_down_to_one_that_is_always_watched():
    found = price([replace(OUT, n_monitoring=n) for n in (1, 4, 16, 64, None)], SKEW, MARKET).value
    assert np.all(np.diff(found) < 0.0)


PARTIAL = [
    PartialBarrier(barrier=level, direction=side, knock=knock, watched=watched, is_call=is_call, **YEAR)
    for level, side, knock, watched, is_call in (
        (90.0, "down", "out", "start", True), (110.0, "up", "in", "start", True), (90.0, "down", "out", "end", True),
        (110.0, "up", "in", "end", False), (110.0, "either", "out", "end", False), (95.0, "either", "in", "end", True),
    )
]  # fmt: skip


@pytest.mark.parametrize("item", PARTIAL, ids=lambda p: f"{p.direction}-{p.knock}-{p.watched}")
def test_a_barrier_for_a_part_of_the_life_has_its_closed_form(item):
    exact, found = (price(item, MODEL, MARKET, method=m) for m in ("analytic", "pde"))
    assert abs(found.value - exact.value) <= found.error
    assert found.value == pytest.approx(exact.value, abs=5e-5)


def test_a_barrier_for_a_part_of_the_life_in_two_dimensions():
    for item in (PARTIAL[0], PARTIAL[4]):
        exact, found = price(item, MODEL, MARKET).value, price(item, CALM, MARKET)
        assert found.method == "adi" and found.value == pytest.approx(exact, abs=2e-3)


@pytest.mark.parametrize("times", [(0.25, 0.5, 0.75, 1.0), tuple(k / 25 for k in range(1, 26))])
def test_bermudan_options_agree_with_the_lattice(times):
    item = Bermudan(strike=100.0, times=times)
    found, tree = price(item, MODEL, MARKET, method="pde"), lattice.value([item], MODEL, MARKET, n_steps=2001)
    assert abs(found.value - tree.value[0]) <= found.error + tree.error[0]
    finer = price(item, MODEL, MARKET, method="pde", n_space=1600, n_time=400)
    assert found.value == pytest.approx(finer.value, abs=2e-5)


def test_bermudan_options_agree_with_quantlibs_grid():
    ql = pytest.importorskip("QuantLib")
    today, count = ql.Date(1, 1, 2023), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (0.01, 0.03)]
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(100.0)), *curves, vol)
    days = (73, 146, 219, 292, 365)
    option = ql.VanillaOption(
        ql.PlainVanillaPayoff(ql.Option.Put, 105.0), ql.BermudanExercise([today + d for d in days])
    )
    option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, 800, 800))
    item = Bermudan(strike=105.0, times=tuple(d / 365 for d in days))
    found = greeks(item, MODEL, MARKET, method="pde", which=("value", "delta", "gamma")).set_index("greek")["value"]
    assert found["value"] == pytest.approx(option.NPV(), abs=5e-4)
    assert found["delta"] == pytest.approx(option.delta(), abs=1e-4)
    assert found["gamma"] == pytest.approx(option.gamma(), abs=1e-4)


@pytest.mark.parametrize(("model", "method"), [(SKEW, "pde"), (CALM, "adi")])
def test_bermudan_options_lie_between_european_and_american(model, method):
    kinds = [European(strike=100.0, tau=1.0, is_call=False), Bermudan(strike=100.0, times=(1.0,)),
             Bermudan(strike=100.0, times=(0.5, 1.0)), Bermudan(strike=100.0, times=MONTHS),
             American(strike=100.0, tau=1.0)]  # fmt: skip
    found = [price(item, model, MARKET, method=method).value for item in kinds]
    assert found[1] == pytest.approx(found[0], abs=2e-4)
    assert np.all(np.diff(found[1:]) > 0.0)
    today = price(Bermudan(strike=150.0, times=(0.0, 1.0)), model, MARKET, method=method).value
    assert today == pytest.approx(50.0, abs=1e-9)


def test_a_leverage_of_one_is_heston_and_cash_reaches_the_plane():
    one = LocalStochasticVol(heston=CALM, leverage=LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[1.0]]))
    for item in (NOTES[2], PARTIAL[0]):
        assert price(item, one, MARKET).value == pytest.approx(price(item, CALM, MARKET).value, abs=2e-4)
    given = {"dividends": [(0.3, 4.0)], "n_space": 200}
    two, flat = (price(OUT, m, MARKET, method=how, **given).value for m, how in ((CALM, "adi"), (MODEL, "pde")))
    assert two == pytest.approx(flat, abs=2e-3)


@pytest.mark.parametrize("sigma", [0.001, 0.01, 1.0])
@pytest.mark.parametrize("position", [0, 2, 7, 9])
def test_notes_at_the_extremes_of_vol_agree_with_quadrature(position, sigma):
    found, exact = (price(NOTES[position], BlackScholes(sigma=sigma), MARKET, method=m) for m in ("pde", "quadrature"))
    assert abs(found.value - exact.value) <= found.error + exact.error


def test_cash_dividends_reach_contracts_with_dates():
    given = {"method": "pde", "dividends": [(0.3, 4.0), (0.5, 3.0)]}
    plain = price(European(strike=100.0, tau=1.0), MODEL, MARKET, **given).value
    far = replace(OUT, barrier=1.0, n_monitoring=4)  # a look falls on the day of a dividend
    assert price(far, MODEL, MARKET, **given).value == pytest.approx(plain, abs=2e-4)


def test_the_number_of_threads_does_not_change_a_bit():
    import numba

    many = [price(NOTES[2], model, MARKET, method=how).value for model, how in ((SKEW, "pde"), (CALM, "adi"))]
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = [price(NOTES[2], model, MARKET, method=how).value for model, how in ((SKEW, "pde"), (CALM, "adi"))]
    finally:
        numba.set_num_threads(before)
    assert one == many


def test_what_a_grid_cannot_price_is_refused_by_name():
    with pytest.raises(InputError, match="n_monitoring must be None for direction 'either'"):
        price(replace(PARTIAL[4], n_monitoring=5), SKEW, MARKET)
    with pytest.raises(InputError, match="spot must lie above the barrier, 75: it is breached; got 70"):
        price(SNOWBALL, SKEW, replace(MARKET, spot=70.0), method="pde")
    assert methods(SNOWBALL, SKEW)["method"][0] == "pde" and methods(SNOWBALL, CALM)["method"][0] == "adi"

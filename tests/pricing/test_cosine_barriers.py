"""Barriers looked at on given days by cosine series: an integral of densities, parity, laws, simulation."""

from dataclasses import replace

import numpy as np
import pytest
from tests.pricing import cosine_twins

from research.errors import InputError, NoEngineError, NumericalError
from research.instruments import Barrier, DoubleBarrier, DoubleTouch, European
from research.market import flat_snapshot
from research.models import BlackScholes, BlackTermStructure, Merton, VarianceGamma
from research.pricing import greeks, price

MARKET = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)
JUMPS = Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
MODELS = {"BS": BlackScholes(sigma=0.25), "Merton": JUMPS, "VG": VarianceGamma(sigma=0.2, nu=0.1, theta=-0.14)}
DOWN = Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", tau=1.0, n_monitoring=12)
UP = Barrier(strike=100.0, barrier=125.0, direction="up", knock="out", tau=1.0, n_monitoring=6)
TWO = DoubleBarrier(strike=100.0, low=80.0, high=125.0, knock="out", tau=1.0, n_monitoring=4)
EITHER = DoubleTouch(low=80.0, high=125.0, pays_if="either", tau=1.0, n_monitoring=4)


def worth(item, model=JUMPS, market=MARKET):
    return price(item, model, market, method="cosine")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BS", "Merton"])
@pytest.mark.parametrize("rebate", [0.0, 3.0])
def test_options_are_the_integral_of_the_density_look_by_look(name, rebate):
    found = worth(replace(TWO, rebate=rebate), MODELS[name])
    twin = cosine_twins.knock_out(MODELS[name], 100.0, lambda x: np.maximum(np.exp(x) - 100.0, 0.0), 1.0, 4, 0.05, 0.02,
                                  80.0, 125.0, rebate)  # fmt: skip
    assert abs(found.value - twin) < found.error + 1e-9
    assert found.error < 1e-10


@pytest.mark.slow
def test_the_error_under_variance_gamma_covers_the_distance_to_butterflies():
    model, at = MODELS["VG"], float(np.log(0.9))
    found = worth(DOWN, model)
    coarse, fine = (cosine_twins.by_hats(model, lambda s: np.maximum(s - 100.0, 0.0), 1.0, 12, 0.05, 0.02, -at / n, at)
                    for n in (128, 256))  # fmt: skip
    assert abs(found.value - (4.0 * fine - coarse) / 3.0) < found.error + 1e-8
    assert found.error < 2e-6


@pytest.mark.parametrize("item", [DOWN, UP, replace(UP, is_call=False, rebate=2.0), replace(DOWN, knock="in")])
def test_one_barrier_under_black_scholes_agrees_with_the_third_order_in_the_looks(item):
    many = replace(item, n_monitoring=250)
    found, closed = worth(many, MODELS["BS"]), price(many, MODELS["BS"], MARKET, method="analytic")
    assert abs(found.value - closed.value) < min(closed.error + found.error, 2e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("item", [DOWN, UP, TWO])
def test_out_and_in_are_the_option(name, item):
    model = MODELS[name]
    option = European(strike=100.0, tau=1.0)
    both = [worth(item, model), worth(replace(item, knock="in"), model)]
    plain = price(option, model, MARKET)
    assert abs(both[0].value + both[1].value - plain.value) < both[0].error + both[1].error + plain.error


@pytest.mark.parametrize("name", MODELS)
def test_touches_are_the_rebates_and_share_the_discount_factor(name):
    model, df = MODELS[name], MARKET.discount.df(1.0)
    low, high, none, either = (
        worth(replace(EITHER, pays_if=side), model) for side in ("low", "high", "none", "either")
    )
    left = sum(one.error for one in (low, high, none, either))
    assert abs(low.value + high.value - either.value) < left
    assert abs(either.value + none.value - df) < left
    hit = worth(replace(EITHER, pays_at="hit"), model)
    assert hit.value > either.value
    paid = worth(replace(TWO, rebate=1.0), model).value - worth(TWO, model).value
    assert paid == pytest.approx(hit.value, abs=1e-6 if name == "VG" else 1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_more_looks_end_more_and_far_barriers_end_nothing(name):
    model = MODELS[name]
    few, many = worth(replace(TWO, n_monitoring=2), model), worth(replace(TWO, n_monitoring=8), model)
    assert many.value < few.value - few.error - many.error
    far = worth(replace(TWO, low=1e-3, high=1e5), model)
    plain = price(European(strike=100.0, tau=1.0), model, MARKET)
    assert abs(far.value - plain.value) < far.error + plain.error


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Merton", "VG"])
@pytest.mark.parametrize("item", [DOWN, replace(UP, is_call=False, rebate=2.0), TWO, replace(EITHER, pays_at="hit")],
                         ids=["down", "up", "two", "touch"])  # fmt: skip
def test_paths_agree_in_standard_errors(name, item):
    found = worth(item, MODELS[name])
    seen = price(item, MODELS[name], MARKET, method="paths", std_error=0.03 if item is not EITHER else 1e-3, seed=7)
    assert abs(found.value - seen.value) < 4.0 * seen.std_error + found.error


def test_a_vol_by_time_of_one_number_is_that_number():
    flat = BlackTermStructure(tau=(0.5, 1.0), implied=(0.25, 0.25))
    for item in (DOWN, TWO, EITHER):
        one, other = worth(item, flat), worth(item, MODELS["BS"])
        assert abs(one.value - other.value) < one.error + other.error


def test_what_is_watched_at_every_moment_is_refused_and_priced_by_another():
    with pytest.raises(NoEngineError, match="Barrier by 'cosine' must be looked at on n days; got n_monitoring=None"):
        worth(replace(DOWN, n_monitoring=None))
    assert price(replace(TWO, n_monitoring=None), MODELS["BS"], MARKET).method == "analytic"
    assert price(TWO, MODELS["BS"], MARKET).method == "analytic"
    assert price(TWO, MODELS["Merton"], MARKET).method == "cosine"
    assert price(replace(DOWN, n_monitoring=None), MODELS["BS"], MARKET).method == "analytic"


def test_a_barrier_already_breached_and_looks_too_near_are_refused_by_name():
    with pytest.raises(InputError, match="barrier must lie below the spot"):
        worth(replace(DOWN, barrier=101.0))
    daily = replace(DOWN, n_monitoring=250)
    with pytest.raises(NumericalError, match=r"the cosine series must settle .* ask for a simulation: 'paths'"):
        worth(daily, VarianceGamma(sigma=0.12, nu=0.5, theta=-0.14))


@pytest.mark.parametrize("name", ["Merton", "VG"])
def test_greeks_of_the_series_agree_with_bumped_prices(name):
    model = MODELS[name]
    for item in (DOWN, replace(TWO, is_call=False, rebate=1.0), EITHER):
        table = greeks(item, model, MARKET, which=("delta", "gamma", "speed")).set_index("greek")
        assert set(table.how) == {"derivative of the series"}
        h, f = 0.05, {}
        for k in (-2, -1, 0, 1, 2):
            f[k] = float(worth(item, model, replace(MARKET, spot=100.0 + k * h)))
        delta = (8.0 * (f[1] - f[-1]) - f[2] + f[-2]) / (12.0 * h)
        gamma = (16.0 * (f[1] + f[-1]) - f[2] - f[-2] - 30.0 * f[0]) / (12.0 * h * h)
        assert table.value["delta"] == pytest.approx(delta, abs=1e-8 + table.error["delta"])
        assert table.value["gamma"] == pytest.approx(gamma, abs=1e-7 + table.error["gamma"])

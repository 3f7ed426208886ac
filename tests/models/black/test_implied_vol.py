from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr

from research.errors import InputError
from research.models import black

EPS = np.finfo(float).eps


def conditioned(forward, strike, tau, vol):
    """What one rounding of price, log moneyness and answer can do to the vol."""
    g = black.greeks(forward, strike, tau, vol, is_call=np.asarray(forward) <= strike)
    return EPS * (vol + g["price"] / g["vega"])


@pytest.mark.parametrize("std", [1e-7, 1e-4, 0.01, 0.099, 0.101, 0.4, 1.0, 2.5, 5.0])
@pytest.mark.parametrize("distance", [0.0, 0.05, 0.7, 1.5, 4.0, 10.0, 25.0])
def test_vol_comes_back_from_an_exact_price(exact_black, distance, std):
    forward = 100.0 * np.exp(-distance * std)
    price = exact_black(forward, 100.0, 1.0, std, True)
    assert abs(black.implied_vol(price, forward, 100.0, 1.0) - std) <= 20.0 * conditioned(forward, 100.0, 1.0, std)


def test_vol_comes_back_over_a_wide_grid_within_1e_13():
    rng = np.random.default_rng(20260630)
    n = 40_000
    tau = np.exp(rng.uniform(np.log(1 / 365), np.log(30.0), n))
    vol = rng.uniform(0.02, 1.5, n)
    strike = 100.0 * np.exp(rng.uniform(-10.0, 10.0, n) * vol * np.sqrt(tau))
    price = black.price(100.0, strike, tau, vol, is_call=strike >= 100.0)
    out_of_reach = price > np.minimum(100.0, strike) * 0.99
    assert out_of_reach.mean() < 0.01
    back = black.implied_vol(price, 100.0, strike, tau, is_call=strike >= 100.0)
    error = np.abs(back - vol)[~out_of_reach]
    assert error.max() < 1e-13
    assert (error / conditioned(100.0, strike, tau, vol)[~out_of_reach]).max() < 20.0


def test_vol_agrees_with_brent_on_the_obvious_formula():
    for strike, vol in ((80.0, 0.35), (100.0, 0.2), (125.0, 0.25)):

        def call(v, strike=strike):
            d1 = np.log(100.0 / strike) / v + 0.5 * v
            return 100.0 * ndtr(d1) - strike * ndtr(d1 - v)

        price = call(vol)
        expected = brentq(lambda v, price=price, call=call: call(v) - price, 0.01, 2.0, xtol=1e-14)
        assert black.implied_vol(price, 100.0, strike, 1.0) == pytest.approx(expected, abs=1e-12)


@given(
    std=st.floats(1e-3, 4.0), distance=st.floats(0.0, 6.0), tau=st.floats(0.01, 30.0), df=st.floats(0.2, 1.1),
    scale=st.floats(1e-3, 1e6),
)  # fmt: skip
def test_call_and_put_of_one_strike_have_one_vol(std, distance, tau, df, scale):
    strike = scale * np.exp(distance * std)
    vol = std / np.sqrt(tau)
    call = black.price(scale, strike, tau, vol, df=df)
    put = black.price(scale, strike, tau, vol, df=df, is_call=False)
    from_call = black.implied_vol(call, scale, strike, tau, df=df)
    assert from_call == pytest.approx(vol, rel=1e-11)
    vega = black.greeks(scale, strike, tau, vol, df=df)["vega"]
    lost = 8.0 * EPS * max(put, df * strike) / vega  # the digits that the intrinsic value takes from a dear put
    if lost < 0.1 * vol:
        assert black.implied_vol(put, scale, strike, tau, df=df, is_call=False) == pytest.approx(vol, abs=lost + 1e-11)


def test_price_of_the_vol_is_the_price_again_at_the_upper_bound():
    # c from 0.9 to 1 - 1e-15: searched for by the distance to the bound
    for short in (0.09, 1e-3, 1e-8, 1e-12, 1e-15):
        price = 100.0 * (1.0 - short)
        vol = black.implied_vol(price, 100.0, 130.0, 1.0)
        assert black.price(100.0, 130.0, 1.0, vol) == pytest.approx(price, rel=4 * EPS)


def test_lanes_and_single_options_give_the_same_bits():
    rng = np.random.default_rng(3)
    strike = 100.0 * np.exp(rng.uniform(-3.0, 3.0, 1500))
    price = black.price(100.0, strike, 0.8, 0.5)
    together = black.implied_vol(price, 100.0, strike, 0.8)
    alone = [black.implied_vol(p, 100.0, k, 0.8) for p, k in zip(price[::97], strike[::97])]
    assert together[::97].tolist() == alone


def test_smallest_prices_have_a_vol():
    # 1e-300 is about 37 standard deviations out
    vol = black.implied_vol(1e-300, 100.0, 150.0, 1.0)
    assert black.price(100.0, 150.0, 1.0, vol) == pytest.approx(1e-300, rel=1e-11)


def test_intrinsic_value_has_vol_zero():
    assert black.implied_vol(20.0, 120.0, 100.0, 1.0) == 0.0
    assert black.implied_vol(0.0, 100.0, 120.0, 1.0) == 0.0
    assert black.implied_vol(np.nextafter(20.0, 0.0), 120.0, 100.0, 1.0) == 0.0  # a rounding below


CALL = (100.0, 100.0, 1.0)
FAULTS = [
    ((-1.0, *CALL), "price must not lie below the intrinsic value; got -1 (1 of 1 values). "
     "Pass on_error='nan' to get nan there."),
    ((19.9, 120.0, 100.0, 1.0), "price must not lie below the intrinsic value; got 19.9 (1 of 1 values). "
     "Pass on_error='nan' to get nan there."),
    (([8.0, 100.0, 101.0], *CALL), "price must lie below df * forward (call) or df * strike (put); got 100 "
     "(2 of 3 values). Pass on_error='nan' to get nan there."),
    ((np.nan, *CALL), "price must be finite; got nan (1 of 1 values)."),
    (([8.0, np.inf], *CALL), "price must be finite; got inf (1 of 2 values)."),
    ((8.0, -100.0, 100.0, 1.0), "forward must be finite and > 0; got -100 (1 of 1 values). "
     "Black's model has no negative prices."),
    ((8.0, 100.0, 0.0, 1.0), "strike must be finite and > 0; got 0 (1 of 1 values). "
     "Black's model has no negative prices."),
    ((8.0, 100.0, 100.0, 0.0), "tau must be finite and > 0 years; got 0 (1 of 1 values). "
     "At expiry a price says nothing about vol."),
    ((8.0, np.nan, 100.0, 1.0), "forward must be finite and > 0; got nan (1 of 1 values). "
     "Black's model has no negative prices."),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), FAULTS)
def test_what_has_no_vol_is_refused(values, message):
    with pytest.raises(InputError) as caught:
        black.implied_vol(*values)
    assert str(caught.value) == message


@pytest.mark.parametrize(("values", "message"), FAULTS)
def test_what_has_no_vol_is_nan_on_request(values, message):
    out = np.atleast_1d(black.implied_vol(*values, on_error="nan"))
    first = np.atleast_1d(values[0])
    assert np.isnan(out).tolist() == [bool(p != 8.0) for p in first] if len(first) > 1 else np.isnan(out).all()


def test_an_unknown_on_error_is_refused():
    with pytest.raises(InputError, match="on_error must be 'raise' or 'nan'; got 'ignore'"):
        black.implied_vol(8.0, 100.0, 100.0, 1.0, on_error="ignore")


def test_inputs_are_left_alone():
    values = [np.array([8.0, 9.0]), np.array([100.0, 100.0]), np.array([100.0, 99.0]), np.array([1.0, 1.0])]
    before = [v.copy() for v in values]
    for v in values:
        v.flags.writeable = False
    black.implied_vol(*values)
    assert all((a == b).all() for a, b in zip(values, before))

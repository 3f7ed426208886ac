from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.errors import InputError
from research.models import black

TABLE = pd.read_csv(Path(__file__).parents[2] / "reference" / "haug_black.csv", comment="#")
prices = st.floats(1e-3, 1e6)
taus = st.floats(1e-4, 50.0)
vols = st.floats(1e-3, 5.0)


@pytest.mark.parametrize("row", list(TABLE[TABLE["quantity"] == "price"].itertuples(index=False)))
def test_price_agrees_with_haug(row):
    forward, df = row.spot * np.exp((row.r - row.q) * row.tau), np.exp(-row.r * row.tau)
    ours = black.price(forward, row.strike, row.tau, row.vol, df=df, is_call=row.type == "call")
    assert ours == pytest.approx(row.value, abs=1.01e-4)  # 1.8734 in the book is 1.87334: its last digit is not sure


@pytest.mark.parametrize("std", [1e-6, 1e-3, 0.0999, 0.1001, 1.0, 8.0])
@pytest.mark.parametrize("distance", [0.0, 0.01, 0.5, 1.0, 3.0, 8.0, 20.0, 35.0])
def test_price_agrees_with_exact_digits_in_and_out_of_the_money(exact_black, distance, std):
    for forward in (100.0, 100.0 * np.exp(-distance * std), 100.0 * np.exp(distance * std)):
        for is_call in (True, False):
            exact = exact_black(forward, 100.0, 1.0, std, is_call)
            # a rounding of log(F / K) / std is turned into distance^2 roundings by the density
            limit = 1e-14 + 1e-15 * distance**2
            assert black.price(forward, 100.0, 1.0, std, is_call=is_call) == pytest.approx(exact, rel=limit, abs=1e-305)


@given(forward=prices, strike=prices, tau=taus, vol=vols, df=st.floats(0.1, 1.5))
def test_put_call_parity(forward, strike, tau, vol, df):
    call = black.price(forward, strike, tau, vol, df=df)
    put = black.price(forward, strike, tau, vol, df=df, is_call=False)
    assert call - put == pytest.approx(df * (forward - strike), abs=4e-16 * max(forward, strike))


@given(forward=prices, strike=prices, tau=taus, vol=vols)
def test_call_lies_between_intrinsic_and_forward(forward, strike, tau, vol):
    value = black.price(forward, strike, tau, vol)
    assert max(forward - strike, 0.0) <= value <= np.nextafter(forward, np.inf)  # one rounding


@given(forward=prices, strike=prices, tau=taus, vol=vols)
def test_call_on_the_forward_is_put_with_forward_and_strike_exchanged(forward, strike, tau, vol):
    call = black.price(forward, strike, tau, vol)
    assert call == black.price(strike, forward, tau, vol, is_call=False)


@given(tau=taus, vol=vols, strike=st.floats(20.0, 500.0))
def test_price_grows_with_vol_and_with_tau(tau, vol, strike):
    value = black.price(100.0, strike, tau, vol)
    assert black.price(100.0, strike, tau, 1.01 * vol) >= value
    assert black.price(100.0, strike, 1.01 * tau, vol) >= value


def test_no_vol_or_no_time_gives_discounted_intrinsic():
    assert black.price(120.0, 100.0, 1.0, 0.0, df=0.9) == 18.0
    assert black.price(120.0, 100.0, 0.0, 0.2, df=0.9) == 18.0
    assert black.price(100.0, 100.0, 0.0, 0.2) == 0.0
    assert black.price(100.0, 120.0, 0.0, 0.2) == 0.0


def test_endless_vol_gives_the_forward():
    assert black.price(100.0, 120.0, 100.0, 10.0) == 100.0
    assert black.price(100.0, 120.0, 100.0, 10.0, is_call=False) == 120.0


def test_arguments_broadcast_and_scalars_give_a_float():
    grid = black.price([[90.0], [110.0]], 100.0, [0.5, 1.0, 2.0], 0.2, is_call=[True, False, True])
    assert grid.shape == (2, 3)
    assert grid[1, 1] == black.price(110.0, 100.0, 1.0, 0.2, is_call=False)
    assert isinstance(black.price(100.0, 100.0, 1.0, 0.2), float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (([100.0, -1.0, 0.0], 100.0, 1.0, 0.2), "forward must be finite and > 0; got -1 (2 of 3 values). "
         "Black's model has no negative prices."),
        ((100.0, np.nan, 1.0, 0.2), "strike must be finite and > 0; got nan (1 of 1 values). "
         "Black's model has no negative prices."),
        ((100.0, 100.0, -0.5, 0.2), "tau must be finite and >= 0 years; got -0.5 (1 of 1 values)."),
        ((100.0, 100.0, 1.0, -0.2), "vol must be finite and >= 0; got -0.2 (1 of 1 values)."),
        (([100.0, 100.0], [1.0, 2.0, 3.0], 1.0, 0.2),
         "arguments must broadcast together; got shapes (2,), (3,), (), (), (), ()."),
    ],
)  # fmt: skip
def test_what_black_cannot_price_is_refused(values, message):
    with pytest.raises(InputError) as caught:
        black.price(*values)
    assert str(caught.value) == message


def test_a_sign_for_is_call_is_refused():
    with pytest.raises(InputError, match=r"is_call must be bool; got int64 values\."):
        black.price(100.0, 100.0, 1.0, 0.2, is_call=-1)

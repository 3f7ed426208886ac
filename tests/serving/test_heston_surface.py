"""The scorer prices what the models price, and refuses what is no request."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from research.errors import InputError
from research.serving.heston_surface import HestonSurface

PARAMETERS = {
    "heston": {"v0": 0.08, "kappa": 1.5, "theta": 0.07, "sigma": 0.6, "rho": -0.7},
    "as_of": "2002-07-05",
    "spot": 4468.17,
    "dividend_yield": 0.01,
    "curve": {"tau": [0.25, 1.0, 2.0], "zero_rate": [0.0357, 0.0368, 0.0401]},
}


@pytest.fixture
def surface() -> HestonSurface:
    return HestonSurface.from_payload(PARAMETERS, {})


def test_a_zero_volatility_of_variance_gives_black_at_the_average_variance():
    """A limit: with sigma -> 0 and v0 = theta the model is Black's with vol sqrt(theta)."""
    from scipy.stats import norm

    flat = {"v0": 0.04, "kappa": 1.0, "theta": 0.04, "sigma": 1e-6, "rho": 0.0}
    surface = HestonSurface.from_payload({**PARAMETERS, "heston": flat}, {})
    strike, tau = np.array([4000.0, 4468.17, 5000.0]), np.array([0.5, 1.0, 2.0])
    out = surface.price(pd.DataFrame({"strike": strike, "tau": tau}))
    df = np.exp(-np.interp(tau, [0.25, 1.0, 2.0], np.array([0.25, 1.0, 2.0]) * [0.0357, 0.0368, 0.0401]))
    forward = 4468.17 * np.exp(-0.01 * tau) / df
    std = 0.2 * np.sqrt(tau)
    d1 = np.log(forward / strike) / std + 0.5 * std
    black = df * (forward * norm.cdf(d1) - strike * norm.cdf(d1 - std))
    assert np.abs(out["price"] / black - 1.0).max() < 1e-8
    assert np.abs(out["implied_vol"] - 0.2).max() < 1e-8
    assert np.abs(out["forward"] / forward - 1.0).max() < 1e-14


def test_put_call_parity(surface):
    frame = pd.DataFrame({"strike": [3800.0, 4468.0, 5200.0], "tau": [0.1, 0.7, 1.5]})
    call, put = surface.price(frame), surface.price(frame.assign(is_call=False))
    df = surface.discount.df(frame["tau"].to_numpy())
    gap = call["price"] - put["price"] - df * (call["forward"] - frame["strike"])
    assert np.abs(gap).max() < 1e-9 * 4468.17


def test_an_expiry_and_its_tau_give_the_same(surface):
    by_date = pd.DataFrame({"strike": [4400.0], "expiry": [date(2003, 6, 15)]})
    by_tau = pd.DataFrame({"strike": [4400.0], "tau": [345 / 365]})
    pd.testing.assert_frame_equal(surface.price(by_date), surface.price(by_tau), check_exact=True)


def test_rows_keep_their_index(surface):
    frame = surface.example().set_index(pd.Index(["a", "b", "c"]))
    assert list(surface.price(frame).index) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tau": [1.0]}, r"request must have a column 'strike'; got \['tau'\]"),
        ({"strike": [4400.0]}, "request must have one of the columns 'tau' and 'expiry'"),
        ({"strike": [4400.0], "tau": [1.0], "expiry": ["2003-01-01"]}, "request must have one of the columns"),
        ({"strike": [float("nan")], "tau": [1.0]}, "strike must be finite and > 0; got nan"),
        ({"strike": [-1.0], "tau": [1.0]}, "strike must be finite and > 0; got -1"),
        ({"strike": ["many"], "tau": [1.0]}, "strike must be numbers; got 'many'"),
        ({"strike": [4400.0], "expiry": ["2001-01-01"]}, "tau must be finite and >= 0 years; .*Expired options"),
        ({"strike": [4400.0], "tau": [1.0], "is_call": ["C"]}, "is_call must be True or False; got 'C'"),
        ({"strike": [], "tau": []}, "request must hold at least one row; got 0"),
    ],
)
def test_what_is_no_request_is_refused(surface, columns, message):
    with pytest.raises(InputError, match=message):
        surface.price(pd.DataFrame(columns))


def test_parameters_that_are_missing_are_named():
    with pytest.raises(InputError, match="model parameters must hold 'spot'"):
        HestonSurface.from_payload({k: v for k, v in PARAMETERS.items() if k != "spot"}, {})

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.models import black

TABLE = pd.read_csv(Path(__file__).parents[2] / "reference" / "haug_black.csv", comment="#")
GRID = [
    (forward, tau, vol, df, is_call)
    for forward in (60.0, 95.0, 100.0, 130.0)
    for tau, vol in ((0.1, 0.15), (1.0, 0.3), (5.0, 0.6))
    for df, is_call in ((0.95, True), (0.9, False))
]


@pytest.mark.parametrize("row", list(TABLE[TABLE["quantity"] != "price"].itertuples(index=False)))
def test_greeks_agree_with_haug(row):
    growth = np.exp((row.r - row.q) * row.tau)  # dF/dS: the book differentiates by the spot
    df = np.exp(-row.r * row.tau)
    ours = black.greeks(row.spot * growth, row.strike, row.tau, row.vol, df=df, is_call=row.type == "call")
    by_spot = {"delta": growth, "gamma": growth**2, "vega": 1.0}[row.quantity]
    assert ours[row.quantity] * by_spot == pytest.approx(row.value, abs=0.51e-4)


def complex_black(forward, tau, vol, rate, is_call, strike=100.0):
    """Twin that takes complex arguments: Phi by its Taylor series about the real part, good for an imaginary 1e-30."""

    def cdf(x):
        real = 0.5 * math.erfc(-x.real / math.sqrt(2.0))
        return complex(real, math.exp(-0.5 * x.real**2) / math.sqrt(2.0 * math.pi) * x.imag)

    forward, tau, vol, rate = map(complex, (forward, tau, vol, rate))
    std = vol * np.sqrt(tau)
    d1 = np.log(forward / strike) / std + 0.5 * std
    sign = 1.0 if is_call else -1.0
    return np.exp(-rate * tau) * sign * (forward * cdf(sign * d1) - strike * cdf(sign * (d1 - std)))


@pytest.mark.parametrize(("forward", "tau", "vol", "df", "is_call"), GRID)
def test_first_greeks_agree_with_complex_steps(forward, tau, vol, df, is_call):
    rate, step = -math.log(df) / tau, 1e-30j
    ours = black.greeks(forward, 100.0, tau, vol, df=df, is_call=is_call)
    twin = {
        "delta": complex_black(forward + step, tau, vol, rate, is_call).imag / 1e-30,
        "vega": complex_black(forward, tau, vol + step, rate, is_call).imag / 1e-30,
        "theta": -complex_black(forward, tau + step, vol, rate, is_call).imag / 1e-30,
        "rho": complex_black(forward, tau, vol, rate + step, is_call).imag / 1e-30,
    }
    for name, value in twin.items():
        assert ours[name] == pytest.approx(value, rel=1e-11, abs=1e-13), name


@pytest.mark.parametrize(("forward", "tau", "vol", "df", "is_call"), GRID)
def test_second_greeks_are_differences_of_first_ones(forward, tau, vol, df, is_call):
    def first(f, v):
        return black.greeks(f, 100.0, tau, v, df=df, is_call=is_call)

    ours, e = first(forward, vol), 1e-5
    by_forward = e * forward
    gamma = (first(forward + by_forward, vol)["delta"] - first(forward - by_forward, vol)["delta"]) / (2 * by_forward)
    vanna = (first(forward, vol + e)["delta"] - first(forward, vol - e)["delta"]) / (2 * e)
    volga = (first(forward, vol + e)["vega"] - first(forward, vol - e)["vega"]) / (2 * e)
    assert ours["gamma"] == pytest.approx(gamma, rel=1e-6, abs=1e-11)
    assert ours["vanna"] == pytest.approx(vanna, rel=1e-6, abs=1e-9)
    assert ours["volga"] == pytest.approx(volga, rel=1e-5, abs=1e-7)


def test_price_among_the_greeks_is_the_price():
    ours = black.greeks([90.0, 100.0, 140.0], 100.0, 0.7, 0.25, df=0.97)
    assert ours["price"].tolist() == black.price([90.0, 100.0, 140.0], 100.0, 0.7, 0.25, df=0.97).tolist()


def test_theta_satisfies_the_pricing_equation():
    # on the forward: -dV/dtau + 1/2 vol^2 F^2 gamma - r V = 0
    g = black.greeks(95.0, 100.0, 1.3, 0.25, df=0.94)
    rate = -math.log(0.94) / 1.3
    assert g["theta"] + 0.5 * 0.25**2 * 95.0**2 * g["gamma"] == pytest.approx(rate * g["price"], rel=1e-13)


def test_limits_without_vol_or_time():
    calm = black.greeks([80.0, 100.0, 120.0], 100.0, [1.0, 1.0, 0.0], [0.0, 0.0, 0.2], df=0.9)
    assert calm["delta"].tolist() == [0.0, 0.45, 0.9]
    assert calm["gamma"].tolist() == [0.0, math.inf, 0.0]
    assert calm["vega"][[0, 2]].tolist() == [0.0, 0.0]
    assert calm["vega"][1] == pytest.approx(0.9 * 100.0 / math.sqrt(2.0 * math.pi), rel=1e-15)
    assert calm["vanna"].tolist() == pytest.approx([0.0, 0.5 * 0.9 / math.sqrt(2.0 * math.pi), 0.0], rel=1e-15)
    assert calm["volga"].tolist() == [0.0, 0.0, 0.0]


def test_greeks_make_a_table():
    table = pd.DataFrame(black.greeks([90.0, 110.0], 100.0, 1.0, 0.2))
    assert table.columns.tolist() == ["price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga"]
    assert isinstance(black.greeks(90.0, 100.0, 1.0, 0.2)["volga"], float)

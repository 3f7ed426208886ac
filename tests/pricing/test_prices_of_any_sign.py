"""Strikes and prices at and below zero through `price`: Bachelier's closed forms, and who refuses them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import Asian, Compound, Digital, European, contract_from_json, to_json
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import SABR, Bachelier, BlackScholes, DisplacedDiffusion, Heston, bachelier
from research.pricing import greeks, price

OIL = flat_snapshot(spot=-37.0, rate=0.02, dividend_yield=0.02, any_sign=True)
MODEL = Bachelier(sigma=25.0)
PLAIN = flat_snapshot(spot=100.0, rate=0.02)


def density_mean(paid, forward, std, df):
    """E of a payment on a normal price, by the trapezoidal rule between kinks that lie on the grid."""
    x = np.linspace(-12.0, 12.0, 480_001)
    weight = np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi) * (x[1] - x[0])
    return df * float(weight @ paid(forward + std * x))


@pytest.mark.parametrize("strike", [-60.0, -37.0, 0.0, 15.0])
def test_european_and_digital_options_are_integrals_over_a_normal_price(strike):
    std, df = 25.0 * np.sqrt(0.1), float(OIL.discount.df(0.1))
    for is_call, sign in ((True, 1.0), (False, -1.0)):
        terms = {"strike": strike, "tau": 0.1, "is_call": is_call}
        option, asset = European(**terms), Digital(pays="asset", **terms)
        twin = density_mean(lambda s, sign=sign: np.maximum(sign * (s - strike), 0.0), -37.0, std, df)
        assert price(option, MODEL, OIL).value == pytest.approx(twin, abs=1e-7)
        assert price(option, MODEL, OIL).value == pytest.approx(
            float(bachelier.price(-37.0, strike, 0.1, 25.0, df=df, is_call=is_call)), abs=1e-14
        )
        cash = price(Digital(**terms), MODEL, OIL)
        assert price(asset, MODEL, OIL).value - strike * cash.value == pytest.approx(sign * twin, abs=1e-7)


def test_a_digital_is_the_slope_of_the_option_in_its_strike():
    h, at = 1e-3, -30.0
    up, down = (price(European(strike=at + move, tau=0.5), MODEL, OIL).value for move in (h, -h))
    assert price(Digital(strike=at, tau=0.5), MODEL, OIL).value == pytest.approx((down - up) / (2.0 * h), rel=1e-6)


def test_asians_are_what_a_normal_simulation_pays():
    times = np.array([0.1, 0.25, 0.5])
    g = np.random.default_rng(7)
    moves = g.standard_normal((3, 400_000)) * np.sqrt(np.diff(times, prepend=0.0))[:, None]
    day = date(2020, 4, 20)
    curve = DiscountCurve(as_of=day, tau=[0.2, 1.0], zero_rate=[0.01, 0.03])
    market = Snapshot(as_of=day, spot=-3.0, any_sign=True, dividend_yield=0.1, discount=curve)
    growth = market.growth(0.5) / np.asarray(market.growth(times))[:, None]  # the forward for the end is what is normal
    path = np.asarray(market.forward(times))[:, None] + 25.0 * np.cumsum(moves, axis=0) / growth
    df = float(market.discount.df(0.5))
    for item, paid in (
        (Asian(fixings=(0.1, 0.25, 0.5), strike=-5.0), np.maximum(path.mean(axis=0) + 5.0, 0.0)),
        (Asian(fixings=(0.1, 0.25, 0.5), is_call=False), np.maximum(path.mean(axis=0) - path[-1], 0.0)),
        (Asian(fixings=(0.1, 0.25, 0.5), strike=2.0, n_fixed=2, fixed_mean=4.0),
         np.maximum((path.sum(axis=0) + 8.0) / 5.0 - 2.0, 0.0)),
    ):  # fmt: skip
        found = price(item, MODEL, market)
        assert abs(found.value - df * paid.mean()) < 4.0 * df * paid.std() / np.sqrt(paid.size)


def test_where_prices_are_far_above_zero_bachelier_is_translation_invariant():
    high = flat_snapshot(spot=963.0, rate=0.02, dividend_yield=0.02)
    for make in (lambda k: European(strike=k, tau=0.1), lambda k: Asian(fixings=(0.05, 0.1), strike=k)):
        low, moved = price(make(-30.0), MODEL, OIL).value, price(make(970.0), MODEL, high).value
        assert low == pytest.approx(moved, rel=1e-11)


def test_greeks_by_bumps_agree_with_the_closed_form():
    found = greeks(European(strike=-30.0, tau=0.1), MODEL, OIL, which=("delta", "gamma", "vega")).set_index("greek")
    growth, df = float(OIL.growth(0.1)), float(OIL.discount.df(0.1))
    exact = MODEL.greeks(-37.0, -30.0, 0.1, df=df)
    assert found.loc["delta", "value"] == pytest.approx(exact["delta"] * growth, rel=1e-6)
    assert found.loc["gamma", "value"] == pytest.approx(exact["gamma"] * growth**2, rel=1e-4)
    assert found.loc["vega", "value"] == pytest.approx(exact["vega"], rel=1e-6)


def test_a_shift_admits_what_lies_above_minus_itself():
    market = flat_snapshot(spot=-0.002, any_sign=True)
    option = European(strike=-0.001, tau=1.0)
    for model in (DisplacedDiffusion(sigma=0.2, shift=0.03), SABR(alpha=0.03, beta=0.5, rho=-0.3, nu=0.4, shift=0.03)):
        assert 0.0 < price(option, model, market).value < 0.03
        with pytest.raises(InputError, match=r"strike must be (finite and )?> -0\.03; got -0\.04"):
            price(European(strike=-0.04, tau=1.0), model, market)


def test_models_of_positive_prices_refuse_by_name_rule_value_and_hint():
    negative = European(strike=-1.0, tau=1.0)
    rule = r"strike must be > 0 under {}; got -1\. Models of prices of any sign: Bachelier"
    heston = Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.3, rho=0.0)
    for model in (BlackScholes(sigma=0.2), heston):
        for ask in (price, greeks):
            with pytest.raises(InputError, match=rule.format(type(model).__name__)):
                ask(negative, model, PLAIN)
    with pytest.raises(InputError, match=rule.format("BlackScholes")):
        price(Compound(option=negative, strike=1.0, tau=0.5), BlackScholes(sigma=0.2), PLAIN)
    with pytest.raises(InputError, match="spot must be > 0 under Heston; got -37"):
        price(European(strike=1.0, tau=1.0), heston, OIL)
    with pytest.raises(InputError, match=r"spot must be finite and > 0; got -1\. A rate, a spread.*any_sign=True"):
        flat_snapshot(spot=-1.0)
    with pytest.raises(NoEngineError, match="spot must not be 0 for Greeks"):
        greeks(European(strike=1.0, tau=1.0), MODEL, flat_snapshot(spot=0.0, any_sign=True))


def test_negative_strikes_survive_json():
    for contract in (European(strike=-30.0, tau=1.0), Digital(strike=0.0, tau=1.0)):
        assert contract_from_json(to_json(contract)) == contract

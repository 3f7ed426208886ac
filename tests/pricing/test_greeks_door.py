"""`pricing.greeks`: every route against another one, against QuantLib, and against the pricing equation."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, Barrier, Bermudan, Digital, European, Touch
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import SABR, SVI, Bates, BlackScholes, Heston, Merton, SVISurface, VarianceGamma
from research.pricing import greeks, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MODEL = BlackScholes(sigma=0.25)
CURVE = Snapshot(
    as_of=date(2024, 1, 2),
    spot=100.0,
    discount=DiscountCurve(as_of=date(2024, 1, 2), tau=[0.25, 1.0, 3.0], zero_rate=[0.01, 0.03, 0.025]),
    dividend_yield=0.015,
)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
CONTRACTS = [
    European(strike=105.0, tau=0.7),
    Digital(strike=95.0, tau=0.5),
    Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=0.5, rebate=2.0),
    Barrier(strike=100.0, barrier=120.0, direction="up", knock="in", tau=1.0, is_call=False),
    Touch(barrier=120.0, direction="up", tau=0.5),
    American(strike=105.0, tau=0.7, is_call=False),
]


def one(item, model, market, **how):
    return greeks(item, model, market, **how).set_index("greek")["value"]


@pytest.mark.parametrize("item", CONTRACTS, ids=lambda c: type(c).__name__)
def test_greeks_satisfy_the_pricing_equation(item):
    g = one(item, MODEL, MARKET)
    drift = (0.03 - 0.01) * 100.0 * g["delta"] - 0.03 * g["value"]
    assert g["theta"] + 0.5 * 0.25**2 * 1e4 * g["gamma"] + drift == pytest.approx(
        0.0, abs=2e-4 * abs(g["theta"]) + 2e-4
    )


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [80.0, 100.0, 130.0])
def test_closed_form_agrees_with_differences_on_a_curve(strike, is_call):
    from research.pricing.difference_greeks import differences
    from research.pricing.sensitivities import GREEKS

    item = European(strike=strike, tau=0.6, is_call=is_call)
    closed = one(item, MODEL, CURVE)
    bumps = {"spot": 0.004, "vol": 0.004, "rate": 1e-5, "days": 1.0}
    twin = differences([item], MODEL, CURVE, "analytic", GREEKS, bumps, {})
    rel = {"charm": 2e-3, "rho": 1e-8, "speed": 2e-3, "vanna": 1e-3, "volga": 1e-3}
    for name in GREEKS:
        away = 1e-4 if name in ("theta", "charm") else 1e-6
        assert closed[name] == pytest.approx(twin[name]["value"][0], rel=rel.get(name, 1e-5), abs=away), name


def test_closed_form_agrees_with_quantlib():
    ql = pytest.importorskip("QuantLib")
    for strike, tau, sign in ((90.0, 0.5, 1.0), (110.0, 2.0, -1.0)):
        kind = ql.Option.Call if sign > 0 else ql.Option.Put
        std, df = 0.25 * np.sqrt(tau), np.exp(-0.03 * tau)
        twin = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, strike), 100.0 * np.exp(0.02 * tau), std, df)
        names = ("value", "delta", "gamma", "vega", "rho", "theta", "theta_per_day", "vega_per_vol_point")
        g = one(European(strike=strike, tau=tau, is_call=sign > 0), MODEL, MARKET, which=names)
        assert g["value"] == pytest.approx(twin.value(), rel=1e-12)
        assert g["delta"] == pytest.approx(twin.delta(100.0), rel=1e-12)
        assert g["gamma"] == pytest.approx(twin.gamma(100.0), rel=1e-12)
        assert g["vega"] == pytest.approx(twin.vega(tau), rel=1e-12)
        assert g["rho"] == pytest.approx(twin.rho(tau), rel=1e-12)
        assert g["theta"] == pytest.approx(twin.theta(100.0, tau), rel=1e-9)
        assert g["theta_per_day"] == pytest.approx(twin.thetaPerDay(100.0, tau), rel=1e-9)
        assert g["vega_per_vol_point"] == pytest.approx(0.01 * twin.vega(tau), rel=1e-12)


@pytest.mark.parametrize("method", ["pde", "lattice"])
def test_grids_agree_with_the_closed_form_within_a_thousandth(method):
    item = European(strike=105.0, tau=0.7)
    exact, found = one(item, MODEL, MARKET), one(item, MODEL, MARKET, method=method)
    assert found["value"] == pytest.approx(exact["value"], rel=1e-4)
    for name, scale in (("delta", 0.5), ("gamma", 0.019), ("vega", 33.0), ("rho", 28.0), ("theta", 6.6)):
        assert abs(found[name] - exact[name]) < 2e-3 * scale, name


def test_american_greeks_by_two_engines():
    item = American(strike=105.0, tau=0.7, is_call=False)
    exact, found = one(item, MODEL, MARKET), one(item, MODEL, MARKET, method="pde", n_space=400, n_time=200)
    for name, scale in (("delta", 0.5), ("gamma", 0.02), ("vega", 33.0), ("rho", 33.0), ("theta", 5.0)):
        assert abs(found[name] - exact[name]) < 2e-3 * scale, name


@pytest.mark.parametrize(
    "model",
    [
        HESTON,
        Merton(sigma=0.2, intensity=0.4, jump_mean=-0.1, jump_std=0.15),
        Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.3, jump_mean=-0.1, jump_std=0.1),
        VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_delta_gamma_and_speed_under_the_integral_are_differences_of_prices(model):
    for item in (European(strike=90.0, tau=0.8), European(strike=110.0, tau=0.8, is_call=False)):
        found = greeks(item, model, CURVE, which=("delta", "gamma", "speed")).set_index("greek")
        assert set(found["how"]) == {"under the integral"}

        def at(spot, item=item):
            return float(price(item, model, replace(CURVE, spot=spot)))

        h = 1.0
        v = [at(100.0 + m * h) for m in (-2, -1, 0, 1, 2)]
        delta = (v[0] - 8 * v[1] + 8 * v[3] - v[4]) / (12 * h)
        gamma = (-v[0] + 16 * v[1] - 30 * v[2] + 16 * v[3] - v[4]) / (12 * h * h)
        speed = (v[4] - 2 * v[3] + 2 * v[1] - v[0]) / (2 * h**3)
        assert found["value"]["delta"] == pytest.approx(delta, abs=3e-6)
        assert found["value"]["gamma"] == pytest.approx(gamma, abs=1e-6)
        assert found["value"]["speed"] == pytest.approx(speed, abs=2e-5)


def test_fourier_and_cosine_give_the_same_greeks():
    item = European(strike=105.0, tau=0.7)
    a, b = (one(item, HESTON, MARKET, method=m) for m in ("fourier", "cosine"))
    for name in a.index:
        assert a[name] == pytest.approx(b[name], rel=3e-4, abs=1e-5), name


def test_derivatives_by_the_parameters_of_heston_are_those_of_the_price():
    item, h = European(strike=105.0, tau=0.7), 1e-4
    found = one(item, HESTON, MARKET, which=("value",), parameters=True)
    for name in ("v0", "kappa", "theta", "sigma", "rho"):
        up, down = (
            float(price(item, replace(HESTON, **{name: getattr(HESTON, name) + s * h}), MARKET)) for s in (1, -1)
        )
        assert found[f"by_{name}"] == pytest.approx((up - down) / (2 * h), rel=2e-4, abs=1e-6)


def test_delta_of_a_sloping_smile_says_what_sticks():
    surface = SVISurface(tau=(0.5, 1.0), slices=(SVI(a=0.01, b=0.1, rho=-0.6, m=0.0, sigma=0.2),
                                                 SVI(a=0.02, b=0.12, rho=-0.6, m=0.0, sigma=0.2)))  # fmt: skip
    item, h = European(strike=100.0, tau=0.7), 0.01
    strike, moneyness = (one(item, surface, MARKET, sticky=s, which=("delta", "vega")) for s in ("strike", "moneyness"))
    bumped = [float(price(item, surface, replace(MARKET, spot=100.0 + s * h))) for s in (1, -1)]
    assert moneyness["delta"] == pytest.approx((bumped[0] - bumped[1]) / (2 * h), abs=1e-6)
    assert moneyness["delta"] > strike["delta"] + 0.02  # vols fall with the strike: they rise with the spot
    assert moneyness["vega"] == pytest.approx(strike["vega"], rel=1e-6)
    assert one(item, SABR(alpha=0.25, beta=1.0, rho=-0.4, nu=0.6), MARKET)["vega"] == pytest.approx(33.0, rel=0.1)


def test_a_portfolio_has_a_row_a_contract_like_each_alone():
    frame = greeks(CONTRACTS, MODEL, MARKET)
    assert frame["contract"].tolist() == [type(c).__name__ for c in CONTRACTS]
    for i, item in enumerate(CONTRACTS):
        alone = one(item, MODEL, MARKET)
        for name in alone.index:
            assert frame[name][i] == pytest.approx(alone[name], rel=1e-9, abs=1e-9)
    assert not frame.isna().any().any()


@pytest.mark.slow
def test_simulated_greeks_of_an_american_option_carry_standard_errors():
    item = American(strike=105.0, tau=0.7, is_call=False)
    found = greeks(item, MODEL, MARKET, method="longstaff_schwartz", which=("value", "delta"), n_paths=4000, n_dates=25)
    exact = one(item, MODEL, MARKET, which=("delta",))
    row = found.set_index("greek").loc["delta"]
    assert row["how"] == "common paths" and 0.0 < row["std_error"] < 0.05
    assert abs(row["value"] - exact["delta"]) < 4.0 * row["std_error"] + 0.02


def test_bermudan_greeks_come_from_the_tree():
    item = Bermudan(strike=100.0, times=(0.25, 0.5))
    found = greeks(item, MODEL, MARKET, method="lattice", which=("delta", "vega"))
    assert set(found["method"]) == {"lattice"} and found["value"][0] < 0.0 < found["value"][1]


def test_wrong_questions_are_refused():
    item = CONTRACTS[0]
    with pytest.raises(InputError, match=r"which must be among value, delta.*got \['zomma'\]"):
        greeks(item, MODEL, MARKET, which=("zomma",))
    with pytest.raises(InputError, match="sticky must be 'strike' or 'moneyness'; got 'delta'"):
        greeks(item, MODEL, MARKET, sticky="delta")
    with pytest.raises(InputError, match="parameters must be False for several contracts"):
        greeks([item, item], MODEL, MARKET, parameters=True)
    with pytest.raises(InputError, match="days must be a whole number of calendar days, at least 1"):
        greeks(item, MODEL, MARKET, days=0.5)

"""Bachelier's formula, its Greeks and its inverse: exact integrals, laws, extremes, forwards below zero."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from research.errors import InputError
from research.instruments import European
from research.market import flat_snapshot
from research.models import Bachelier, DisplacedDiffusion, bachelier, black
from research.pricing import price

levels = st.floats(-0.05, 0.2)
vols = st.floats(1e-4, 0.05)
taus = st.floats(1 / 8760, 50.0)


def test_the_price_is_the_expected_payoff():
    for f, k, t, v in ((-0.005, 0.01, 2.0, 0.008), (100.0, 80.0, 0.5, 25.0), (0.0, 0.0, 10.0, 0.01)):
        s = v * np.sqrt(t)
        exact = quad(lambda x, f=f, k=k, s=s: (f + s * x - k) * norm.pdf(x), (k - f) / s, 40.0, epsabs=1e-16)[0]
        assert bachelier.price(f, k, t, v) == pytest.approx(exact, rel=1e-11)


def test_wings_keep_their_digits():
    # h(x) = phi(x) - x Phi(-x) by its asymptotic series, 1/x^2 - 3/x^4 + 15/x^6 ..., summed to its smallest term
    for x in (12.0, 20.0, 30.0):
        terms, term = [], 1.0 / x**2
        for n in range(1, 60):
            terms.append(term)
            after = -term * (2 * n + 1) / x**2
            if abs(after) > abs(term):
                break
            term = after
        exact = norm.pdf(x) * np.sum(terms[::-1])
        assert bachelier.price(0.0, x, 1.0, 1.0) == pytest.approx(exact, rel=1e-12)


@given(f=levels, k=levels, t=taus, v=vols)
def test_put_call_parity_and_symmetry(f, k, t, v):
    call, put = bachelier.price(f, k, t, v), bachelier.price(f, k, t, v, is_call=False)
    assert call - put == pytest.approx(f - k, abs=1e-15)
    assert call == pytest.approx(bachelier.price(-f, -k, t, v, is_call=False), rel=1e-13, abs=1e-300)
    assert call == pytest.approx(bachelier.price(f + 7.0, k + 7.0, t, v), rel=1e-6, abs=1e-14)


@given(f=levels, k=levels, t=taus, v=vols)
def test_the_implied_vol_gives_the_vol_back_to_rounding(f, k, t, v):
    is_call = k >= f
    value = bachelier.price(f, k, t, v, is_call=is_call)
    if value > 1e-290:
        x = abs(f - k) / (v * np.sqrt(t))
        # log V falls with 1 + x^2: an error of 1 ulp in V or in x^2 leaves as much in the vol
        assert bachelier.implied_vol(value, f, k, t, is_call=is_call) == pytest.approx(v, rel=2e-15 * (4.0 + 0.1 * x))


def test_the_implied_vol_of_in_the_money_options_is_as_good_as_their_time_value():
    f, k, t, v = 0.03, 0.01, 1.0, 0.02
    value = bachelier.price(f, k, t, v)
    assert bachelier.implied_vol(value, f, k, t) == pytest.approx(v, rel=1e-13)


def test_what_has_no_implied_vol_is_refused_or_nan():
    with pytest.raises(InputError, match=r"price must not lie below the intrinsic value; got 0\.5.*on_error='nan'"):
        bachelier.implied_vol(0.5, 1.0, 0.0, 1.0)
    found = bachelier.implied_vol([0.5, 1.0, np.nan, 1.2, 1e6], 1.0, 0.0, 1.0, on_error="nan")
    assert np.isnan(found).tolist() == [True, False, True, False, False]
    assert found[1] == 0.0 and found[4] > 1e6


def test_greeks_are_the_derivatives():
    f, k, t, v, rate = 0.012, 0.015, 3.0, 0.009, 0.03
    for is_call in (True, False):

        def value(f=f, t=t, v=v, is_call=is_call):
            return bachelier.price(f, k, t, v, df=np.exp(-rate * t), is_call=is_call)

        g, h = bachelier.greeks(f, k, t, v, df=np.exp(-rate * t), is_call=is_call), 1e-5
        assert g["price"] == value()
        assert g["delta"] == pytest.approx((value(f + h) - value(f - h)) / (2 * h), rel=1e-6)
        assert g["gamma"] == pytest.approx((value(f + h) - 2 * value() + value(f - h)) / h**2, rel=1e-5)
        assert g["vega"] == pytest.approx((value(v=v + h) - value(v=v - h)) / (2 * h), rel=1e-6)
        assert g["theta"] == pytest.approx(-(value(t=t + h) - value(t=t - h)) / (2 * h), rel=1e-6)
        assert g["rho"] == pytest.approx(-t * g["price"], rel=1e-14)

        def vega(f=f, v=v, is_call=is_call):
            return bachelier.greeks(f, k, t, v, df=np.exp(-rate * t), is_call=is_call)["vega"]

        assert g["vanna"] == pytest.approx((vega(f + h) - vega(f - h)) / (2 * h), rel=1e-5)
        assert g["volga"] == pytest.approx((vega(v=v + h) - vega(v=v - h)) / (2 * h), rel=1e-3)


def test_without_vol_or_time_it_is_the_intrinsic_value():
    for t, v in ((0.0, 0.01), (1.0, 0.0)):
        assert bachelier.price([0.02, 0.01, -0.01], 0.01, t, v).tolist() == pytest.approx([0.01, 0.0, 0.0])
        g = bachelier.greeks([0.02, 0.01, -0.01], 0.01, t, v)
        assert g["delta"].tolist() == [1.0, 0.5, 0.0]
        assert np.isfinite(g["vega"]).all() and g["gamma"][0] == 0.0


def test_it_is_the_limit_of_black_for_small_vols_and_of_displaced_diffusion_for_large_shifts():
    k = np.array([99.99, 100.0, 100.01])
    assert bachelier.price(100.0, k, 1.0, 0.01) == pytest.approx(black.price(100.0, k, 1.0, 1e-4), rel=1e-3)
    far = DisplacedDiffusion(sigma=20.0 / 1e6, shift=1e6 - 100.0)
    assert far.price(100.0, [60.0, 100.0, 150.0], 1.0) == pytest.approx(
        bachelier.price(100.0, [60.0, 100.0, 150.0], 1.0, 20.0), rel=1e-3
    )


def test_the_model_prices_options_through_the_engine():
    found = price(European(strike=105.0, tau=0.5), Bachelier(sigma=20.0), flat_snapshot(spot=100.0, rate=0.02))
    assert (found.method, found.model) == ("analytic", "Bachelier")
    assert found.value == pytest.approx(
        bachelier.price(100.0 * np.exp(0.01), 105.0, 0.5, 20.0, df=np.exp(-0.01)), rel=1e-14
    )


def test_models_survive_json_and_refuse_nonsense():
    for model in (Bachelier(sigma=0.01), DisplacedDiffusion(sigma=0.2, shift=0.03)):
        assert type(model).from_json(json.loads(json.dumps(model.to_json()))) == model
    with pytest.raises(InputError, match=r"sigma must be finite and >= 0; got -1\. A normal vol is in price units"):
        Bachelier(sigma=-1.0)
    with pytest.raises(InputError, match=r"strike must be finite and > -0\.03; got -0\.04 \(1 of 2 values\)"):
        DisplacedDiffusion(sigma=0.2, shift=0.03).price(0.01, [-0.04, 0.0], 1.0)
    with pytest.raises(InputError, match="tau must be finite and >= 0 years; got -1"):
        bachelier.price(0.01, 0.01, -1.0, 0.01)
    with pytest.raises(InputError, match="is_call must be bool; got int64 values"):
        bachelier.price(0.01, 0.01, 1.0, 0.01, is_call=1)


def test_displaced_diffusion_is_black_of_the_shifted_forward_and_lives_below_zero():
    model = DisplacedDiffusion(sigma=0.25, shift=0.02)
    strike = np.array([-0.015, 0.0, 0.03])
    assert model.price(-0.004, strike, 2.0) == pytest.approx(black.price(0.016, strike + 0.02, 2.0, 0.25), rel=1e-14)
    assert model.greeks(-0.004, strike, 2.0)["vega"] == pytest.approx(
        black.greeks(0.016, strike + 0.02, 2.0, 0.25)["vega"]
    )
    skew = bachelier.implied_vol(model.price(-0.004, strike, 2.0), -0.004, strike, 2.0)
    assert (np.diff(skew) > 0.0).all()
    found = price(
        European(strike=105.0, tau=0.5), DisplacedDiffusion(sigma=0.1, shift=100.0), flat_snapshot(spot=100.0)
    )
    assert found.value == pytest.approx(black.price(200.0, 205.0, 0.5, 0.1), rel=1e-14)

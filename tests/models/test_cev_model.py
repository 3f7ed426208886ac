"""CEV against Schroder's distribution functions, a tree of integrals, its laws and its limits."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import ncx2

from research.errors import InputError
from research.instruments import European
from research.market import flat_snapshot
from research.models import CEV, bachelier, black
from research.pricing import price

STRIKES = np.array([20.0, 60.0, 80.0, 100.0, 120.0, 150.0, 300.0])
BETAS = [-2.0, -0.5, 0.0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2.0, 3.0]
SIZES = [(0.2, 1.0), (0.05, 0.1), (0.5, 5.0), (1.5, 20.0)]  # lognormal vol at the forward, years


def model(beta, vol=0.2):
    return CEV(sigma=vol * 100.0 ** (1.0 - beta), beta=beta)


def schroder(f, k, t, m):
    """Schroder (1989): calls by two noncentral chi-square distribution functions."""
    one = 1.0 - m.beta
    scale = one**2 * m.sigma**2 * t
    x, y, n = f ** (2 * one) / scale, k ** (2 * one) / scale, 1.0 / abs(one)
    if one > 0.0:
        return f * ncx2.sf(y, 2.0 + n, x) - k * ncx2.cdf(x, n, y)
    return f * ncx2.sf(x, n, y) - k * ncx2.cdf(y, 2.0 + n, x)


@pytest.mark.parametrize("beta", BETAS)
def test_prices_are_those_of_schroder(beta):
    for vol, t in SIZES:
        m = model(beta, vol)
        assert m.price(100.0, STRIKES, t) == pytest.approx(schroder(100.0, STRIKES, t, m), abs=2e-12)


@pytest.mark.parametrize("beta", [-0.5, 0.5, 0.9, 1.5])
def test_mass_and_mean_add_up(beta):
    for vol, t in ((0.3, 2.0), (0.8, 6.0)):
        m = model(beta, vol)
        absorbed, defect = m.absorbed_mass(100.0, t), m.martingale_defect(100.0, t)
        assert (absorbed == 0.0) if beta > 1.0 else (defect == 0.0)
        grid = np.exp(np.linspace(np.log(1e-30), np.log(1e9), 200001))
        p = m.density(100.0, grid, t) * grid
        step = np.log(grid[1] / grid[0])
        assert p.sum() * step == pytest.approx(1.0 - absorbed, abs=2e-6)
        assert (p >= 0.0).all()
        if beta < 1.0 or defect < 1e-3:
            assert (p * grid).sum() * step == pytest.approx(100.0 * (1.0 - defect), rel=1e-4)


def test_a_deep_put_holds_the_absorbed_mass():
    m = CEV(sigma=5.0, beta=0.5)
    assert m.price(100.0, 1e-6, 4.0, is_call=False) / 1e-6 == pytest.approx(m.absorbed_mass(100.0, 4.0), rel=1e-3)
    assert m.absorbed_mass(100.0, 4.0) == pytest.approx(np.exp(-2.0 * 100.0 / (25.0 * 4.0)), rel=1e-13)  # beta = 1/2


def test_far_wings_are_positive_and_agree_with_a_plain_integral():
    m, t = model(0.5), 0.25
    for k in (45.0, 190.0, 250.0):

        def payoff(x, k=k):
            return abs(x - k) * m.density(100.0, x, t)

        low, high = (k, 2.5 * k) if k > 100.0 else (1e-3, k)
        exact = quad(payoff, low, high, epsrel=1e-12, epsabs=0.0, limit=200)[0]
        assert m.price(100.0, k, t, is_call=k > 100.0) == pytest.approx(exact, rel=1e-10)
    assert (m.price(100.0, np.array([300.0, 400.0]), 0.1) > 0.0).all()


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 0.95, 1.3, 2.0])
def test_greeks_are_the_derivatives(beta):
    m, t, rate = model(beta, 0.3), 1.5, 0.02
    for k, is_call in ((80.0, False), (100.0, True), (130.0, True), (130.0, False)):

        def value(f=100.0, t=t, m=m, k=k, is_call=is_call):
            return m.price(f, k, t, df=np.exp(-rate * t), is_call=is_call)

        def greek(name, f=100.0, m=m, k=k, is_call=is_call):
            return m.greeks(f, k, t, df=np.exp(-rate * t), is_call=is_call)[name]

        h, s = 0.01, 1e-4 * m.sigma
        up, down = replace(m, sigma=m.sigma + s), replace(m, sigma=m.sigma - s)
        assert greek("price") == value()
        assert greek("delta") == pytest.approx((value(100.0 + h) - value(100.0 - h)) / (2 * h), rel=1e-6, abs=1e-9)
        slope = (greek("delta", 100.0 + h) - greek("delta", 100.0 - h)) / (2 * h)
        assert greek("gamma") == pytest.approx(slope, rel=1e-6)
        assert greek("vega") == pytest.approx((value(m=up) - value(m=down)) / (2 * s), rel=1e-6)
        assert greek("theta") == pytest.approx(-(value(t=t + 1e-5) - value(t=t - 1e-5)) / 2e-5, rel=1e-6)
        slope = (greek("vega", 100.0 + h) - greek("vega", 100.0 - h)) / (2 * h)
        assert greek("vanna") == pytest.approx(slope, rel=1e-6, abs=1e-9)
        assert greek("volga") == pytest.approx(
            (greek("vega", m=up) - greek("vega", m=down)) / (2 * s), rel=1e-5, abs=1e-7
        )


def test_parity_bounds_and_convexity():
    grid = np.linspace(5.0, 400.0, 200)
    for beta in BETAS:
        m = model(beta, 0.4)
        call, put = m.price(100.0, grid, 2.0, df=0.9), m.price(100.0, grid, 2.0, df=0.9, is_call=False)
        assert call - put == pytest.approx(0.9 * (100.0 - grid), abs=1e-11)
        assert (np.diff(call) <= 1e-12).all() and (np.diff(call, 2) >= -1e-11).all()
        assert ((call >= 0.0) & (call <= 90.0 + 1e-9)).all()


def test_it_tends_to_black_at_beta_one_and_to_bachelier_at_beta_zero():
    flat = black.price(100.0, STRIKES, 1.0, 0.2)
    assert CEV(sigma=0.2, beta=1.0).price(100.0, STRIKES, 1.0) == pytest.approx(flat, rel=1e-14)
    for near in (1.0 - 1e-4, 1.0 + 1e-4):
        assert model(near).price(100.0, STRIKES, 1.0) == pytest.approx(flat, rel=2e-4, abs=2e-4)
    both = [model(b).price(100.0, STRIKES, 1.0) for b in (1.0 - 1e-4, 1.0 + 1e-4)]
    assert 0.5 * (both[0] + both[1]) == pytest.approx(flat, rel=1e-7, abs=1e-7)  # linear in beta
    normal = bachelier.price(100.0, STRIKES[1:], 1.0, 10.0)
    assert CEV(sigma=10.0, beta=0.0).price(100.0, STRIKES[1:], 1.0) == pytest.approx(normal, abs=1e-12)


def test_extremes_keep_their_bounds():
    for beta in (0.0, 0.5, 1.5):
        for vol in (0.001, 5.0):
            for t in (1 / 8760, 50.0):
                value = model(beta, vol).price(100.0, STRIKES, t)
                assert np.isfinite(value).all()
                assert (value >= np.maximum(100.0 - STRIKES, 0.0) - 1e-12).all() and (value <= 100.0 + 1e-9).all()


def test_the_smile_falls_for_beta_below_one_and_rises_above():
    for beta, sign in ((0.3, -1.0), (1.7, 1.0)):
        vol = model(beta).vol_at(100.0, STRIKES, 1.0)
        assert (sign * np.diff(vol) > 0.0).all()
        assert model(beta).vol_at(100.0, 100.0, 0.01) == pytest.approx(0.2, rel=1e-3)


def test_options_are_priced_through_the_engine():
    found = price(European(strike=105.0, tau=0.5), model(0.5), flat_snapshot(spot=100.0, rate=0.02))
    assert (found.method, found.model) == ("analytic", "CEV")
    expected = model(0.5).price(100.0 * np.exp(0.01), 105.0, 0.5, df=np.exp(-0.01))
    assert found.value == pytest.approx(expected, rel=1e-14)
    assert price(European(strike=95.0, tau=0.0), model(0.5), flat_snapshot(spot=100.0)).value == 5.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": 0.0}, "sigma must be > 0; got 0"),
        ({"beta": np.inf}, "beta must be finite; got inf"),
        ({"beta": 1.0 + 1e-6}, r"beta must be 1 or differ from it by 0\.0001"),
    ],
)
def test_what_is_no_cev_model_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        CEV(**({"sigma": 2.0, "beta": 0.5} | change))


def test_negative_strikes_are_refused_with_a_way_out():
    with pytest.raises(
        InputError, match=r"strike must be finite and > 0; got -1 .*shift them, or use models.bachelier"
    ):
        model(0.5).price(100.0, [-1.0, 100.0], 1.0)


def test_it_survives_json():
    assert CEV.from_json(json.loads(json.dumps(model(0.5).to_json()))) == model(0.5)

"""COS prices: published digits, Merton's own series, the gamma mixture, QuantLib, and the Fourier engine."""

from __future__ import annotations

import json
from datetime import date
from math import exp, factorial, log, sqrt
from typing import Any

import numpy as np
import pytest

from research.errors import InputError, NumericalError
from research.instruments import European
from research.market import flat_snapshot
from research.models import Bates, Heston, Merton, VarianceGamma, black
from research.pricing import bates, cosine, fourier, methods, mixtures, price

STRIKES = np.array([40.0, 70.0, 90.0, 100.0, 110.0, 140.0, 250.0])
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)


@pytest.mark.parametrize(("tau", "value"), [(0.1, 10.993703187), (1.0, 19.099354724)])
def test_variance_gamma_agrees_with_fang_and_oosterlee(tau: float, value: float) -> None:
    # Fang & Oosterlee (2008), section 5.4: S = 100, K = 90, r = 10%, sigma = 0.12, theta = -0.14, nu = 0.2
    model = VarianceGamma(sigma=0.12, nu=0.2, theta=-0.14)
    found = price(European(strike=90.0, tau=tau), model, flat_snapshot(spot=100.0, rate=0.1), method="cosine")
    assert found.method == "cosine"
    assert found.value == pytest.approx(value, abs=1e-8)
    assert abs(found.value - value) <= found.error + 5e-10


@pytest.mark.parametrize("tau", [0.02, 0.5, 5.0])
@pytest.mark.parametrize("model", [HESTON, Heston(v0=0.09, kappa=0.5, theta=0.04, sigma=1.0, rho=0.3)])
def test_heston_agrees_with_the_contour_within_both_errors(model: Heston, tau: float) -> None:
    series, bound = cosine.price_with_error(model, 100.0, STRIKES, tau, df=0.95)
    contour, other = fourier.price_with_error(model, 100.0, STRIKES, tau, df=0.95)
    assert (np.abs(series - contour) <= bound + other).all()
    assert bound.max() < 1e-6


def merton_series(model: Merton, forward: float, strike: Any, tau: float) -> Any:
    """Merton (1976), eq. (19): Black's prices weighted by the number of jumps."""
    mean = exp(model.jump_mean + 0.5 * model.jump_std**2) - 1.0
    rate, total = model.intensity * tau, np.zeros_like(strike)
    for n in range(60):
        moved = forward * exp(n * (model.jump_mean + 0.5 * model.jump_std**2) - rate * mean)
        vol = sqrt(model.sigma**2 + n * model.jump_std**2 / tau)
        total += exp(-rate) * rate**n / factorial(n) * black.price(moved, strike, tau, vol)
    return total


@pytest.mark.parametrize("tau", [1.0 / 8760.0, 0.1, 1.0, 10.0])
def test_merton_agrees_with_its_own_series(tau: float) -> None:
    model = Merton(sigma=0.15, intensity=0.6, jump_mean=-0.12, jump_std=0.2)
    found, error = cosine.price_with_error(model, 100.0, STRIKES, tau)
    assert np.abs(found - merton_series(model, 100.0, STRIKES, tau)).max() < max(1e-9, 2.0 * error.max())


def test_variance_gamma_is_black_mixed_over_the_gamma_clock() -> None:
    from scipy.integrate import quad
    from scipy.stats import gamma

    model, tau = VarianceGamma(sigma=0.25, nu=0.3, theta=-0.2), 1.5
    omega = log(1.0 - model.theta * model.nu - 0.5 * model.sigma**2 * model.nu) / model.nu

    def given(clock: float, strike: float) -> float:
        forward = 100.0 * exp(omega * tau + (model.theta + 0.5 * model.sigma**2) * clock)
        return float(black.price(forward, strike, 1.0, model.sigma * sqrt(clock)))

    law = gamma(a=tau / model.nu, scale=model.nu)
    for strike in (70.0, 100.0, 140.0):
        mixed = quad(lambda g, k=strike: given(g, k) * law.pdf(g), 0.0, 40.0, limit=400, epsabs=1e-11)[0]
        assert cosine.price_with_error(model, 100.0, strike, tau)[0] == pytest.approx(mixed, abs=1e-8)


def test_bates_agrees_with_quantlib() -> None:
    ql = pytest.importorskip("QuantLib")
    model = Bates(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7, intensity=0.4, jump_mean=-0.1, jump_std=0.15)
    today = ql.Date(2, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    curve = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, ql.Actual365Fixed()))
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    process = ql.BatesProcess(curve, curve, spot, 0.04, 1.5, 0.06, 0.5, -0.7, 0.4, -0.1, 0.15)
    engine = ql.BatesEngine(ql.BatesModel(process), 144)
    for strike in STRIKES:
        option = ql.VanillaOption(
            ql.PlainVanillaPayoff(ql.Option.Call, float(strike)), ql.EuropeanExercise(today + ql.Period(365, ql.Days))
        )
        option.setPricingEngine(engine)
        assert cosine.price_with_error(model, 100.0, strike, 1.0)[0] == pytest.approx(option.NPV(), abs=2e-7)


def test_without_jumps_bates_is_heston_and_merton_is_black() -> None:
    values = HESTON.to_json()
    calm = Bates(**values, intensity=0.0, jump_mean=-0.1, jump_std=0.2)
    assert cosine.price_with_error(calm, 100.0, STRIKES, 1.0)[0] == pytest.approx(
        cosine.price_with_error(HESTON, 100.0, STRIKES, 1.0)[0], abs=1e-13
    )
    plain = Merton(sigma=0.2, intensity=0.0, jump_mean=0.0, jump_std=0.0)
    assert cosine.price_with_error(plain, 100.0, STRIKES, 1.0)[0] == pytest.approx(
        black.price(100.0, STRIKES, 1.0, 0.2), abs=1e-10
    )


@pytest.mark.parametrize(
    "model",
    [
        Merton(sigma=0.1, intensity=2.0, jump_mean=0.05, jump_std=0.1),
        Bates(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7, intensity=0.4, jump_mean=-0.5, jump_std=0.0),
        VarianceGamma(sigma=0.3, nu=0.5, theta=0.1),
    ],
)
def test_prices_keep_parity_bounds_and_convexity(model: Any) -> None:
    strike = np.linspace(50.0, 200.0, 61)
    call = cosine.price_with_error(model, 105.0, strike, 0.75, df=0.96)[0]
    put = cosine.price_with_error(model, 105.0, strike, 0.75, df=0.96, is_call=False)[0]
    assert call - put == pytest.approx(0.96 * (105.0 - strike), abs=1e-11)
    assert (call >= 0.96 * np.maximum(105.0 - strike, 0.0) - 1e-9).all() and (call <= 0.96 * 105.0).all()
    assert (np.diff(call) <= 1e-10).all() and (np.diff(call, 2) >= -1e-9).all()


def odd_models() -> list[tuple[Any, float, Any]]:
    """Models, lives and the engine that knows better: correlations of one, slow clocks, jumps of one size."""
    flat = {"v0": 0.3319, "kappa": 0.69, "theta": 0.0008, "sigma": 0.708}
    one = Heston(**flat, rho=1.0)
    return [
        (one, 0.104, fourier),
        (Heston(v0=0.0104, kappa=0.0, theta=1.4, sigma=0.0678, rho=1.0), 1.4, fourier),
        (Heston(v0=0.0082, kappa=0.0, theta=0.87, sigma=0.674, rho=0.999), 0.13, fourier),
        (Heston(v0=0.3649, kappa=0.557, theta=0.346, sigma=1.066, rho=-1.0), 0.198, fourier),
        (Bates(**one.to_json(), intensity=9.0, jump_mean=-0.1, jump_std=0.0), 0.5, bates),
        (VarianceGamma(sigma=0.0979, nu=1.51, theta=0.178), 0.698, mixtures),
        (VarianceGamma(sigma=0.026, nu=0.808, theta=-0.0157), 0.3, mixtures),
        (Merton(sigma=0.02, intensity=8.0, jump_mean=-0.2, jump_std=0.0), 1.0, mixtures),
    ]


@pytest.mark.parametrize(("model", "tau", "better"), odd_models())
def test_the_bound_holds_where_two_rounds_that_agreed_said_too_little(model: Any, tau: float, better: Any) -> None:
    strikes = 100.0 * np.exp(np.array([-0.6, -0.2, -0.05, 0.0, 0.03, 0.1, 0.4]))
    try:
        found, bound = cosine.price_with_error(model, 100.0, strikes, tau, is_call=False)
    except NumericalError:
        return  # said, not hidden
    true, rest = better.price_with_error(model, 100.0, strikes, tau, is_call=False)
    assert (np.abs(found - true) <= bound + rest).all()


def test_the_engines_of_heston_are_listed_best_first() -> None:
    assert methods(European(strike=100.0, tau=1.0), HESTON)["method"].tolist() == ["fourier", "cosine", "adi", "paths"]


def test_nothing_is_left_to_chance_at_expiry() -> None:
    model = VarianceGamma(sigma=0.3, nu=0.5, theta=0.1)
    found = price(European(strike=95.0, expiry=date(2000, 1, 1)), model, flat_snapshot(spot=100.0))
    assert found.value == 5.0 and found.error == 0.0


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (VarianceGamma, {"nu": 0.0}, "nu must be > 0 years; got 0"),
        (VarianceGamma, {"theta": 10.0}, r"1 - theta nu - sigma\^2 nu / 2 must be > 0; got .*forward is infinite"),
        (Merton, {"intensity": -1.0}, "intensity must be >= 0 jumps a year; got -1"),
        (Merton, {"jump_std": float("nan")}, "jump_std must be finite|jump_std must be finite; got nan"),
    ],
)
def test_what_is_no_model_is_refused(kind: Any, change: dict[str, float], message: str) -> None:
    good = {
        VarianceGamma: {"sigma": 0.2, "nu": 0.2, "theta": -0.1},
        Merton: {"sigma": 0.2, "intensity": 0.5, "jump_mean": -0.1, "jump_std": 0.1},
    }[kind]
    assert kind.from_json(json.loads(json.dumps(kind(**good).to_json()))) == kind(**good)
    with pytest.raises(
        InputError, match=message.replace("jump_std must be finite|", "") if "nan" in message else message
    ):
        kind(**(good | change))

"""Probabilities, densities and Greeks under the integral against 80-bit integrals: at every extreme the error holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.pricing.extremes.rays import read, read_with_jumps

from research.core.pricing.fourier_greeks import PLAIN_ROWS
from research.instruments import Digital, European, Gap, LogContract, Supershare
from research.market import flat_snapshot
from research.models import Bates, Heston, Merton, VarianceGamma
from research.pricing import greeks, price
from research.pricing._jets import jets

HOUR = 1.0 / 8760.0
MARKET = flat_snapshot(spot=100.0)


def wild(seed: int, n: int) -> list[tuple[Heston, float, float]]:
    """Models, lives from an hour to 50 years, log strikes: vols from 0.1 % to 500 %, correlations up to 1."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        tau = float(np.exp(rng.uniform(np.log(HOUR), np.log(50.0))))
        v0, theta = (float(np.exp(2.0 * rng.uniform(np.log(1e-3), np.log(5.0)))) for _ in range(2))
        kappa = float(rng.choice([0.0, rng.uniform(0.0, 1.0), rng.uniform(0.0, 20.0)]))
        rho = float(rng.choice([rng.uniform(-1.0, 1.0), -1.0, 1.0, 0.999, -0.9999]))
        v0 = 0.0 if kappa > 0.0 and rng.random() < 0.1 else v0
        model = Heston(v0=v0, kappa=kappa, theta=theta, sigma=float(np.exp(rng.uniform(-4.6, 2.3))), rho=rho)
        width = float(np.sqrt(model.average_variance(tau) * tau))
        out.append((model, tau, float(np.clip(rng.uniform(-5.0, 5.0) * width, -30.0, 30.0))))
    return out


def test_probability_and_density_are_within_the_stated_error_of_the_ray_at_every_extreme() -> None:
    judged = 0
    for model, tau, k in wild(11, 60):
        with np.errstate(all="ignore"):
            one, other = read(model, tau, k), read(model, tau, k, omega=0.3)
        unsure = np.abs(one - other) + 3e-16 * np.maximum(np.abs(one), 1.0)
        found, side = jets(model, tau, np.array([k]), n_rows=PLAIN_ROWS)
        beyond, density = found["q"] * np.exp(-k), found["q1"] * np.exp(-k)
        chance = one[0] if side[0] > 0.0 else one[0] - 1.0
        assert abs(beyond.value[0] - chance) <= beyond.error[0] + unsure[0], (model, tau, k)
        assert abs(density.value[0] - one[1]) <= density.error[0] + unsure[1], (model, tau, k)
        assert beyond.error[0] * min(np.exp(-0.5 * k), 1.0) < 3e-8
        judged += bool(unsure[0] < 1e-12)
    assert judged >= 50


def test_digitals_gaps_and_supershares_are_never_refused_from_an_hour_to_fifty_years() -> None:
    for model, tau, k in wild(12, 25):
        jumps = Bates(**model.to_json(), intensity=0.5, jump_mean=-0.2, jump_std=0.1)
        strike = 100.0 * float(np.exp(k))
        items = [Digital(strike=strike, tau=tau, pays=p, is_call=c) for p in ("cash", "asset") for c in (True, False)]
        items += [
            Gap(strike=strike, trigger=1.02 * strike, tau=tau),
            Supershare(low=strike, high=1.1 * strike, tau=tau),
        ]
        for one in (model, jumps):
            found = price(items, one, MARKET)
            size = np.array([1.0, 1.0, 100.0, 100.0, max(100.0, strike), 100.0 / strike])
            assert np.isfinite(found.value).all() and (found.error <= 1e-6 * size).all(), (one, tau, k)
            both = found.value[:4].reshape(2, 2).sum(axis=1)  # above and below make a bond, or the underlying
            assert both == pytest.approx([1.0, 100.0], rel=1e-12)


@pytest.mark.parametrize("rho", [-1.0, -0.4, 1.0])
def test_bates_is_heston_given_the_number_of_jumps(rho: float) -> None:
    for tau, std in ((2.0, 0.0), (0.05, 0.25)):
        model = Bates(v0=0.02, kappa=1.0, theta=0.06, sigma=0.7, rho=rho, intensity=1.5, jump_mean=-0.1, jump_std=std)
        for k in (-0.3, 0.0, 0.2):
            true = read_with_jumps(model, tau, k)
            found, side = jets(model, tau, np.array([k]), n_rows=PLAIN_ROWS)
            beyond, density = found["q"] * np.exp(-k), found["q1"] * np.exp(-k)
            chance = true[0] if side[0] > 0.0 else true[0] - 1.0
            assert abs(beyond.value[0] - chance) <= beyond.error[0] + 1e-15
            assert abs(density.value[0] - true[1]) <= density.error[0] + 1e-15
            assert beyond.error[0] < 1e-10


def slopes(of: Any, model: Any, name: str) -> Any:
    """Derivative by a parameter, by differences of fourth order of 80-bit integrals."""
    h = np.longdouble(2e-4 * abs(getattr(model, name)))
    moved = [of(replace(model, **{name: float(getattr(model, name) + m * h)})) for m in (-2, -1, 1, 2)]
    step = [np.longdouble(float(getattr(model, name) + m * h)) for m in (-2, -1, 1, 2)]
    near, far = (moved[2] - moved[1]) / (step[2] - step[1]), (moved[3] - moved[0]) / (step[3] - step[0])
    return (4.0 * near - far) / 3.0


MODELS: list[tuple[Heston, float]] = [
    (Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7), 1.0),
    (Heston(v0=0.01, kappa=0.5, theta=0.04, sigma=1.2, rho=-0.95), 20.0),
    (Heston(v0=1e-4, kappa=5.0, theta=2e-4, sigma=0.05, rho=0.3), HOUR * 50.0),
    (Heston(v0=9.0, kappa=0.1, theta=4.0, sigma=3.0, rho=0.5), 0.5),
]


@pytest.mark.parametrize(("model", "tau"), MODELS)
def test_derivatives_by_every_parameter_are_those_of_the_80_bit_integrals(model: Heston, tau: float) -> None:
    width = float(np.sqrt(model.average_variance(tau) * tau))
    for k in (-1.5 * width, 0.1 * width, width):
        found, _ = jets(model, tau, np.array([k]))
        for name in ("v0", "kappa", "theta", "sigma", "rho"):
            true = slopes(lambda m, k=k: read(m, tau, k), model, name)
            pairs = [(found[f"{name}.q"] * np.exp(-k), true[0]), (found[f"{name}.q1"] * np.exp(-k), true[1]),
                     (found[f"{name}.c"], true[2])]  # fmt: skip
            for jet, exact in pairs:
                assert abs(jet.value[0] - exact) <= jet.error[0] + 1e-8 * abs(exact) + 1e-11, (name, k)


@pytest.mark.parametrize(("model", "tau"), MODELS)
def test_theta_vega_and_volga_are_derivatives_of_the_80_bit_integrals(model: Heston, tau: float) -> None:
    width = float(np.sqrt(model.average_variance(tau) * tau))

    def at(dv: float, k: float) -> Any:
        roots = {n: (getattr(model, n) ** 0.5 + dv) ** 2 for n in ("v0", "theta")}
        return read(replace(model, **roots), tau, k)

    for k in (-width, 0.2 * width):
        found, _ = jets(model, tau, np.array([k]))
        h, dt = 1e-4 * min(model.v0, model.theta) ** 0.5, 1e-4 * tau
        v = [at(m * h, k) for m in (-2, -1, 0, 1, 2)]
        t = [read(model, tau + m * dt, k) for m in (-2, -1, 1, 2)]
        true = {
            "vol": (8.0 * (v[3] - v[1]) - (v[4] - v[0])) / (12.0 * h),
            "vol twice": (16.0 * (v[3] + v[1]) - v[4] - v[0] - 30.0 * v[2]) / (12.0 * h * h),
            "time": (8.0 * (t[2] - t[1]) - (t[3] - t[0])) / (12.0 * dt),
        }
        for name, exact in true.items():
            rel = 1e-5 if name == "vol twice" else 1e-7
            scale = max(abs(float(exact[0])), abs(float(exact[2])))
            for jet, one in ((found[f"{name}.q"] * np.exp(-k), exact[0]), (found[f"{name}.c"], exact[2])):
                assert abs(jet.value[0] - one) <= jet.error[0] + rel * max(abs(one), 1e-2 * scale), (name, k)


@pytest.mark.parametrize(
    "model",
    [
        Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7),
        Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.3, jump_mean=-0.1, jump_std=0.1),
        Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.0, jump_mean=-0.1, jump_std=0.1),
        Merton(sigma=0.2, intensity=0.4, jump_mean=-0.1, jump_std=0.15),
        VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_all_greeks_under_the_integral_are_differences_of_prices(model: Any) -> None:
    from research.pricing.difference_greeks import differences
    from research.pricing.sensitivities import GREEKS

    market = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
    items = [European(strike=90.0, tau=0.8), Digital(strike=105.0, tau=0.8, pays="asset"),
             Digital(strike=95.0, tau=0.8, is_call=False), Gap(strike=95.0, trigger=100.0, tau=0.8, is_call=False),
             Supershare(low=90.0, high=110.0, tau=0.8)]  # fmt: skip
    bumps = {"spot": 0.004, "vol": 0.004, "rate": 1e-4, "days": 1.0}
    for item in items:
        found = greeks(item, model, market, parameters=True).set_index("greek")
        assert set(found["how"]) == {"under the integral"}
        twin = differences([item], model, market, "auto", GREEKS, bumps, {})
        for name in GREEKS:
            gap, allowed = abs(found["value"][name] - twin[name]["value"][0]), twin[name]["error"][0]
            assert gap <= 2.0 * allowed + 1e-9, (item, name)
            assert found["error"][name] <= 1e-9 * max(abs(found["value"][name]), 1.0)
        for name in (n for n in model.to_json() if getattr(model, n) > 1e-3):
            h = 1e-4 * getattr(model, name)
            up, down = (
                float(price(item, replace(model, **{name: getattr(model, name) + s * h}), market)) for s in (1, -1)
            )
            assert found["value"][f"by_{name}"] == pytest.approx((up - down) / (2.0 * h), rel=1e-5, abs=1e-6), name


def test_another_jump_has_a_price_where_there_are_none_yet() -> None:
    calm = Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.0, jump_mean=-0.1, jump_std=0.1)
    for item in (European(strike=90.0, tau=0.8), Digital(strike=90.0, tau=0.8)):
        found = greeks(item, calm, MARKET, which=("value",), parameters=True).set_index("greek")["value"]
        values = [float(price(item, replace(calm, intensity=m * 1e-4), MARKET)) for m in (0, 1, 2)]
        assert found["by_intensity"] == pytest.approx((4.0 * values[1] - values[2] - 3.0 * values[0]) / 2e-4, rel=1e-6)
        assert found["by_jump_mean"] == found["by_jump_std"] == 0.0


def test_log_contracts_of_any_life_are_minus_half_the_expected_variance() -> None:
    for model, tau, _ in wild(13, 12):
        found = price(LogContract(strike=100.0, tau=tau), model, MARKET)
        assert abs(found.value + 0.5 * model.average_variance(tau) * tau) <= found.error, (model, tau)

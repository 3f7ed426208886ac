"""SSVI and eSSVI: no static arbitrage at any strike and any time, and what would hold some is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import European
from research.market import flat_snapshot
from research.models import ESSVI, SSVI, SVI, HestonLike, PowerLaw, SVISurface
from research.models.ssvi import largest_psi
from research.pricing import price

TAU = (0.02, 0.25, 1.0, 4.0)
TIMES = np.concatenate([[1e-4, 0.005], TAU, [0.1, 0.6, 2.5, 8.0, 50.0]])


def random_ssvi(rng, size):
    rho, gamma = rng.uniform(-0.98, 0.98), rng.uniform(0.02, 0.5)
    theta = tuple(np.cumsum(rng.exponential(size, len(TAU))))
    if rng.uniform() < 0.5:
        return SSVI(tau=TAU, theta=theta, rho=rho, phi=HestonLike(lam=0.25 * (1 + abs(rho)) * rng.choice([1.0, 3.0])))
    eta = float(PowerLaw.largest(rho, gamma)) * rng.choice([1.0, 0.5])
    return SSVI(tau=TAU, theta=theta, rho=rho, phi=PowerLaw(eta=eta, gamma=gamma))


def random_essvi(rng, size):
    """On the edge of the conditions half of the time."""
    n, rho = len(TAU), np.clip(np.cumsum(rng.normal(0, 0.2, len(TAU))), -0.97, 0.97)
    stretch = np.maximum((1 + rho[:-1]) / (1 + rho[1:]), (1 - rho[:-1]) / (1 - rho[1:]))
    theta = [rng.exponential(size)]
    for s in stretch:
        theta.append(theta[-1] * s + rng.choice([0.0, rng.exponential(size)]))
    theta = np.array(theta)
    most = largest_psi(theta, rho)
    for i in range(n - 2, -1, -1):
        most[i] = min(most[i], most[i + 1] / stretch[i])
    psi = [most[0] * rng.choice([1.0, 0.4])]
    for i in range(1, n):
        low, high = psi[-1] * stretch[i - 1], min(psi[-1] * theta[i] / theta[i - 1], most[i])
        psi.append(low + rng.choice([0.0, 1.0, 0.5]) * max(high - low, 0.0))
    return ESSVI(tau=TAU, theta=tuple(theta), psi=tuple(psi), rho=tuple(rho))


@pytest.mark.parametrize("build", [random_ssvi, random_essvi])
def test_no_arbitrage_is_found_at_any_time_by_the_exact_search_of_svi_slices(build):
    rng = np.random.default_rng(2014)
    times = np.sort(TIMES)
    for trial in range(30):
        surface = build(rng, 10.0 ** rng.uniform(-3, 1) if trial % 2 else 0.03)
        slices = SVISurface(tau=tuple(times), slices=tuple(surface.slice(float(t)) for t in times))
        found = slices.arbitrage()
        far = 1.0 + found[["low", "high"]].abs().replace(np.inf, 0.0).max(axis=1)  # wings of one slope: rounding
        assert (found["size"] <= 1e-11 * far).all(), (surface, found)
        assert surface.arbitrage().empty


def test_slices_are_those_of_the_formula_and_of_raw_svi():
    surface = ESSVI(tau=(0.5, 1.0), theta=(0.02, 0.045), psi=(0.1, 0.15), rho=(-0.6, -0.5))
    k = np.linspace(-2, 2, 11)
    phi = 0.15 / 0.045
    plain = 0.5 * 0.045 * (1 - 0.5 * phi * k + np.sqrt((phi * k - 0.5) ** 2 + 1 - 0.25))
    assert surface.total_variance(k, 1.0) == pytest.approx(plain, rel=1e-14)
    assert surface.slice(1.0).total_variance(k) == pytest.approx(plain, rel=1e-13)
    assert surface.slice(0.7).total_variance(k) == pytest.approx(surface.total_variance(k, 0.7), rel=1e-12)


def test_it_is_linear_between_expiries_and_keeps_the_vol_at_the_money_beyond():
    surface = ESSVI(tau=(0.5, 1.0), theta=(0.02, 0.045), psi=(0.1, 0.15), rho=(-0.6, -0.5))
    theta, psi, rho = surface.at(0.75)
    assert (theta, psi, psi * rho) == pytest.approx((0.0325, 0.125, -0.5 * (0.06 + 0.075)))
    assert surface.vol(0.0, 7.0) == pytest.approx(surface.vol(0.0, 1.0), rel=1e-14)
    assert surface.vol(np.array([-0.3, 0.2]), 0.01) == pytest.approx(surface.vol(np.array([-0.3, 0.2]), 0.5), rel=1e-13)
    assert surface.total_variance(0.3, 0.0) == 0.0


def test_wings_are_no_steeper_than_lee_allows():
    rng = np.random.default_rng(4)
    for _ in range(30):
        surface = random_essvi(rng, 3.0)
        for t in TIMES:
            assert max(surface.slice(float(t)).wing_slopes) <= 2.0 + 1e-9


def test_a_heston_like_phi_keeps_its_digits_for_small_theta():
    phi = HestonLike(lam=2.0)
    u = np.array([1e-8, 4.99e-3, 5.01e-3, 1.0, 30.0])
    exact = [float((1 - (1 - np.exp(-2 * np.longdouble(t))) / (2 * np.longdouble(t))) / (2 * t)) for t in u[1:]]
    assert phi(u[1:]) == pytest.approx(exact, rel=1e-10)
    assert phi(u[0]) == pytest.approx(0.5, rel=1e-7)


def test_options_are_priced_by_black_at_the_vol_of_the_surface():
    surface = SSVI(tau=(0.5, 1.0), theta=(0.02, 0.04), rho=-0.5, phi=PowerLaw(eta=1.0, gamma=0.4))
    found = price(European(strike=100.0, tau=0.75), surface, flat_snapshot(spot=100.0))
    assert (found.method, found.value) == ("analytic", pytest.approx(6.9013, abs=1e-3))


def test_surfaces_come_back_from_json():
    for surface in (
        SSVI(tau=(0.5, 1.0), theta=(0.02, 0.04), rho=-0.5, phi=PowerLaw(eta=1.0, gamma=0.4)),
        SSVI(tau=(0.5, 1.0), theta=(0.02, 0.04), rho=-0.5, phi=HestonLike(lam=0.5)),
        ESSVI(tau=(0.5, 1.0), theta=(0.02, 0.045), psi=(0.1, 0.15), rho=(-0.6, -0.5)),
    ):
        assert type(surface).from_json(json.loads(json.dumps(surface.to_json()))) == surface


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"psi": (0.3, 0.31)}, r"psi must be <= 0\.223607, 0\.34641 at these theta, rho; got 0\.3 \(1 of 2 values\)"),
        ({"psi": (0.1, 0.1), "rho": (-0.6, 0.5)}, r"psi \(1 - rho\) must not fall with tau; got 0\.05"),
        ({"psi": (0.1, 0.3)}, r"psi / theta must not rise with tau; got 6\.66667.*Else expiries may cross"),
        ({"theta": (0.05, 0.045)}, "theta must not fall with tau; got 0.045.*calendar arbitrage"),
        ({"theta": (0.02, np.nan)}, r"theta must be finite; got nan \(1 of 2 values\)"),
        ({"rho": (-1.0, 0.0)}, r"rho must lie in \(-1, 1\); got -1"),
        ({"tau": (1.0, 0.5)}, "tau must increase; got 0.5"),
        ({"psi": (0.1,)}, "psi must be as many as tau, 2; got 1"),
    ],
)
def test_a_surface_that_may_hold_arbitrage_is_refused(changes, message):
    fair = {"tau": (0.5, 1.0), "theta": (0.02, 0.045), "psi": (0.1, 0.15), "rho": (-0.6, -0.5)}
    with pytest.raises(InputError, match=message):
        ESSVI(**(fair | changes))


def test_ssvi_refuses_a_curvature_that_some_expiry_cannot_bear():
    surface = {"tau": (0.5, 1.0), "theta": (0.02, 0.04), "rho": -0.5}
    with pytest.raises(
        InputError, match=r"eta must be <= 1\.6\d* at this rho; got 2\. Else some expiry holds butterfly"
    ):
        SSVI(**surface, phi=PowerLaw(eta=2.0, gamma=0.5))
    with pytest.raises(InputError, match=r"lam must be >= \(1 \+ \|rho\|\) / 4 = 0\.375; got 0\.3"):
        SSVI(**surface, phi=HestonLike(lam=0.3))
    with pytest.raises(InputError, match=r"gamma must lie in \(0, 1/2\]; got 0\.6"):
        PowerLaw(eta=1.0, gamma=0.6)
    with pytest.raises(InputError, match=r"phi must be a PowerLaw or a HestonLike; got 0\.5"):
        SSVI(**surface, phi=0.5)


def test_the_condition_is_sharp_enough_to_matter():
    # where both butterfly conditions meet they are necessary too: a slice a hundredth beyond them has a butterfly
    rho, theta = 0.0, 4.0
    most = float(largest_psi(theta, rho))

    def raw(psi):
        return SVI(a=0.5 * theta, b=0.5 * psi, rho=rho, m=0.0, sigma=theta / psi)

    assert not raw(most).butterflies()
    assert raw(1.01 * most).butterflies()

"""Bates on the plane: Fourier, cosine series where the variance stands still, published prices, bounds, laws."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from tests.pricing.published.tables import rows

from research.errors import NoEngineError
from research.instruments import American, Barrier, Bermudan, Digital, DoubleTouch, European, Gap
from research.market import CashDividends, flat_snapshot
from research.models import Bates, Heston, Merton
from research.pricing import greeks, methods, price
from research.pricing._jump_plane import jump_rows

HESTON = {"v0": 0.04, "kappa": 2.0, "theta": 0.04, "sigma": 0.25, "rho": -0.5}
MODEL = Bates(**HESTON, intensity=0.2, jump_mean=-0.5, jump_std=0.4)
OFTEN = Bates(v0=0.03, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=6.0, jump_mean=-0.04, jump_std=0.06)
FIXED = Bates(**HESTON, intensity=1.0, jump_mean=0.1, jump_std=0.0)
MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.05)


def still(merton: Merton) -> Bates:
    """The same law, the variance all but constant."""
    v = merton.sigma**2
    return Bates(v0=v, kappa=1.0, theta=v, sigma=1e-4, rho=0.0, intensity=merton.intensity,
                 jump_mean=merton.jump_mean, jump_std=merton.jump_std)  # fmt: skip


@pytest.mark.parametrize("model", [MODEL, OFTEN, FIXED], ids=["seldom", "often", "one size"])
def test_claims_at_expiry_agree_with_the_integrals(model):
    for item, method in ((European(strike=105.0, tau=0.5), "fourier"), (Digital(strike=95.0, tau=0.5), "analytic"),
                         (Gap(strike=95.0, trigger=100.0, tau=0.5), "analytic")):  # fmt: skip
        exact, found = (price(item, model, MARKET, method=name) for name in (method, "adi"))
        assert abs(found.value - exact.value) <= min(found.error, 2e-4)


@pytest.mark.parametrize("row", rows("american_surkov.csv"), ids=lambda row: str(row.value))
def test_american_puts_of_surkov(row):
    model = still(Merton(sigma=row.sigma, intensity=row.intensity, jump_mean=row.jump_mean, jump_std=row.jump_std))
    option = American(strike=float(row.strike), tau=row.tau, is_call=False)
    found = price(option, model, flat_snapshot(spot=float(row.spot), rate=row.rate), method="adi")
    assert abs(found.value - row.value) <= row.digits


@pytest.mark.parametrize("merton", [Merton(sigma=0.25, intensity=0.5, jump_mean=-0.2, jump_std=0.2),
                                    Merton(sigma=0.15, intensity=4.0, jump_mean=0.05, jump_std=0.05)])  # fmt: skip
def test_exercise_and_looks_agree_with_cosine_series_where_the_variance_stands_still(merton):
    model, market = still(merton), flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)
    quarters = (0.25, 0.5, 0.75, 1.0)
    barrier = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=2.0, n_monitoring=6)
    for item, near in ((American(strike=105.0, tau=1.0, is_call=False), 1e-3), (barrier, 1e-4),
                       (Bermudan(strike=105.0, times=quarters, is_call=False), 1e-4)):  # fmt: skip
        exact, found = price(item, merton, market, method="cosine"), price(item, model, market, method="adi")
        assert abs(found.value - exact.value) <= min(found.error + exact.error, near)


@pytest.mark.slow
def test_an_american_put_lies_between_the_rule_and_the_dual():
    option = American(strike=105.0, tau=0.5, is_call=False)
    found = price(option, OFTEN, MARKET, method="adi")
    low = price(option, OFTEN, MARKET, method="longstaff_schwartz", n_paths=8192)
    assert low.value - 4.0 * low.std_error - found.error <= found.value
    assert found.value <= low.value + low.error + 4.0 * low.std_error + found.error


@pytest.mark.slow
def test_barriers_watched_at_every_moment_agree_with_paths():
    for item in (Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=0.5, is_call=False),
                 Barrier(strike=100.0, barrier=110.0, direction="up", knock="in", tau=0.5),
                 DoubleTouch(low=80.0, high=115.0, tau=0.5, pays_if="none", amount=10.0)):  # fmt: skip
        found = price(item, MODEL, MARKET, method="adi")
        paths = price(item, MODEL, MARKET, method="paths", n_paths=16_384)
        assert abs(found.value - paths.value) <= found.error + paths.error + 4.0 * paths.std_error


def test_without_jumps_it_is_heston_to_the_last_bit():
    calm = Bates(**HESTON, intensity=0.0, jump_mean=-0.5, jump_std=0.4)
    for item in (American(strike=100.0, tau=0.5, is_call=False), Bermudan(strike=100.0, times=(0.25, 0.5))):
        found, wanted = (price(item, model, MARKET, method="adi") for model in (calm, Heston(**HESTON)))
        assert (found.value, found.error) == (wanted.value, wanted.error)


def test_jumps_carry_a_bond_and_the_spot_exactly():
    x = 0.3 * np.sinh(np.linspace(-2.0, 2.0, 41))
    rows = jump_rows(x, MODEL)
    drift = np.expm1(MODEL.jump_mean + 0.5 * MODEL.jump_std**2)
    np.testing.assert_allclose(rows @ np.ones(41), 0.0, atol=1e-13)
    np.testing.assert_allclose(rows @ np.exp(x), MODEL.intensity * drift * np.exp(x), rtol=1e-11)


def test_jumps_agree_with_the_integral_of_the_broken_line_and_stop_at_a_barrier():
    x, held = np.linspace(-0.5, 0.6, 12), (False, True)
    values = np.cos(3.0 * x) + 0.2 * np.exp(x)
    s, mean, std = np.exp(x), MODEL.jump_mean, MODEL.jump_std

    def line(y: float) -> float:
        j = int(np.clip(np.searchsorted(x, y) - 1, 0, 10))
        slope = (values[j + 1] - values[j]) / (s[j + 1] - s[j])
        return values[-1] if y > x[-1] else values[j] + slope * (np.exp(y) - s[j])

    found = jump_rows(x, MODEL, held) @ values
    for i in (0, 4, 10):
        breaks = np.clip(x, x[i] + mean - 8.0 * std, x[i] + mean + 8.0 * std)
        ends = np.unique([x[i] + mean - 8.0 * std, *breaks, x[i] + mean + 8.0 * std])
        whole = sum(quad(lambda y, i=i: line(y) * norm.pdf(y - x[i], mean, std), a, b, epsabs=1e-12)[0]
                    for a, b in pairwise(ends))  # fmt: skip
        assert found[i] == pytest.approx(MODEL.intensity * (whole - values[i]), abs=1e-9)
    assert found[-1] == 0.0


def test_greeks_of_the_grid_are_those_under_the_integral():
    item, names = European(strike=105.0, tau=0.5, is_call=False), ("delta", "gamma", "vega", "theta", "rho")
    exact, found = (greeks([item], OFTEN, MARKET, method=method, which=names) for method in ("fourier", "adi"))
    for name in names:
        assert float(found[name].iloc[0]) == pytest.approx(float(exact[name].iloc[0]), rel=2e-3), name


def test_what_it_may_do_is_listed_first_where_nothing_exact_is():
    assert methods(American(strike=100.0, tau=1.0), MODEL).method.tolist() == ["adi", "longstaff_schwartz"]
    assert methods(European(strike=100.0, tau=1.0), MODEL).method.tolist()[0] == "fourier"


def test_cash_falls_and_escrowed_cash_is_refused():
    plain = flat_snapshot(spot=100.0, rate=0.03)
    jump, escrowed = (
        replace(plain, cash_dividends=CashDividends(tau=[0.2], cash=[2.0], model=name)) for name in ("jump", "escrowed")
    )
    option = American(strike=100.0, tau=0.5, is_call=False)
    more, less = (price(option, MODEL, market, method="adi").value for market in (jump, plain))
    assert 0.5 < more - less < 2.0
    with pytest.raises(NoEngineError, match="longstaff_schwartz"):
        price(option, MODEL, escrowed, method="adi")

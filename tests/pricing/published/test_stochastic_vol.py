"""Stochastic volatility against printed numbers.

BENCHOP, Kahl and Jaeckel, Ikonen and Toivanen, Kim and Wee, Andersen, Broadie and Kaya, Lewis, Antonov and Spector.
"""

from __future__ import annotations

import pandas as pd
import pytest
from tests.pricing.published.tables import REFERENCE, half_of_the_last_digit, rows

from research.instruments import American, Asian, European
from research.market import flat_snapshot
from research.models import SABR, ArbitrageFreeSABR, Heston, black
from research.pricing import price


@pytest.mark.parametrize("method", ["fourier", "cosine"])
def test_heston_calls_of_the_literature(method):
    for row in rows("heston_literature.csv"):
        model = Heston(v0=row.v0, kappa=row.kappa, theta=row.theta, sigma=row.sigma, rho=row.rho)
        market = flat_snapshot(spot=float(row.spot), rate=row.rate)
        found = price(European(strike=float(row.strike), tau=float(row.tau)), model, market, method=method)
        printed = 5.5e-6 if row.source == "Kahl-Jaeckel" else 1e-12
        assert abs(found.value - row.value) <= found.error + printed, row


def test_american_puts_under_heston_of_ikonen_and_toivanen():
    model = Heston(v0=0.0625, kappa=5.0, theta=0.16, sigma=0.9, rho=0.1)
    for row in rows("ikonen_toivanen.csv"):
        market = flat_snapshot(spot=float(row.spot), rate=0.1)
        found = price(American(strike=10.0, tau=0.25), model, market)
        assert found.value == pytest.approx(row.value, abs=1e-4), row  # of the strike: 1e-5
        assert abs(found.value - row.value) <= found.error + 1e-5, row


@pytest.mark.slow
@pytest.mark.parametrize("case", ["feller", "violated"])
def test_geometric_averages_under_heston_of_kim_and_wee(case):
    """The continuous average: discrete ones of n and 2n prices on common seeds, without the error of order 1 / n."""
    terms = {"feller": (1.15, 0.348, 0.39, -0.64), "violated": (2.0, 0.09, 1.0, -0.3)}[case]
    model = Heston(v0=0.09, **dict(zip(("kappa", "theta", "sigma", "rho"), terms)))
    market = flat_snapshot(spot=100.0, rate=0.05)
    for row in rows("kim_wee_heston_asian.csv"):
        if row.case != case or row.strike not in (90, 100, 110) or row.tau != 1.5:
            continue
        found = []
        for n in (12, 24):
            fixings = tuple(row.tau * (k + 1) / n for k in range(n))
            contract = Asian(fixings=fixings, strike=float(row.strike), average="geometric")
            found.append(price(contract, model, market, method="paths", std_error=0.01))
        near, far = found
        error = (4.0 * far.std_error**2 + near.std_error**2) ** 0.5
        assert abs(2.0 * far.value - near.value - row.value) < 4.0 * error + 0.01, (row, found)


def test_how_far_hagans_formulas_are_from_sabr():
    """BENCHOP-SLV's exact digits: the effective equation is nearer than the formula, and not exact either."""
    for row in rows("benchop_sabr.csv"):
        terms = {"alpha": row.alpha, "beta": row.beta, "rho": row.rho, "nu": row.nu}
        contract, market = European(strike=row.strike, tau=float(row.tau)), flat_snapshot(spot=row.forward)
        formula, free = (price(contract, kind(**terms), market) for kind in (SABR, ArbitrageFreeSABR))
        off = abs(free.value - row.value)
        assert off < abs(formula.value - row.value)
        assert off < (0.025 if row.set == 1 else 0.2) * row.value
        assert off <= free.error < 4.0 * off, row  # of its own expansion it says so


@pytest.mark.parametrize("method", ["fourier", "cosine"])
def test_heston_calls_that_simulations_are_judged_by(method):
    """Andersen, Broadie and Kaya, Van Haastrecht and Pelsser, Smith, Ball and Roma: Feller fails mostly."""
    table = pd.read_csv(REFERENCE / "heston_simulation.csv", comment="#", dtype={"value": str})
    for row in table.itertuples(index=False):
        model = Heston(v0=row.v0, kappa=row.kappa, theta=row.theta, sigma=row.sigma, rho=row.rho)
        contract, market = (
            European(strike=float(row.strike), tau=float(row.tau)),
            flat_snapshot(spot=100.0, rate=row.rate),
        )
        found = price(contract, model, market, method=method)
        assert abs(found.value - float(row.value)) <= found.error + half_of_the_last_digit(row.value), row


@pytest.mark.slow
@pytest.mark.parametrize("case", ["Andersen-I", "Broadie-Kaya-2"])
def test_paths_agree_with_the_values_that_simulations_are_judged_by(case):
    for row in rows("heston_simulation.csv"):
        if row.case != case or row.strike not in (60, 100):
            continue
        model = Heston(v0=row.v0, kappa=row.kappa, theta=row.theta, sigma=row.sigma, rho=row.rho)
        contract, market = (
            European(strike=float(row.strike), tau=float(row.tau)),
            flat_snapshot(spot=100.0, rate=row.rate),
        )
        found = price(contract, model, market, method="paths", std_error=0.15)
        assert abs(found.value - row.value) < 4.0 * found.std_error + 1e-3, (row, found)


@pytest.mark.parametrize("method", ["fourier", "cosine"])
def test_heston_options_of_three_days_of_lewis(method):
    model = Heston(v0=0.01, kappa=4.0, theta=0.25, sigma=1.0, rho=-0.5)
    market = flat_snapshot(spot=100.0, rate=0.01, dividend_yield=0.02)
    for row in rows("heston_lewis_short.csv"):
        found = price(
            European(strike=float(row.strike), tau=0.01, is_call=row.type == "call"), model, market, method=method
        )
        assert found.value == pytest.approx(row.value, abs=3e-13), row
        assert found.error < 1e-8


def test_heston_implied_vols_of_forde_jacquier_and_lee():
    model = Heston(v0=0.04, kappa=1.15, theta=0.04, sigma=0.2, rho=-0.4)
    for row in rows("heston_implied_vols.csv"):
        contract = European(strike=float(row.strike), tau=row.tau, is_call=row.strike >= 100)
        value = float(price(contract, model, flat_snapshot(spot=100.0)))
        found = black.implied_vol(value, 100.0, float(row.strike), row.tau, is_call=row.strike >= 100)
        assert found == pytest.approx(row.vol, abs=1e-12), row


def test_hagans_formula_in_the_tables_of_antonov_and_spector():
    """Eighteen smiles of ten and twenty years, strikes from a tenth to twice the forward."""
    for row in rows("sabr_antonov_spector.csv"):
        smile = SABR(alpha=0.25, beta=row.beta, rho=row.rho, nu=0.3, formula="hagan")
        assert smile.vol_at(1.0, row.strike, row.tau) == pytest.approx(row.hagan, abs=0.501e-4), row


@pytest.mark.slow
@pytest.mark.parametrize("terms", [(10, 0.3, -0.8), (10, 0.9, -0.2)])
def test_paths_of_sabr_agree_with_the_simulations_of_antonov_and_spector(terms):
    """Where Hagan's formula is off by 10 to 1,000 basis points of vol."""
    for row in rows("sabr_antonov_spector.csv"):
        if (row.tau, row.beta, row.rho) != terms or row.strike not in (0.2, 1.0, 2.0):
            continue
        is_call = row.strike >= 1.0
        contract = European(strike=row.strike, tau=float(row.tau), is_call=is_call)
        model = ArbitrageFreeSABR(alpha=0.25, beta=row.beta, rho=row.rho, nu=0.3)
        found = price(contract, model, flat_snapshot(spot=1.0), method="paths", std_error=1e-3)
        low, high = (black.price(1.0, row.strike, row.tau, row.simulated + d, is_call=is_call) for d in (-2e-4, 2e-4))
        slack = 4.0 * found.std_error + found.error
        assert low - slack < found.value < high + slack, (row, found)


@pytest.mark.slow
def test_paths_of_sabr_agree_with_finite_differences_of_cai_and_with_lewis():
    for row in rows("sabr_cai.csv"):
        model = ArbitrageFreeSABR(alpha=0.4, beta=0.3, rho=0.0, nu=0.6)
        contract, market = European(strike=row.strike, tau=1.0), flat_snapshot(spot=0.05)
        found = price(contract, model, market, method="paths", std_error=1e-4)
        assert abs(found.value - row.value) < 4.0 * found.std_error + 1e-5, (row, found)
    model = ArbitrageFreeSABR(alpha=0.2, beta=1.0, rho=-0.75, nu=1.0)
    for row in rows("sabr_lewis.csv"):
        if row.tau == 0.25 and row.strike in (500, 1000):
            contract, market = European(strike=float(row.strike), tau=row.tau), flat_snapshot(spot=1000.0)
            found = price(contract, model, market, method="paths", std_error=0.2)
            assert abs(found.value - row.value) < 4.0 * found.std_error + 0.02, (row, found)

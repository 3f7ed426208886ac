"""Stochastic volatility against printed numbers: BENCHOP, Kahl and Jaeckel, Ikonen and Toivanen, Kim and Wee."""

from __future__ import annotations

import pytest
from tests.pricing.published.tables import rows

from research.instruments import American, Asian, European
from research.market import flat_snapshot
from research.models import SABR, ArbitrageFreeSABR, Heston
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
        formula, free = (float(price(contract, kind(**terms), market)) for kind in (SABR, ArbitrageFreeSABR))
        assert abs(free - row.value) < abs(formula - row.value)
        assert abs(free - row.value) < (0.025 if row.set == 1 else 0.2) * row.value

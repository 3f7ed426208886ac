"""Merton's jump diffusion and the Variance Gamma model against printed numbers: Haug, and QuantLib's table."""

from __future__ import annotations

import math

import pytest
from tests.pricing.published.tables import rows

from research.instruments import European
from research.market import flat_snapshot
from research.models import Merton, VarianceGamma
from research.pricing import price


@pytest.mark.parametrize("method", ["analytic", "cosine"])
def test_jump_diffusions_of_haug(method):
    """The book has two digits; the largest difference is 0.7 of the second."""
    for row in rows("haug_merton.csv"):
        jump = row.vol * math.sqrt(row.gamma / row.intensity)
        model = Merton(sigma=row.vol * math.sqrt(1.0 - row.gamma), intensity=row.intensity,
                       jump_mean=-0.5 * jump**2, jump_std=jump)  # fmt: skip
        market = flat_snapshot(spot=row.spot, rate=row.rate)
        found = float(price(European(strike=row.strike, tau=row.tau), model, market, method=method))
        assert found == pytest.approx(row.value, abs=0.0075), row


@pytest.mark.parametrize("method", ["analytic", "cosine"])
def test_variance_gamma_options_of_a_year(method):
    """Good to 1e-3; the two puts and their calls miss parity by 5e-3, so they are wrong by that much."""
    for row in rows("variance_gamma.csv"):
        model = VarianceGamma(sigma=row.sigma, nu=row.nu, theta=row.theta)
        market = flat_snapshot(spot=float(row.spot), rate=row.rate, dividend_yield=row.carry)
        contract = European(strike=float(row.strike), tau=1.0, is_call=row.type == "call")
        found = float(price(contract, model, market, method=method))
        assert found == pytest.approx(row.value, abs=1.1e-3 if row.type == "call" else 5.1e-3), row

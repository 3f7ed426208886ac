"""Contracts on several assets against printed tables: Haug, BENCHOP, Choi, Krekel, Milevsky and Posner, Deng."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pricing.published.tables import exchange, pair, rows, several, spread

from research.instruments import Basket, BestOf, WorstOf
from research.models.multi_asset import equicorrelation
from research.pricing import basket_greeks, price

G7 = [
    [1.00, 0.35, 0.10, 0.27, 0.04, 0.17, 0.71], [0.35, 1.00, 0.39, 0.27, 0.50, -0.08, 0.15],
    [0.10, 0.39, 1.00, 0.53, 0.70, -0.23, 0.09], [0.27, 0.27, 0.53, 1.00, 0.46, -0.22, 0.32],
    [0.04, 0.50, 0.70, 0.46, 1.00, -0.29, 0.13], [0.17, -0.08, -0.23, -0.22, -0.29, 1.00, -0.03],
    [0.71, 0.15, 0.09, 0.32, 0.13, -0.03, 1.00],
]  # fmt: skip


def test_exchanges_of_haug_and_their_greeks():
    for row in rows("haug_exchange.csv"):
        world = pair((22.0, 20.0), (0.2, row.vol_2), row.rho, 0.1, (0.06, 0.04))
        contract = exchange(row.tau)
        assert float(price(contract, *world)) == pytest.approx(row.value, abs=1e-3), row
        found = basket_greeks(contract, *world).set_index(["greek", "first", "second"])["value"]
        for i, name in enumerate("AB", start=1):
            assert found["delta", name, ""] == pytest.approx(getattr(row, f"delta_{i}"), abs=1e-3), row
            assert found["gamma", name, ""] == pytest.approx(getattr(row, f"gamma_{i}"), abs=1e-3), row


def test_exchanges_of_benchop():
    for row in rows("benchop_exchange.csv"):
        world = pair((row.spot_1, row.spot_2), (0.15, 0.15), 0.5, 0.03)
        for method in ("margrabe", "quadrature"):
            assert float(price(exchange(1.0), *world, method=method)) == pytest.approx(row.value, abs=2e-13), row


def test_kirks_approximation_of_haug():
    for row in rows("haug_spread.csv"):
        futures = (row.forward_1, row.forward_2)
        world = pair(futures, (row.vol_1, row.vol_2), row.rho, row.rate, (row.rate, row.rate))
        found = price(spread(row.strike, row.tau), *world, method="kirk")
        assert found.value == pytest.approx(row.value, abs=0.51e-4), row
        exact = price(spread(row.strike, row.tau), *world)
        assert abs(found.value - exact.value) <= found.error + exact.error


def test_spreads_of_three_sets_to_their_thirteen_digits():
    for row in rows("spreads.csv"):
        spots, vols = (row.spot_1, row.spot_2), (row.vol_1, row.vol_2)
        world = pair(spots, vols, row.rho, row.rate, (row.yield_1, row.yield_2))
        found = price(spread(row.strike, row.tau, row.type == "call"), *world)
        assert found.method == "quadrature"
        assert found.value == pytest.approx(row.value, abs=3e-12), row


def test_the_better_and_the_worse_of_two_of_haug():
    for row in rows("haug_two_assets.csv"):
        world = pair((100.0, 105.0), (0.11, 0.16), 0.63, 0.05, (row.yield_1, row.yield_2))
        kind = BestOf if row.pick == "best" else WorstOf
        contract = kind(underlyings=("A", "B"), strike=98.0, tau=0.5, is_call=row.type == "call")
        assert float(price(contract, *world)) == pytest.approx(row.value, abs=0.6e-4), row


def near(found, value):
    assert abs(found.value - value) < 4.0 * found.std_error + 1e-9, (found, value)


def test_baskets_of_krekel_and_others():
    for row in rows("krekel_baskets.csv"):
        world = several((100.0,) * 4, (row.vol,) * 3 + (row.vol_4,), equicorrelation(4, row.rho), 0.0)
        contract = Basket(underlyings=tuple("ABCD"), weights=(0.25,) * 4, strike=float(row.strike), tau=5.0)
        near(price(contract, *world, std_error=2e-3), row.value)


def test_the_basket_of_milevsky_and_posner():
    vols, yields = ((0.1155, 0.2068, 0.1453, 0.1799, 0.1559, 0.1462, 0.1568),
                    (0.0169, 0.0239, 0.0136, 0.0192, 0.0081, 0.0362, 0.0166))  # fmt: skip
    world = several((100.0,) * 7, vols, G7, 0.063, yields)
    weights = (0.10, 0.15, 0.15, 0.05, 0.20, 0.10, 0.25)
    for row in rows("milevsky_posner.csv"):
        contract = Basket(underlyings=tuple("ABCDEFG"), weights=weights, strike=float(row.strike), tau=float(row.tau))
        near(price(contract, *world, std_error=1e-3), row.value)


def test_spreads_of_three_and_of_eleven_assets_of_deng_li_and_zhou():
    small = [[1.0, 0.2, 0.8], [0.2, 1.0, 0.4], [0.8, 0.4, 1.0]]
    for row in rows("deng_li_zhou.csv"):
        three = row.assets == 3
        spots, weights = ((150.0, 60.0, 50.0), (1.0, -1.0, -1.0)) if three else ((10.0,) * 11, (11.0,) + (-1.0,) * 10)
        correlation = small if three else equicorrelation(11, 0.4)
        model, market = several(spots, (row.vol,) * row.assets, np.asarray(correlation), 0.05)
        contract = Basket(underlyings=model.names, weights=weights, strike=float(row.strike), tau=91 / 365)
        near(price(contract, model, market, std_error=2e-3), row.value)


def test_the_better_and_the_worse_of_two_of_firth():
    for row in rows("firth_two_assets.csv"):
        world = pair((row.spot_1, row.spot_2), (row.vol_1, row.vol_2), row.rho, 0.05)
        kind = BestOf if row.pick == "best" else WorstOf
        contract = kind(underlyings=("A", "B"), strike=100.0, tau=row.tau, is_call=row.type == "call")
        assert float(price(contract, *world)) == pytest.approx(row.value, abs=1.1e-3), row


DEELSTRA = {  # spots, vols, correlation; the last one is bought, the others sold
    1: ((200.0, 100.0), (0.6, 0.6), [[1.0, 0.28], [0.28, 1.0]]),
    2: ((40.0, 100.0), (0.17, 0.4), [[1.0, 0.12], [0.12, 1.0]]),
    4: ((46.0, 24.0, 100.0), (0.3, 0.22, 0.4), [[1.0, 0.41, 0.91], [0.41, 1.0, 0.17], [0.91, 0.17, 1.0]]),
    7: ((12.0, 63.0, 100.0), (0.63, 0.34, 0.21), [[1.0, 0.43, 0.3], [0.43, 1.0, 0.87], [0.3, 0.87, 1.0]]),
}


def test_spreads_of_deelstra_petkovic_and_vanmaele():
    """Two assets exactly, also at strikes below 0; three by simulation."""
    for row in rows("deelstra_spreads.csv"):
        spots, vols, correlation = DEELSTRA[row.set]
        model, market = several(spots, vols, np.asarray(correlation), 0.05)
        weights = (-1.0,) * (len(spots) - 1) + (1.0,)
        contract = Basket(underlyings=model.names, weights=weights, strike=float(row.strike), tau=1.0)
        if len(spots) == 2:
            assert float(price(contract, model, market)) == pytest.approx(row.value, abs=1e-4), row
            continue
        found = price(contract, model, market, std_error=3e-3)
        assert abs(found.value - row.value) < 4.0 * found.std_error + 3e-4, (row, found)

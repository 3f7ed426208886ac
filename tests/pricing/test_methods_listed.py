"""`methods` lists what can price these terms, and its table can be read."""

from __future__ import annotations

import pandas as pd
import pytest

from research.errors import NoEngineError
from research.instruments import (
    Asian,
    Basket,
    Cliquet,
    CorridorVarianceSwap,
    European,
    Outperformance,
    Phoenix,
    Spread,
)
from research.market import flat_basket, flat_snapshot
from research.models import Bachelier, BlackScholes, Heston, MultiAssetBlackScholes
from research.pricing import methods, price

FLAT, QUARTERS = flat_snapshot(spot=100.0, rate=0.02), (0.25, 0.5, 0.75, 1.0)
ONE = BlackScholes(sigma=0.2)
WILD = Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.5, rho=-0.5)
THREE = flat_basket({"A": 100.0, "B": 95.0, "C": 90.0}, rate=0.02)
FACTORS = MultiAssetBlackScholes(
    names=("A", "B", "C"), vols=(0.2, 0.3, 0.25), correlation=[[1.0, 0.5, 0.4], [0.5, 1.0, 0.3], [0.4, 0.3, 1.0]]
)
NOTE = {"initial": 100.0, "observations": QUARTERS, "knock_out": 1.03, "coupon_barrier": 0.8, "coupon": 0.02}
CASES = {  # contract, model, market, what its terms rule out, what they would not in another contract of the kind
    "arithmetic average": (Asian(fixings=QUARTERS, strike=100.0), ONE, FLAT, {"analytic"}),
    "geometric average": (Asian(fixings=QUARTERS, strike=100.0, average="geometric"), ONE, FLAT, set()),
    "geometric, any sign": (
        Asian(fixings=QUARTERS, strike=100.0, average="geometric"), Bachelier(sigma=20.0), FLAT, {"analytic", "paths"}
    ),
    "memory": (Phoenix(**NOTE, knock_in=0.7, memory=True), ONE, FLAT, {"quadrature"}),
    "no memory": (Phoenix(**NOTE, knock_in=0.7), ONE, FLAT, set()),
    "bounds on the sum": (Cliquet(resets=QUARTERS, local_cap=0.05, global_floor=0.0), WILD, FLAT, {"convolution"}),
    "no bounds": (Cliquet(resets=QUARTERS, local_cap=0.05), WILD, FLAT, set()),
    "corridor looked at": (
        CorridorVarianceSwap(strike=0.2, low=90.0, tau=1.0, n_observations=4), ONE, FLAT, {"replication"}
    ),
    "three assets": (
        Basket(underlyings=("A", "B", "C"), weights=(0.3, 0.3, 0.4), strike=95.0, tau=1.0), FACTORS, THREE,
        {"quadrature"},
    ),
    "negative strike": (Spread(long="A", short="B", strike=-1.0, tau=1.0), FACTORS, THREE,
                        {"kirk", "bjerksund_stensland"}),
    "strike of outperformance": (
        Outperformance(long="A", short="B", initials=(100.0, 95.0), strike=0.1, tau=1.0), FACTORS, THREE, {"margrabe"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_the_terms_rule_out_is_not_listed_and_the_engine_would_refuse_it(name):
    contract, model, market, out = CASES[name]
    whole, listed = (set(methods(what, model).method) for what in (type(contract).__name__, contract))
    assert whole - listed == out
    for method in out:
        with pytest.raises((NoEngineError, ValueError)):
            price(contract, model, market, method=method)


@pytest.mark.parametrize("name", CASES)
def test_what_is_listed_prices(name):
    contract, model, market, _ = CASES[name]
    for method in methods(contract, model, market if market is FLAT else None).method:
        options = {"n_paths": 2048} if method in ("paths", "monte_carlo") else {}
        assert price(contract, model, market, method=method, **options).value > -1.0


def test_a_class_is_as_good_as_its_name():
    assert methods(European, ONE).equals(methods("European", ONE))


def test_the_table_shows_every_word():
    found = methods(European(strike=100.0, tau=1.0), ONE)
    assert isinstance(found, pd.DataFrame)
    for shown in (repr(found), found._repr_html_()):
        assert "..." not in shown
        assert "local variance" not in shown and "a payoff on blocks of paths, for any model that has paths" in shown
    assert type(found.head(1)) is pd.DataFrame
    assert "Empty DataFrame" in repr(methods("Rainbow", ONE))

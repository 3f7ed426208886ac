"""Models and markets that the tests of this folder share."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from research.market import BasketSnapshot, DiscountCurve, ForeignCurrency, Underlying, flat_basket
from research.models import MultiAssetBlackScholes
from research.models.multi_asset import equicorrelation

PAIR = ("A", "B")


def pair(rho: float = 0.5, vols: tuple[float, float] = (0.2, 0.3)) -> MultiAssetBlackScholes:
    return MultiAssetBlackScholes(names=PAIR, vols=vols, correlation=[[1.0, rho], [rho, 1.0]])


def market(a: float = 100.0, b: float = 95.0, rate: float = 0.03) -> BasketSnapshot:
    return flat_basket({"A": a, "B": b}, rate=rate, dividend_yield={"A": 0.01, "B": 0.02})


def many(n: int, rho: float = 0.4) -> tuple[MultiAssetBlackScholes, BasketSnapshot]:
    names = tuple(f"N{i}" for i in range(n))
    vols = 0.2 + 0.03 * np.arange(n)
    model = MultiAssetBlackScholes(names=names, vols=vols, correlation=equicorrelation(n, rho))
    return model, flat_basket({name: 95.0 + 3.0 * i for i, name in enumerate(names)}, rate=0.02)


def abroad(rho: float = -0.3) -> tuple[MultiAssetBlackScholes, BasketSnapshot]:
    """A dollar index seen from China."""
    as_of = date(2030, 1, 31)

    def curve(rate: float) -> Any:
        return DiscountCurve(as_of=as_of, tau=[1.0], zero_rate=[rate])

    money = ForeignCurrency(name="USD", rate=7.1, discount=curve(0.05))
    spx = Underlying(name="SPX", spot=5000.0, dividend_yield=0.012, currency="USD")
    home = Underlying(name="CSI", spot=4000.0)
    matrix = [[1.0, rho, 0.2], [rho, 1.0, 0.1], [0.2, 0.1, 1.0]]
    model = MultiAssetBlackScholes(names=("SPX", "USDCNY", "CSI"), vols=[0.18, 0.06, 0.22], correlation=matrix)
    return model, BasketSnapshot(as_of=as_of, discount=curve(0.02), underlyings=(spx, home), currencies=(money,))

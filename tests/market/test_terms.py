"""Markets and models are plain data: through JSON and back, nothing is lost."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from typing import Any

import numpy as np
import pytest

from research import models
from research.market import (
    BasketSnapshot,
    CashDividends,
    DiscountCurve,
    ForeignCurrency,
    Smile,
    Snapshot,
    Surface,
    Underlying,
    flat_snapshot,
    snapshot_from_json,
    to_json,
)
from research.models import SSVI, SVI, Heston, LocalStochasticVol, LocalVol, PowerLaw, SVISurface, model_from_json

DAY = date(2024, 1, 2)
CURVE = DiscountCurve(as_of=DAY, tau=[0.5, 1.0], zero_rate=[0.03, 0.031])
SMILE = Smile(tau=0.5, forward=100.0, df=0.98, strike=[90.0, 110.0], vol=[0.22, 0.2], weight=[1.0, 2.0],
              expiry=date(2024, 7, 2))  # fmt: skip
GRID = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.1, 0.1], vol=[[0.3, 0.2], [0.3, 0.2]])
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(np.array_equal(a, b))


@pytest.mark.parametrize(
    "market",
    [
        flat_snapshot(spot=100.0, rate=0.03),
        Snapshot(as_of=DAY, spot=100.0, discount=CURVE, surface=Surface(as_of=DAY, spot=100.0, smiles=(SMILE,)),
                 dividend_yields=CURVE, borrow=0.002, currency="CNY",
                 cash_dividends=CashDividends(tau=[0.5], cash=[1.0], model="jump")),
        BasketSnapshot(as_of=DAY, discount=CURVE, underlyings=(Underlying(name="A", spot=1.0, currency="USD"),),
                       currencies=(ForeignCurrency(name="USD", rate=7.1, discount=CURVE),)),
    ],
)  # fmt: skip
def test_a_market_comes_back_as_it_was(market: Any) -> None:
    again = snapshot_from_json(json.loads(json.dumps(to_json(market))))
    assert same(again, market) and again == market and hash(again) == hash(market)
    assert dataclasses.replace(market, as_of=date(2023, 12, 29)) != market


@pytest.mark.parametrize(
    "model",
    [
        HESTON,
        GRID,
        SVISurface(tau=(1.0,), slices=(SVI(a=0.02, b=0.1, rho=-0.3, m=0.0, sigma=0.2),)),
        SSVI(tau=(0.5, 1.0), theta=(0.02, 0.04), rho=-0.3, phi=PowerLaw(eta=0.5, gamma=0.4)),
        LocalStochasticVol(heston=HESTON, leverage=GRID),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_comes_back_as_it_was(model: Any) -> None:
    assert same(model_from_json(json.loads(json.dumps(models.to_json(model)))), model)

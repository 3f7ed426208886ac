"""Rows of `tests/reference`, and the markets of two and more assets that the tables speak of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research.instruments import Exchange, Spread
from research.market import BasketSnapshot, flat_basket, flat_snapshot
from research.models import BlackScholes, MultiAssetBlackScholes
from research.models.multi_asset import equicorrelation
from research.pricing import price

REFERENCE = Path(__file__).parents[2] / "reference"


def rows(name: str) -> list[Any]:
    """The table, one named tuple a row; `yield` is a word of Python, so it is called `carry` here."""
    frame = pd.read_csv(REFERENCE / name, comment="#").rename(columns={"yield": "carry"})
    return list(frame.itertuples(index=False))


def half_of_the_last_digit(printed: str) -> float:
    """What a number may be off by where it is printed so."""
    return 0.501 * 10.0 ** -len(printed.partition(".")[2])


def digits(name: str) -> Any:
    """The table as parameters of a test, named by their row."""
    table = rows(name)
    return pytest.mark.parametrize("row", table, ids=lambda row: "-".join(str(v) for v in row[:-1]))


def under_black(contract: Any, vol: float, **market: float) -> float:
    """The value under Black and Scholes."""
    return float(price(contract, BlackScholes(sigma=vol), flat_snapshot(**market)))


def pair(
    spots: Sequence[float], vols: Sequence[float], rho: float, rate: float, carries: Sequence[float] = (0.0, 0.0)
) -> tuple[MultiAssetBlackScholes, BasketSnapshot]:
    """Two assets, A and B."""
    return several(spots, vols, equicorrelation(2, rho), rate, carries)


def several(
    spots: Sequence[float], vols: Sequence[float], correlation: Any, rate: float, carries: Sequence[float] | None = None
) -> tuple[MultiAssetBlackScholes, BasketSnapshot]:
    """Assets A, B, C, ... and their market."""
    names = tuple(chr(ord("A") + i) for i in range(len(spots)))
    yields = dict(zip(names, carries or np.zeros(len(names))))
    market = flat_basket(dict(zip(names, map(float, spots))), rate=float(rate), dividend_yield=yields)
    return MultiAssetBlackScholes(names=names, vols=list(vols), correlation=correlation), market


def exchange(tau: float) -> Exchange:
    return Exchange(receive="A", give="B", tau=float(tau))


def spread(strike: float, tau: float, is_call: bool = True) -> Spread:
    return Spread(long="A", short="B", strike=float(strike), tau=float(tau), is_call=is_call)

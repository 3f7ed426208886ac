"""Two barriers, partial barriers and lookbacks against the tables of Haug, Heynen and Kat, and Broadie et al."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research.instruments import DoubleBarrier, DoubleTouch, Lookback, PartialBarrier, PartialLookback
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price

REFERENCE = Path(__file__).parents[2] / "reference"
DIGITS = 1.01e-4  # the books round what less exact normal probabilities gave


def table(name: str) -> Any:
    rows = list(pd.read_csv(REFERENCE / name, comment="#").replace({np.nan: None}).itertuples(index=False))
    assert len(rows) >= 20
    return rows


def value(contract: Any, vol: float, **market: float) -> float:
    return float(price(contract, BlackScholes(sigma=vol), flat_snapshot(**market)))


def test_double_barriers_agree_with_haug():
    for row in table("haug_double_barrier.csv"):
        contract = DoubleBarrier(
            strike=100.0, low=row.low, high=row.high, knock=row.knock, tau=row.tau, is_call=row.type == "call"
        )
        assert value(contract, row.vol, spot=100.0, rate=0.1) == pytest.approx(row.value, abs=DIGITS), row


def test_double_touches_agree_with_haug():
    for row in table("haug_double_touch.csv"):
        contract = DoubleTouch(
            low=row.low, high=row.high, pays_if=row.pays_if, pays_at="expiry" if row.pays_if == "none" else "hit",
            tau=0.25, amount=10.0,
        )  # fmt: skip
        found = value(contract, row.vol, spot=100.0, rate=0.05, dividend_yield=0.02)
        assert found == pytest.approx(row.value, abs=DIGITS), row


def test_partial_barriers_agree_with_heynen_and_kat():
    for row in table("haug_partial_barrier.csv"):
        contract = PartialBarrier(
            strike=row.strike, barrier=100.0, direction="either", knock="out", watched="end", switch=row.days / 360,
            tau=1.0,
        )  # fmt: skip
        assert value(contract, 0.25, spot=row.spot, rate=0.1) == pytest.approx(row.value, abs=DIGITS), row


def test_lookbacks_agree_with_haug_and_with_broadie_glasserman_kou():
    for row in table("lookback.csv"):
        contract = Lookback(strike=row.strike, extreme=row.extreme, tau=row.tau, is_call=row.type == "call")
        found = value(contract, row.vol, spot=row.spot, rate=row.rate, dividend_yield=row[5])
        assert found == pytest.approx(row.value, abs=DIGITS), row


def test_partial_lookbacks_agree_with_haug():
    for row in table("haug_partial_lookback.csv"):
        contract = PartialLookback(strike=row.strike, switch=row.switch, tau=1.0, is_call=row.type == "call")
        assert value(contract, row.vol, spot=row.spot, rate=0.06) == pytest.approx(row.value, abs=DIGITS), row

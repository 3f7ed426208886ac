"""Walks from look to look that bumped spots share: nobody's number depends on who asked before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from research.instruments import Barrier, DoubleBarrier, DoubleTouch, Lookback, Touch
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import _look_steps, greeks, price

MODEL = BlackScholes(sigma=0.25)
CASES = [
    Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=60, rebate=2.0),
    Barrier(strike=100.0, barrier=120.0, direction="up", knock="in", tau=1.0, n_monitoring=60),
    DoubleBarrier(strike=100.0, low=80.0, high=125.0, knock="out", tau=1.0, n_monitoring=60),
    DoubleTouch(low=80.0, high=125.0, pays_if="low", pays_at="hit", tau=1.0, n_monitoring=60),
    Touch(barrier=85.0, direction="down", is_touch=True, tau=1.0, n_monitoring=60),
    Lookback(strike=None, is_call=True, tau=1.0, n_monitoring=60),
    Lookback(strike=105.0, is_call=True, tau=1.0, n_monitoring=60),
]


def at(item: Any, spot: float) -> float:
    return float(price(item, MODEL, flat_snapshot(spot=spot, rate=0.03, dividend_yield=0.01), method="analytic"))


@pytest.mark.parametrize("item", CASES)
def test_what_was_asked_before_changes_no_bit(item: Any) -> None:
    spots = np.linspace(97.0, 103.0, 7).tolist()
    forwards = [at(item, spot) for spot in spots]
    _look_steps._STATES.clear()
    backwards = [at(item, spot) for spot in spots[::-1]]
    alone = []
    for spot in spots:
        _look_steps._STATES.clear()
        alone.append(at(item, spot))
    assert forwards == backwards[::-1] == alone


def test_ten_greeks_of_a_barrier_take_fifty_walks_and_not_two_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    walks, back = [], _look_steps._walk_back
    monkeypatch.setattr(_look_steps, "_walk_back", lambda *given: walks.append(1) or back(*given))
    _look_steps._STATES.clear()
    found = greeks(CASES[1], MODEL, flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01))
    assert 40 <= len(walks) <= 80
    assert len(found) >= 10 and np.isfinite(found["value"].to_numpy(dtype=float)).all()


@pytest.mark.parametrize("drift", [0.0, 0.05, 40.0])
def test_a_walk_measured_from_its_barrier_is_the_same_walk(drift: float) -> None:
    """Rounded to 46 bits; where the drift carries it far, as it is."""
    walk = _look_steps.Walk(-0.2, 0.3, drift, 0.2, 0.01, 0.01, 100)
    moved, place = walk.from_barrier()
    assert moved.start == pytest.approx(place(0.0), abs=1e-13)
    assert (moved == walk) == (drift == 40.0)
    assert moved.high - moved.low == pytest.approx(0.5, abs=1e-13)

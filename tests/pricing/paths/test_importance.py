"""Importance sampling: the same price where it is rare, in far fewer paths; slices alone; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import Barrier, Digital, European
from research.market import flat_snapshot
from research.models import BlackScholes, Heston
from research.pricing import price
from research.pricing.paths import simulate
from research.pricing.paths.generators import Request, generator

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
BLACK = BlackScholes(sigma=0.2)
FAR_PUT = Barrier(strike=100.0, barrier=60.0, direction="down", knock="in", is_call=False, tau=0.5)


@pytest.mark.parametrize(
    ("item", "model", "gain"),
    [
        (Digital(strike=150.0, tau=1.0), BlackScholes(sigma=0.15), 20.0),
        (Digital(strike=150.0, tau=1.0), HESTON, 8.0),
        (European(strike=160.0, tau=1.0), BLACK, 30.0),
        (FAR_PUT, BLACK, 20.0),
    ],
    ids=["digital", "Heston digital", "far call", "far knock-in"],
)
@pytest.mark.parametrize("sampler", ["philox", "sobol"])
def test_what_is_rare_is_met_and_the_variance_falls(item: Any, model: Any, gain: float, sampler: str) -> None:
    exact = price(item, model, MARKET).value
    found = simulate(item, model, MARKET, n_paths=1 << 14, sampler=sampler, importance=True)
    assert abs(found.value - exact) < 4.0 * found.std_error
    if sampler == "philox":
        plain = simulate(item, model, MARKET, n_paths=1 << 14, sampler=sampler)
        assert (plain.std_error / found.std_error) ** 2 > gain


def test_a_call_at_the_money_is_not_harmed() -> None:
    option = European(strike=100.0, tau=1.0)
    exact = price(option, BLACK, MARKET).value
    found, plain = (
        simulate(option, BLACK, MARKET, n_paths=1 << 13, sampler="philox", importance=i) for i in (True, False)
    )
    assert abs(found.value - exact) < 4.0 * found.std_error
    assert found.std_error < 1.1 * plain.std_error


@pytest.mark.parametrize("model", [BLACK, HESTON], ids=["black", "heston"])
def test_weights_have_mean_one_and_keep_the_martingale(model: Any) -> None:
    made = generator(model, Request(snapshot=MARKET, times=np.array([0.5, 1.0]), bridge=False))
    block = made.block(np.zeros((0, 33), dtype=np.int64), 5, 0, 0, 60_000, shift=-1.5)
    assert block.ratio is not None
    for each in (block.ratio, block.ratio * block.spot[-1] / made.forward[-1]):
        assert abs(each.mean() - 1.0) < 4.0 * each.std() / np.sqrt(each.size)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="importance must be True, False or at most 12 standard deviations; got 40"):
        simulate(FAR_PUT, BLACK, MARKET, importance=40.0)
    with pytest.raises(InputError, match="importance must be left out with that control"):
        simulate(FAR_PUT, BLACK, MARKET, importance=True, control="lognormal")

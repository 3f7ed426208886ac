"""Ladders, rhos and thetas of contracts on several underlyings: nodes are prices, buckets add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.pricing.multi_asset.worlds import abroad, market, pair

from research.errors import InputError
from research.instruments import Autocallable, Basket, Exchange, Outperformance, Quanto, Spread, WorstOf, WorstOfNote
from research.market import DiscountCurve
from research.pricing import basket_greeks, basket_ladder, price, rho_buckets
from research.pricing.multi_asset_greeks import with_changes

SPREAD = Spread(long="A", short="B", strike=5.0, tau=1.0)
BASKET = Basket(underlyings=("A", "B"), weights=(0.5, 0.5), strike=95.0, tau=0.75)
NOTE = WorstOfNote(
    underlyings=("A", "B"),
    initials=(100.0, 95.0),
    note=Autocallable(initial=100.0, observations=(0.5, 1.0), knock_out=1.0, coupon=0.1, knock_in=0.7,
                       knock_in_daily=False),
)  # fmt: skip
CURVE = DiscountCurve(as_of=market().as_of, tau=[0.5, 1.0, 2.0], zero_rate=[0.01, 0.03, 0.04])
SLOPED = replace(market(), discount=CURVE)


def test_nodes_of_a_basket_ladder_are_prices_of_that_market() -> None:
    book, units = [SPREAD, BASKET], np.array([2.0, -1.0])
    frame = basket_ladder(
        book, pair(), market(), spot=(0.9, 1.0), vol=(0.0, 0.02), correlation=(0.0, 0.4), quantities=units
    )
    assert len(frame) == 8 and frame.pnl[4] == 0.0
    there, model = market(90.0, 85.5), with_changes(pair(0.7), vols=pair().vols + 0.02)
    row = frame[(frame.spot_move.round(9) == -0.1) & (frame.vol_move == 0.02) & (frame.correlation_move == 0.4)].iloc[0]
    assert row.value == pytest.approx(units @ price(book, model, there).value, rel=1e-12)


def test_a_correlation_goes_to_one_or_to_nothing() -> None:
    frame = basket_ladder(SPREAD, pair(), market(), spot=1.0, vol=0.0, correlation=(-1.0, 1.0))
    for value, rho in zip(frame.value, (0.0, 1.0)):
        assert value == pytest.approx(float(price(SPREAD, pair(rho), market())), rel=1e-9)


WORST = WorstOf(underlyings=("A", "B"), initials=(100.0, 95.0), strike=1.0, tau=1.0)


@pytest.mark.parametrize(
    "item", [SPREAD, BASKET, Exchange(receive="A", give="B", tau=1.0), WORST, NOTE], ids=lambda c: type(c).__name__
)
def test_rho_buckets_add_up_to_rho(item: object) -> None:
    options = {"n_paths": 1 << 13} if item is NOTE else {}
    buckets = rho_buckets(item, pair(), SLOPED, bump=0.002 if item is NOTE else 1e-4, **options)
    rho = basket_greeks(item, pair(), SLOPED, **options).set_index("greek").value["rho"]
    assert buckets.currency.unique().tolist() == ["CNY"] and len(buckets) == 3
    assert buckets.rho.sum() == pytest.approx(rho, rel=5e-3 if item is NOTE else 1e-4, abs=1e-6)


def test_a_quanto_has_a_rho_in_each_currency() -> None:
    model, snapshot = abroad()
    item = Quanto(underlying="SPX", strike=5000.0, tau=1.0)
    found = basket_greeks(item, model, snapshot).set_index(["greek", "first"])["value"]
    value = found["value", ""]
    assert found["rho", "CNY"] == pytest.approx(-value, rel=1e-6)  # it is paid in yuan
    assert found["rho", "USD"] > 0.0  # and grows at the dollar's rate
    buckets = rho_buckets(item, model, snapshot).set_index("currency").rho
    assert buckets["USD"] == pytest.approx(found["rho", "USD"], rel=1e-9)


@pytest.mark.parametrize("item", [SPREAD, Outperformance(long="A", short="B", initials=(100.0, 95.0), tau=1.0), NOTE],
                         ids=lambda c: type(c).__name__)  # fmt: skip
def test_theta_obeys_the_pricing_equation(item: object) -> None:
    """dV/dt = r V - sum of (r - q) S delta - sum of rho sigma sigma S S gamma / 2."""
    options = {"n_paths": 1 << 17} if item is NOTE else {}
    found = basket_greeks(item, pair(), market(), **options).set_index(["greek", "first", "second"])
    value, spread = found["value"], found["std_error"]
    spots, vols, carry = {"A": 100.0, "B": 95.0}, {"A": 0.2, "B": 0.3}, {"A": 0.02, "B": 0.01}
    expected, noise = 0.03 * value["value", "", ""], spread["theta", "", ""]
    for name, s in spots.items():
        half = 0.5 * vols[name] ** 2 * s * s
        expected -= carry[name] * s * value["delta", name, ""] + half * value["gamma", name, ""]
        noise += half * spread["gamma", name, ""]
    both = 0.5 * vols["A"] * vols["B"] * spots["A"] * spots["B"]
    expected -= both * value["cross gamma", "A", "B"]
    noise += both * spread["cross gamma", "A", "B"]
    theta = value["theta", "", ""]
    assert abs(theta - expected) < 4.0 * noise + 5e-3 * abs(expected) + 5e-3


def test_a_contract_that_ends_tomorrow_has_no_theta() -> None:
    last = replace(SPREAD, tau=1.0 / 365.0)
    assert np.isnan(basket_greeks(last, pair(), market()).set_index("greek").value["theta"])
    with pytest.raises(InputError, match=r"correlation must lie in \[-1, 1\]"):
        basket_ladder(SPREAD, pair(), market(), correlation=2.0)
    with pytest.raises(InputError, match=r"be a market\.BasketSnapshot"):
        basket_ladder(SPREAD, pair(), None)  # type: ignore[arg-type]

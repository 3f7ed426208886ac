"""Books: contracts of all kinds in one call, across markets; what cannot be priced is marked and stops nothing."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import (
    American,
    Autocallable,
    Barrier,
    Basket,
    Digital,
    European,
    Position,
    contract_from_json,
    to_json,
)
from research.market import flat_basket, flat_snapshot
from research.models import BlackScholes, Heston, MultiAssetBlackScholes
from research.pricing import greeks, portfolio, price

MODEL, MARKET = BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7)
PAIR = MultiAssetBlackScholes(names=("A", "B"), vols=[0.2, 0.3], correlation=[[1.0, 0.5], [0.5, 1.0]])
CALL, EXPIRED = European(strike=100.0, tau=1.0), European(strike=100.0, expiry=date(1999, 1, 1))
BREACHED = Barrier(strike=100.0, barrier=105.0, direction="down", knock="out", tau=1.0)
ALIVE = Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", tau=1.0)
ON_TWO = Basket(underlyings=("A", "B"), weights=(1.0, 1.0), strike=150.0, tau=1.0)
SNOWBALL = Autocallable(initial=100.0, observations=(0.5, 1.0), knock_out=1.03, coupon=0.1, knock_in=0.75)


def test_what_cannot_be_priced_is_marked_with_its_reason_and_the_rest_is_priced() -> None:
    items = [CALL, BREACHED, ALIVE, EXPIRED, ON_TWO, CALL, ALIVE]
    with pytest.warns(RuntimeWarning, match=r"3 of 7 contracts could not be priced \(the first is row 1: barrier must"):
        found = price(items, MODEL, MARKET, errors="mark")
    frame = found.to_frame()
    assert list(frame) == ["contract", "method", "value", "std_error", "error", "why", "refused"]
    assert (
        np.flatnonzero(frame["refused"] != "").tolist() == [1, 3, 4] == np.flatnonzero(frame["value"].isna()).tolist()
    )
    assert frame["refused"][3].startswith("expiry must not lie before as_of")
    assert "needed to price Basket" in frame["refused"][4]
    sound = [0, 2, 5, 6]
    assert frame["value"][sound].tolist() == price([items[i] for i in sound], MODEL, MARKET).value.tolist()
    assert frame["why"][0] == "Black's formula at the model's own implied vol"
    assert "3 refused" in repr(found)


def test_without_being_asked_one_bad_contract_stops_the_call() -> None:
    with pytest.raises(InputError, match="expiry must not lie before"):
        price([CALL, EXPIRED], MODEL, MARKET)


def test_a_bad_contract_among_thousands_is_found_by_halves() -> None:
    items = [European(strike=float(k), tau=1.0) for k in np.linspace(50.0, 150.0, 3000)]
    items[1234] = EXPIRED
    with pytest.warns(RuntimeWarning, match="1 of 3000 contracts"):
        found = price(items, MODEL, MARKET, errors="mark")
    assert np.flatnonzero(np.isnan(found.value)).tolist() == [1234]


def test_greeks_mark_the_same_rows() -> None:
    with pytest.warns(RuntimeWarning, match="1 of 3 contracts"):
        table = greeks([CALL, BREACHED, ALIVE], MODEL, MARKET, which=("delta", "vega"), errors="mark")
    alone = greeks([CALL, ALIVE], MODEL, MARKET, which=("delta", "vega"))
    assert table.loc[[0, 2], "delta"].tolist() == alone["delta"].tolist()
    assert np.isnan(table.loc[1, "delta"]) and "already breached" in table.loc[1, "refused"]


def test_a_book_across_markets_has_the_values_of_each_market_times_the_quantity() -> None:
    book = [
        Position(contract=CALL, underlying="index", quantity=-10.0, name="T1"),
        Position(contract=CALL, underlying="heston", quantity=2.0),
        Position(contract=SNOWBALL, underlying="index"),
        Position(contract=ON_TWO, underlying="pair", quantity=3.0),
        Position(contract=CALL, underlying="elsewhere"),
        Position(contract=EXPIRED, underlying="heston"),
    ]
    baskets = flat_basket({"A": 100.0, "B": 50.0})
    markets = {"index": (MODEL, MARKET), "heston": (HESTON, MARKET), "pair": (PAIR, baskets)}
    with pytest.warns(RuntimeWarning, match="2 of 6 positions could not be priced"):
        table = portfolio(book, markets, n_paths=1024)
    assert table["value"][0] == float(price(CALL, MODEL, MARKET))
    assert table["value"][1] == float(price(CALL, HESTON, MARKET))
    assert table["value"][2] == float(price(SNOWBALL, MODEL, MARKET, n_paths=1024))
    assert table["value"][3] == float(price(ON_TWO, PAIR, baskets))
    assert table["amount"].tolist()[:4] == (table["quantity"] * table["value"]).tolist()[:4]
    assert table["method"].tolist()[:4] == ["analytic", "fourier", "monte_carlo", "quadrature"]
    assert table["currency"][3] == "CNY"
    assert "underlying must be one of the markets, index, heston, pair" in table["refused"][4]
    assert table["refused"][5].startswith("expiry must not lie before as_of")


def test_the_greeks_of_a_book_are_those_of_whole_positions() -> None:
    digital, put = Digital(strike=105.0, tau=0.5), American(strike=95.0, tau=1.0)
    book = [
        Position(contract=c, underlying="index", quantity=q) for c, q in ((CALL, -10.0), (digital, 3.0), (put, 2.0))
    ]
    table = portfolio(book, {"index": (MODEL, MARKET)}, which=("delta", "vega_per_vol_point"))
    each = greeks([CALL, digital, put], MODEL, MARKET, which=("delta", "vega_per_vol_point"))
    for name in ("delta", "vega_per_vol_point"):
        assert table[name].tolist() == (each[name] * [-10.0, 3.0, 2.0]).tolist()


def test_a_position_is_plain_data() -> None:
    position = Position(contract=SNOWBALL, underlying="CSI500", quantity=1e6, name="T7")
    assert contract_from_json(json.loads(json.dumps(to_json(position)))) == position


def test_a_price_of_several_is_not_one_number() -> None:
    with pytest.raises(InputError, match=r"the price must be one number; got '2 prices'\. Use \.value"):
        float(price([CALL, CALL], MODEL, MARKET))

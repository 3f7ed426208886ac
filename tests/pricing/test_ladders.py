"""Ladders and buckets: nodes are prices, buckets add up to the parallel shift."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, European
from research.market import DiscountCurve, Smile, Snapshot, Surface, flat_snapshot
from research.models import SVI, BlackScholes, BlackTermStructure, Heston, SVISurface
from research.pricing import greeks, ladder, price, rho_buckets, vega_buckets

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MODEL = BlackScholes(sigma=0.25)
BOOK = [European(strike=105.0, tau=0.7), American(strike=105.0, tau=0.7, is_call=False), European(strike=90.0, tau=0.1)]
SURFACE = SVISurface(tau=(0.5, 1.0), slices=(SVI(a=0.01, b=0.1, rho=-0.6, m=0.0, sigma=0.2),
                                             SVI(a=0.02, b=0.12, rho=-0.6, m=0.0, sigma=0.2)))  # fmt: skip


def test_nodes_of_a_ladder_are_prices_and_greeks_of_that_market():
    units = np.array([2.0, -1.0, 3.0])
    frame = ladder(BOOK, MODEL, MARKET, spot=[0.9, 1.0], vol=[0.0, 0.05], quantities=units)
    assert frame[["spot_move", "vol_move"]].round(9).values.tolist() == [[-0.1, 0], [-0.1, 0.05], [0, 0], [0, 0.05]]
    for row in frame.itertuples():
        there, model = replace(MARKET, spot=row.spot), BlackScholes(sigma=0.25 + row.vol_move)
        assert row.value == pytest.approx(units @ price(BOOK, model, there).value, rel=1e-12)
        table = greeks(BOOK, model, there, which=("delta", "gamma", "vega"))
        for name in ("delta", "gamma", "vega"):
            assert getattr(row, name) == pytest.approx(units @ table[name], rel=1e-9), name
    assert frame["pnl"][2] == 0.0


@pytest.mark.parametrize("sticky", ["strike", "moneyness"])
def test_a_ladder_of_a_smile_sticks_as_it_says(sticky):
    item = European(strike=100.0, tau=0.7)
    frame = ladder([item], SURFACE, MARKET, spot=[0.9], vol=[0.0], sticky=sticky, which=("value", "delta"))
    there = replace(MARKET, spot=90.0)
    if sticky == "moneyness":
        assert frame["value"][0] == pytest.approx(float(price(item, SURFACE, there)), rel=1e-13)
    else:
        kept = BlackScholes(sigma=float(SURFACE.vol(np.log(100.0 / MARKET.forward(0.7)), 0.7)))
        assert frame["value"][0] == pytest.approx(float(price(item, kept, there)), rel=1e-13)


def test_contracts_of_a_ladder_apart_add_up():
    whole = ladder(BOOK, MODEL, MARKET, spot=[0.95, 1.05], vol=[0.0])
    apart = ladder(BOOK, MODEL, MARKET, spot=[0.95, 1.05], vol=[0.0], by_contract=True)
    sums = apart.groupby("spot")[["value", "delta", "pnl"]].sum()
    np.testing.assert_allclose(sums["value"], whole["value"], rtol=1e-13)
    np.testing.assert_allclose(sums["pnl"], whole["pnl"], rtol=1e-12)


def test_a_ladder_under_heston_moves_its_variances():
    heston = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
    frame = ladder(BOOK[0], heston, MARKET, spot=[1.0], vol=[0.02], which=("value",))
    moved = replace(heston, v0=0.22**2, theta=(np.sqrt(0.05) + 0.02) ** 2)
    assert frame["value"][0] == pytest.approx(float(price(BOOK[0], moved, MARKET)), rel=1e-13)


def test_rho_buckets_add_up_to_rho():
    day = date(2024, 1, 2)
    market = Snapshot(as_of=day, spot=100.0, discount=DiscountCurve(as_of=day, tau=[0.25, 1.0, 3.0],
                                                                    zero_rate=[0.01, 0.03, 0.025]))  # fmt: skip
    items = [European(strike=100.0, tau=0.6), European(strike=110.0, tau=2.0, is_call=False)]
    buckets = rho_buckets(items, MODEL, market)
    assert buckets["rho"].sum() == pytest.approx(greeks(items, MODEL, market, which=("rho",))["rho"].sum(), rel=1e-6)
    assert rho_buckets(items[0], MODEL, market)["rho"][2] == 0.0


def quoted():
    day = date(2024, 1, 2)
    smiles = [Smile(tau=t, forward=100.0, df=1.0, strike=[80.0, 100.0, 120.0], vol=[v + 0.02, v, v + 0.01])
              for t, v in ((0.5, 0.2), (1.0, 0.22))]  # fmt: skip
    curve = DiscountCurve(as_of=day, tau=[1.0], zero_rate=[0.0])
    return Snapshot(as_of=day, spot=100.0, discount=curve, surface=Surface(as_of=day, spot=100.0, smiles=tuple(smiles)))


def at_the_money(snapshot):
    return BlackTermStructure(tau=tuple(snapshot.quotes.tau), implied=tuple(s.vol[1] for s in snapshot.quotes))


def test_vega_buckets_by_expiry_add_up_to_vega_and_fall_where_the_option_lies():
    market = quoted()
    item = European(strike=100.0, tau=0.5)
    found = vega_buckets([item], market, at_the_money)
    vega = greeks(item, at_the_money(market), market, which=("vega",))["value"][0]
    assert found["vega"].tolist() == pytest.approx([vega, 0.0], rel=1e-5, abs=1e-9)
    between = vega_buckets([European(strike=100.0, tau=0.75)], market, at_the_money)
    assert (between["vega"] > 0.0).all()
    by_quote = vega_buckets([item], market, at_the_money, by="quote", quantities=[-2.0])
    assert by_quote["vega"].tolist() == pytest.approx([0.0, -2.0 * vega, 0.0, 0.0, 0.0, 0.0], rel=1e-5, abs=1e-9)
    assert by_quote["strike"].tolist() == [80.0, 100.0, 120.0] * 2


def test_wrong_ladders_are_refused():
    with pytest.raises(
        InputError, match=r"spot must be multiples of the snapshot's spot in .0, 10.; got -10.*A fall by 10 % is 0.9"
    ):
        ladder(BOOK, MODEL, MARKET, spot=[-10.0])
    with pytest.raises(InputError, match="quantities must be as many as instruments, 3; got 2"):
        ladder(BOOK, MODEL, MARKET, quantities=[1.0, 2.0])
    with pytest.raises(InputError, match="sticky must be"):
        ladder(BOOK, MODEL, MARKET, sticky="delta")


def test_absolute_spots_are_refused_and_vols_below_zero_are_marked():
    with pytest.raises(InputError, match=r"spot must be multiples of the snapshot's spot in \(0, 10\); got 80"):
        ladder(BOOK, MODEL, MARKET, spot=(80.0, 100.0))
    for book in (BOOK, BOOK[:1]):
        with pytest.warns(RuntimeWarning, match=r"vol must keep every vol >= 0; got -0.3. 1 of 3 shifts are nan"):
            frame = ladder(book, MODEL, MARKET, spot=(0.9, 1.0), vol=(-0.3, 0.0, 0.05))
        assert frame["value"].isna().tolist() == [True, False, False] * 2

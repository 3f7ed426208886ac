"""Adjustments: each a line, signed for the side, with what was assumed."""

from __future__ import annotations

import json
import math
from datetime import date

import pytest

from research.errors import InputError
from research.instruments import European
from research.market import flat_snapshot
from research.models import BlackScholes, Merton
from research.pricing import adjustments, price, quote

A = adjustments
MARKET = flat_snapshot(spot=100.0, rate=0.03)
MODEL = BlackScholes(sigma=0.25)
ITEM = European(strike=100.0, tau=2.0)
BASE = float(price(ITEM, MODEL, MARKET))
CREDIT = A.IssuerCredit(spread=0.012, recovery=0.4, source="CDS 2y mid")
FUNDING = A.Funding(spread=0.005, source="treasury curve")
LIQUIDITY = A.Liquidity(vol_spread=0.01, spot_spread=0.0002, size_factor=2.0, exit_cost=0.1, vega=50.0, delta=-0.6,
                        spot=100.0, source="broker runs")  # fmt: skip
RESERVE = A.ModelReserve(values=(("a", BASE - 0.5), ("b", BASE + 0.2)), share=0.5, source="two fits of the same day")
OVERLAY = A.Overlay(name="ESG", reason="exclusion list", owner="desk head", valid_until=date(2001, 1, 1), spread=-0.001,
                    notional=100.0)  # fmt: skip
ALL = (CREDIT, FUNDING, LIQUIDITY, RESERVE, OVERLAY)


@pytest.mark.parametrize(("side", "sign"), [("buyer", -1.0), ("seller", 1.0)])
def test_every_line_is_what_its_formula_says(side, sign):
    amounts = [x for _, x in quote(ITEM, MODEL, MARKET, ALL, side=side).lines]
    default = -math.expm1(-0.012 / 0.6 * 2.0)
    half = 0.5 * (0.01 * 50.0 + 0.0002 * 0.6 * 100.0)
    wanted = [-0.6 * BASE * default, sign * BASE * -math.expm1(-0.01), sign * (2.0 * half + 0.1),
              sign * (0.25 if side == "buyer" else 0.1), -0.2]  # fmt: skip
    assert amounts == pytest.approx(wanted, rel=1e-12)


def test_the_total_is_base_and_lines_in_any_order_and_the_bid_lies_below_the_ask():
    bid, ask = (quote(ITEM, MODEL, MARKET, ALL, side=s) for s in ("buyer", "seller"))
    again = quote(ITEM, MODEL, MARKET, ALL[::-1], side="buyer")
    assert bid.total == pytest.approx(again.total, rel=1e-15) and bid.total < ask.total
    frame = bid.to_frame()
    assert frame["line"].tolist() == [
        "base", "IssuerCredit", "Funding", "Liquidity", "ModelReserve", "overlay: ESG", "total"
    ]  # fmt: skip
    assert frame["amount"].iloc[:-1].sum() == pytest.approx(frame["amount"].iloc[-1], rel=1e-14)
    assert frame["amount"][0] == BASE and "recovery=0.4" in frame["assumed"][1] and "desk head" in frame["assumed"][5]


def test_without_adjustments_a_quote_is_the_price_and_json_says_all():
    assert quote(ITEM, MODEL, MARKET).total == BASE
    said = json.loads(json.dumps(quote(ITEM, MODEL, MARKET, ALL, currency="EUR").to_json()))
    assert said["currency"] == "EUR" and said["lines"][4]["reason"] == "exclusion list"
    assert said["total"] == pytest.approx(said["base"] + sum(line["amount"] for line in said["lines"]))


def test_issuer_credit_without_recovery_is_discounting_at_the_spread():
    credit = A.IssuerCredit(spread=0.02, recovery=0.0, source="x")
    assert quote(ITEM, MODEL, MARKET, [credit]).total == pytest.approx(BASE * math.exp(-0.02 * 2.0), rel=1e-14)


def test_a_model_reserve_collects_values_under_each_model():
    models = [MODEL, Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.1)]
    reserve = A.model_reserve(ITEM, models, MARKET, source="fits of one day")
    assert [n for n, _ in reserve.values] == ["BlackScholes 1", "Merton 2"]
    values = [v for _, v in reserve.values]
    bid, ask = (quote(ITEM, MODEL, MARKET, [reserve], side=s) for s in ("buyer", "seller"))
    assert bid.total == pytest.approx(min(values)) and ask.total == pytest.approx(max(values))


def test_quotes_add_up_in_one_currency_only():
    usd, eur = (quote(ITEM, MODEL, MARKET, [FUNDING], currency=c) for c in ("USD", "EUR"))
    sums = A.total([usd, usd]).set_index("line")["amount"]
    assert sums["total"] == pytest.approx(2.0 * usd.total) and sums.index[-1] == "total"
    with pytest.raises(InputError, match="currency must be one for all quotes; got 'EUR', 'USD'"):
        A.total([usd, eur])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A.IssuerCredit(spread=-0.1, source="x"), "spread must be >= 0; got -0.1. Decimal: 50 basis points"),
        (lambda: A.IssuerCredit(spread=0.1, recovery=1.0, source="x"), r"recovery must lie in \[0, 1\)"),
        (lambda: A.Funding(spread=0.01, source=" "), "source must say something"),
        (lambda: A.Funding(spread=math.nan, source="x"), "spread must be finite"),
        (lambda: A.Overlay(name="s", reason="r", owner="o", valid_until=date(2030, 1, 1), spread=0.1),
         "notional must be > 0 where there is a spread"),
        (lambda: quote(ITEM, MODEL, MARKET, side="dealer"), "side must be 'buyer' or 'seller'; got 'dealer'"),
        (lambda: quote(ITEM, MODEL, MARKET, [A.Overlay(name="s", reason="r", owner="o", valid_until=date(1999, 1, 1))]),
         "valid_until must not lie before as_of, 2000-01-01; got '1999-01-01'. The overlay has lapsed"),
    ],
)  # fmt: skip
def test_what_hides_something_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_quote_shows_its_lines_and_a_table_in_a_notebook():
    shown = quote(ITEM, MODEL, MARKET, ALL)
    assert repr(shown).startswith(f"Quote(seller's price {shown.total:.6g} = {BASE:.6g} by ")
    assert repr(shown).count("+") + repr(shown).count("-") >= len(ALL)
    assert "overlay: ESG" in shown._repr_html_()


def test_a_quote_is_read_at_a_glance():
    frame = quote(ITEM, MODEL, MARKET, ALL).to_frame()
    assert frame["assumed"][4].startswith("values=a ") and " / b " in frame["assumed"][4]
    assert max(map(len, frame["assumed"])) < 140
    note = quote(ITEM, MODEL, MARKET, [FUNDING], method="paths", n_paths=4096)
    assert f"+- {note.std_error:.2g} by BlackScholes, paths" in repr(note)
    assert f"standard error {note.std_error:.2g}" in note.to_frame()["assumed"][0]


def test_an_adjustment_with_a_missing_or_misspelt_term_is_refused_as_a_contract_is():
    with pytest.raises(InputError, match="terms of Funding must have source; got spread"):
        A.Funding(spread=0.01)
    with pytest.raises(InputError, match=r"got 'recovry'\. Did you mean 'recovery'"):
        A.IssuerCredit(spread=0.01, recovry=0.4, source="CDS")

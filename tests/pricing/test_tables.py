"""Tables that people read: nothing is hidden, digits follow the error, what is computed from them is plain."""

import pickle

import numpy as np
import pandas as pd

from research.instruments import European, Position
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import greeks, ladder, portfolio, price
from research.pricing._tables import html, sheet, whole, with_error

MARKET, MODEL = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01), BlackScholes(sigma=0.2)
CALL = European(strike=110.0, tau=1.0)


def test_greeks_print_their_units_and_errors_in_a_terminal_of_eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = repr(greeks(CALL, MODEL, MARKET))
    assert "..." not in shown
    assert all(word in shown for word in ("price per 1.00 of vol", "closed form", "std_error", "7.275283e-05"))
    assert max(map(len, shown.splitlines())) <= 80


def test_every_table_of_the_room_prints_every_column():
    book = [Position(contract=CALL, underlying="A", quantity=-10.0)]
    tables = (
        ladder(CALL, MODEL, MARKET, spot=(0.9, 1.0), vol=(0.0,)),
        price([CALL, CALL], MODEL, MARKET).to_frame(),
        portfolio(book, {"A": (MODEL, MARKET)}, which=("delta", "vega")),
    )
    for table in tables:
        assert all(name in repr(table) and name in table._repr_html_() for name in table.columns)


def test_what_is_computed_kept_or_sent_is_a_plain_frame():
    table = greeks(CALL, MODEL, MARKET, which=("delta", "gamma"))
    assert type(table[["greek", "value"]]) is pd.DataFrame
    back = pickle.loads(pickle.dumps(table))
    assert type(back) is pd.DataFrame
    pd.testing.assert_frame_equal(back, pd.DataFrame(table))


def test_a_long_table_is_cut_in_rows_as_pandas_cuts_it():
    table = whole({"value": np.arange(1000.0)})
    assert len(repr(table).splitlines()) < 30 and table._repr_html_().count("<tr") < 30


def test_a_number_shows_two_digits_of_its_error():
    assert with_error(99.0, 8.2e-3) == "99.0000"
    assert with_error(-0.0852163, 1.8e-4) == "-0.08522"
    assert with_error(4.894674659123, 4.3e-14) == "4.894674659"
    assert with_error(5.0, 0.0) == "5"
    assert with_error(float("nan"), 1.0) == "nan"


def test_a_sheet_shows_probabilities_in_percent_beside_their_errors():
    rows = [("value", 99.0, 0.0078, "currency"), ("called", 0.693001, 0.000385, "probability")]
    found = sheet(pd.DataFrame(rows, columns=["name", "value", "std_error", "unit"]))
    assert "69.300%" in found and "0.038%" in found and "99.0000" in found and "0.0078" in found


def test_words_are_escaped():
    assert "&lt;b&gt;" in html(pd.DataFrame({"line": ["<b>"], "amount": [1.0]}))

"""A draft fits the file it was made from, and guesses what a person would."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from research import data
from research.data.draft import drafted


def draft_of(scratch, text: str | bytes, name: str = "f.csv"):
    path = scratch.write(f"in/{name}", text)
    return drafted(data.draft(path, "test/new"), "test/new")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", "3"], "int"),
        (["1.5", "2", "-3e-4"], "float"),
        (["2020-01-02", "2020-01-03"], "date"),
        (["01/02/2020", "01/13/2020"], "date"),
        (["2020-01-02 10:00:00", "2020-01-02 11:00:00"], "datetime"),
        (["true", "False"], "bool"),
        (["007", "008"], "str"),
        (["12:00:01", "12:00:02"], "str"),
        (["a", "b", "c"], "str"),
        (["C", "P"] * 10, "category"),
        (["1", "", "3"], "int"),
        (["1", "N/A", "3.5"], "float"),
        (["1", "-", "3.5"], "str"),
        (["99999999999999999999", "1"], "float"),
    ],
)
def test_the_type_of_a_column_is_guessed(scratch, values, kind):
    entry = draft_of(scratch, "k,x\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
    assert entry.columns["x"].type == kind
    assert entry.columns["x"].nullable == any(v in ("", "N/A") for v in values)


def test_an_ambiguous_date_is_marked_for_the_reviewer(scratch):
    path = scratch.write("in/f.csv", "d,x\n01/02/2020,1\n03/04/2020,2\n")
    text = data.draft(path, "test/new")
    assert (
        'format: "%m/%d/%Y"' in text
        and "# seen 2020-01-02 to 2020-03-04; every value also reads as %d/%m/%Y: check" in text
    )


def test_key_as_of_calendar_and_rules_are_found_for_bars(scratch):
    from research.conventions import sessions

    days = sessions("XSHG", date(2018, 1, 1), date(2018, 12, 31))
    rng = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(days))))
    lines = [f"{d.date()},{c:.2f},{c * 1.01:.2f},{c * 0.99:.2f},{c:.2f}" for d, c in zip(days, close, strict=True)]
    entry = draft_of(scratch, "date,open,high,low,close\n" + "\n".join(lines))
    assert (entry.key, entry.as_of, entry.calendar) == (["date"], "date", "XSHG")
    assert (entry.quality.max_gaps, entry.quality.max_extra) == (0, 0)
    assert entry.rules == ["low <= open", "low <= close", "open <= high", "close <= high"]
    assert entry.quality.outliers is not None and entry.quality.outliers.max == 0


def test_an_option_chain_is_keyed_by_its_labels_not_its_prices(scratch):
    lines = [
        f"2018-07-02,{kind},{strike},2018-0{m}-25,{0.1 * strike + m:.3f}"
        for kind in "CP" for strike in (2.0, 2.5, 3.0) for m in (7, 8, 9)
    ]  # fmt: skip
    entry = draft_of(scratch, "date,type,strike,maturity,close\n" + "\n".join(lines))
    assert entry.key == ["date", "type", "strike", "maturity"]
    assert entry.rules == ["maturity >= date"]


def test_names_that_are_no_words_keep_their_source(scratch):
    entry = draft_of(scratch, "Trade Date,Close (USD),ON,1W,\n2020-01-02,1.5,2.5,3.5,\n")
    assert list(entry.columns) == ["trade_date", "close_usd", "ON", "1W"]
    assert entry.columns["close_usd"].source == "Close (USD)"


def test_a_delimiter_and_an_encoding_are_found(scratch):
    entry = draft_of(scratch, "日期;价格\n2020-01-02;1,5\n".encode("gb18030"))
    assert (entry.csv.delimiter, entry.csv.encoding) == (";", "gb18030")


def test_a_draft_is_not_written_over_by_hand_made_values(scratch):
    path = scratch.write("in/f.csv", 'name,x\n"a, b: {c} # d",1\n"e ""f""",2\n')
    entry = drafted(data.draft(path, "test/new", owner="O'Neil: desk #1"), "test/new")
    assert entry.owner == "O'Neil: desk #1"


def test_a_name_that_is_no_name_is_refused(scratch, refuses):
    path = scratch.write("in/f.csv", "a\n1\n")
    message = "NAME must read room/name in lower case, digits and _; got 'Vendor'. For example equity/sp500."
    assert refuses(data.draft, path, "Vendor") == message


_CELLS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(str),
    st.sampled_from(["", "N/A", "C", "P", "true", "x y", "on", "null", "1e5", "-", "#", "a'b", 'a"b', "é"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=1, max_size=12), n=st.integers(0, 10**9))
def test_a_file_fits_the_draft_made_from_it(scratch, table, n):
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("a", "b", "Third One"), *table])
    path = scratch.write(f"in/f{n}.csv", out.getvalue())
    name = f"test/new{n}"
    contract = scratch.write(f"in/c{n}.yaml", data.draft(path, name))
    scratch.write("data/catalog.yaml", "datasets: {}\n")
    done = data.import_file(path, name, contract=contract, replace=True)
    assert done.rows == len(table)


def test_a_parquet_file_can_be_drafted(scratch):
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(30)]
    frame = pd.DataFrame(
        {"day": days, "x": np.arange(30) * 0.5, "n": pd.array([*range(29), None], dtype="Int64"), "s": "a"}
    )
    path = scratch.root / "in" / "f.parquet"
    path.parent.mkdir()
    frame.to_parquet(path)
    contract = scratch.write("in/c.yaml", data.draft(path, "test/new"))
    data.import_file(path, "test/new", contract=contract)
    loaded = data.load("test/new")
    assert loaded["day"].dt.date.tolist() == days and loaded["n"].isna().sum() == 1

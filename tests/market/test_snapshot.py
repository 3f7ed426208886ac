from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.errors import DataError, InputError
from research.market import build_snapshot


def quotes() -> pd.DataFrame:
    """Two expiries, three strikes, not in order."""
    day = pd.Timestamp("2024-03-01")
    rows = [
        (day, 100.0, day + pd.Timedelta(days=n), n, rate, strike, vol)
        for n, rate in ((73, 0.03), (365, 0.04))
        for strike, vol in ((110.0, 0.19), (90.0, 0.25), (100.0, 0.21))
    ]
    return pd.DataFrame(rows, columns=["as_of", "spot", "expiry", "days", "zero_rate", "strike", "implied_vol"])


def test_forward_and_discount_factor_follow_from_the_zero_rate():
    snapshot = build_snapshot(quotes(), as_of=date(2024, 3, 1))
    near, far = snapshot.surface.smiles
    assert (near.tau, far.tau) == (0.2, 1.0)
    assert far.df == pytest.approx(np.exp(-0.04), rel=1e-15)
    assert far.forward == pytest.approx(100.0 * np.exp(0.04), rel=1e-15)
    assert snapshot.forward([0.2, 1.0]) == pytest.approx([near.forward, far.forward], rel=1e-15)
    assert near.strike.tolist() == [90.0, 100.0, 110.0]
    assert near.vol.tolist() == [0.25, 0.21, 0.19]
    assert far.expiry == date(2025, 3, 1)


def test_dividend_yield_lowers_the_forward():
    snapshot = build_snapshot(quotes().assign(dividend_yield=0.01))
    assert snapshot.surface.smiles[1].forward == pytest.approx(100.0 * np.exp(0.03), rel=1e-15)
    assert snapshot.dividend_yield == 0.01


def test_order_of_rows_does_not_matter():
    frame = quotes()
    one, two = build_snapshot(frame).to_frame(), build_snapshot(frame.sample(frac=1.0, random_state=3)).to_frame()
    pd.testing.assert_frame_equal(one, two)


def test_the_day_is_picked_out_of_several():
    frame = pd.concat(
        [quotes(), quotes().assign(as_of=pd.Timestamp("2024-02-29"), spot=99.0, days=lambda f: f.days + 1)]
    )
    assert build_snapshot(frame, as_of="2024-02-29").spot == 99.0
    with pytest.raises(InputError) as caught:
        build_snapshot(frame)
    message = "as_of must be given when the quotes hold several days; got '2 days, 2024-02-29 to 2024-03-01'."
    assert str(caught.value) == message


def test_an_absent_day_is_refused_and_the_days_there_are_named():
    with pytest.raises(InputError) as caught:
        build_snapshot(quotes(), as_of=date(2024, 3, 2))
    assert str(caught.value) == "as_of must be a day of the quotes; got '2024-03-02'. The quotes hold 2024-03-01."


def test_a_snapshot_prints_as_one_line():
    assert repr(build_snapshot(quotes())) == "Snapshot(2024-03-01, spot 100, 6 quotes, 2 expiries: 73, 365 days)"


FAULTS = [
    ("implied_vol", 1, np.nan, "quotes.implied_vol must be a number; got nan in row 1 (1 of 6 rows)."),
    ("implied_vol", 1, "n/a", "quotes.implied_vol must be a number; got n/a in row 1 (1 of 6 rows)."),
    ("implied_vol", 2, -0.2, "quotes.implied_vol must be > 0; got -0.2 in row 2 (1 of 6 rows)."),
    ("implied_vol", 2, 0.0, "quotes.implied_vol must be > 0; got 0 in row 2 (1 of 6 rows)."),
    (
        "implied_vol", 2, 21.0,
        "quotes.implied_vol must be < 10; got 21 in row 2 (1 of 6 rows). A decimal is wanted: 20% is 0.20, not 20.",
    ),
    ("strike", 4, -90.0, "quotes.strike must be > 0; got -90 in row 4 (1 of 6 rows)."),
    ("strike", 4, np.inf, "quotes.strike must be finite; got inf in row 4 (1 of 6 rows)."),
    (
        "strike", 4, 110.0,
        "quotes.strike must appear once an expiry; got 110 in row 4 (1 of 6 rows). The same option is quoted twice.",
    ),
    (
        "spot", 3, 101.0,
        "quotes.spot must be one number a day, like 100 in the first row; got 101 in row 3 (1 of 6 rows).",
    ),
    ("zero_rate", 5, 0.05, "quotes.zero_rate must be one number an expiry; got 0.05 in row 5 (1 of 6 rows)."),
    (
        "zero_rate", 0, 3.0,
        "quotes.zero_rate must lie in (-1, 1); got 3 in row 0 (1 of 6 rows). A decimal is wanted: 3% is 0.03.",
    ),
    (
        "expiry", 0, pd.Timestamp("2024-02-01"),
        "quotes.expiry must lie after as_of, 2024-03-01; got 2024-02-01 00:00:00 in row 0 (1 of 6 rows). "
        "The option has expired.",
    ),
    ("days", 0, 0, "quotes.days must be > 0; got 0 in row 0 (1 of 6 rows). The option has expired."),
    ("days", 0, 74, "quotes.days must be expiry - as_of in calendar days; got 74 in row 0 (1 of 6 rows)."),
    ("as_of", 0, pd.NaT, "quotes.as_of must be a date; got NaT in row 0 (1 of 6 rows)."),
]  # fmt: skip


@pytest.mark.parametrize(("column", "row", "value", "message"), FAULTS)
def test_bad_quotes_are_refused_by_column_rule_and_row(column, row, value, message):
    frame = quotes()
    if isinstance(value, str):
        frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    with pytest.raises(DataError) as caught:
        build_snapshot(frame)
    assert str(caught.value) == message


def test_an_empty_table_is_refused():
    with pytest.raises(DataError, match="quotes must hold at least one row; got an empty table"):
        build_snapshot(quotes().iloc[:0])


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="got none named zero_rate, strike"):
        build_snapshot(quotes().drop(columns=["zero_rate", "strike"]))


def test_dax_of_5_july_2002_has_its_published_shape():
    path = Path(__file__).parents[2] / "data" / "raw" / "dax_surface_20020705.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in data/raw")
    frame = pd.read_csv(path, comment="#", parse_dates=["as_of", "expiry"])
    snapshot = build_snapshot(frame, as_of=date(2002, 7, 5))
    assert snapshot.spot == 4468.17
    assert np.round(snapshot.surface.tau * 365).astype(int).tolist() == [13, 41, 75, 165, 256, 345, 524, 703]
    assert [len(smile) for smile in snapshot.surface] == [13] * 8
    assert snapshot.surface.smiles[0].vol[0] == 0.6625
    assert snapshot.surface.smiles[-1].vol[-1] == 0.2320

"""`load`: the one reader."""

# ruff: noqa: E501 - messages stand whole, as they are printed
from __future__ import annotations

import warnings
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from research import data
from research.data import digest_frame


def parquet(scratch, frame: pd.DataFrame) -> None:
    frame.to_parquet(scratch.root / "data/curated/test/prices.parquet")


def good_frame() -> pd.DataFrame:
    days = pd.to_datetime(["2018-12-03", "2018-12-04", "2018-12-06", "2018-12-07"]).as_unit("us")
    return pd.DataFrame(
        {"date": days, "close": [10.0, 10.5, 10.25, 10.1], "volume": pd.array([5, 6, None, 8], dtype="Int64")}
    )


def test_a_data_set_comes_back_with_its_declared_types(prices):
    pd.testing.assert_frame_equal(data.load("test/prices"), good_frame())


def test_columns_come_in_the_order_asked_for(prices):
    assert list(data.load("test/prices", columns=["volume", "date"]).columns) == ["volume", "date"]


def test_what_the_caller_does_to_a_frame_stays_with_the_caller(prices):
    mine = data.load("test/prices")
    mine["close"] = -1.0
    assert (data.load("test/prices")["close"] > 0).all()


@pytest.mark.parametrize(
    "as_of", [date(2018, 12, 4), "2018-12-04", datetime(2018, 12, 4, 9), "2018-12-05", pd.Timestamp("2018-12-05 23:00")]
)
def test_as_of_gives_what_was_known_by_then(prices, as_of):
    assert data.load("test/prices", as_of=as_of)["date"].dt.day.tolist() == [3, 4]


def test_a_date_means_the_end_of_its_day_and_a_time_means_itself(scratch):
    entry = scratch.PRICES.replace("type: date, meaning: day", "type: datetime, meaning: moment").replace(
        "    calendar: XNYS\n", ""
    )
    scratch.catalog(entry)
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-07 09:30:00,10,5\n2018-12-07 16:00:00,11,6\n")
    data.curate("test/prices")
    assert len(data.load("test/prices", as_of=date(2018, 12, 7))) == 2
    assert len(data.load("test/prices", as_of=datetime(2018, 12, 7, 12))) == 1
    assert len(data.load("test/prices", as_of=datetime(2018, 12, 7, 16))) == 2


def test_the_read_is_noted_with_digests_rows_and_quality(prices):
    frame = data.load("test/prices", as_of="2018-12-06", columns=["date", "close"])
    (read,) = data.reads()
    assert (read.name, read.as_of, read.columns, read.rows) == ("test/prices", "2018-12-06", ["date", "close"], 3)
    assert read.path == "data/curated/test/prices.parquet"
    assert read.sha256 == digest_frame(frame)
    assert read.contract == data.catalog()["test/prices"].contract_digest
    assert read.quality["gaps"] == 0 and read.quality["rows"] == 3 and read.quality["verdict"] == "pass"


def test_the_same_read_twice_is_noted_once_and_reset_forgets(prices):
    data.load("test/prices")
    data.load("test/prices")
    data.load("test/prices", as_of="2018-12-06")
    assert len(data.reads()) == 2
    data.reset_reads()
    assert data.reads() == []


def test_a_refused_read_is_not_noted(prices, refuses):
    refuses(data.load, "test/prices", columns=["closs"])
    assert data.reads() == []


def test_the_name_dvc_has_for_the_file_is_in_the_note(prices):
    import hashlib

    path = "data/curated/test/prices.parquet"
    md5 = hashlib.md5((prices.root / path).read_bytes()).hexdigest()

    def source() -> str:
        data.reset_reads()
        data.load("test/prices")
        (read,) = data.reads()
        assert read.dvc_md5 == md5
        return read.dvc_source

    assert source() == "computed"
    prices.write("data/curated/test/prices.parquet.dvc", f"outs:\n- md5: {md5}\n  path: prices.parquet\n")
    assert source() == ".dvc file"
    lock = "schema: '2.0'\nstages:\n  curate@test/prices:\n    cmd: x\n    outs:\n    - path: {}\n      hash: md5\n      md5: {}\n"
    prices.write("dvc.lock", lock.format(path, md5))
    assert source() == "dvc.lock"
    prices.write("dvc.lock", lock.format(path, "0" * 32))
    assert source() == "computed, differs from dvc.lock"


def test_a_note_is_plain_json(prices):
    import json

    data.load("test/prices", as_of="2018-12-06")
    assert json.loads(json.dumps(data.reads()[0].to_json()))["name"] == "test/prices"


def test_bytes_checked_before_are_not_checked_again_and_changed_bytes_are(prices, monkeypatch, refuses):
    import sys

    reader = sys.modules["research.data.reader"]
    calls = []
    real = reader.violations
    monkeypatch.setattr(reader, "violations", lambda *a: calls.append(1) or real(*a))
    first = data.load("test/prices")
    data.reset_reads()
    second = data.load("test/prices")
    assert calls == [1]
    pd.testing.assert_frame_equal(first, second)
    parquet(prices, good_frame().assign(close=-1.0))
    assert "close must be > 0" in refuses(data.load, "test/prices")
    assert calls == [1, 1]


def test_a_tighter_contract_is_applied_to_bytes_checked_before(prices, refuses):
    data.load("test/prices")
    prices.catalog(prices.PRICES.replace("above: 0", "above: 10.2"))
    message = "test/prices: close must be > 10.2; got 10 at row 1 (2 of 4 rows). All of them: research data check test/prices."
    assert refuses(data.load, "test/prices") == message


def test_the_code_that_a_read_imports_does_not_depend_on_the_memory_of_checks(prices, tmp_path, monkeypatch):
    """The modules a run imports are part of its recipe: equal runs must import the same ones."""
    import subprocess
    import sys

    code = "import sys; from research import data; data.load('test/prices'); print(sorted(m for m in sys.modules if m.startswith('research')))"
    monkeypatch.setenv("RESEARCH_CACHE", str(tmp_path / "fresh"))
    seen = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=240).stdout
        for _ in range(2)
    ]
    assert (tmp_path / "fresh" / "data").is_dir()
    assert seen[0] == seen[1] and b"research.conventions.calendars" in seen[0]


def test_a_damaged_note_of_a_check_is_made_anew(prices, tmp_path):
    before = data.load("test/prices")
    for path in (tmp_path / "cache" / "data").iterdir():
        path.write_text("{")
    pd.testing.assert_frame_equal(data.load("test/prices"), before)


def test_gaps_of_a_part_come_from_the_check_of_the_whole(scratch):
    scratch.catalog(scratch.PRICES.replace("max_gaps: 0", "max_gaps: 5"))
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-03,1,1\n2018-12-06,1,1\n2018-12-10,1,1\n")
    data.curate("test/prices")
    for as_of, gaps in ((None, 2), ("2018-12-06", 1), ("2018-12-09", 1), ("2018-12-03", 0)):
        for _ in range(2):  # with and without the memory of the first check
            data.reset_reads()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data.load("test/prices", as_of=as_of)
            assert data.reads()[0].quality["gaps"] == gaps


def test_quality_beyond_its_limits_warns_and_is_noted(scratch):
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-03,1,1\n2018-12-07,1,1\n")
    data.curate("test/prices")
    with pytest.warns(
        UserWarning,
        match=r"^test/prices fails its quality limits: gaps 2 > 0\. See: research data check test/prices\.$",
    ):
        data.load("test/prices")
    assert data.reads()[0].quality["verdict"] == "fail"


def test_a_file_that_is_not_there_names_the_command(scratch, refuses):
    message = "data/curated/test/prices.parquet must exist; got no such file. Make it: research data curate test/prices, or bring it: dvc pull."
    assert refuses(data.load, "test/prices") == message


def damage(content: bytes, how: str) -> bytes:
    if how == "half":
        return content[: len(content) // 2]
    if how == "tail":
        return content[:-20]
    if how == "middle":
        at = len(content) - 200
        return content[:at] + b"\xff" * 10 + content[at + 10 :]
    return {"text": b"date,close\n", "nothing": b""}[how]


@pytest.mark.parametrize("how", ["half", "tail", "middle", "text", "nothing"])
def test_a_damaged_file_is_one_line(prices, refuses, how):
    path = prices.root / "data/curated/test/prices.parquet"
    path.write_bytes(damage(path.read_bytes(), how))
    message = refuses(data.load, "test/prices")
    assert message.startswith("data/curated/test/prices.parquet must ") and "; got " in message


WRONG = {
    "close must be > 0; got -1 at row 1 (1 of 4 rows).": lambda f: f.assign(close=[-1.0, 2.0, 3.0, 4.0]),
    "close must not be missing; got missing at row 2 (2 of 4 rows).": lambda f: f.assign(close=[1.0, np.nan, 3.0, np.nan]),
    "close must be finite; got inf at row 4 (1 of 4 rows).": lambda f: f.assign(close=[1.0, 2.0, 3.0, np.inf]),
    "volume must be >= 0; got -5 at row 1 (1 of 4 rows).": lambda f: f.assign(volume=pd.array([-5, 6, None, 8], dtype="Int64")),
    "date must be unique (the key); got 2018-12-04 at row 3 (1 of 4 rows).": lambda f: f.assign(date=f["date"].iloc[[0, 1, 1, 3]].array),
    "date must be sorted by the key; got 2018-12-04 at row 3 (1 of 4 rows).": lambda f: f.assign(date=f["date"].iloc[[0, 2, 1, 3]].array),
    "date must be a whole day; got 2018-12-03 12:00:00 at row 1 (1 of 4 rows).": lambda f: f.assign(
        date=f["date"].where(f.index > 0, f["date"] + pd.Timedelta(hours=12))
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_a_broken_contract_names_rule_value_row_and_count(prices, refuses, message):
    parquet(prices, WRONG[message](good_frame()))
    assert refuses(data.load, "test/prices") == f"test/prices: {message} All of them: research data check test/prices."


def test_several_broken_rules_are_counted(prices, refuses):
    frame = good_frame().assign(close=[-1.0, 2.0, 3.0, 4.0], volume=pd.array([-5, 6, None, 8], dtype="Int64"))
    parquet(prices, frame)
    assert "at row 1 (1 of 4 rows). 1 more rule is broken. All of them:" in refuses(data.load, "test/prices")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(close="a"), ": close must be of type float; got str. Curate it again."),
        (lambda f: f.assign(volume=[1.0, 2.0, 3.0, 4.0]), ": volume must be of type int; got float. Curate it again."),
        (lambda f: f.drop(columns="close"), " must have the column 'close'; got 'date', 'volume'. Curate it again."),
        (lambda f: f.assign(more=1), " must have only declared columns; got 'more'. Curate it again."),
        (
            lambda f: f.iloc[:0],
            " must hold rows; got none. Make it: research data curate test/prices, or bring it: dvc pull.",
        ),
    ],
)
def test_a_table_of_another_shape_is_refused(prices, refuses, change, message):
    parquet(prices, change(good_frame()))
    assert refuses(data.load, "test/prices") == f"data/curated/test/prices.parquet{message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["closs"]}, "columns must be columns of test/prices; got 'closs'. Did you mean 'close'?"),
        ({"columns": []}, "columns must name at least one column; got []."),
        ({"columns": ["close", "close"]}, "columns must name each column once; got ['close', 'close']."),
        ({"as_of": "2018-01-01"}, "as_of must be 2018-12-03 or later for test/prices; got '2018-01-01'. Nothing was known before."),
        ({"as_of": "5 July"}, "as_of must be a date; got '5 July'. For example 2002-07-05."),
        ({"as_of": 20180101}, "as_of must be a date; got 20180101. For example 2002-07-05."),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused(prices, refuses, options, message):
    assert refuses(data.load, "test/prices", **options) == message


def test_as_of_needs_an_as_of_column(prices, refuses):
    prices.catalog(prices.PRICES.replace("    as_of: date\n", "").replace("    freshness: {last: 2018-12-07}\n", ""))
    message = "as_of must be None for test/prices, which declares no as-of column; got 2018-12-04."
    assert refuses(data.load, "test/prices", as_of="2018-12-04") == message


def test_a_data_set_can_be_read_outside_any_project_only_with_an_error(tmp_path, monkeypatch, refuses):
    monkeypatch.setenv("RESEARCH_PROJECT", str(tmp_path))
    assert refuses(data.load, "test/prices").startswith("the working directory must lie inside a project")

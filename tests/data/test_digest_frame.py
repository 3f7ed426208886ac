"""The digest of a frame sees every value, and nothing but the values."""

# ruff: noqa: E501 - messages stand whole, as they are printed
from __future__ import annotations

import hashlib
import io
import json
import struct
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from research.data import digest_columns, digest_frame
from research.errors import DataError


def panel(n: int = 12_000) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "date": pd.date_range("1990-01-01", periods=n, freq="D").as_unit("us"),
            "price": rng.normal(100.0, 5.0, n),
            "size": rng.integers(0, 1000, n),
            "flag": rng.random(n) < 0.5,
            "name": rng.choice(["A", "BB", "Ünicode", ""], n),
            "side": pd.Categorical(rng.choice(["C", "P"], n), categories=["C", "P", "X"]),
        }
    )
    frame.loc[5, "price"] = np.nan
    frame.loc[6, "name"] = None
    frame.loc[7, "side"] = None
    frame.loc[8, "date"] = pd.NaT
    return frame


def changed(column: str, row: int, value: object) -> pd.DataFrame:
    frame = panel()
    frame.loc[row, column] = value
    return frame


CHANGES = {
    "all dates shifted by a year": lambda f: f.assign(date=f["date"] + pd.DateOffset(years=1)),
    "one date shifted by a microsecond": lambda f: f.assign(date=f["date"].mask(f.index == 11_999, f["date"] + pd.Timedelta(microseconds=1))),
    "all flags flipped": lambda f: f.assign(flag=~f["flag"]),
    "a price after row 10,000": lambda f: f.assign(price=f["price"].mask(f.index == 10_001, -1.0)),
    "the last bit of a price": lambda f: f.assign(price=f["price"].mask(f.index == 3, np.nextafter(f["price"][3], 1e9))),
    "a text": lambda f: f.assign(name=f["name"].mask(f.index == 11_000, "C")),
    "a missing text filled with the empty one": lambda f: f.assign(name=f["name"].fillna("")),
    "a category": lambda f: f.assign(side=f["side"].mask(f.index == 9, "X")),
    "a category renamed": lambda f: f.assign(side=f["side"].cat.rename_categories({"P": "p"})),
    "categories in another order": lambda f: f.assign(side=f["side"].cat.reorder_categories(["P", "C", "X"])),
    "categories ordered": lambda f: f.assign(side=f["side"].cat.as_ordered()),
    "a category dropped that no row uses": lambda f: f.assign(side=f["side"].cat.remove_unused_categories()),
    "category to text": lambda f: f.assign(side=f["side"].astype("str")),
    "whole numbers to floats": lambda f: f.assign(size=f["size"].astype("float64")),
    "floats to single precision": lambda f: f.assign(price=f["price"].astype("float32")),
    "flags to whole numbers": lambda f: f.assign(flag=f["flag"].astype("int64")),
    "two rows swapped": lambda f: f.iloc[[1, 0, *range(2, len(f))]].reset_index(drop=True),
    "the last row dropped": lambda f: f.iloc[:-1],
    "a row repeated": lambda f: f.iloc[[*range(len(f)), len(f) - 1]].reset_index(drop=True),
    "a column renamed": lambda f: f.rename(columns={"size": "volume"}),
    "a column dropped": lambda f: f.drop(columns="flag"),
    "two columns swapped": lambda f: f[["date", "size", "price", "flag", "name", "side"]],
    "a time zone": lambda f: f.assign(date=f["date"].dt.tz_localize("UTC")),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_changes_the_digest(what):
    before, after = panel(), CHANGES[what](panel())
    assert digest_frame(before) != digest_frame(after)


def round_trip(frame: pd.DataFrame, **options: object) -> pd.DataFrame:
    sink = io.BytesIO()
    frame.to_parquet(sink, **options)
    return pd.read_parquet(io.BytesIO(sink.getvalue()))


SAME = {
    "a copy": lambda f: f.copy(),
    "another index": lambda f: f.set_axis(range(100, 100 + len(f))),
    "a text index": lambda f: f.set_axis([f"r{i}" for i in range(len(f))]),
    "chunks": lambda f: pd.concat([f.iloc[:100], f.iloc[100:5000], f.iloc[5000:]]),
    "a slice of a longer frame": lambda f: pd.concat([f.iloc[:9], f]).iloc[9:],
    "a slice of a longer frame in Arrow text": lambda f: (
        pd.concat([f.iloc[3:12], f]).astype({"name": pd.ArrowDtype(pa.string())}).iloc[9:]
    ),
    "every other row of a doubled frame": lambda f: f.loc[f.index.repeat(2)].iloc[::2],
    "Parquet": round_trip,
    "Parquet in small row groups": lambda f: round_trip(f, row_group_size=1000),
    "Parquet uncompressed": lambda f: round_trip(f, compression=None),
    "Parquet with plain pages of version 2": lambda f: round_trip(f, data_page_version="2.0", use_dictionary=["side"]),
    "nanosecond stamps": lambda f: f.assign(date=f["date"].astype("datetime64[ns]")),
    "Arrow text": lambda f: f.assign(name=f["name"].astype(pd.ArrowDtype(pa.string()))),
    "Arrow numbers": lambda f: f.assign(size=f["size"].astype(pd.ArrowDtype(pa.int64()))),
    "Arrow flags": lambda f: f.assign(flag=f["flag"].astype(pd.ArrowDtype(pa.bool_()))),
    "Arrow stamps": lambda f: f.assign(date=f["date"].astype(pd.ArrowDtype(pa.timestamp("us")))),
    "nullable whole numbers with nothing missing": lambda f: f.assign(size=f["size"].astype("Int64")),
    "column-major storage": lambda f: f.assign(price=np.asfortranarray(f[["price", "size"]].to_numpy())[:, 0]),
}


@pytest.mark.parametrize("what", SAME)
def test_storage_does_not_change_the_digest(what):
    before = panel()
    assert digest_frame(SAME[what](before)) == digest_frame(before)


@pytest.mark.parametrize("kind", ["str", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string())])
def test_a_slice_of_text_with_nothing_missing_has_the_digest_of_its_copy(kind):
    long = pd.DataFrame({"t": pd.Series(["lead", "a", "bcd", ""], dtype=kind)})
    assert digest_frame(long.iloc[1:]) == digest_frame(pd.DataFrame({"t": ["a", "bcd", ""]}))


def test_negative_zero_is_another_number():
    assert digest_frame(pd.DataFrame({"x": [0.0]})) != digest_frame(pd.DataFrame({"x": [-0.0]}))


def test_nan_and_none_differ_in_a_column_of_objects():
    a, b = pd.Series([1.0, None], dtype=object), pd.Series([1.0, float("nan")], dtype=object)
    assert digest_frame(pd.DataFrame({"x": a})) != digest_frame(pd.DataFrame({"x": b}))


def test_nan_and_missing_differ_in_an_arrow_column():
    kind = pd.ArrowDtype(pa.float64())
    missing = pd.Series(pd.arrays.ArrowExtensionArray(pa.array([1.0, None])), dtype=kind)
    nan = pd.Series(pd.arrays.ArrowExtensionArray(pa.array([1.0, float("nan")])), dtype=kind)
    assert digest_frame(pd.DataFrame({"x": missing})) != digest_frame(pd.DataFrame({"x": nan}))
    assert digest_frame(pd.DataFrame({"x": nan})) == digest_frame(pd.DataFrame({"x": [1.0, np.nan]}))


def test_every_nan_is_the_same_nan():
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)
    assert digest_frame(pd.DataFrame({"x": odd})) == digest_frame(pd.DataFrame({"x": [np.nan, np.nan]}))


def test_text_cannot_slide_from_one_row_to_the_next():
    assert digest_frame(pd.DataFrame({"x": ["ab", "c"]})) != digest_frame(pd.DataFrame({"x": ["a", "bc"]}))


def test_values_cannot_slide_from_one_column_to_the_next():
    a = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    b = pd.DataFrame({"x": [1, 3], "y": [2, 4]})
    assert digest_frame(a) != digest_frame(b)


def test_nanoseconds_count_where_there_are_any():
    a = pd.DataFrame({"t": np.array([1, 2001], dtype="datetime64[ns]")})
    b = pd.DataFrame({"t": np.array([2, 2001], dtype="datetime64[ns]")})
    assert digest_frame(a) != digest_frame(b)


def test_the_columns_say_which_one_changed():
    before, after = digest_columns(panel()), digest_columns(changed("price", 10_500, 3.0))
    assert [a[0] for a, b in zip(before, after, strict=True) if a != b] == ["price"]


def test_empty_frames_differ_by_their_columns():
    frames = [
        pd.DataFrame(),
        pd.DataFrame({"x": []}),
        pd.DataFrame({"x": pd.Series([], dtype="str")}),
        pd.DataFrame(index=[1, 2]),
    ]
    assert len({digest_frame(frame) for frame in frames}) == 4


def test_the_digest_is_the_same_with_one_thread_and_two(monkeypatch):
    module = sys.modules["research.data.digest"]
    before = digest_frame(panel())
    monkeypatch.setattr(module, "_BIG", 1)
    small = digest_frame(panel())
    monkeypatch.setattr(module, "_BIG", 1 << 60)
    assert before == small == digest_frame(panel())


def test_regression_pin_of_the_digest():
    """Our own number, pinned: a change of the canonical bytes orphans every record made before."""
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2002-07-05", None]),
            "x": [0.5, np.nan],
            "n": [1, -2],
            "ok": [True, False],
            "name": ["DAX", None],
            "side": pd.Categorical(["C", "P"]),
        }
    )
    assert digest_frame(frame) == "b99ce8a4117d2486ea7ad61d79c8afe0cb5eef2202bd8ba53290f61a77210e94"


def naive_digest(columns: dict[str, tuple[str, list[bytes]]], n_rows: int) -> str:
    """The definition, byte by byte: each part behind its length, each column by itself, then the header."""
    found = []
    for name, (kind, parts) in columns.items():
        body = b"".join(struct.pack("<q", len(part)) + part for part in parts)
        found.append([name, kind, hashlib.sha256(body).hexdigest()])
    header = json.dumps(["research.frame/1", n_rows, found], separators=(",", ":"))
    return hashlib.sha256(header.encode()).hexdigest()


def test_the_digest_agrees_with_its_definition():
    frame = pd.DataFrame(
        {
            "t": pd.to_datetime(["1970-01-01 00:00:01", None, "1969-12-31 00:00:00"]),
            "x": [0.5, np.nan, -0.0],
            "n": [1, -2, 2**62],
            "ok": [True, False, True],
            "name": ["DAX", None, "é"],
        }
    )
    expected = {
        "t": ("timestamp[us]", [struct.pack("<3q", 1_000_000, 0, -86_400_000_000), b"missing", bytes([0, 1, 0])]),
        "x": ("float64", [struct.pack("<3d", 0.5, float("nan"), -0.0)]),
        "n": ("int64", [struct.pack("<3q", 1, -2, 2**62)]),
        "ok": ("bool", [bytes([1, 0, 1])]),
        "name": ("text", [struct.pack("<4q", 0, 3, 3, 5), "DAXé".encode(), b"missing", bytes([0, 1, 0])]),
    }
    assert digest_frame(frame) == naive_digest(expected, 3)


def test_a_value_of_an_unknown_kind_is_refused():
    with pytest.raises(
        DataError,
        match=r"^a value in a data frame must be a number, text, date or missing to have a digest; got set\.$",
    ):
        digest_frame(pd.DataFrame({"x": [{1}]}))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=30),
    texts=st.lists(st.text(max_size=5) | st.none(), min_size=1, max_size=30),
)
def test_any_frame_survives_parquet(values, texts):
    n = min(len(values), len(texts))
    frame = pd.DataFrame({"x": values[:n], "t": pd.Series(texts[:n], dtype="str")})
    assert digest_frame(round_trip(frame)) == digest_frame(frame)

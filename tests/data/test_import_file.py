"""Import: a researcher's own file enters through a contract, whole or not at all."""

# ruff: noqa: E501 - messages stand whole, as they are printed
from __future__ import annotations

import subprocess
import sys
import textwrap

import pandas as pd
import pytest

from research import data
from research.data.storage import write_bytes
from research.errors import DataError


def rows(text: str) -> list[str]:
    return text.splitlines()


def file(scratch, text: str | bytes, name: str = "quotes.csv"):
    return scratch.write(f"in/{name}", text)


def test_a_file_enters_under_the_contract_of_the_catalogue(scratch):
    source = file(scratch, scratch.QUOTES_CSV)
    done = data.import_file(source, "test/quotes")
    assert (done.rows, done.columns, done.changed, done.new_entry) == (4, 5, True, False)
    assert (scratch.root / "data/raw/test/quotes.csv").read_bytes() == source.read_bytes()
    frame = data.load("test/quotes")
    assert data.digest_frame(frame) == done.sha256
    assert frame["side"].dtype == pd.CategoricalDtype(["C", "P"])


def test_the_raw_copy_curates_to_the_same_bytes(quotes):
    assert not data.curate("test/quotes").changed


def test_the_same_file_again_changes_nothing(quotes):
    before = quotes.files()
    assert not data.import_file(quotes.root / "in/quotes.csv", "test/quotes").changed
    assert quotes.files() == before


def test_other_data_take_the_place_of_imported_ones_only_on_demand(quotes, refuses):
    other = file(quotes, "\n".join(rows(quotes.QUOTES_CSV)[:3]) + "\n", "other.csv")
    before = quotes.files()
    message = "test/quotes must not be there already; got other data in data/raw/test/quotes.csv. Add --replace to put this file in its place."
    assert refuses(data.import_file, other, "test/quotes") == message
    assert quotes.files() == before
    assert data.import_file(other, "test/quotes", replace=True).rows == 2
    assert len(data.load("test/quotes")) == 2


BAD = {
    "a volatility that is NaN": ("0.60", "nan", "implied_vol must not be missing; got missing at line 3 (1 of 4 rows)."),
    "a volatility that is empty": ("0.60", "", "implied_vol must not be missing; got missing at line 3 (1 of 4 rows)."),
    "a negative volatility": ("0.60", "-0.60", "implied_vol must be > 0; got -0.6 at line 3 (1 of 4 rows)."),
    "a volatility in percent": ("0.60", "60", "implied_vol must be <= 5; got 60 at line 3 (1 of 4 rows)."),
    "text for a number": ("0.60", "n.a.", "implied_vol must read as a number; got n.a. at line 3 (1 of 4 rows)."),
    "an underscore in a number": ("3600,0.60", "3_600,0.60", "strike must read as a number; got 3_600 at line 3 (1 of 4 rows)."),
    "a thousands separator": ("3600,0.60", '"3,600",0.60', "strike must read as a number; got 3,600 at line 3 (1 of 4 rows)."),
    "an expired quote": ("2002-07-18,3600", "2002-07-05,3600", "expiry must be > as_of; got expiry = 2002-07-05, as_of = 2002-07-05 at line 3 (1 of 4 rows)."),
    "a duplicate quote": ("2002-07-18,3600", "2002-07-18,3400", "as_of, expiry, strike must be unique (the key); got 2002-07-05, 2002-07-18, 3400 at line 3 (1 of 4 rows)."),
    "30 February": ("2002-08-15,3400", "2002-02-30,3400", "expiry must read as a date; got 2002-02-30 at line 4 (1 of 4 rows)."),
    "an American date": ("2002-08-15,3400", "8/15/2002,3400", "expiry must read as a date; got 8/15/2002 at line 4 (1 of 4 rows)."),
    "a time on a date": ("2002-08-15,3400", "2002-08-15 12:00,3400", "expiry must read as a date; got 2002-08-15 12:00 at line 4 (1 of 4 rows)."),
    "a side that is not allowed": ("0.48,C", "0.48,X", "side must be one of C, P; got X at line 4 (1 of 4 rows)."),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_value_is_named_with_its_line_and_nothing_stays_behind(scratch, refuses, what):
    old, new, message = BAD[what]
    assert old in scratch.QUOTES_CSV
    source = file(scratch, scratch.QUOTES_CSV.replace(old, new, 1))
    before = scratch.files()
    assert refuses(data.import_file, source, "test/quotes") == f"test/quotes: {message} Nothing was imported."
    assert scratch.files() == before


SHAPE = {
    "an empty file": ("", "quotes.csv must hold a header and rows; got an empty file."),
    "blank lines": ("\n\n", "quotes.csv must hold a header and rows; got an empty file."),
    "only comments": ("# a\n# b\n", "quotes.csv must hold a header and rows; got an empty file."),
    "only a header": ("as_of,expiry,strike,implied_vol,side\n", "quotes.csv must hold rows below its header; got none."),
    "binary": (b"\x00\x01\x02", "quotes.csv must be text; got binary bytes. A Parquet file must be called .parquet."),
    "another encoding": (
        "as_of,expiry,strike,implied_vol,side\n中文,,,,\n".encode("gb18030"),
        "quotes.csv must be utf8 text; got byte 0xd6 at 37. Say how it is written in the contract: csv: {encoding: gb18030}, for example.",
    ),
    "a column named twice": ("a,b,a\n1,2,3\n", "quotes.csv must name each column once; got 'a' 2 times."),
}  # fmt: skip


@pytest.mark.parametrize("what", SHAPE)
def test_a_file_that_is_no_table_is_refused(scratch, refuses, what):
    text, message = SHAPE[what]
    source = file(scratch, text)
    before = scratch.files()
    assert refuses(data.import_file, source, "test/quotes") == message
    assert scratch.files() == before


@pytest.mark.parametrize("comments", [0, 3])
def test_a_row_with_too_many_fields_is_named_with_its_line(scratch, refuses, comments):
    lines = ["# c"] * comments + rows(scratch.QUOTES_CSV)
    lines[comments + 2] += ",5"
    message = (
        f"quotes.csv must have 5 fields on each line; got 6 at line {comments + 3} (1 of 4 lines): "
        "'2002-07-05,2002-07-18,3600,0.60,P,5'."
    )
    assert refuses(data.import_file, file(scratch, "\n".join(lines)), "test/quotes") == message


def test_lines_are_counted_from_the_top_of_the_file_comments_included(scratch, refuses):
    source = file(scratch, "# one\n# two\n" + scratch.QUOTES_CSV.replace("0.60", "-1"))
    assert "at line 5 (1 of 4 rows)" in refuses(data.import_file, source, "test/quotes")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("implied_vol", "impl_vol", " must have the column 'implied_vol'; got 'as_of', 'expiry', 'strike', 'impl_vol', 'side'. Did you mean 'impl_vol'?"),
        ("side\n", "side,more\n", None),
    ],
)  # fmt: skip
def test_columns_must_be_the_declared_ones(scratch, refuses, old, new, message):
    text = scratch.QUOTES_CSV.replace(old, new, 1)
    if message is None:
        text = "\n".join([rows(text)[0], *[f"{line},1" for line in rows(text)[1:]]])
        message = " must have only declared columns; got 'more'. Declare it under columns of test/quotes, or list it under ignore."
    assert refuses(data.import_file, file(scratch, text), "test/quotes") == f"quotes.csv{message}"


def test_every_broken_rule_is_listed_by_rule_row_and_value(scratch):
    text = (
        scratch.QUOTES_CSV.replace("0.60", "-0.6")
        .replace("0.66", "x")
        .replace("0.48,C", "0.48,Z")
        .replace("0.45", "-0.45")
    )
    with pytest.raises(DataError) as caught:
        data.import_file(file(scratch, text), "test/quotes")
    found = [(v.column, v.rule, v.row, v.line, v.value) for v in caught.value.violations]
    assert found == [
        ("implied_vol", "read as a number", 1, 2, "x"),
        ("side", "be one of C, P", 3, 4, "Z"),
        ("implied_vol", "be > 0", 2, 3, "-0.6"),
        ("implied_vol", "be > 0", 4, 5, "-0.45"),
    ]
    assert "2 more rules are broken." in str(caught.value)


def test_quality_beyond_its_limits_is_refused_with_the_figures(scratch):
    source = file(scratch, "date,close,volume\n2018-12-03,1,1\n2018-12-07,1,1\n", "p.csv")
    before = scratch.files()
    with pytest.raises(DataError) as caught:
        data.import_file(source, "test/prices")
    assert str(caught.value) == "test/prices: gaps must be <= 0; got 2 (2018-12-04, 2018-12-06). Nothing was imported."
    assert {figure.check for figure in caught.value.figures} >= {"gaps", "missing"}
    assert scratch.files() == before


def new_contract(scratch, name: str = "test/more") -> str:
    text = textwrap.dedent(scratch.QUOTES).replace("test/quotes", name)
    return "# reviewed by hand\n" + text


def test_a_new_name_needs_a_contract(scratch, refuses):
    message = (
        "NAME must be in data/catalog.yaml or come with a contract; got 'test/quote'. Did you mean 'test/quotes'? "
        "Draft one: research data draft quotes.csv --as test/quote --out contract.yaml; review it, and add --contract contract.yaml."
    )
    assert refuses(data.import_file, file(scratch, scratch.QUOTES_CSV), "test/quote") == message


def test_a_new_data_set_joins_the_catalogue_and_every_byte_before_it_stays(scratch):
    before = (scratch.root / "data/catalog.yaml").read_text()
    contract = scratch.write("in/contract.yaml", new_contract(scratch))
    done = data.import_file(file(scratch, scratch.QUOTES_CSV), "test/more", contract=contract)
    assert done.new_entry
    after = (scratch.root / "data/catalog.yaml").read_text()
    assert after.startswith(before.rstrip()) and "  # reviewed by hand\n  test/more:\n" in after
    assert len(data.load("test/more")) == 4
    assert not data.import_file(file(scratch, scratch.QUOTES_CSV), "test/more").changed


def test_a_new_data_set_joins_an_empty_catalogue(scratch):
    scratch.write("data/catalog.yaml", "# ours\ndatasets: {}\n")
    contract = scratch.write("in/contract.yaml", new_contract(scratch))
    data.import_file(file(scratch, scratch.QUOTES_CSV), "test/more", contract=contract)
    assert (scratch.root / "data/catalog.yaml").read_text().startswith("# ours\ndatasets:\n")
    assert len(data.load("test/more")) == 4


def test_a_new_data_set_joins_the_catalogue_of_the_repository(scratch):
    from pathlib import Path

    text = (Path(__file__).parents[2] / "data/catalog.yaml").read_text()
    scratch.write("data/catalog.yaml", text)
    contract = scratch.write("in/contract.yaml", new_contract(scratch))
    data.import_file(file(scratch, scratch.QUOTES_CSV), "test/more", contract=contract)
    assert (scratch.root / "data/catalog.yaml").read_text().startswith(text)
    assert len(data.catalog()) == 10


CONTRACT = {
    "for another name": (lambda t: t.replace("test/more", "test/other"), "contract.yaml must hold one entry called test/more; got 'test/other'. As `research data draft` writes it."),
    "that is no mapping": (lambda t: "[1]", "contract.yaml must hold one entry called test/more; got '[1]'. As `research data draft` writes it."),
    "that is not YAML": (lambda t: "a: b: c", "contract.yaml must be YAML; got mapping values are not allowed in this context at line 1, column 5."),
    "with a misspelt key": (lambda t: t.replace("above", "abov"), "contract.yaml: test/more.columns.strike.abov must be a known key; got 'abov'. Did you mean 'above'? (1 more.)"),
    "with the files of another": (lambda t: t.replace("data/raw/test/more", "data/raw/test/quotes").replace("data/curated/test/more", "data/curated/test/quotes"), "test/more must have files of its own; got 'data/raw/test/quotes.csv', which belongs to test/quotes."),
    "with a raw file of another kind": (lambda t: t.replace("test/more.csv", "test/more.parquet"), "contract.yaml: raw must end in .csv, as the file does; got 'data/raw/test/more.parquet'."),
    "that leads out of data/": (lambda t: t.replace("data/curated/test", "data/../src"), "contract.yaml: test/more: path must lie inside data/; got 'data/../src/more.parquet'."),
}  # fmt: skip


@pytest.mark.parametrize("what", CONTRACT)
def test_a_wrong_contract_is_refused_and_nothing_stays_behind(scratch, refuses, what):
    change, message = CONTRACT[what]
    contract = scratch.write("in/contract.yaml", change(new_contract(scratch)))
    source = file(scratch, scratch.QUOTES_CSV)
    before = scratch.files()
    assert refuses(data.import_file, source, "test/more", contract=contract) == message
    assert scratch.files() == before


def test_a_known_name_takes_no_other_contract(scratch, refuses):
    contract = scratch.write("in/contract.yaml", new_contract(scratch, "test/quotes"))
    message = refuses(data.import_file, file(scratch, scratch.QUOTES_CSV), "test/quotes", contract=contract)
    assert message.startswith("contract must be left out for test/quotes, which has one in data/catalog.yaml; got ")


def test_a_data_set_made_from_a_package_is_not_imported_over(scratch, refuses):
    scratch.catalog(scratch.PRICES.replace("    raw:", "    ingest: {package: arch, file: x}\n    raw:"))
    message = (
        "NAME must not be a data set made from a package; got 'test/prices'. "
        "It is made by: research data ingest test/prices. Choose another name."
    )
    assert refuses(data.import_file, file(scratch, scratch.PRICES_CSV), "test/prices") == message


@pytest.mark.parametrize("last", ["quotes.parquet", "catalog.yaml"])
def test_a_failure_half_way_undoes_what_was_done(scratch, monkeypatch, last):
    module = sys.modules["research.data.importer"]

    def failing(content, path):
        if path.name.endswith(last.replace("quotes", "more")):
            raise OSError("disk full")
        write_bytes(content, path)

    monkeypatch.setattr(module, "write_bytes", failing)
    contract = scratch.write("in/contract.yaml", new_contract(scratch))
    source = file(scratch, scratch.QUOTES_CSV)
    before = scratch.files()
    with pytest.raises(OSError, match="disk full"):
        data.import_file(source, "test/more", contract=contract)
    assert scratch.files() == before


def test_a_failed_replacement_puts_the_old_data_back(quotes, monkeypatch):
    module = sys.modules["research.data.importer"]
    calls = []

    def failing(content, path):
        calls.append(path.name)
        if calls == ["quotes.csv", "quotes.parquet"]:
            raise OSError("disk full")
        write_bytes(content, path)

    monkeypatch.setattr(module, "write_bytes", failing)
    other = file(quotes, "\n".join(rows(quotes.QUOTES_CSV)[:3]) + "\n", "other.csv")
    before = quotes.files()
    with pytest.raises(OSError, match="disk full"):
        data.import_file(other, "test/quotes", replace=True)
    assert quotes.files() == before


@pytest.mark.slow
def test_imports_at_the_same_time_all_join_the_catalogue(scratch):
    for i in range(3):
        scratch.write(f"in/{i}.yaml", new_contract(scratch, f"test/more{i}"))
    source = file(scratch, scratch.QUOTES_CSV)
    code = "import sys; from research import data; data.import_file(sys.argv[1], sys.argv[2], contract=sys.argv[3])"
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(source), f"test/more{i}", str(scratch.root / f"in/{i}.yaml")])
        for i in range(3)
    ]
    assert [process.wait(timeout=240) for process in running] == [0] * 3
    assert {f"test/more{i}" for i in range(3)} <= set(data.catalog())


def test_a_parquet_file_enters_and_loses_nothing(scratch):
    entry = textwrap.dedent(scratch.QUOTES).replace("test/quotes", "test/more").replace("more.csv", "more.parquet")
    contract = scratch.write("in/contract.yaml", entry)
    data.import_file(file(scratch, scratch.QUOTES_CSV), "test/quotes")
    frame = data.load("test/quotes")
    path = scratch.root / "in/more.parquet"
    frame.assign(side=frame["side"].astype("str"), expiry=frame["expiry"].dt.date).to_parquet(path)
    done = data.import_file(path, "test/more", contract=contract)
    assert done.sha256 == data.digest_frame(frame)


def test_a_parquet_column_of_another_type_is_refused(scratch, refuses):
    entry = textwrap.dedent(scratch.QUOTES).replace("test/quotes", "test/more").replace("more.csv", "more.parquet")
    contract = scratch.write("in/contract.yaml", entry)
    path = scratch.root / "in/more.parquet"
    pd.DataFrame({"as_of": [1], "expiry": [1], "strike": [1.0], "implied_vol": [0.2], "side": ["C"]}).to_parquet(path)
    message = refuses(data.import_file, path, "test/more", contract=contract)
    assert message == "test/more: as_of must be of type date; got int. 1 more rule is broken. Nothing was imported."


def test_a_vendor_file_in_another_encoding_and_delimiter_enters(scratch):
    text = new_contract(scratch).replace(
        "  key:", '  csv: {delimiter: ";", encoding: gb18030, missing: ["--"]}\n  key:'
    )
    text = text.replace(
        "strike: {type: float, meaning: strike", 'strike: {type: float, meaning: strike, from: "行权价"'
    )
    contract = scratch.write("in/contract.yaml", text)
    body = scratch.QUOTES_CSV.replace(",", ";").replace("strike", "行权价").encode("gb18030")
    data.import_file(file(scratch, body), "test/more", contract=contract)
    assert data.load("test/more")["strike"].tolist() == [3400.0, 3600.0, 3400.0, 3600.0]


def test_a_file_without_a_suffix_is_read_as_text(scratch):
    source = file(scratch, scratch.QUOTES_CSV, "quotes")
    contract = scratch.write("in/contract.yaml", data.draft(source, "test/more"))
    assert data.import_file(source, "test/more", contract=contract).raw == "data/raw/test/more.csv"


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(scratch):
    body = b"\xef\xbb\xbf" + scratch.QUOTES_CSV.replace("\n", "\r\n").encode()
    data.import_file(file(scratch, body), "test/quotes")
    digest = data.digest_frame(data.load("test/quotes"))
    data.import_file(file(scratch, scratch.QUOTES_CSV), "test/quotes", replace=True)
    assert data.digest_frame(data.load("test/quotes")) == digest

"""The dictionary: what it holds, and what a mistake in it gets."""

# ruff: noqa: E501 - messages stand whole, as they are printed
from __future__ import annotations

from pathlib import Path

import pytest

from research import data
from research.data.catalog import parse_dataset
from research.errors import DataError
from research.project import Project

ROOT = Path(__file__).parents[2]


def test_every_data_set_of_the_repository_says_who_what_and_whence():
    found = data.catalog(Project(ROOT))
    assert list(found) == [
        "equity/dax_surface", "equity/sp500", "equity/nasdaq", "vol/vix", "credit/moodys_yields", "equity/us_stocks",
        "equity/factor_etfs", "equity/sp500_index", "fx/ecb",
    ]  # fmt: skip
    for entry in found.values():
        assert entry.description and entry.owner and entry.source and entry.licence
        assert entry.key and entry.as_of and entry.freshness and entry.calendar
        assert all(column.meaning and column.unit for column in entry.columns.values())


def test_the_committed_catalogue_has_every_limit_set():
    for entry in data.catalog(Project(ROOT)).values():
        assert entry.quality.max_gaps == 0 and entry.quality.max_extra == 0, entry.name
        assert entry.quality.outliers is not None and entry.quality.outliers.max is not None, entry.name


def test_a_misspelt_data_set_names_the_nearest(scratch, refuses):
    message = "data set must be one of those in data/catalog.yaml; got 'test/price'. Did you mean 'test/prices'?"
    assert refuses(data.load, "test/price") == message


def test_a_name_without_its_room_finds_the_room(scratch, refuses):
    assert refuses(data.check, "quotes").endswith("got 'quotes'. Did you mean 'test/quotes'?")


def test_a_name_like_no_other_points_to_the_list(scratch, refuses):
    assert refuses(data.load, "zzz").endswith("got 'zzz'. See: research data list.")


def test_an_edited_catalogue_is_read_again(scratch):
    assert "test/prices" in data.catalog()
    scratch.write("data/catalog.yaml", "datasets: {}\n")
    assert len(data.catalog()) == 0


EDITS = {
    ("above: 0", "abov: 0"): "test/prices.columns.close.abov must be a known key; got 'abov'. Did you mean 'above'?",
    ("max_gaps: 0", "max_gap: 0"): "test/prices.quality.max_gap must be a known key; got 'max_gap'. Did you mean 'max_gaps'?",
    ("    key: date", "    keys: date"): "test/prices.keys must be a known key; got 'keys'. Did you mean 'key'?",
    ("type: float", "type: flot"): "test/prices.columns.close.type must be 'date', 'datetime', 'float', 'int', 'str', "
    "'category' or 'bool'; got 'flot'.",
    ("    owner: tester\n", ""): "test/prices.owner must be given; got nothing.",
    ("key: date", "key: dates"): "test/prices: key must name a column; got 'dates'. Did you mean 'date'?",
    ("as_of: date", "as_of: close"): "test/prices: as_of must name a date or datetime column; got 'close'.",
    ("data/curated/test", "../x"): "test/prices: path must lie inside data/; got '../x/prices.parquet'.",
    ("above: 0", "above: x"): "test/prices.columns.close.above must be a number, or a date for a date column; got 'x'.",
    ("above: 0", "above: 2020-01-01"): "test/prices.columns.close: the bounds of a float column must be numbers; "
    "got datetime.date(2020, 1, 1).",
    ("max_missing: 0.5", "max_missing: 50"): "test/prices.columns.volume.max_missing must be less than or equal to 1; got 50.",
    ("test/prices:", "Prices:"): "the name of a data set must read room/name in lower case, digits and _; got 'Prices'. "
    "For example equity/sp500.",
    ("type: float, unit: USD", "type: category"): "test/prices.columns.close: a category must list its allowed values.",
    ("{last: 2018-12-07}", "{}"): "test/prices.freshness: freshness must give either last or max_age_days.",
    ("meaning: price", "meaning: price, regex: '['"): "test/prices.columns.close: only a str column can have a regex.",
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_a_mistake_in_the_catalogue_is_one_sentence(scratch, refuses, edit):
    assert edit[0] in scratch.PRICES
    scratch.write("data/catalog.yaml", "datasets:\n" + scratch.PRICES.replace(*edit))
    assert refuses(data.catalog) == f"data/catalog.yaml: {EDITS[edit]}"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "close >> 3",
            "a rule must read COLUMN OP COLUMN [+ COLUMN], with OP one of < <= > >= == !=; got 'close >> 3'.",
        ),
        ("clos > 3", "rule 'clos > 3' must name a column; got 'clos'. Did you mean 'close'?"),
    ],
)
def test_a_mistake_in_a_rule_is_one_sentence(scratch, refuses, rule, message):
    scratch.write("data/catalog.yaml", f"datasets:\n{scratch.PRICES}    rules: ['{rule}']\n")
    assert refuses(data.catalog) == f"data/catalog.yaml: test/prices: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datasets:\n\ttest: 1\n", "data/catalog.yaml must be YAML; got found character that cannot start any token at line 2, column 1."),
        ("", "data/catalog.yaml must be a mapping with the one key 'datasets'; got 'None'."),
        ("- a\n", "data/catalog.yaml must be a mapping with the one key 'datasets'; got \"['a']\"."),
        (b"\xff\xfe\x00", "data/catalog.yaml must be YAML in UTF-8; got bytes that are not text."),
        ("datasets:\n  a/b: 3\n", "data/catalog.yaml: a/b must be a mapping of keys; got 3."),
    ],
)  # fmt: skip
def test_a_catalogue_that_is_no_catalogue_is_one_sentence(scratch, refuses, text, message):
    scratch.write("data/catalog.yaml", text)
    assert refuses(data.catalog) == message


def test_a_data_set_that_stands_twice_is_refused(scratch, refuses):
    scratch.write("data/catalog.yaml", "datasets:\n" + scratch.PRICES + scratch.PRICES)
    message = "data/catalog.yaml must be YAML; got the key 'test/prices' stands twice at line 18, column 3."
    assert refuses(data.catalog) == message


def test_the_contract_digest_moves_with_any_key(scratch):
    from research.data.yaml12 import parse_yaml

    value = parse_yaml(scratch.PRICES, "x")["test/prices"]
    before = parse_dataset("test/prices", value)
    after = parse_dataset("test/prices", {**value, "owner": "another"})
    assert before.contract_digest != after.contract_digest
    assert before.contract_digest == parse_dataset("test/prices", value).contract_digest


def test_an_unknown_calendar_is_found_by_the_check(prices, refuses):
    prices.write("data/catalog.yaml", "datasets:\n" + prices.PRICES.replace("XNYS", "XNYSE"))
    assert refuses(data.check, "test/prices") == "calendar must be a known one; got 'XNYSE'. Did you mean 'XNYS'?"


def test_a_broken_rule_names_the_class():
    with pytest.raises(DataError):
        parse_dataset("test/x", {"columns": {}})

"""YAML is read as version 1.2."""

from __future__ import annotations

from datetime import date

import pytest

from research.data.yaml12 import parse_yaml
from research.errors import DataError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-.inf", float("-inf")), ("012", 12), ("+3", 3),
        ("yes", "yes"), ("NO", "NO"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("null", None),
        ("2002-07-05", date(2002, 7, 5)), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("'1'", "1"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema(text, value):
    found = parse_yaml(text, "example")
    assert found == value and type(found) is type(value)


def test_an_empty_value_is_null_and_a_column_called_on_is_text():
    assert parse_yaml("{ON: 1, no: , a: }", "example") == {"ON": 1, "no": None, "a": None}


def test_nan_is_a_number():
    assert parse_yaml(".nan", "example") != parse_yaml(".nan", "example")


def test_a_key_that_stands_twice_is_refused_with_its_place():
    with pytest.raises(DataError, match=r"^c\.yaml must be YAML; got the key 'a' stands twice at line 2, column 1\.$"):
        parse_yaml("a: 1\na: 2\n", "c.yaml")


@pytest.mark.parametrize("text", ["a: b: c", "a:\n\tb: 1", "[1, 2", "{", "2018-02-30", "!!python/object:os.system {}"])
def test_what_is_not_yaml_is_one_line(text):
    with pytest.raises(DataError, match=r"^c\.yaml must be YAML; got .*\.$"):
        parse_yaml(text, "c.yaml")

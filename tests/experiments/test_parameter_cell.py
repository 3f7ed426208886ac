"""The parameters cell is the schema: what it may hold, what it accepts, and each refusal word for word."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.errors import ParameterError
from research.experiments import parameters, read_cell
from research.experiments.files import read_parameter_file, yaml_value

CELL = """
from datetime import date, datetime
from typing import Annotated, Literal
import annotated_types as at

as_of: date = date(2002, 7, 5)  # valuation date
at_time: datetime = datetime(2002, 7, 5, 17, 30)
n_paths: int = 100_000  # paths
tol: Annotated[float, at.Gt(0)] = 1e-6
level: Annotated[float, at.Gt(0), at.Lt(1)] = 0.99
method: Literal["ewma", "garch"] = "ewma"
order: Literal[1, 2] = 1
cap: float | None = None
levels: list[float] = [0.99, 0.975]
full: bool = True
horizon: float = 10 / 252
copy: str = "x"
"""
SCHEMA = read_cell(CELL)


def refusal(**given: object) -> str:
    with pytest.raises(ParameterError) as caught:
        SCHEMA.check(given)
    return str(caught.value)


def test_defaults_are_read_without_running_the_cell():
    values = SCHEMA.check({}).values()
    assert values["as_of"] == dt.date(2002, 7, 5)
    assert values["n_paths"] == 100_000
    assert values["horizon"] == 10 / 252
    assert values["cap"] is None
    assert [item.comment for item in SCHEMA.items[:3]] == ["valuation date", "", "paths"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("as_of", "2003-01-31", dt.date(2003, 1, 31)),
        ("as_of", "20030131", dt.date(2003, 1, 31)),
        ("as_of", dt.datetime(2003, 1, 31), dt.date(2003, 1, 31)),
        ("at_time", "2003-01-31T09:00", dt.datetime(2003, 1, 31, 9)),
        ("n_paths", "1e5", 100_000),
        ("n_paths", 2e3, 2_000),
        ("tol", "1e-3", 0.001),
        ("tol", 2, 2.0),
        ("method", "garch", "garch"),
        ("order", "2", 2),
        ("cap", "none", None),
        ("cap", "3.5", 3.5),
        ("levels", "0.9,0.95", [0.9, 0.95]),
        ("levels", "[0.9, 1e-2]", [0.9, 0.01]),
        ("full", "no", False),
        ("copy", 5, "5"),
        ("copy", "none", "none"),
    ],
)
def test_what_a_shell_or_papermill_gives_becomes_what_the_annotation_says(name, text, value):
    got = getattr(SCHEMA.check({name: text}), name)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"asof": 1}, "got 'asof'. Did you mean 'as_of'?"),
        ({"n_paths": "lots"}, "n_paths must be an int; got 'lots'."),
        ({"n_paths": 1.5}, "n_paths must be an int; got 1.5."),
        ({"n_paths": True}, "n_paths must be an int; got True."),
        ({"n_paths": "1.5"}, "n_paths must be an int; got '1.5'."),
        ({"tol": -1.0}, "tol must be > 0; got -1."),
        ({"level": 99}, "level must be < 1; got 99."),
        ({"tol": "nan"}, "tol must be finite; got nan."),
        ({"cap": "inf"}, "cap must be finite; got inf."),
        ({"method": "gach"}, "method must be one of 'ewma', 'garch'; got 'gach'. Did you mean 'garch'?"),
        ({"as_of": 20020705}, "as_of must be a date; got 20020705. Write it as 2002-07-05."),
        ({"as_of": "5 July"}, "as_of must be a date; got '5 July'. Write it as 2002-07-05."),
        ({"as_of": dt.datetime(2002, 7, 5, 9)}, "as_of must be a date; got datetime.datetime(2002, 7, 5, 9, 0)."),
        ({"levels": "a"}, "levels must be a list[float]; got 'a'."),
        ({"full": "maybe"}, "full must be a bool; got 'maybe'."),
        ({"n_paths": None}, "n_paths must be an int; got None."),
        ({"tol": True}, "tol must be a float; got True."),
        ({"tol": "tight"}, "tol must be a float; got 'tight'."),
    ],
)
def test_a_wrong_value_is_refused_by_one_sentence(given, message):
    assert message in refusal(**given)
    assert "\n" not in refusal(**given)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("n = 3", "n must have a type annotation; got 'n = 3'. Write n: int = ..."),
        ("for i in range(3): pass", "parameters cell must hold only annotated assignments; got 'for i in range(3):'."),
        ("import os", "parameters cell must import only from typing, datetime and annotated_types; got 'import os'."),
        ("from os import path", "must import only from typing, datetime and annotated_types"),
        ("n: int", "n must have a default; got 'n: int'. Write n: ... = VALUE."),
        ("x: float = f(2)", "x must have a default that is a literal or a date; got 'f(2)'."),
        ("x: Frame = 2", "x must be annotated with int, float, str, bool, date"),
        ("x: int = 3\nx: int = 4", "parameters cell must assign each name once; got 'x'."),
        ("x: int = (", "parameters cell must be valid Python; got 'x: int = ('."),
        ("_x: int = 3", "parameter must be a plain name without a leading underscore; got '_x'."),
        ("d: date = date(2002, 13, 1)", "month must be in 1..12."),
        ("x: int = 'three'", "x must be an int; got 'three'."),
    ],
)
def test_a_cell_that_is_no_schema_is_refused(source, message):
    with pytest.raises(ParameterError) as caught:
        read_cell(source).check({})
    assert message in str(caught.value)


def test_a_cell_with_a_side_effect_in_it_is_not_executed(tmp_path):
    trap = tmp_path / "trap"
    with pytest.raises(ParameterError):
        read_cell(f"x: int = open({str(trap)!r}, 'w').write('sprung')")
    assert not trap.exists()


def test_checked_parameters_are_frozen():
    checked = SCHEMA.check({})
    with pytest.raises(ValueError, match="frozen"):
        checked.n_paths = 3


def notebook_namespace(*cells: str) -> dict[str, object]:
    """The namespace of a kernel in which the cells ran."""
    namespace: dict[str, object] = {"In": ["", *cells, "params = parameters(globals())"]}
    for cell in cells:
        exec(cell, namespace)
    return namespace


def test_in_a_notebook_text_that_papermill_injected_is_rebound_as_what_it_says():
    namespace = notebook_namespace(CELL, '# Parameters\nas_of = "2003-01-31"\ntol = "1e-4"\n')
    checked = parameters(namespace)
    assert checked.as_of == namespace["as_of"] == dt.date(2003, 1, 31)
    assert checked.tol == namespace["tol"] == 1e-4


def test_in_a_notebook_a_name_that_papermill_injected_but_nobody_takes_is_refused():
    with pytest.raises(ParameterError, match="Did you mean 'n_paths'"):
        parameters(notebook_namespace(CELL, "# Parameters\nn_path = 3\n"))


def test_an_edited_and_rerun_parameters_cell_is_the_schema():
    namespace = notebook_namespace("a: int = 1\nold: int = 2", "print('work')", "a: int = 5")
    assert parameters(namespace).values() == {"a": 5}


def test_outside_ipython_the_annotations_of_the_module_are_the_schema():
    namespace: dict[str, object] = {}
    exec("import datetime\nn: int = '3'\nday: datetime.date = '2002-07-05'", namespace)
    checked = parameters(namespace)
    assert (checked.n, namespace["day"]) == (3, dt.date(2002, 7, 5))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_float_survives_as_text(value):
    schema = read_cell("x: float = 0.0")
    assert schema.check({"x": repr(value)}).x == value


@given(st.dates())
def test_any_date_survives_as_text_and_as_json(value):
    schema = read_cell("d: date = date(2002, 7, 5)")
    checked = schema.check({"d": value.isoformat()})
    assert checked.d == value
    assert schema.check(checked.to_json()) == checked


def test_parameter_files_are_yaml_1_2():
    assert yaml_value("a: 1e-6\nb: no\nc: 0o17") == {"a": 1e-6, "b": "no", "c": 15}


def test_a_section_of_a_parameter_file(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("calibration:\n  heston: {tol: 1e-9, as_of: 2002-07-05}\n  empty:\n")
    section = read_parameter_file(f"{file}:calibration.heston")
    assert section == {"tol": 1e-9, "as_of": dt.date(2002, 7, 5)}
    assert read_parameter_file(f"{file}:calibration.empty") == {}
    with pytest.raises(ParameterError, match="must be one of calibration; got 'backtest'"):
        read_parameter_file(f"{file}:backtest")
    with pytest.raises(ParameterError, match="-f must name a parameter file"):
        read_parameter_file(str(tmp_path / "nope.yaml"))


def test_a_broken_parameter_file_is_refused_with_its_line(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("a: [1, 2\nb: 3\n")
    with pytest.raises(ParameterError, match=r"params.yaml must be YAML; got .*, line 2\."):
        read_parameter_file(str(file))

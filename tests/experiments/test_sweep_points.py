"""From words and files to checked points, before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from research.errors import ParameterError
from research.experiments.schema import read_cell
from research.experiments.sweep import design, points
from research.experiments.sweep.conditions import condition
from research.experiments.sweep.spec import Spec, from_words, read_file
from research.experiments.sweep.values import Choice, Range, read_range, values
from research.project import Project

SCHEMA = read_cell(
    """\
from datetime import date
from typing import Annotated, Literal
from annotated_types import Ge, Gt, Interval, Le
as_of: date = date(2002, 7, 5)
n: int = 5
steps: Annotated[int, Interval(gt=0, le=10)] = 3
a: float = 1.0
scale: Annotated[float, Gt(0)] = 1.0
rho: Annotated[float, Ge(-1), Le(1)] = 0.0
method: Literal["normal", "uniform"] = "normal"
strikes: list[float] = [1.0]
seed: int = 1
"""
)
NOWHERE = Project(Path("/nowhere"))


def expand(**words) -> points.Points:
    spec = from_words("notebooks/a.ipynb", **words)
    return points.check(spec, SCHEMA, design.draw(spec, SCHEMA, NOWHERE))


def column(found: points.Points, name: str) -> list:
    return [p[name] for p in found.parameters]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1,2,3", ["1", "2", "3"]),
        ("0:1:11", [i / 10 for i in range(11)]),
        ("-1:1:3", [-1, 0, 1]),
        ("1:10:10", list(range(1, 11))),
        ("0.001:1:4:log", [0.001, 0.01, 0.1, 1.0]),
        ("2002-07-04:2002-07-08:B", ["2002-07-04", "2002-07-05", "2002-07-08"]),
        ("2002-01-15:2002-03-31:M", ["2002-01-31", "2002-02-28", "2002-03-31"]),
        ("[1,2],[3]", [[1, 2], [3]]),
        ("garch", ["garch"]),
        ("a:b:c", ["a:b:c"]),
        ([1, None], [1, None]),
        (0.5, [0.5]),
    ],
)
def test_a_word_stands_for_these_values(text, wanted):
    assert values("x", text, NOWHERE) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0:1:1", "x must be FROM:TO:COUNT with a whole COUNT >= 2; got '0:1:1'. Write 0:1:11."),
        ("0:1:x", "x must be FROM:TO:COUNT with a whole COUNT >= 2; got '0:1:x'. Write 0:1:11."),
        ("0:1:3:log", "x must lie above 0 for a logarithmic range; got '0:1:3:log'."),
        ("1:2:3:lin", "x must be FROM:TO:COUNT or FROM:TO:COUNT:log; got '1:2:3:lin'."),
        ("2002-07-01:2002-07-08:Q", "the step of a date range must be one of D, B, W, M; got 'Q'."),
        ("@equity/x:day", "the period of x must be one of week, month, quarter, year; got 'day'."),
    ],
)
def test_a_word_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        values("x", text, NOWHERE)


def test_a_grid_is_every_combination_the_first_name_varying_slowest():
    found = expand(grid=["n=1,2", "scale=0.5,1,2"], fixed={"method": "uniform"})
    assert list(zip(column(found, "n"), column(found, "scale"))) == [(n, s) for n in (1, 2) for s in (0.5, 1.0, 2.0)]
    assert (found.varied, set(column(found, "method"))) == (("n", "scale"), {"uniform"})


def test_every_bad_point_is_named_by_its_rule_and_nothing_is_left_to_run():
    wanted = """\
every point must obey the schema of the notebook; got 7 of 9 that do not:
  scale must be > 0; got -1. (points 0, 1)
  n must be an int; got 'x'. (points 2, 5, 8)
  scale must be > 0; got 0. (points 3, 4)"""
    with pytest.raises(ParameterError, match=f"^{re.escape(wanted)}$"):
        expand(grid=["scale=-1,0,1", "n=1,2,x"])
    with pytest.raises(ParameterError, match=r"got 'scael'\. Did you mean 'scale'\?"):
        expand(grid=["scael=1"])


def test_conditions_leave_points_out_and_doubles_are_run_once():
    found = expand(grid=["n=1,2,3", "a=1,2,3,3.0"], where=["a < n", "not (method == 'uniform')"])
    assert list(zip(column(found, "n"), column(found, "a"))) == [(2, 1.0), (3, 1.0), (3, 2.0)]
    assert (found.left_out, found.doubles) == (9, 0)
    assert expand(grid=["a=3,3.0"]).doubles == 1
    with pytest.raises(ParameterError, match=r"at least one point; got '3 points, all left out by a > 9'"):
        expand(grid=["a=1,2,3"], where=["a > 9"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a <", "condition must be an expression of the parameters"),
        ("b < 1", r"condition must name parameters .*got 'b'"),
        ("__import__('os')", "condition must name parameters"),
        ("a.real > 1", "condition must use parameters, numbers"),
        ("(lambda: 1)()", "condition must use parameters, numbers"),
        ("[x for x in a]", "condition must"),
    ],
)
def test_a_condition_cannot_run_code(text, message):
    with pytest.raises(ParameterError, match=message):
        condition(text, ["a", "n"])


def test_a_condition_that_has_no_value_somewhere_names_the_point():
    with pytest.raises(ParameterError, match=r"condition must have a value at every point; .* At a=0\.0: .*division"):
        expand(grid=["a=0,1"], where=["1 / a > 0.5"])


@pytest.mark.parametrize("method", ["random", "latin_hypercube", "sobol"])
def test_drawn_points_lie_in_their_ranges_and_are_the_same_for_the_same_seed(method):
    words = {"space": ["scale=0.01:1:log", "n=1:4", "method=normal,uniform", "rho="], "method": method, "n": 64}
    words["space"][3] = "rho=-1:1"
    found = expand(**words)
    assert found == expand(**words)
    assert found != expand(**words, design_seed=2)
    assert set(column(found, "n")) == {1, 2, 3, 4}
    assert set(column(found, "method")) == {"normal", "uniform"}
    assert all(0.01 <= s <= 1.0 for s in column(found, "scale"))
    below = sum(s < 0.1 for s in column(found, "scale"))  # half the logarithm
    assert below == 32 if method != "random" else 20 < below < 44


def test_a_latin_hypercube_has_one_point_in_every_layer():
    found = expand(space=["a=0:1", "rho=-1:1"], method="latin_hypercube", n=20)
    assert sorted(int(a * 20) for a in column(found, "a")) == list(range(20))


def test_a_search_range_comes_from_the_annotation():
    assert design.search_range("method", None, SCHEMA) == Choice(("normal", "uniform"))
    assert design.search_range("rho", None, SCHEMA) == Range(-1.0, 1.0)
    assert design.search_range("steps", None, SCHEMA) == Range(1, 10, whole=True)
    with pytest.raises(ParameterError, match=r"the range of scale must have both bounds; .* Write -s scale=LOW:HIGH"):
        design.search_range("scale", None, SCHEMA)
    with pytest.raises(ParameterError, match="Did you mean 'rho'"):
        design.search_range("rhoo", None, SCHEMA)


def test_the_ends_of_a_range_are_reached_and_never_passed():
    for space in (Range(0.1, 0.3), Range(1e-3, 10.0, log=True), Range(1, 7, whole=True)):
        assert (space.at(0.0), space.at(1.0)) == (space.low, space.high)
        assert all(space.low <= space.at(i / 997) <= space.high for i in range(998))


@pytest.mark.parametrize("text", ["1:0", "a:b", "nan:1", "1", "0:1:log"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(ParameterError, match=r"^x must "):
        read_range("x", text)


def test_seeds_depend_on_the_point_alone():
    alone, together = expand(grid=["n=2"], seeds=3), expand(grid=["n=1,2"], seeds=3)
    of = lambda found: [p["seed"] for p in found.parameters if p["n"] == 2]  # noqa: E731
    assert of(alone) == of(together)
    assert len(set(column(together, "seed"))) == 6
    assert of(alone) == [1802549944, 1889541697, 414023765]  # a pin: old sweeps are found again


def test_a_name_in_two_designs_is_refused():
    with pytest.raises(ParameterError, match="n must be in one design of the sweep; got 'two of them'"):
        expand(grid=["n=1,2"], space=["n=1:4"], n=3)


FILE = """\
notebook: notebooks/a.ipynb
fixed: {method: uniform}
grid: {n: [1, 2]}
list: [{a: 1.0, rho: 0.5}, {a: 2.0, rho: -0.5}]
sobol: {n: 2, seed: 3, ranges: {scale: {low: 1e-2, high: 1, log: true}}}
where: a < 10
seeds: {count: 2}
best: {metric: rmse, goal: max}
"""


def test_a_file_crosses_its_designs_in_their_order(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE)
    spec = read_file(path)
    found = points.check(spec, SCHEMA, design.draw(spec, SCHEMA, NOWHERE))
    assert len(found) == 2 * 2 * 2 * 2
    assert (spec.metric, spec.goal, found.varied) == ("rmse", "max", ("n", "a", "scale", "rho", "seed"))
    assert column(found, "n") == [1] * 8 + [2] * 8
    assert read_file(path).digest == spec.digest != Spec(notebook="notebooks/a.ipynb").digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gird: {n: [1]}", "key of s.yaml must be one of .* got 'gird'. Did you mean 'grid'"),
        ("grid: {n: [1]}", "notebook of s.yaml must be the path of a notebook; got None"),
        ("notebook: a.ipynb\nlist: {a: 1}", "list of s.yaml must be a list of points"),
        ("notebook: a.ipynb\nsobol: {n: 0, ranges: {}}", "sobol of s.yaml must have n >= 1 and ranges"),
        ("notebook: a.ipynb\nbest: {metric: x, goal: least}", "goal must be min or max; got 'least'"),
        ("notebook: a.ipynb\nseeds: {count: 0}", "seeds must be a whole number >= 1; got 0"),
        ("notebook: a.ipynb\ndates: {as_of: month}", "dates of s.yaml must name the data set of as_of; got 'month'"),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path, text, message):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=message):
        read_file(path)


def table_of(**columns):
    import pandas as pd

    rows = len(next(iter(columns.values())))
    own = {"point": range(rows), "state": "done", "run_id": "r", "hit": False, "seconds": 1.0}
    return pd.DataFrame({**own, **columns})


def test_what_moves_a_metric_is_ranked_by_the_variance_it_explains():
    from research.experiments.sweep import charts

    a, b = [0, 0, 1, 1, 2, 2], ["u", "v"] * 3
    table = table_of(a=a, b=b, loss=[10.0 * x + (y == "v") for x, y in zip(a, b)])
    (first, share), (second, rest) = charts.effects(table, "loss", ["b", "a"])
    assert (first, second) == ("a", "b")
    assert share + rest == pytest.approx(1.0)
    assert charts.metric_of(table, None, ["a", "b"]) == "loss"


def test_the_surface_takes_the_pair_of_parameters_that_fills_the_plane():
    from research.experiments.sweep import charts

    table = table_of(a=[1, 1, 2, 2], b=[5, 5, 6, 6], c=["x", "y", "x", "y"], loss=[1.0, 2.0, 3.0, 4.5])
    figure = charts.surface(table, "loss", ["a", "b", "c"])
    assert figure.data[0].type == "heatmap"
    assert {figure.layout.xaxis.title.text, figure.layout.yaxis.title.text} == {"a", "c"}
    assert charts.surface(table_of(a=[1, 1], loss=[1.0, 1.0]), "loss", []) is None
    assert charts.parallel(table, "loss", ["a", "c"]).data[0].type == "parcoords"

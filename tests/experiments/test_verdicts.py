"""Verdicts: exact, within tolerance, different; the first difference by table, row, column and both values."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.evidence import Evidence, metric
from research.experiments import table
from research.experiments.comparison import close, compare, compare_frames, overall
from research.experiments.recording import _evidence, _metric, _table, merge
from research.experiments.results import collect, summary
from research.experiments.tables import digest, rounded
from research.lineage.capsule import Capsule

FRAME = pd.DataFrame({"name": ["a", "b", "c"], "n": [1, 2, 3], "x": [1.0, 2.0, math.nan], "seconds": [0.1, 0.2, 0.3]})
KUPIEC = Evidence(test="kupiec", verdict="pass", statistic=1.25, threshold=3.84, p_value=0.26, n=250)


def capsule(tmp_path, name="run", *, metrics=None, frame=FRAME, evidence=KUPIEC, model=None, passed=True):
    payload = {
        "metrics": {k: _metric(k, v) for k, v in (metrics or {"rmse": metric(12.5, "bp", rtol=1e-6)}).items()},
        "tables": {"t": _table("t", table(frame, rtol={"x": 1e-6, "seconds": math.inf}))},
        "figures": {},
        "evidence": [_evidence(evidence)],
        "model": model,
        "passed": passed,
    }
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    output = {"data": {"application/vnd.research.record+json": payload}}
    results = collect({"cells": [{"outputs": [output]}]}, folder)
    return Capsule(raw={"results": results}, folder=folder, record="")


def verdicts(tmp_path, **changes):
    return {v.name: v for v in compare(capsule(tmp_path, "old"), capsule(tmp_path, "new", **changes))}


def test_equal_runs_are_exact(tmp_path):
    found = verdicts(tmp_path)
    assert {v.outcome for v in found.values()} == {"EXACT"}
    assert overall(list(found.values())) == "REPRODUCED EXACTLY"


def test_a_metric_within_its_tolerance(tmp_path):
    found = verdicts(tmp_path, metrics={"rmse": metric(12.500001, "bp", rtol=1e-6)})
    assert found["rmse"].outcome == "WITHIN TOLERANCE"
    assert overall(list(found.values())) == "REPRODUCED WITHIN TOLERANCE"


def test_a_metric_beyond_its_tolerance_shows_both_values(tmp_path):
    found = verdicts(tmp_path, metrics={"rmse": metric(12.6, "bp")})
    assert found["rmse"].detail == "12.5 recorded, 12.6 now: 0.1 apart, 1.2e-05 allowed"
    assert overall(list(found.values())) == "NOT REPRODUCED"


def test_a_metric_in_another_unit_differs(tmp_path):
    assert verdicts(tmp_path, metrics={"rmse": metric(12.5, "%")})["rmse"].detail == "recorded in bp, now in %"


def test_missing_and_additional_results_differ(tmp_path):
    found = verdicts(tmp_path, metrics={"other": 1.0})
    assert (found["rmse"].detail, found["other"].detail) == ("missing in the re-run", "not in the recorded run")


def test_the_first_difference_in_a_table_is_named(tmp_path):
    frame = FRAME.assign(x=[1.0, 2.1, 3.0], n=[1, 2, 4])
    found = verdicts(tmp_path, frame=frame)["t"]
    assert (found.row, found.column, found.recorded, found.again) == (1, "x", 2.0, 2.1)
    assert found.detail == "row 1, column x: 2.0 recorded, 2.1 now: 0.1 apart, 2e-06 allowed"


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        (FRAME.assign(name=["a", "b", "z"]), "row 2, column name: 'c' recorded, 'z' now"),
        (FRAME.head(2), "3 rows recorded, 2 now"),
        (FRAME.rename(columns={"x": "y"}), "columns differ: x, y"),
        (FRAME[["n", "name", "x", "seconds"]], "columns differ: their order"),
        (FRAME.assign(n=["1", "2", "3"]), "column n held int, now text"),
        (FRAME.assign(x=[1.0, 2.0, 0.0]), "row 2, column x: nan recorded, 0.0 now: nan apart, nan allowed"),
    ],
)
def test_what_differs_in_a_table_is_said(tmp_path, frame, detail):
    assert verdicts(tmp_path, frame=frame)["t"].detail == detail


def test_seconds_are_not_held_against_a_run(tmp_path):
    found = verdicts(tmp_path, frame=FRAME.assign(seconds=[9.0, 9.0, 9.0]))
    assert found["t"].outcome == "EXACT"


def test_evidence_is_held_to_its_verdict_and_numbers(tmp_path):
    other = Evidence(test="kupiec", verdict="fail", statistic=9.0, threshold=3.84, p_value=0.002, n=250)
    assert verdicts(tmp_path, evidence=other)["kupiec"].detail == "verdict: 'pass' recorded, 'fail' now"


def test_a_model_is_held_to_its_parameters(tmp_path):
    model = {"scorer": "heston", "parameters": {"kappa": 2.0, "theta": 0.04}}
    near = {"scorer": "heston", "parameters": {"kappa": 2.0 + 1e-9, "theta": 0.04}}
    far = {"scorer": "heston", "parameters": {"kappa": 2.1, "theta": 0.04}}
    old = capsule(tmp_path, "old", model=model)
    outcome = lambda m: next(v for v in compare(old, capsule(tmp_path, "new", model=m)) if v.kind == "model")  # noqa: E731
    assert outcome(near).outcome == "WITHIN TOLERANCE"
    assert outcome(far).detail.startswith("parameters.kappa: 2.0 recorded, 2.1 now")


def test_passed_that_turns_is_a_difference(tmp_path):
    assert verdicts(tmp_path, passed=False)["passed"].outcome == "DIFFERS"


def test_a_bare_number_that_no_run_is_held_to():
    assert close(1.0, 2.0, math.inf, 0.0) == "NOT COMPARED"
    assert close(math.nan, math.nan, 0.0, 0.0) == "EXACT"
    assert close(math.inf, math.inf, 0.0, 0.0) == "EXACT"
    assert close(1.0, math.inf, 1.0, 0.0) == "DIFFERS"


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


@given(finite, st.floats(min_value=1e-12, max_value=1e-2))
def test_a_value_rounded_to_its_tolerance_stays_within_ten_times_of_it(value, rtol):
    assert abs(rounded(value, rtol, 0.0) - value) <= 10.0 * rtol * abs(value)


@given(finite)
def test_without_a_tolerance_nothing_is_rounded(value):
    assert rounded(value, 0.0, 0.0) == value


def test_numbers_that_differ_beyond_the_digits_have_other_rounded_digests_and_others_not():
    frame = pd.DataFrame({"x": [1.23456789]})
    near, far = pd.DataFrame({"x": [1.23456790]}), pd.DataFrame({"x": [1.2346]})
    tolerance = {"x": (0.0, 1e-6)}
    assert digest(frame) != digest(near)
    assert digest(frame, tolerance) == digest(near, tolerance) != digest(far, tolerance)


def test_the_digest_is_of_values_not_of_storage():
    whole = pd.DataFrame({"d": pd.to_datetime(["2002-07-05", "2002-07-08"]), "c": pd.Categorical(["x", "y"])})
    other = whole.astype({"c": "str", "d": "datetime64[s]"})
    assert digest(whole) == digest(other)
    assert digest(whole) != digest(whole.iloc[::-1])
    assert digest(whole) != digest(whole.rename(columns={"c": "k"}))


def test_the_summary_is_flat_rounded_and_leaves_out_what_is_not_reproducible(tmp_path):
    found = summary(
        capsule(tmp_path, metrics={"rmse": metric(12.3456789, rtol=1e-4), "s": metric(3.1, "s", rtol=math.inf)}).results
    )
    assert found["rmse"] == 12.35
    assert "s" not in found
    assert found["passed"] is True
    assert found["tables"]["t"]["rows"] == 3


def test_a_second_record_adds_and_one_failure_is_a_failure():
    first = {"metrics": {"a": 1}, "tables": {}, "figures": {}, "evidence": [], "model": None, "passed": False}
    second = {
        "metrics": {"b": 2},
        "tables": {},
        "figures": {},
        "evidence": [1],
        "model": {"scorer": "s"},
        "passed": True,
    }
    both = merge([first, second])
    assert (set(both["metrics"]), both["passed"], both["model"]) == ({"a", "b"}, False, {"scorer": "s"})


def test_compare_frames_takes_the_earliest_row_over_all_columns():
    old, new = (
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}),
        pd.DataFrame({"a": [1.0, 2.0, 9.0], "b": [1.0, 9.0, 3.0]}),
    )
    entry = {"rtol": {"a": 0.0, "b": 0.0}, "atol": {"a": 0.0, "b": 0.0}}
    assert compare_frames("t", old, new, entry).detail.startswith("row 1, column b")

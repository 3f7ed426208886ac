"""Quality figures: what each counts, and what its limit does."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from research import data
from research.data.catalog import parse_dataset
from research.data.quality import Sessions, compare_sessions, figures, grade, longest_run, robust_z, summary
from research.data.yaml12 import parse_yaml

TEXT = """
test/x:
  description: d
  owner: o
  source: s
  licence: l
  raw: data/raw/test/x.csv
  path: data/curated/test/x.parquet
  key: date
  as_of: date
  calendar: WEEKDAYS
  columns:
    date: {type: date, meaning: day}
    a: {type: float, meaning: a, nullable: true}
    b: {type: float, meaning: b, nullable: true}
  quality: {}
"""


def entry(**changes):
    value = parse_yaml(TEXT, "test")["test/x"]
    return parse_dataset("test/x", {**value, **changes})


def frame(n: int = 100, **columns) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    out = pd.DataFrame({"date": pd.bdate_range("2020-01-01", periods=n).as_unit("us")})
    out["a"] = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    out["b"] = rng.normal(0.0, 1.0, n)
    return out.assign(**columns)


def values(f: pd.DataFrame, e, **options) -> dict[str, float]:
    return {figure.check: figure.value for figure in figures(f, e, compare_sessions(f, e), **options)}


def graded(f: pd.DataFrame, e, **options) -> dict[str, str]:
    return {figure.check: figure.grade for figure in figures(f, e, compare_sessions(f, e), **options)}


def test_missing_is_the_worst_share_of_a_column():
    f = frame()
    f.loc[:4, "a"] = np.nan
    f.loc[:9, "b"] = np.nan
    assert values(f, entry())["missing"] == 0.10
    assert graded(f, entry())["missing"] == "fail"
    assert graded(f, entry(quality={"max_missing": 0.1}))["missing"] == "pass"


def test_missing_counts_only_where_a_column_is_quoted():
    f = frame()
    f.loc[f["date"] < "2020-03-02", "a"] = np.nan
    columns = dict(parse_yaml(TEXT, "t")["test/x"]["columns"])
    columns["a"] = {**columns["a"], "quoted": [{"from": date(2020, 3, 2)}]}
    assert values(f, entry(columns=columns))["missing"] == 0.0
    f.loc[f.index[-1], "a"] = np.nan
    held = int((f["date"] >= "2020-03-02").sum())
    assert values(f, entry(columns=columns))["missing"] == pytest.approx(1.0 / held)


def test_a_column_with_its_own_limit_is_judged_by_it():
    f = frame()
    f.loc[:49, "a"] = np.nan
    columns = dict(parse_yaml(TEXT, "t")["test/x"]["columns"])
    columns["a"] = {**columns["a"], "max_missing": 0.5}
    assert graded(f, entry(columns=columns)) == graded(frame(), entry())
    columns["a"] = {**columns["a"], "max_missing": 0.4}
    assert graded(f, entry(columns=columns))["missing a"] == "fail"


def test_duplicates_are_rows_whose_key_stood_before():
    f = frame()
    f = pd.concat([f, f.iloc[[3, 3, 7]]])
    assert values(f, entry(calendar=None))["duplicates"] == 3
    assert values(f.assign(b=range(103)), entry(calendar=None, key=[]))["duplicates"] == 0


def test_gaps_are_sessions_without_a_row_and_extra_days_are_rows_without_a_session():
    f = frame()
    f = f.drop(index=[5, 6, 50])
    f.loc[70, "date"] += pd.Timedelta(days=0)
    saturday = pd.DataFrame({"date": pd.to_datetime(["2020-02-01"]).as_unit("us"), "a": [1.0], "b": [1.0]})
    f = pd.concat([f, saturday]).sort_values("date", ignore_index=True)
    found = compare_sessions(f, entry())
    assert [d.isoformat() for d in found.gaps] == ["2020-01-08", "2020-01-09", "2020-03-11"]
    assert found.extra == (date(2020, 2, 1),)
    assert graded(f, entry())["gaps"] == "warn"
    assert graded(f, entry(quality={"max_gaps": 3, "max_extra": 0}))["gaps"] == "pass"
    assert graded(f, entry(quality={"max_gaps": 3, "max_extra": 0}))["extra"] == "fail"


def test_sessions_until_a_day_are_those_up_to_it():
    days = tuple(date(2020, 1, d) for d in (1, 2, 3))
    assert Sessions(days, days[1:]).until(date(2020, 1, 2)) == Sessions(days[:2], days[1:2])


def test_a_robust_z_score_agrees_with_scipy():
    x = np.random.default_rng(5).standard_t(3, 1001)
    scale = stats.median_abs_deviation(x, scale="normal")
    assert np.allclose(robust_z(x), np.abs(x - np.median(x)) / scale, rtol=1e-4)


def test_a_normal_sample_has_robust_scores_of_a_normal_sample():
    z = robust_z(np.random.default_rng(6).normal(5.0, 3.0, 200_000))
    assert np.mean(z > 1.959964) == pytest.approx(0.05, abs=0.003)


def test_robust_scores_of_a_constant_are_zero_and_of_mostly_equal_values_are_finite():
    assert robust_z(np.ones(9)).tolist() == [0.0] * 9
    assert np.isfinite(robust_z(np.array([0.0] * 8 + [1.0]))).all()
    assert robust_z(np.array([])).size == 0


def test_a_part_of_a_history_is_not_failed_by_the_limit_on_the_outliers_of_the_whole():
    f = frame(n=300)
    f.loc[150, "a"] *= 50.0
    e = entry(quality={"outliers": {"columns": "a", "threshold": 12.0, "max": 0}})
    assert graded(f, e)["outliers"] == "fail"
    assert graded(f, e, as_of=date(2025, 1, 1))["outliers"] == "warn"


@pytest.mark.parametrize("of", ["log_returns", "differences", "levels"])
def test_a_planted_outlier_is_counted_where_it_was_planted(of):
    f = frame(n=300)
    column = "a" if of == "log_returns" else "b"
    rule = {"outliers": {"columns": column, "of": of, "threshold": 12.0, "max": 0}}
    assert graded(f, entry(quality=rule))["outliers"] == "pass"
    f.loc[150, column] = 50.0 * f[column].abs().max()
    found = {figure.check: figure for figure in figures(f, entry(quality=rule), Sessions((), ()))}["outliers"]
    assert found.grade == "fail"
    assert found.value == (1 if of == "levels" else 2)  # there, and back
    if of == "levels":
        assert f"{column} on {f['date'][150].date()}" in found.detail


def test_returns_go_from_one_value_that_is_there_to_the_next():
    f = frame(n=300)
    rule = {"max_missing": 1.0, "outliers": {"columns": "a", "threshold": 12.0, "max": 0}}
    f.loc[100:110, "a"] = np.nan
    f.loc[111:, "a"] *= 10.0
    assert values(f, entry(quality=rule))["outliers"] == 1


def test_each_series_of_a_panel_stands_by_itself():
    one = frame(n=60)
    panel = pd.concat([one.assign(name="x"), one.assign(name="y", a=one["a"] * 1000.0)]).sort_values(["date", "name"])
    columns = {**parse_yaml(TEXT, "t")["test/x"]["columns"], "name": {"type": "str", "meaning": "name"}}
    rule = {"outliers": {"columns": "a", "threshold": 12.0, "max": 0}}
    e = entry(columns=columns, key=["date", "name"], quality=rule)
    assert values(panel.reset_index(drop=True), e)["outliers"] == 0


def test_the_longest_run_is_where_a_value_stands_still():
    assert longest_run(pd.Series([1.0, 2.0, 2.0, 2.0, 3.0, 3.0])) == (3, 3)
    assert longest_run(pd.Series([1.0, np.nan, np.nan, np.nan, 1.0])) == (1, 0)
    assert longest_run(pd.Series([], dtype=float)) == (0, 0)
    f = frame()
    f.loc[20:29, "a"] = 7.0
    e = entry(quality={"run_columns": "a"})
    assert values(f, e)["longest run"] == 10 and graded(f, e)["longest run"] == "warn"
    assert graded(f, entry(quality={"run_columns": "a", "max_run": 9}))["longest run"] == "fail"


def test_a_closed_history_must_end_on_its_last_day():
    f = frame()
    last = f["date"].iloc[-1].date()
    assert graded(f, entry(freshness={"last": last}))["freshness"] == "pass"
    assert graded(f.iloc[:-1], entry(freshness={"last": last}))["freshness"] == "fail"
    assert graded(f.iloc[:-1], entry(freshness={"last": last}), as_of=date(2020, 4, 1))["freshness"] == "pass"


def test_a_living_data_set_may_reach_its_age_and_no_more():
    f = frame()
    last = f["date"].iloc[-1].date()
    e = entry(freshness={"max_age_days": 3})
    assert "freshness" not in values(f, e)  # without a day to count from: equal data, equal figures
    assert values(f, e, today=date.fromordinal(last.toordinal() + 3))["freshness"] == 3
    assert graded(f, e, today=date.fromordinal(last.toordinal() + 3))["freshness"] == "pass"
    assert graded(f, e, today=date.fromordinal(last.toordinal() + 4))["freshness"] == "fail"


def test_grades():
    assert [grade(1, 1), grade(2, 1), grade(0, None), grade(1, None)] == ["pass", "fail", "pass", "warn"]


def test_the_summary_is_the_figures_and_the_worst_grade():
    f = frame().drop(index=5)
    found = summary(figures(f, entry(quality={"max_gaps": 0}), compare_sessions(f, entry())))
    assert found["gaps"] == 1 and found["verdict"] == "fail"


def test_a_check_reports_the_contract_and_the_quality(prices):
    report = data.check("test/prices")
    assert report.verdict == "pass" and report.broken == ()
    assert report.frame["check"].tolist() == ["rows", "missing", "duplicates", "gaps", "extra", "freshness"]
    assert report.sha256 == data.digest_frame(data.load("test/prices"))
    assert "test/prices" in report._repr_html_()


def test_a_check_never_raises_on_a_broken_contract_but_lists_it(prices):
    f = data.load("test/prices").assign(close=[-1.0, 2.0, -3.0, 4.0])
    f.to_parquet(prices.root / "data/curated/test/prices.parquet")
    report = data.check("test/prices")
    assert report.verdict == "fail"
    assert [(v.column, v.rule, v.row, v.value) for v in report.broken] == [
        ("close", "be > 0", 1, "-1"),
        ("close", "be > 0", 3, "-3"),
    ]


def test_a_check_as_of_a_day_looks_at_what_was_known_then(prices):
    report = data.check("test/prices", as_of="2018-12-04")
    assert (report.as_of, report.last) == ("2018-12-04", "2018-12-04")
    assert report.figures[0].value == 2

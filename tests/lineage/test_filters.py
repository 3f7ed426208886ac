"""The language of `-w`: what it keeps, what it refuses and where the caret stands, and that text stays text."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.errors import InputError
from research.lineage import index, list_runs
from research.lineage.filters import parse

RUN = {
    "rmse": 12.5,
    "model": "heston",
    "n": 5,
    "passed": True,
    "pinned": False,
    "notebook": "notebooks/calibration/heston.ipynb",
    "started": "2026-11-22T09:00:00Z",
    "age": 7200.0,
    "note": None,
    "loss 99%": 3.0,
    "hedge.vega": -1e-3,
}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("rmse < 20 and model = 'heston'", True),
        ("rmse < 20 & model = bates", False),
        ("rmse<20 or rmse>30", True),
        ("not (rmse < 20)", False),
        ("not rmse > 20 and n = 5", True),
        ("rmse > 20 or n = 5 and model = heston", True),  # and binds closer than or
        ("(rmse > 20 or n = 5) and model = bates", False),
        ("model in (bates, 'heston')", True),
        ("model not in (bates, heston)", False),
        ("notebook ~ CALIBRATION", True),
        ("passed and not pinned", True),
        ("passed = yes", True),
        ("passed != true", False),
        ("started >= 2026-11-22", True),
        ("started < 2026-11-22T08:00", False),
        ("age < 3h", True),
        ("age < 1.5h", False),
        ("note = none", True),
        ("note != x", True),
        ("note < 5", False),
        ("n != none", True),
        ("`loss 99%` = 3", True),
        ("hedge.vega < 0", True),
        ("rmse = heston", False),
        ("rmse != heston", True),
        ("n = 5.0", True),
        ("rmse >= 1.25e1", True),
    ],
)
def test_a_filter_keeps_what_it_says(text, kept):
    assert parse(text)(RUN.get) is kept


@pytest.mark.parametrize(
    ("text", "message", "caret"),
    [
        ("rmse <", "--where must have a value after '<'; got the end.", 6),
        ("rmse lower 20", "--where must have an operator after 'rmse'; got 'lower'. One of < <= > >= = != ~ in.", 5),
        ("< 20", "--where must start a test with a name; got '<'. Write \"rmse < 20 and passed = yes\".", 0),
        ("(rmse < 20", "--where must close its bracket with ')'; got the end.", 10),
        ("model = 'heston", "--where must close its quotes.", 8),
        ("model in heston", "--where must list the values in brackets; got 'heston'. Write model in (a, b).", 9),
        ("rmse < 20 and", "--where must start a test with a name; got the end.", 13),
        ("rmse < 20 )", "--where must join its tests by 'and' or 'or'; got ')'.", 10),
        ("n ! 5", "--where must not hold '!' here.", 2),
        ("", "--where must start a test with a name; got the end.", 0),
    ],
)
def test_what_cannot_be_read_is_shown_with_a_caret(text, message, caret):
    with pytest.raises(InputError) as caught:
        parse(text)
    said, shown, mark = str(caught.value).split("\n")
    assert said.startswith(message)
    assert shown == f"    {text}"
    assert mark == " " * (4 + caret) + "^"


def test_a_name_that_no_run_has_is_refused_with_the_nearest():
    with pytest.raises(InputError) as caught:
        parse("n = 5 and rsme < 20").check_names(RUN)
    assert str(caught.value).startswith("--where must name what runs have; got 'rsme'. Did you mean 'rmse'?\n")
    assert str(caught.value).endswith("\n" + " " * (4 + 10) + "^")


def test_deep_brackets_are_refused_not_a_stack_overflow():
    with pytest.raises(InputError, match="nest at most 50 deep"):
        parse("(" * 5000 + "n = 5" + ")" * 5000)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_is_refused(text):
    try:
        found = parse(text)
    except InputError:
        return
    assert isinstance(found(RUN.get), bool)


@pytest.fixture
def many(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalog.yaml").write_text("datasets: {}\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.setenv("RESEARCH_PROJECT", str(tmp_path))
    monkeypatch.delenv("RESEARCH_STORE", raising=False)
    rows = [
        (
            f"tiny-{i:05}",
            "notebooks/tiny.ipynb",
            "FINISHED",
            f"2026-11-22T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z",
            json.dumps({"model": "heston" if i % 2 else "bates", "n": i, "seed": 1, "rho": -0.5}),
            json.dumps({"rmse": {"value": i / 100, "unit": "bp"}, "bias": {"value": "nan", "unit": ""}}),
        )
        for i in range(10_000)
    ]
    with index.writing(tmp_path / "mlruns") as db:
        names = "run_id, notebook, status, started, parameters, metrics, pinned"
        db.executemany(f"INSERT INTO runs ({names}) VALUES (?, ?, ?, ?, ?, ?, 1)", rows)
    return tmp_path


def test_text_that_is_sql_or_python_finds_nothing_and_harms_nothing(many):
    for hostile in ("model = 'x\" OR 1=1; DROP TABLE runs --'", "model = '__import__(\"os\").getcwd()'"):
        assert list_runs(where=hostile) == []
    with pytest.raises(InputError):
        list_runs(where="model = 'x'; DROP TABLE runs")
    assert len(list_runs(where="rmse < 20 and model = 'heston'")) == 1000


def test_ten_thousand_runs_are_filtered_and_sorted(many, capsys):
    from research.cli.app import main

    started = time.perf_counter()
    assert main(["runs", "-w", "rmse < 20 and model = heston", "--sort", "-rmse", "-c", "rmse,n,started"]) == 0
    seconds = time.perf_counter() - started
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "(UTC)", "rmse", "n", "started"]
    assert lines[1].split()[:3] == ["tiny-01999", "19.99", "1,999"]
    assert lines[-1] == "20 of 1,000 runs; --limit 0 shows all."
    print(f"10,000 runs: {seconds:.2f} s")


def test_columns_and_names_that_nobody_has_are_refused(many):
    from research.cli.app import main

    assert main(["runs", "-c", "started,rsme"]) == 2
    assert main(["runs", "-w", "rsme < 20"]) == 2
    assert main(["runs", "--sort", "rsme"]) == 2
    assert main(["runs", "-w", "metrics.rmse < 20 and p.n > 5", "--limit", "1"]) == 0


def test_a_nan_is_last_whichever_way(many):
    assert list_runs(sort="-rmse", limit=1)[0].metrics["rmse"]["value"] == 99.99
    with index.writing(many / "mlruns") as db:
        db.execute(
            "UPDATE runs SET metrics = ? WHERE run_id = 'tiny-09999'", ('{"rmse": {"value": "nan", "unit": ""}}',)
        )
    for sort in ("rmse", "-rmse"):
        assert list_runs(sort=sort)[-1].run_id == "tiny-09999"

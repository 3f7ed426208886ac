"""The pipeline's results against the committed ones: within tolerance the lock is restored, beyond it nothing is."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from research.errors import RunError
from research.lineage import pipeline
from research.project import Project

RESULT = "pipelines/results.json"
PARQUET = "data/curated/prices.parquet"
GOOD = {"passed": True, "rmse": 12.346, "tables": {"t": {"digest": "a" * 64, "rows": 3}}}


def lock(results_md5="1" * 32, data_md5="2" * 32, code_md5="3" * 32, command="run it"):
    study = {
        "cmd": command,
        "deps": [{"path": "src/code.py", "md5": code_md5}, {"path": PARQUET, "md5": data_md5}],
        "params": {"params.yaml": {"study": {"n": 5}}},
        "outs": [{"path": RESULT, "md5": results_md5}],
    }
    ingest = {
        "cmd": "ingest",
        "deps": [{"path": "src/in.py", "md5": "9" * 32}],
        "outs": [{"path": PARQUET, "md5": data_md5}],
    }
    return {"ingest": ingest, "study": study}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A committed dvc.lock and result, and a way to write what another machine made."""
    person = {
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@b.c",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@b.c",
    }
    for name, value in {**person, "GIT_CONFIG_GLOBAL": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    write(tmp_path, lock(), GOOD)
    for call in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "state"]):
        subprocess.run(["git", *call], cwd=tmp_path, check=True)
    return Project(tmp_path)


def write(root, stages, result):
    (root / "pipelines").mkdir(exist_ok=True)
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    (root / RESULT).write_text(json.dumps(result))


def status(project):
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=project.root, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_equal_outputs_leave_everything_as_it_is(project):
    assert pipeline.settle_lock(project, lock()) == "Every output has the committed digest."
    assert status(project) == ""


def test_another_python_gives_other_bytes_within_tolerance_and_the_lock_is_restored(project):
    near = {**GOOD, "rmse": 12.347, "tables": {"t": {"digest": "b" * 64, "rows": 3}}}
    write(project.root, lock(results_md5="4" * 32, data_md5="5" * 32), near)
    said = pipeline.settle_lock(project, lock())
    assert said.startswith(
        "2 outputs differ from the committed digests within their tolerances (another Python or CPU)"
    )
    assert said.endswith("dvc.lock restored.")
    assert status(project) == ""
    assert pipeline.read_lock(project) == lock()
    assert json.loads((project.root / RESULT).read_text()) == GOOD


def test_a_result_beyond_its_tolerance_stops_and_nothing_is_restored(project):
    write(project.root, lock(results_md5="4" * 32), {**GOOD, "rmse": 12.36, "passed": False})
    with pytest.raises(RunError) as caught:
        pipeline.settle_lock(project, lock())
    text = str(caught.value)
    assert "pipelines/results.json passed: True committed, False here" in text
    assert "pipelines/results.json rmse: 12.346 committed, 12.36 here" in text
    assert text.endswith("Nothing was restored; look at git diff.")
    assert RESULT in status(project)


@pytest.mark.parametrize(
    "changed", [lock(code_md5="7" * 32), lock(command="run it otherwise"), {"study": lock()["study"]}]
)
def test_a_change_of_code_command_or_stages_is_the_users_and_is_kept(project, changed):
    before = lock() if "ingest" in changed else {"study": lock()["study"], "other": {}}
    changed["study"]["outs"][0]["md5"] = "8" * 32
    write(project.root, changed, {**GOOD, "rmse": 99.0})
    if "ingest" not in changed:
        before = {"ingest": lock()["ingest"]}  # the stage is new
    assert pipeline.settle_lock(project, before).startswith("Code, data or parameters differ from dvc.lock")
    assert json.loads((project.root / RESULT).read_text())["rmse"] == 99.0


@pytest.mark.parametrize(
    ("committed", "fresh", "apart"),
    [
        (12.346, 12.347, False),  # neighbours in the last digit
        (12.346, 12.348, True),
        (1e-12, 1.1e-12, False),
        (1.0, 1.0 + 5e-7, False),
        (250.0, 250.1, False),
        (250.0, 251.0, True),
        (5, 5, False),
        (5, 7, True),
        (True, False, True),
        ("pass", "fail", True),
        (2.5e-7, 2.6e-7, False),
        (2.5e-7, 2.8e-7, True),
    ],
)
def test_numbers_are_held_to_one_unit_of_their_last_digit(committed, fresh, apart):
    assert bool(pipeline.compare_results({"a": {"b": committed}}, {"a": {"b": fresh}})) is apart


def test_digests_of_tables_are_left_to_the_runs_own_verdict_but_their_rows_are_not():
    old = {"tables": {"t": {"digest": "a", "rows": 3}}}
    assert pipeline.compare_results(old, {"tables": {"t": {"digest": "b", "rows": 3}}}) == []
    assert pipeline.compare_results(old, {"tables": {"t": {"digest": "b", "rows": 4}}}) == [
        "tables.t.rows: 3 committed, 4 here"
    ]


def test_a_result_that_only_one_side_has_is_named():
    assert pipeline.compare_results({"a": 1}, {"b": 1}) == ["a: only in the committed result", "b: only in this result"]


def test_the_notebooks_of_the_pipeline_are_those_its_stages_run(project):
    stages = {"one": {"cmd": "python -m research run notebooks/a.ipynb -f params.yaml:a"}, "two": {"cmd": "echo"}}
    (project.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (project.root / "data").mkdir()
    (project.root / "data" / "catalog.yaml").write_text("datasets: {}\n")
    one = pipeline.NotebookStage(name="one", notebook="notebooks/a.ipynb", parameters="params.yaml:a")
    assert pipeline.notebook_stages(project) == [one]
    assert pipeline.without_run(project) == ["notebooks/a.ipynb"]

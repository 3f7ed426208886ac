"""MLflow hears everything from the outbox, once, whatever happened on the way."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from research.lineage import delivery, index, store, tracking
from research.project import Project

_SPEC = importlib.util.spec_from_file_location("run_store_helpers", Path(__file__).with_name("test_run_store.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_HELPERS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_HELPERS)
finish = _HELPERS.finish

pytestmark = pytest.mark.slow

READ = {
    "name": "equity/dax_surface", "as_of": "2002-07-05", "columns": ["strike"], "path": "data/raw/dax.csv",
    "sha256": "ab" * 32, "file_sha256": "cd" * 32, "dvc_md5": "ef" * 16, "rows": 104, "quality": {},
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    root = tmp_path / "project"
    for name in ("dvc.yaml", "data/catalog.yaml"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name in ("RESEARCH_STORE", "RESEARCH_PROJECT", "RESEARCH_MLFLOW"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(root)
    return Project(root)


def test_a_run_is_told_with_values_datasets_tags_and_files(project):
    run = finish(project.mlruns, n=3)
    assert tracking.pending(project.mlruns) == [run.run_id]
    assert tracking.flush(project).done == [run.run_id]
    assert tracking.pending(project.mlruns) == []
    talker = tracking.client(project.mlruns)
    experiment = talker.get_experiment_by_name("calibration/heston")
    told = talker.search_runs([experiment.experiment_id])[0]
    assert told.info.run_id == tracking.tracking_id(run.run_id, project=project)
    assert (told.info.run_name, told.info.status) == (run.run_id, "FINISHED")
    assert told.data.params == {"n": "3"}
    assert told.data.metrics == {"rmse": 12.5, "passed": 1.0}
    assert told.data.tags["research.record"] == run.record
    assert told.data.tags["mlflow.source.git.commit"] == run.commit
    assert "| rmse | 12.5 | bp |" in told.data.tags["mlflow.note.content"]
    assert {file.path for file in talker.list_artifacts(told.info.run_id)} == {"capsule.json", "notebook.ipynb"}
    assert not (Path.cwd() / "notebooks" / "mlruns").exists()


def test_datasets_carry_our_digests(project, monkeypatch):
    monkeypatch.setattr(_HELPERS, "skeleton", lambda *a, _old=_HELPERS.skeleton, **k: _old(*a, **k) | {"data": [READ]})
    finish(project.mlruns)
    tracking.flush(project)
    talker = tracking.client(project.mlruns)
    told = talker.search_runs([talker.get_experiment_by_name("calibration/heston").experiment_id])[0]
    read = told.inputs.dataset_inputs[0]
    assert (read.dataset.name, read.dataset.digest) == ("equity/dax_surface", ("ab" * 32)[:36])
    assert {tag.key: tag.value for tag in read.tags}["research.sha256"] == "ab" * 32


def test_a_flush_that_fails_in_the_middle_is_made_up_for_without_a_double(project, monkeypatch):
    run = finish(project.mlruns)
    broken = lambda *a, **k: (_ for _ in ()).throw(OSError("disk full"))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "stage", broken)
        assert tracking.flush(project).waiting == {run.run_id: "OSError: disk full"}
    assert tracking.pending(project.mlruns) == [run.run_id]
    assert tracking.flush(project).done == [run.run_id]
    talker = tracking.client(project.mlruns)
    told = talker.search_runs([talker.get_experiment_by_name("calibration/heston").experiment_id])
    assert [t.info.status for t in told] == ["FINISHED"]
    assert told[0].data.metrics["rmse"] == 12.5


def test_a_moved_store_shows_its_files_where_they_are_now(project, monkeypatch):
    run = finish(project.mlruns)
    tracking.flush(project)
    moved = project.root.parent / "elsewhere"
    shutil.move(project.root, moved)
    monkeypatch.chdir(moved)
    talker = tracking.client(moved / "mlruns")
    name = tracking.tracking_id(run.run_id, project=Project(moved))
    assert {file.path for file in talker.list_artifacts(name)} == {"capsule.json", "notebook.ipynb"}
    assert str(moved) in talker.get_run(name).info.artifact_uri


FLUSH = """
import sys
from pathlib import Path
from research.lineage import tracking
from research.project import Project
print(tracking.flush(Project(Path(sys.argv[1])), wait_s=120).waiting)
"""


@pytest.mark.deep
def test_flushers_that_start_together_on_a_fresh_store_tell_each_run_once(project):
    runs = [finish(project.mlruns) for _ in range(4)]
    call = [sys.executable, "-c", FLUSH, str(project.root)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    several = [subprocess.Popen(call, **pipes) for _ in range(3)]
    answers = [process.communicate(timeout=300) for process in several]
    assert [a[0].strip() for a in answers] == ["{}"] * 3, answers
    with sqlite3.connect(project.mlruns / "mlflow.db") as db:
        names = [row[0] for row in db.execute("SELECT name FROM runs")]
    assert sorted(names) == sorted(run.run_id for run in runs)
    assert tracking.pending(project.mlruns) == []


def test_switched_off_the_outbox_keeps_what_mlflow_has_not_heard(project, monkeypatch):
    run = finish(project.mlruns)
    monkeypatch.setenv("RESEARCH_MLFLOW", "off")
    assert tracking.flush(project).done == []
    assert tracking.pending(project.mlruns) == [run.run_id]
    assert store.load_capsule(run.run_id, project=project).record == run.record


def enter_sweep(project: Project, name: str) -> None:
    """A sweep as `research sweep` enters it."""
    folder = project.mlruns / "sweeps" / name
    folder.mkdir(parents=True)
    summary = {
        "sweep_id": name, "notebook": "notebooks/calibration/heston.ipynb", "points": 5, "done": 5, "hits": 0,
        "failed": 0, "set_aside": 0, "waiting": 0, "trials": 5, "metric": "rmse", "varied": ["n"], "causes": [],
        "best": [{"value": 12.5, "point": 0, "parameters": {"n": 0}, "run_id": "a-run"}],
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    with index.writing(project.mlruns) as db:
        db.execute(
            "INSERT INTO sweeps (sweep_id, kind, notebook, spec, digest, state, started, ended) "
            "VALUES (?, 'sweep', 'notebooks/calibration/heston.ipynb', '{}', 'd', 'finished', ?, ?)",
            (name, store.now(), store.now()),
        )


def content(database: Path, run_id: str) -> dict[str, list[tuple]]:
    """Everything MLflow's tables say of a run, without the ids that MLflow draws."""
    with sqlite3.connect(database) as db:
        (uid,) = db.execute("SELECT run_uuid FROM runs WHERE name = ?", (run_id,)).fetchone()
        asks = {
            "runs": "SELECT * FROM runs WHERE run_uuid = ?",
            "tags": "SELECT key, value FROM tags WHERE run_uuid = ? ORDER BY key",
            "params": "SELECT key, value FROM params WHERE run_uuid = ? ORDER BY key",
            "metrics": "SELECT * FROM metrics WHERE run_uuid = ? ORDER BY key",
            "latest": "SELECT * FROM latest_metrics WHERE run_uuid = ? ORDER BY key",
            "inputs": "SELECT d.*, i.source_type, i.destination_type, i.step, t.name, t.value FROM inputs i "
            "JOIN datasets d ON d.dataset_uuid = i.source_id JOIN input_tags t USING (input_uuid) "
            "WHERE i.destination_id = ? ORDER BY d.name, t.name",
        }
        found = {name: db.execute(query, (uid,)).fetchall() for name, query in asks.items()}
    hidden = lambda value: "UID" if value == uid else str(value).replace(uid, "UID")  # noqa: E731
    return {name: [tuple(map(hidden, row)) for row in rows] for name, rows in found.items()}


def test_told_in_bulk_or_one_by_one_the_content_is_the_same(project, monkeypatch):
    monkeypatch.setattr(_HELPERS, "skeleton", lambda *a, _old=_HELPERS.skeleton, **k: _old(*a, **k) | {"data": [READ]})
    enter_sweep(project, "sweep-one")
    with store.part_of("sweep-one", 0):
        runs = [finish(project.mlruns, n=3, rmse=rmse, text="x" * 10) for rmse in (1.5, 0.0, 30.0)]
    twin = Project(shutil.copytree(project.root, project.root.parent / "twin"))
    monkeypatch.setattr(delivery, "FEWEST", 100)
    assert sorted(tracking.flush(project).done) == sorted(run.run_id for run in runs)
    slow = [content(project.mlruns / "mlflow.db", run.run_id) for run in runs]
    monkeypatch.setattr(delivery, "FEWEST", 1)
    monkeypatch.setattr(tracking, "_flush_one", lambda *a: pytest.fail("told one by one"))
    assert sorted(tracking.flush(twin).done) == sorted(run.run_id for run in runs)
    quick = [content(twin.mlruns / "mlflow.db", run.run_id) for run in runs]
    shown = str(twin.root)
    own = lambda found: [(key, value) for key, value in found["tags"] if key != "mlflow.parentRunId"]  # noqa: E731
    for one, many in zip(slow, quick):
        assert own(one) == own(many)
        for name in ("runs", "params", "metrics", "latest"):
            assert one[name] == [tuple(v.replace(shown, str(project.root)) for v in row) for row in many[name]], name
        assert [row[1:] for row in one["inputs"]] == [row[1:] for row in many["inputs"]]
    talker = tracking.client(twin.mlruns)
    name = tracking.tracking_id(runs[0].run_id, project=twin)
    assert {file.path for file in talker.list_artifacts(name)} == {"capsule.json", "notebook.ipynb"}


def test_the_runs_of_a_sweep_hang_under_it_and_it_ends_with_its_counts(project):
    enter_sweep(project, "sweep-two")
    for point in range(5):
        with store.part_of("sweep-two", point):
            finish(project.mlruns, n=point)
    assert len(tracking.flush(project).done) == 5
    talker = tracking.client(project.mlruns)
    told = talker.search_runs([talker.get_experiment_by_name("calibration/heston").experiment_id])
    (parent,) = [run for run in told if run.info.run_name == "sweep-two"]
    children = [run for run in told if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 5
    assert parent.info.status == "FINISHED"
    assert (parent.data.metrics["points"], parent.data.metrics["best_rmse"]) == (5.0, 12.5)
    assert [file.path for file in talker.list_artifacts(parent.info.run_id)] == ["summary.json"]
    assert tracking.flush(project).done == []  # told once
    assert delivery.ended_sweeps(project.mlruns) == []


def test_runs_that_mlflow_heard_of_half_way_are_told_once(project, monkeypatch):
    runs = [finish(project.mlruns) for _ in range(6)]
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "FEWEST", 100)
        patch.setattr(tracking, "stage", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
        assert len(tracking.flush(project).waiting) == 6  # rows without files
    assert sorted(tracking.flush(project).done) == sorted(run.run_id for run in runs)
    with sqlite3.connect(project.mlruns / "mlflow.db") as db:
        query = "SELECT COUNT(*), COUNT(DISTINCT name) FROM runs WHERE status = 'FINISHED'"
        assert db.execute(query).fetchone() == (6, 6)

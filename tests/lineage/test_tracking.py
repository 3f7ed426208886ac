"""MLflow hears everything from the outbox, once, whatever happened on the way."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from research.lineage import store, tracking
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
        patch.setattr(tracking, "_stage", broken)
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

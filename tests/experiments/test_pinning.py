"""Pinned or not, and why; and when an earlier run is the answer."""

from __future__ import annotations

import json
import shutil

import pytest

from research import lineage
from research.experiments import run_notebook
from research.experiments.hits import find_hit
from research.experiments.runner import is_answered
from research.project import Project

UNDECLARED = """\
import json, os, socket, sqlite3, subprocess, sys, tempfile
text = open("../../notes/secret.csv").read()
again = open("scratch.txt", "w"); again.write("own"); again.close(); own = open("scratch.txt").read()
with tempfile.TemporaryFile() as handle: handle.write(b"x")
subprocess.run([sys.executable, "-c", "pass"])
sqlite3.connect(":memory:").close()
sqlite3.connect("../../notes/side.db").close()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=0.01)
except OSError:
    pass
import pandas as pd
frame = pd.read_parquet("../../notes/frame.parquet")"""


def test_what_a_run_took_in_undeclared_unpins_it_with_the_reason(project):
    import pandas as pd

    project.write("notes/secret.csv", "1,2\n")
    pd.DataFrame({"a": [1]}).to_parquet(project.root / "notes" / "frame.parquet")
    project.notebook.write_text(project.study(UNDECLARED))
    project.commit()
    run = run_notebook(project.notebook).capsule
    assert not run.pinned
    found = run.raw["undeclared"]
    assert found["reads"] == ["notes/secret.csv", "notes/frame.parquet"]
    assert found["network"] == ["connection to 192.0.2.1:80"]
    assert found["databases"] == ["notes/side.db"]
    assert len(found["processes"]) == 1
    reasons = "\n".join(run.unpinned_reasons)
    assert "undeclared read of notes/secret.csv, notes/frame.parquet (use data.load)" in reasons
    assert "network: connection to 192.0.2.1:80" in reasons
    assert "opened a database: notes/side.db" in reasons
    assert "started a process" in reasons
    assert "scratch.txt" not in reasons
    assert not run_notebook(project.notebook).hit  # what it read may have changed


def test_plotting_and_temporary_files_do_not_unpin(project, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "fresh"))  # builds its font list anew
    plot = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot(values)\nimport pyarrow, scipy.stats"
    project.notebook.write_text(project.study(plot, 'record(figures={"path": fig})'))
    project.commit()
    run = run_notebook(project.notebook).capsule
    assert run.pinned, run.unpinned_reasons
    assert run.raw["undeclared"] == {"reads": [], "network": [], "processes": [], "databases": []}


def test_an_edited_notebook_is_named_saved_outputs_are_not(project):
    raw = json.loads(project.notebook.read_text())
    raw["cells"][1]["execution_count"] = 3
    raw["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "by hand"}]
    raw["metadata"]["language_info"] = {"name": "python"}
    project.notebook.write_text(json.dumps(raw))
    assert run_notebook(project.notebook).capsule.pinned
    project.notebook.write_text(project.study("extra = 1"))
    run = run_notebook(project.notebook).capsule
    assert run.unpinned_reasons == ["notebooks/study/tiny.ipynb differs from HEAD"]
    assert run.raw["code"]["dirty"] == ["notebooks/study/tiny.ipynb"]
    assert b"extra = 1" in (run.folder / "code.patch").read_bytes()


def test_an_edited_module_that_the_run_imports_unpins_and_one_that_it_does_not_import_does_not(project):
    project.write("src/research/cli/run.py", "# edited\n")
    project.write("params.yaml", "a: 1\n")
    first = run_notebook(project.notebook)
    assert first.capsule.pinned, first.capsule.unpinned_reasons
    path = project.root / "src/research/experiments/summary.py"
    path.write_text(path.read_text() + "# edited\n")
    second = run_notebook(project.notebook)
    assert not second.hit
    assert second.capsule.unpinned_reasons == ["src/research/experiments/summary.py differs from HEAD"]
    assert second.capsule.recipe != first.capsule.recipe
    assert run_notebook(project.notebook).hit  # as good as a new run would be
    project.commit("the edit")
    third = run_notebook(project.notebook)
    assert not third.hit  # the old one is not pinned, this one is
    assert third.capsule.pinned


def test_a_project_helper_beside_the_notebook_is_part_of_the_closure(project):
    project.write("notebooks/study/helper.py", "FACTOR = 2.0\n")
    project.notebook.write_text(project.study("import helper"))
    project.commit()
    run = run_notebook(project.notebook).capsule
    assert run.pinned, run.unpinned_reasons
    assert "notebooks/study/helper.py" in run.closure
    project.write("notebooks/study/helper.py", "FACTOR = 3.0\n")
    assert not run_notebook(project.notebook).hit


def test_a_hit_is_found_again_only_while_its_folder_is_whole(project):
    run = run_notebook(project.notebook).capsule
    where = Project(project.root)
    request = "unknown"
    assert find_hit(where, request, run.notebook, run.raw["notebook"]["digest"]) is None
    assert run_notebook(project.notebook, {"n": 5}).hit  # the default, said aloud
    assert not run_notebook(project.notebook, {"n": 6}).hit
    shutil.rmtree(run.folder / "tables")
    assert not run_notebook(project.notebook).hit


def test_whether_a_run_has_the_answer_is_known_without_running(project):
    where = Project(project.root)
    assert not is_answered(project.notebook, project=where)
    run_notebook(project.notebook)
    assert is_answered(project.notebook, project=where)
    assert is_answered(project.notebook, {"n": 5}, project=where)
    assert not is_answered(project.notebook, {"n": 6}, project=where)
    project.notebook.write_text(project.study("changed = True"))
    project.commit()  # as after a pull: clean, and not the code of the run
    assert not is_answered(project.notebook, project=where)


def test_results_are_written_by_a_run_and_by_a_hit_with_the_same_bytes(project, tmp_path):
    first, second = tmp_path / "a" / "results.json", tmp_path / "b.json"
    assert not run_notebook(project.notebook, results_path=first).hit
    assert run_notebook(project.notebook, results_path=second).hit
    assert first.read_bytes() == second.read_bytes()
    found = json.loads(first.read_text())
    assert found["count"] == 5
    assert found["tables"]["values"]["rows"] == 5


def test_without_git_a_run_is_welcome_and_unpinned(make_project):
    project = make_project(committed=False)
    assert run_notebook(project.notebook).capsule.unpinned_reasons == ["the project is not a git repository"]
    project.git("init", "-q")
    assert run_notebook(project.notebook, force=True).capsule.unpinned_reasons == ["the git repository has no commit"]


def test_without_a_git_identity_a_run_is_welcome_and_unpinned(project, monkeypatch):
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    assert run_notebook(project.notebook).capsule.unpinned_reasons == [
        "git does not know who runs this (no user.email)"
    ]


@pytest.mark.slow
def test_plain_papermill_and_the_standard_kernel_give_the_same_results(project, tmp_path):
    import papermill

    from research.experiments.results import collect

    run = run_notebook(project.notebook, {"n": 4, "as_of": "2003-01-31"}).capsule
    for engine in (None, "research"):
        target = tmp_path / f"{engine}.ipynb"
        given = {"n": 4, "as_of": "2003-01-31"}
        papermill.execute_notebook(project.notebook, target, given, engine_name=engine, progress_bar=False)
        folder = tmp_path / str(engine)
        folder.mkdir()
        assert collect(json.loads(target.read_text()), folder) == run.results
    with pytest.raises(papermill.PapermillExecutionError, match="Did you mean 'n'"):
        papermill.execute_notebook(project.notebook, tmp_path / "out.ipynb", {"nn": 4}, progress_bar=False)


def test_runs_and_their_states_are_listed(project):
    run_notebook(project.notebook)
    assert [run.status for run in lineage.list_runs(where="count = 5")] == ["FINISHED"]

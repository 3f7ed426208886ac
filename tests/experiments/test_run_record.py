"""A run, its record, and what a second run makes of it."""

from __future__ import annotations

import json

import pytest

from research import lineage
from research.experiments import run_notebook
from research.project import Project


def test_a_run_of_committed_code_is_pinned_and_verifies(project):
    outcome = run_notebook(project.notebook, {"n": "7"}, project=Project(project.root))
    run = lineage.load_capsule(outcome.run_id, project=Project(project.root))
    assert run.pinned, run.unpinned_reasons
    assert run.status == "FINISHED"
    assert run.parameters["n"] == 7
    assert run.seeds == {"seed": 20260630}
    assert run.commit == project.git("rev-parse", "HEAD")
    assert "src/research/experiments/recording.py" in run.closure
    assert not any(name.startswith("src/research/cli") for name in run.closure)
    assert lineage.verify_run(run.run_id, project=Project(project.root)) == []
    assert run.table("values")["value"].size == 7


@pytest.mark.slow
def test_the_same_run_is_a_hit_and_twice_forced_has_the_same_identity(project):
    first = run_notebook(project.notebook, project=Project(project.root))
    again = run_notebook(project.notebook, project=Project(project.root))
    assert again.hit
    assert again.run_id == first.run_id
    forced = run_notebook(project.notebook, project=Project(project.root), force=True)
    assert not forced.hit
    assert forced.run_id != first.run_id
    assert forced.capsule.identity == first.capsule.identity
    assert forced.capsule.record != first.capsule.record


@pytest.mark.slow
def test_a_clean_checkout_reproduces_the_run_exactly(project):
    run = json.loads(project.research("run", project.notebook, "--json").stdout)
    project.write("src/research/experiments/recording.py", "raise ImportError('edited after the run')")
    project.write(
        "src/research/experiments/__init__.py", (project.root / "src/research/experiments/__init__.py").read_text()
    )
    project.git("checkout", "-q", "--", "src")
    done = project.research("reproduce", run["run_id"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "REPRODUCED EXACTLY" in done.stdout
    shown = json.loads(project.research("show", run["run_id"], "--json").stdout)
    assert shown["reproductions"][0]["verdict"] == "REPRODUCED EXACTLY"
    assert project.git("worktree", "list").count("\n") == 0

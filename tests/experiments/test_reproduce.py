"""`research reproduce`: what is refused before anything runs, and a re-run that differs."""

from __future__ import annotations

import json

import pytest

from research import lineage
from research.cli.app import main
from research.errors import DataError, IntegrityError, RefusedError
from research.experiments import reproduce, run_notebook
from research.lineage import capsule, store

CLOCK = (  # seconds of a thousand: a tolerance of 1e-9 of all seconds since 1970 is nearly two
    "import time\n"
    'record(metrics={"now": time.time_ns() / 1e9 % 1000, "took": metric(time.time(), "s", rtol=float("inf"))})'
)


def test_an_unpinned_run_is_refused_with_the_reason_and_can_be_tried_here(project, capfd):
    project.notebook.write_text(project.study("extra = 1"))
    run_notebook(project.notebook)
    with pytest.raises(
        RefusedError, match=r"must be pinned .*tiny.ipynb differs from HEAD. Commit and run again, or use --here"
    ):
        reproduce("latest")
    assert main(["reproduce", "latest", "--here"]) == 0
    out, err = capfd.readouterr()
    assert "REPRODUCED EXACTLY" in out
    assert "Warning: --here runs today's code" in err


def test_an_altered_run_a_failed_run_and_missing_data_are_refused_before_the_notebook_runs(project):
    run = run_notebook(project.notebook).capsule
    raw = json.loads((run.folder / capsule.FILE).read_text())
    raw["data"] = [
        {"name": "fx/ecb", "path": "data/curated/fx.parquet", "as_of": None, "columns": ["usd"], "sha256": "0" * 64}
        | {"file_sha256": "1" * 64, "dvc_md5": "2" * 32, "rows": 3, "quality": {}}
    ]
    edited = capsule.write(run.folder, raw)
    with pytest.raises(IntegrityError, match=r"must be as recorded; capsule\.json must have the digest of the index"):
        reproduce(run.run_id)
    with lineage.index.writing(project.store) as db:
        db.execute("UPDATE runs SET record = ?", (edited.record,))
    with pytest.raises(
        DataError,
        match=r"missing: fx/ecb \(data/curated/fx.parquet, SHA-256 111111111111...\). The notebook was not run.",
    ):
        reproduce(run.run_id)
    with lineage.index.writing(project.store) as db:
        db.execute("UPDATE runs SET status = 'FAILED'")
    with pytest.raises(RefusedError, match="must have FINISHED to be reproduced; got FAILED"):
        reproduce(run.run_id)
    assert store.reproductions(run.run_id) == []


@pytest.mark.slow
def test_a_run_that_depends_on_the_clock_is_not_reproduced_and_the_verdict_says_where(project, capfd):
    project.notebook.write_text(project.study(CLOCK))
    project.commit()
    run = run_notebook(project.notebook).capsule
    assert run.pinned, run.unpinned_reasons
    assert main(["reproduce", run.run_id, "--json"]) == 1
    verdict = json.loads(capfd.readouterr().out)
    assert verdict["verdict"] == "NOT REPRODUCED"
    found = {item["name"]: item["outcome"] for item in verdict["results"]}
    assert found == {
        "now": "DIFFERS",
        "took": "NOT COMPARED",
        "mean": "EXACT",
        "count": "EXACT",
        "values": "EXACT",
        "passed": "EXACT",
    }
    kept = store.reproductions(run.run_id)[0]
    assert kept["verdict"] == "NOT REPRODUCED"
    assert (run.folder / kept["folder"] / "verdict.json").is_file()
    assert lineage.verify_run(run.run_id) == []  # a reproduction adds to the folder, and changes nothing in it
    assert project.git("worktree", "list").count("\n") == 0


@pytest.mark.slow
def test_a_run_is_reproduced_from_its_commit_while_the_working_tree_is_broken(project, capfd):
    run = run_notebook(project.notebook, {"n": 6}).capsule
    project.write("src/research/experiments/recording.py", "raise ImportError('edited after the run')\n")
    project.notebook.write_text("no notebook any more")
    assert main(["reproduce", run.run_id]) == 0
    out = capfd.readouterr().out
    assert "clean checkout of" in out
    assert "REPRODUCED EXACTLY: 4 of 4 results exact" in out
    assert main(["show", run.run_id]) == 0
    assert "by ada@example.org: REPRODUCED EXACTLY (1 times)" in capfd.readouterr().out

"""Sweeps and steps with real notebooks: what the command leaves, and what a second one does."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from research.experiments.sweep.ledger import Ledger, list_sweeps
from research.lineage import query, store, verify_run
from research.project import Project

pytestmark = pytest.mark.slow

STEP = """\
@research.step("draws", n, seed)
def kept(n, seed):
    import colorsys
    import research.conventions
    return [seed % (i + 1) for i in range(n)]
"""


def test_a_sweep_records_each_point_once_and_a_second_one_only_hits(project):
    call = ("sweep", project.notebook, "-g", "n=2,3,4", "-g", "scale=1,2", "--best", "mean", "-j", "2", "--json")
    first = project.research(*call)
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert (found["points"], found["done"], found["hits"], found["trials"]) == (6, 6, 0, 6)
    assert found["varied"] == ["n", "scale"]
    assert found["best"][0]["value"] == min(
        run.metrics["mean"]["value"] for run in query(project=Project(project.root))
    )
    folder = Path(found["page"]).parent
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) == [
        "points.parquet", "spec.json", "summary.html", "summary.ipynb", "summary.json",
    ]  # fmt: skip
    page = (folder / "summary.html").read_text()
    assert "mean over n and scale" in page or "mean over scale and n" in page
    again = json.loads(project.research(*call).stdout)
    assert (again["done"], again["hits"], again["trials"]) == (6, 6, 6)
    assert {b["run_id"] for b in again["best"]} == {b["run_id"] for b in found["best"]}
    assert len(query(project=Project(project.root))) == 6
    lines = project.research("sweep", "--list").stdout.splitlines()
    assert len(lines) == 3
    resumed = project.research("sweep", "--resume", found["sweep_id"])
    assert (resumed.returncode, "6 of 6 points done" in resumed.stdout) == (0, True)
    project.notebook.write_text(project.study("more = 1"))
    refused = project.research("sweep", "--resume", found["sweep_id"])
    assert refused.returncode == 1
    assert (
        f"RefusedError: notebooks/study/tiny.ipynb has changed since sweep {found['sweep_id']} began" in refused.stderr
    )


def test_wrong_points_failing_points_and_points_to_look_at_first(project):
    wrong = project.research("sweep", project.notebook, "-g", "scale=-1,1", "-g", "n=2")
    assert wrong.returncode == 2
    assert "every point must obey the schema of the notebook; got 1 of 2 that do not:" in wrong.stderr
    assert "scale must be > 0; got -1. (point 0)" in wrong.stderr
    nothing = project.research("sweep", project.notebook, "--sobol", "4")
    assert nothing.stderr == "ParameterError: --sobol must come with ranges; got 4. Add -s NAME=LOW:HIGH.\n"
    look = project.research("sweep", project.notebook, "-s", "scale=1:2", "--sobol", "4", "--dry-run")
    assert look.stdout.splitlines()[0] == "4 points"
    assert query(project=Project(project.root)) == []
    project.notebook.write_text(project.study("assert n != 3, n"))
    failed = project.research("sweep", project.notebook, "-g", "n=2:4:3", "-j", "1")
    assert failed.returncode == 1
    assert "2 of 3 points done, 1 failed" in failed.stdout
    assert "1 x cell 5 (assert n != 3, n): AssertionError: #.  (points 1)" in failed.stdout


def test_a_notebook_that_failed_resumes_behind_its_steps_and_leaves_the_same_record(project):
    project.notebook.write_text(project.study(STEP, "assert (Path := __import__('pathlib').Path)('ready').exists()"))
    failed = project.research("run", project.notebook)
    assert failed.returncode == 1
    where = Project(project.root)
    assert [s["kept"] for s in store.load_capsule(project=where).raw["steps"]] == [False]
    (project.notebook.parent / "ready").write_text("")
    assert project.research("run", project.notebook).returncode == 0
    resumed = store.load_capsule(project=where)
    assert [(s["name"], s["kept"]) for s in resumed.raw["steps"]] == [("draws", True)]
    assert project.research("run", project.notebook, "--force", RESEARCH_STEPS="off", RESEARCH_WARM="0").returncode == 0
    whole = store.load_capsule(project=where)
    assert [s["kept"] for s in whole.raw["steps"]] == [False]
    assert whole.identity == resumed.identity
    assert whole.closure == resumed.closure
    assert resumed.raw["undeclared"] == whole.raw["undeclared"]


def workers_of(folder: Path) -> list[int]:
    """Processes that hold the workers' lock of a sweep."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if str(folder / ".workers") in [str(fd.readlink()) for fd in (entry / "fd").iterdir()]:
                    found.append(int(entry.name))
    return found


@pytest.mark.deep
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the workers in /proc")
def test_real_notebooks_with_eight_workers_and_random_kills_lose_nothing_and_duplicate_nothing(project):
    count, chance = int(os.environ.get("SWEEP_DEEP_POINTS", "100")), random.Random(7)
    where = Project(project.root)
    with tempfile.TemporaryDirectory(prefix="rs-") as runtime:
        env = {**project.env, "XDG_RUNTIME_DIR": runtime, "RESEARCH_WARM": "1", "RESEARCH_WARM_IDLE": "20"}

        def start(*words: str) -> subprocess.Popen:
            call = project.command("sweep", *words, "-j", "8")
            return subprocess.Popen(call, cwd=project.root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

        process, end = start(str(project.notebook), "-g", f"n=1:{count}:{count}"), time.monotonic() + 400
        kills = {"workers": 0, "schedulers": 0}
        while not (found := list_sweeps(where)):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        ledger = Ledger(where, found[0]["sweep_id"])
        while process.poll() is None or ledger.counts()["waiting"]:
            assert time.monotonic() < end, ledger.counts()
            time.sleep(0.7)
            if process.poll() is not None:
                assert process.returncode in (0, -signal.SIGKILL), process.stderr.read()
                if not ledger.counts()["waiting"]:
                    break  # else one that ended while this slept would be started again, for as long as chance has it
                process.stderr.close()
                process = start("--resume", ledger.sweep_id)
                continue
            alive = [pid for pid in workers_of(ledger.folder) if pid != process.pid]
            if kills["workers"] < 15 and alive and chance.random() < 0.5:
                os.kill(chance.choice(alive), signal.SIGKILL)
                kills["workers"] += 1
            elif kills["schedulers"] < 3 and ledger.counts()["done"] > (kills["schedulers"] + 1) * count / 5:
                process.kill()
                process.wait()
                kills["schedulers"] += 1
        process.wait()
        process.stderr.close()
    print(kills, ledger.counts())
    assert kills["schedulers"] >= 1
    runs = query(sweep=ledger.sweep_id, status="FINISHED", project=where)
    assert sorted(run.point for run in runs) == [p.number for p in ledger.points("done")]
    assert ledger.counts()["done"] + ledger.counts()["set aside"] == count
    assert {run.run_id: run.parameters["n"] for run in runs} == {
        p.run_id: p.parameters["n"] for p in ledger.points("done")
    }
    assert all(verify_run(run.run_id, project=where) == [] for run in runs[::10])

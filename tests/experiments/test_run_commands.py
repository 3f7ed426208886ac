"""The commands around runs: lists, one run, and what they do not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from research.cli.app import main
from research.experiments import run_notebook

HEAVY = (
    "mlflow",
    "pandas",
    "papermill",
    "nbclient",
    "jupyter_client",
    "matplotlib",
    "scipy",
    "numba",
    "dvc",
    "pyarrow",
)


@pytest.fixture
def three(bare):
    for n in ("5", "2"):
        run_notebook(bare.notebook, {"n": n})
    bare.notebook.write_text(bare.study("bad = 1 / 0"))
    assert main(["run", str(bare.notebook)]) == 1
    return bare


@pytest.mark.slow
def test_runs_are_listed_filtered_sorted_and_shown(three, capfd):
    capfd.readouterr()
    assert main(["runs"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["FAILED", "not", "passed"]
    assert "ZeroDivisionError" not in lines[0]
    assert main(["runs", "-w", "count < 5 and passed = no", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [run["parameters"]["n"] for run in found] == [2]
    assert main(["runs", "--sort", "-count", "--status", "finished", "--limit", "1", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["metrics"]["count"]["value"] == 5
    assert main(["runs", "-w", "count lower 5"]) == 2
    assert "--where must have an operator after 'count'; got 'lower'." in capfd.readouterr().err
    assert main(["show", found[0]["run_id"]]) == 0
    shown = capfd.readouterr().out
    for text in ("Tiny study: NOT PASSED", "mean = ", "not pinned:", "Parameters", "20260630", "tables/values.parquet"):
        assert text in shown
    assert main(["show", "--json"]) == 0
    latest = json.loads(capfd.readouterr().out)
    assert (latest["status"], latest["schema"]) == ("FAILED", "research.capsule/1")
    assert "division by zero" in latest["message"]
    assert main(["show", "nothing-like-it"]) == 2
    assert "run must be a recorded run; got 'nothing-like-it'." in capfd.readouterr().err
    assert main(["reproduce", "latest"]) == 1
    assert "must have FINISHED to be reproduced; got FAILED" in capfd.readouterr().err


def test_an_empty_store_is_listed_without_being_made(bare, capfd):
    assert main(["runs"]) == 0
    assert "No runs." in capfd.readouterr().out
    assert main(["runs", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert not bare.store.exists()


def test_what_a_notebook_takes_is_shown_without_running_it(bare, capfd):
    assert main(["run", str(bare.notebook), "--parameters"]) == 0
    out = capfd.readouterr().out
    assert "Annotated[float, Gt(0)]" in out
    assert "spread of the draws, bp" in out
    assert main(["run", str(bare.notebook), "--parameters", "--json"]) == 0
    schema = json.loads(capfd.readouterr().out)["schema"]["properties"]
    assert schema["scale"]["exclusiveMinimum"] == 0
    assert schema["method"]["enum"] == ["normal", "uniform"]


@pytest.mark.parametrize("command", [["runs"], ["runs", "--json"], ["run", "missing.ipynb"]])
def test_lists_and_refusals_import_nothing_heavy(bare, command):
    program = (
        "import sys\nfrom research.cli.app import main\n"
        f"main({command!r})\nprint(sorted(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=bare.root, env=bare.env, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[]"

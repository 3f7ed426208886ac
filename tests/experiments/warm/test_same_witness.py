"""The closure of a run does not depend on where its cells ran: a forked child imported what a cold kernel imports."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WAYS = [("kernel", True), ("process", True), ("kernel", False), ("process", False)]
SEEN = """\
import sqlite3, subprocess, socket, pathlib
pathlib.Path('input.csv').read_text()
pathlib.Path('own.csv').write_text('1'); pathlib.Path('own.csv').read_text()
sqlite3.connect('base.db').close()
subprocess.run(['true'])
import pyarrow.csv as pc
pc.read_csv('native.csv')
try:
    socket.create_connection(('192.0.2.1', 9), timeout=0.01)
except OSError:
    pass"""
ROOMS = [
    ("import research",),
    ("import research\nresearch.metric(1.0)", "research.experiments.table"),
    ("from research import data", "data.reads()"),
    ("import research.market", "from research.pricing import fourier"),
    ("from research import risk, calibration, models", "models.Heston", "import research.report"),
    ("import importlib\nimportlib.import_module('research.validation.suites.heston')",),
]


@pytest.mark.slow
@pytest.mark.parametrize("cells", ROOMS, ids=lambda cells: cells[0].splitlines()[-1][:40])
def test_the_imported_modules_are_those_of_a_cold_kernel(warm, run, cells):
    seen = {}
    for mode, cold in WAYS[:1] + WAYS[2:]:
        seen[mode, cold] = run(*cells, mode=mode, cold=cold).ran.report["modules"]
    first = seen["kernel", True]
    assert all(found == first for found in seen.values())
    assert not any("warm" in name or name.endswith((".client", ".runner")) for name in first)


@pytest.mark.slow
def test_the_witness_sees_the_same_in_every_way(warm, run, tmp_path):
    (tmp_path / "input.csv").write_text("a\n1\n")
    (tmp_path / "native.csv").write_text("a\n1\n")
    keys = ("network", "processes", "databases", "hermetic")
    seen = []
    for mode, cold in WAYS:
        (tmp_path / "own.csv").unlink(missing_ok=True)
        ran = run(SEEN, mode=mode, cold=cold).ran
        assert ran.warm is not cold
        opened = sorted(p for p in ran.report["opened"] if p.startswith(f"{tmp_path}/"))
        seen.append([opened, *(ran.report[key] for key in keys)])
    assert seen[0] == [
        [f"{tmp_path}/input.csv", f"{tmp_path}/native.csv"],
        ["connection to 192.0.2.1:9"],
        ["true"],
        [f"{tmp_path}/base.db"],
        None,
    ]
    assert all(found == seen[0] for found in seen)


FACTS = """\
import os, sys, time, locale, numba
print(hash('a'), time.tzname, time.localtime(0)[3], locale.getpreferredencoding(), os.getcwd(), os.environ.get('MINE'))
print(os.environ.get('OPENBLAS_NUM_THREADS'), numba.config.NUMBA_NUM_THREADS, sys.flags.hash_randomization, sys.path[0])
print(os.umask(0o022), sys.stdin.read(), sorted(os.sched_getaffinity(0)))"""


@pytest.mark.slow
def test_the_surroundings_are_those_of_a_cold_kernel(warm, run, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("MINE", "a value")
    said = [run(FACTS, mode=mode, cold=cold).text for mode, cold in WAYS]
    assert said[0].count("Asia") == 0 and "('JST', 'JST') 9" in said[0] and "a value" in said[0]
    assert all(text == said[0] for text in said)


NOTEBOOKS = ["calibration/heston", "calibration/svi_surface", "validation/heston_benchmark"]
NOTEBOOKS += ["backtesting/value_at_risk", "validation/value_at_risk"]
COMPARE = """\
import sys
from research.experiments import run_notebook
if __name__ == "__main__":
    runs = [run_notebook(sys.argv[1], engine=mode, cold=cold, force=True, deliver="never").capsule
            for mode, cold in (("kernel", True), ("process", False))]
    first, second = runs
    assert not second.raw["engine"]["mode"] != "process"
    print(sorted(set(first.closure.items()) ^ set(second.closure.items())))
    print(first.recipe == second.recipe, first.identity == second.identity)
"""


@pytest.mark.deep
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_our_notebooks_have_one_identity_in_both_modes(warm, tmp_path, name):
    from research.project import find_project

    project = find_project(os.path.dirname(__file__))  # noqa: PTH120
    curated = project.root / "data" / "curated" / "equity"
    if not all((curated / f"{data}.parquet").is_file() for data in ("dax_surface", "sp500")):
        pytest.skip("the data sets are not here: make demo brings them")
    env = {**os.environ, "RESEARCH_STORE": str(tmp_path / "store"), "RESEARCH_MLFLOW": "off"}
    call = [sys.executable, "-c", COMPARE, str(project.root / "notebooks" / f"{name}.ipynb")]
    done = subprocess.run(call, env=env, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["[]", "True True"], done.stderr[-2000:]

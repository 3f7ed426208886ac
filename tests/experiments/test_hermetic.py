"""Hermetic runs: no network, no undeclared file, fixed surroundings; what was refused is in capsule and terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from research.cli.app import main
from research.experiments import hermetic, run_notebook

SOURCE = str(Path(hermetic.__file__).parents[2])
TRY = """\
import os, socket, subprocess, time, urllib.request, ctypes
tried = {}
def attempt(name, action):
    try:
        action()
        tried[name] = "went through"
    except (OSError, subprocess.SubprocessError) as error:
        tried[name] = type(error).__name__
attempt("declared", lambda: open(f"{root}/data/raw/known.csv").read())
attempt("undeclared", lambda: open(f"{root}/data/raw/secret.csv").read())
attempt("absent", lambda: open(f"{root}/data/raw/absent.csv").read())
attempt("outside", lambda: open(outside).read())
attempt("write", lambda: open(f"{root}/notebooks/new.txt", "w"))
attempt("own", lambda: open(os.path.join(os.environ["HOME"], "scratch"), "w").write("x"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", 9), timeout=1))
attempt("look-up", lambda: socket.getaddrinfo("example.org", 80))
libc = ctypes.CDLL(None, use_errno=True)
def native():  # past Python: only the kernel can refuse
    if libc.open(outside.encode(), 0) < 0:
        raise OSError(ctypes.get_errno(), "open")
def native_socket():
    if libc.socket(2, 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "socket")
attempt("native", native)
attempt("native socket", native_socket)
attempt("child", lambda: subprocess.run(["/bin/cat", outside], check=True, capture_output=True))
where = (time.tzname[0], os.environ.get("LC_ALL", ""), os.environ.get("PYTHONHASHSEED", ""), str(hash("a")))
record(tables={"tried": {"what": list(tried), "how": list(tried.values())}, "where": {"value": list(where)}})
"""
PARAMETERS = 'root: str = ""\noutside: str = ""\n'


@pytest.fixture
def prying(project, tmp_path):
    """A notebook that tries what a hermetic run must not do."""
    (tmp_path / "outside.txt").write_text("not declared")
    project.write("data/raw/known.csv", "a\n1\n")
    project.write("data/raw/secret.csv", "a\n1\n")
    project.write("data/catalog.yaml", "datasets:\n  x/known:\n    path: data/raw/known.csv\n")
    cells = [project.code(PARAMETERS, "parameters"), project.code(project.check_cell), project.code(TRY)]
    project.notebook.write_text(project.notebook_json(*cells))
    return project, {"root": str(project.root), "outside": str(tmp_path / "outside.txt")}


REFUSED = {"undeclared", "outside", "write", "connect", "look-up"}


@pytest.mark.slow
@pytest.mark.skipif(hermetic.landlock_abi() < 1, reason="this kernel has no Landlock")
@pytest.mark.parametrize("engine", ["process", "kernel"])
def test_a_hermetic_run_reaches_neither_network_nor_undeclared_files(prying, engine, monkeypatch, capfd):
    project, given = prying
    free = run_notebook(project.notebook, given, force=True, engine=engine).capsule
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("RESEARCH_WARM", "0")
    shut = run_notebook(project.notebook, given, force=True, engine=engine, hermetic=True).capsule
    before = dict(free.table("tried").itertuples(index=False))
    after = dict(shut.table("tried").itertuples(index=False))
    assert before["undeclared"] == before["outside"] == before["native"] == before["native socket"] == "went through"
    assert after["declared"] == after["own"] == "went through"
    assert after["absent"] == "FileNotFoundError"
    for name in REFUSED | {"native", "native socket", "child"}:
        assert after[name] != "went through", (name, after)
    zone, locale, seed, _ = shut.table("where")["value"]
    assert (zone, locale, seed) == ("UTC", "C.UTF-8", "0")
    report = shut.raw["hermetic"]
    assert report["files"].startswith("Landlock (ABI ")
    assert "seccomp" in report["network"]
    refused = {(item["kind"], item["what"].rpartition("/")[2]) for item in report["refused"]}
    assert {("reading", "secret.csv"), ("reading", "outside.txt"), ("writing", "new.txt")} <= refused
    assert ("look-up of", "example.org") in refused
    assert any(reason.startswith("was refused, being hermetic: ") for reason in shut.unpinned_reasons)
    assert free.closure == shut.closure
    assert "hermetic" not in free.raw
    assert main(["show", shut.run_id]) == 0
    assert "refused: reading" in capfd.readouterr().out


def test_what_is_listed_may_be_opened_and_nothing_beside_it(tmp_path):
    root = tmp_path.resolve()
    (root / "data").mkdir()
    catalog = {"datasets": {"a/b": {"path": "data/b.csv"}}}
    (root / "data" / "catalog.yaml").write_text(json.dumps(catalog))
    spec = hermetic.spec_for(root, root / "n.ipynb", work=root / "work")
    listed = {path for path in spec.read if path.startswith(str(root))}
    assert {str(root / "data/b.csv"), str(root / "n.ipynb"), str(root / "src")} <= listed
    assert not any(path in (str(root), str(root / "data")) for path in spec.read)
    assert hermetic.Spec(**json.loads(json.dumps(spec.to_json()))).threads == spec.threads


def test_a_report_says_what_was_refused_or_that_nothing_was():
    report = {"files": "Landlock (ABI 4)", "network": "seccomp", "refused": [{"kind": "reading", "what": "/x"}]}
    assert hermetic.lines(report) == [
        "hermetic: files by Landlock (ABI 4); network by seccomp",
        "refused: reading /x",
    ]
    assert hermetic.lines({**report, "refused": []})[-1] == "refused: nothing"


ONLY_THE_HOOK = """\
import sys
from research.experiments import hermetic
hermetic.landlock_abi = lambda: 0
hermetic._seccomp = lambda: ""
folder = sys.argv[1]
hermetic.enter(hermetic.Spec(read=(sys.prefix, sys.base_prefix), write=(folder,), home=folder + "/home", threads=1))
import socket, urllib.request
for attempt in (lambda: open(sys.argv[2]), lambda: socket.socket(socket.AF_INET)):
    try:
        attempt()
    except PermissionError as error:
        print(error)
print("\\n".join(hermetic.lines(hermetic.report())))
"""


def test_a_kernel_without_landlock_and_seccomp_is_said_and_the_hook_still_refuses(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside.csv"
    inside.mkdir()
    outside.write_text("a\n")
    call = [sys.executable, "-c", ONLY_THE_HOOK, str(inside), str(outside)]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": SOURCE})
    hint = "declare it in data/catalog.yaml and read it with data.load"
    assert done.stdout.splitlines() == [
        f"[Errno 13] a hermetic run refuses reading {outside}; {hint}",
        "[Errno 13] a hermetic run refuses socket AF_INET",
        "hermetic: files by audit hook only: this kernel has no Landlock; network by audit hook only: this kernel "
        "filters no system calls",
        f"refused: reading {outside}",
        "refused: socket AF_INET",
    ]

"""The store: opened by many at once, found by name, closed whole, and honest about what was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from research.errors import InputError, IntegrityError, ProjectError
from research.lineage import capsule, index, store, verify_run
from research.lineage.selection import Both, Comparison, Either, Not, names, query
from research.project import Project


def skeleton(notebook: str = "notebooks/calibration/heston.ipynb", **parameters: object) -> dict:
    return {
        "operator": {"user": "ada", "git_name": "Ada", "git_email": "ada@example.org"},
        "notebook": {"path": notebook, "digest": "d" * 64, "title": "Heston"},
        "code": {"commit": "c" * 40, "closure": {"src/a.py": "a" * 64}, "core": "", "digest": "", "dirty": []},
        "parameters": parameters,
        "seeds": {},
        "data": [],
        "catalog": None,
        "environment": {"lock": "l" * 64, "digest": "e" * 64, "python": "3.11.7", "distributions": {}},
        "results": {"metrics": {}, "tables": {}, "figures": {}, "evidence": [], "model": None, "passed": None},
        "artifacts": {},
        "undeclared": {"reads": [], "network": [], "processes": [], "databases": []},
        "pinned": True,
        "unpinned_reasons": [],
    }


def finish(root: Path, status: str = "FINISHED", rmse: float = 12.5, **parameters: object) -> capsule.Capsule:
    _, folder = store.open_run(root, skeleton(**parameters), "request")
    raw = json.loads((folder / "opened.json").read_text())
    (folder / "notebook.ipynb").write_text("{}")
    raw["status"], raw["times"]["ended"] = status, store.now()
    raw["results"]["metrics"]["rmse"] = {"value": rmse, "unit": "bp", "rtol": 1e-9, "atol": 0.0}
    raw["results"]["passed"] = rmse < 20
    raw["artifacts"] = store.artifacts(folder)
    return store.close_run(root, raw)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    for name in ("dvc.yaml", "data/catalog.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    monkeypatch.delenv("RESEARCH_STORE", raising=False)
    monkeypatch.delenv("RESEARCH_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def test_a_run_is_open_until_it_is_closed(project):
    run_id, _ = store.open_run(project.mlruns, skeleton(n=3), "request")
    assert store.get_run(run_id).status == "RUNNING"
    assert store.close_dead_runs(project.mlruns) == []  # this process lives
    with pytest.raises(IntegrityError, match="may still be going on"):
        store.load_capsule(run_id)


def test_a_closed_run_is_found_by_name_beginning_end_and_latest(project):
    first, second = finish(project.mlruns), finish(project.mlruns)
    for name in (second.run_id, second.run_id[-6:], "latest"):
        assert store.load_capsule(name).record == second.record
    with pytest.raises(InputError, match=r"run must name one run; got 'heston'\. It may be heston-"):
        store.load_capsule("heston")
    with pytest.raises(InputError, match=f"Did you mean '{first.run_id}'"):
        store.load_capsule(first.run_id[:-1] + "?")


def test_a_name_with_a_pattern_in_it_finds_nothing(project):
    finish(project.mlruns)
    with pytest.raises(InputError, match="run must be a recorded run; got '%'"):
        store.load_capsule("%")


def test_a_store_without_runs_says_so(project):
    assert store.list_runs() == []
    with pytest.raises(InputError, match="This store has no runs"):
        store.load_capsule("latest")


def test_a_run_verifies_until_a_byte_changes(project):
    run = finish(project.mlruns)
    assert verify_run(run.run_id) == []
    (run.folder / "notebook.ipynb").write_text("{ }")
    assert "artifact notebook.ipynb must have the digest of the capsule" in verify_run(run.run_id)[0]
    (run.folder / "notebook.ipynb").unlink()
    assert verify_run(run.run_id) == ["artifact notebook.ipynb is missing"]


def test_an_edited_capsule_is_found_even_when_its_digests_were_made_to_fit(project):
    run = finish(project.mlruns)
    raw = json.loads((run.folder / capsule.FILE).read_text())
    raw["results"]["metrics"]["rmse"]["value"] = 1.0
    edited = capsule.write(run.folder, raw)
    assert edited.identity != run.identity
    assert f"{capsule.FILE} must have the digest of the index" in verify_run(run.run_id)[0]


def test_a_reordered_capsule_is_found(project):
    run = finish(project.mlruns)
    path = run.folder / capsule.FILE
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert any("must be canonical JSON" in problem for problem in verify_run(run.run_id))


def test_identity_forgets_who_where_and_when_but_not_what(project):
    run = finish(project.mlruns)
    other = json.loads(json.dumps(run.raw))
    other["operator"]["user"], other["code"]["commit"] = "eve", "f" * 40
    other["times"]["started"], other["environment"]["cpu"] = "2000-01-01T00:00:00Z", "another"
    assert capsule.identity(other) == run.identity
    other["results"]["metrics"]["seconds"] = {"value": 3.2, "unit": "s", "rtol": "inf", "atol": 0.0}
    assert capsule.identity(other) == run.identity
    for change in (
        lambda raw: raw["results"]["metrics"]["rmse"].update(value=12.500001),
        lambda raw: raw["parameters"].update(n=4),
        lambda raw: raw["code"]["closure"].update({"src/a.py": "b" * 64}),
        lambda raw: raw["data"].append({"name": "x", "as_of": None, "columns": ["a"], "sha256": "0" * 64}),
        lambda raw: raw["environment"].update(lock="m" * 64),
    ):
        changed = json.loads(json.dumps(run.raw))
        change(changed)
        assert capsule.identity(changed) != run.identity


def test_filters_and_sorts_reach_fields_metrics_and_parameters(project):
    for rmse, method in ((12.5, "garch"), (25.0, "ewma"), (3.0, "ewma")):
        finish(project.mlruns, rmse=rmse, method=method)
    finish(project.mlruns, status="FAILED", rmse=99.0)
    values = lambda **k: [run.metrics["rmse"]["value"] for run in store.list_runs(**k)]  # noqa: E731
    assert values(where="rmse < 20") == [3.0, 12.5]
    assert values(where="rmse < 20 and method = ewma") == [3.0]
    assert values(where="passed = no", status="finished") == [25.0]
    assert values(where="method ~ GAR") == [12.5]
    assert values(sort="-rmse", limit=2) == [99.0, 25.0]
    assert values(sort="rmse:asc", limit=1) == [3.0]
    assert values(notebook="heston", limit=1) == [99.0]
    with pytest.raises(InputError, match="Did you mean 'rmse'"):
        store.list_runs(sort="rsme")


OPEN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_run_store import finish, skeleton, store
root = Path(sys.argv[1])
if sys.argv[3] == "finish":
    print(finish(root).run_id)
elif sys.argv[3] == "many":
    print(len({finish(root, n=n).run_id for n in range(125)}))
else:
    print(store.open_run(root, skeleton(), "request")[0], flush=True)
    time.sleep(60)
"""


def spawn(root: Path, what: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", OPEN, str(root), str(Path(__file__).parent), what]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_eight_processes_that_start_on_an_empty_store_all_succeed(project):
    processes = [spawn(project.mlruns, "finish") for _ in range(8)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, answers
    assert {answer[0].strip() for answer in answers} == {run.run_id for run in store.list_runs(status="FINISHED")}
    assert all(verify_run(run.run_id) == [] for run in store.list_runs())


def test_a_killed_process_leaves_a_run_that_the_next_command_closes_as_failed(project):
    process = spawn(project.mlruns, "open")
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    assert store.get_run(run_id).status == "RUNNING"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    assert store.close_dead_runs(project.mlruns) == [run_id]
    run = store.load_capsule(run_id)
    assert (run.status, run.pinned) == ("FAILED", False)
    assert "killed" in store.get_run(run_id).message
    assert verify_run(run_id) == []


def test_a_process_that_reuses_the_id_of_a_dead_one_does_not_keep_its_run_open(project):
    run_id, _ = store.open_run(project.mlruns, skeleton(), "request")
    with index.writing(project.mlruns) as db:
        db.execute("UPDATE runs SET start_ticks = start_ticks - 1 WHERE run_id = ?", (run_id,))
    assert store.close_dead_runs(project.mlruns) == [run_id]


def test_a_run_of_another_machine_is_not_judged(project):
    run_id, _ = store.open_run(project.mlruns, skeleton(), "request")
    with index.writing(project.mlruns) as db:
        db.execute("UPDATE runs SET host = 'elsewhere', pid = 1 WHERE run_id = ?", (run_id,))
    assert store.close_dead_runs(project.mlruns) == []


def test_a_store_that_cannot_be_made_is_refused_by_one_sentence(project, monkeypatch):
    (project.root / "file").write_text("")
    monkeypatch.setenv("RESEARCH_STORE", str(project.root / "file"))
    with pytest.raises(ProjectError, match=r"the store must be writable; got .*Set RESEARCH_STORE"):
        store.open_run(project.mlruns, skeleton(), "request")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_store_can_be_asked_but_not_written(project):
    run = finish(project.mlruns)
    for path in (project.mlruns, *project.mlruns.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert store.load_capsule("latest").record == run.record
        assert store.close_dead_runs(project.mlruns) == []
        with pytest.raises(ProjectError, match="the store must be writable"):
            store.open_run(project.mlruns, skeleton(), "request")
    finally:
        for path in (project.mlruns, *project.mlruns.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_two_thousand_runs_are_listed_at_once(project):
    first = finish(project.mlruns)
    with index.writing(project.mlruns) as db:
        row = dict(db.execute("SELECT * FROM runs").fetchone())
        for i in range(2000):
            row["run_id"] = f"{first.run_id}-{i}"
            db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    start = time.perf_counter()
    assert len(store.list_runs(where="rmse < 20")) == 2001
    print(f"2001 runs filtered in {time.perf_counter() - start:.3f} s")


def test_conditions_reach_fields_metrics_and_parameters_in_one_question(project):
    for rmse, method, n in ((12.5, "garch", 3), (25.0, "ewma", 4), (3.0, "ewma", 5)):
        finish(project.mlruns, rmse=rmse, method=method, n=n)
    ask = lambda *a, **k: [run.metrics["rmse"]["value"] for run in query(*a, **k)]  # noqa: E731
    small, ewma = Comparison("rmse", "<", 20), Comparison("method", "=", "ewma")
    assert ask(Both((small, ewma))) == [3.0]
    assert ask(Either((small, ewma)), sort=[("n", False)]) == [12.5, 25.0, 3.0]
    assert ask(Not(ewma)) == [12.5]
    assert ask(Comparison("method", "!=", "ewma")) == [12.5]
    assert ask(Comparison("parameter.n", ">=", 4), sort=[("metric.rmse", True)], limit=1) == [25.0]
    assert ask(Comparison("n", "=", "4")) == [25.0]
    assert ask(Comparison("passed", "=", "yes"), sort=[("rmse", False)], offset=1) == [12.5]
    assert ask(Comparison("method", "~", "GAR")) == [12.5]
    assert ask(Comparison("n", "=", None)) == []
    with pytest.raises(
        InputError, match=r"name must be a field, metric or parameter of a run; got 'rsme'\. Did you mean 'rmse'"
    ):
        query(Comparison("rsme", "<", 1))
    assert names()["metrics"] == ["rmse"]


def test_a_name_or_value_with_sql_in_it_is_only_a_name_or_value(project):
    finish(project.mlruns, method="x' OR 1=1 --")
    assert len(query(Comparison("method", "=", "x' OR 1=1 --"))) == 1
    assert query(Comparison("method", "=", "' OR 1=1 --")) == []
    with pytest.raises(InputError, match="must be a field"):
        query(Comparison("rmse) OR (1", "=", 1))


def test_a_run_of_a_sweep_knows_its_point(project):
    with store.part_of("sweep-a", 7):
        inside = finish(project.mlruns)
    finish(project.mlruns)
    assert [(run.run_id, run.point) for run in query(sweep="sweep-a")] == [(inside.run_id, 7)]


def test_an_index_of_the_first_version_is_brought_up_to_date_and_keeps_its_runs(project):
    run = finish(project.mlruns)
    with index.writing(project.mlruns) as db:
        for line in (
            "DROP INDEX runs_of_sweep", "ALTER TABLE runs DROP COLUMN sweep", "ALTER TABLE runs DROP COLUMN point",
            "DROP TABLE sweeps", "DROP TABLE sweep_points", "PRAGMA user_version=1",
        ):  # fmt: skip
            db.execute(line)
    index.forget(project.mlruns)
    assert [r.run_id for r in query(Comparison("rmse", "<", 20))] == [run.run_id]
    assert store.get_run().sweep is None


def test_a_clock_that_jumps_back_neither_hides_the_latest_run_nor_makes_time_negative(project, monkeypatch):
    finish(project.mlruns)
    real = store.now
    stamps = iter(["2001-01-01T00:00:10.000000Z", "2001-01-01T00:00:00.000000Z"])
    monkeypatch.setattr(store, "now", lambda: next(stamps, None) or real())
    late = finish(project.mlruns)
    assert store.get_run("latest").run_id == late.run_id
    assert 0.0 <= store.get_run(late.run_id).seconds < 60.0


def test_a_full_disk_is_said_by_one_sentence_and_leaves_the_index_whole(project):
    finish(project.mlruns)
    with index.writing(project.mlruns) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    index.forget(project.mlruns)
    with (
        pytest.raises(
            ProjectError, match=r"the disk of the store must have room; got none left at .*Nothing was recorded"
        ),
        index.writing(project.mlruns) as db,
    ):
        db.execute(f"PRAGMA max_page_count={pages}")
        db.execute("UPDATE runs SET message = ?", ("x" * 1_000_000,))
    assert store.get_run().message == ""


def test_a_network_file_system_is_refused_unless_a_slower_journal_is_asked_for(project, monkeypatch):
    monkeypatch.setattr(index, "file_system", lambda path: "nfs4")
    with pytest.raises(
        ProjectError, match=r"the store must lie on a local disk; got .* \(nfs4, .*RESEARCH_JOURNAL=delete"
    ):
        finish(project.mlruns)
    monkeypatch.setenv("RESEARCH_JOURNAL", "delete")
    finish(project.mlruns)
    with index.reading(project.mlruns) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"


def test_a_damaged_index_is_refused_and_the_run_folders_are_named(project):
    finish(project.mlruns)
    index.forget(project.mlruns)
    for name in ("index.db-wal", "index.db-shm"):
        (project.mlruns / name).unlink(missing_ok=True)
    (project.mlruns / "index.db").write_bytes(b"no database" * 100)
    with pytest.raises(ProjectError, match=r"index\.db must be a SQLite database; got a damaged file"):
        store.list_runs()


def test_a_forked_process_opens_its_own_connection(project):
    run = finish(project.mlruns)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if finish(project.mlruns).run_id != run.run_id else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finish(project.mlruns)
    assert len(store.list_runs()) == 3


def test_ten_thousand_runs_answer_a_condition_on_metrics_and_parameters(project):
    first = finish(project.mlruns, n=1)
    with index.writing(project.mlruns) as db:
        row = dict(db.execute("SELECT * FROM runs").fetchone())
        for i in range(10_000):
            row |= {"run_id": f"{first.run_id}-{i}", "parameters": json.dumps({"n": i})}
            db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    start = time.perf_counter()
    found = query(Both((Comparison("rmse", "<", 20), Comparison("n", ">=", 5000))), sort=[("n", True)], limit=20)
    print(f"10,001 runs asked in {time.perf_counter() - start:.3f} s")
    assert [run.parameters["n"] for run in found] == list(range(9999, 9979, -1))


@pytest.mark.parametrize(
    "where",
    [
        "rmse < 20", "rmse >= 12.5 and n = 3", "n = 3", "n = 3.0", "text = 3", "text = a", "flag = yes", "flag = true",
        "flag = 1", "rmse > 1 and flag", "odd = nan", "odd < 5", "n < 4 or text = a", "not n = 3", "text = 'a' & n > 1",
        "n != 3", "text ~ A", "metrics.rmse < 20", "status = FINISHED and rmse < 20", "age < 2d", "pinned = yes",
        "some = none", "some = 5", "n in (3, 4)",
    ],
)  # fmt: skip
def test_asking_sql_first_finds_the_same_runs(project, where):
    from research.lineage import listing

    for n, text, flag, odd in ((3, "a", True, "nan"), (4, "3", False, 2.5), (5, "A", True, 7)):
        finish(project.mlruns, rmse=n * 4.0 + 0.5, n=n, text=text, flag=flag, odd=odd, some=None if n == 3 else n)
    wanted = [run.run_id for run in listing.selected(store.list_runs(), where)]
    assert [run.run_id for run in store.list_runs(where=where)] == wanted


@pytest.mark.deep
def test_a_thousand_runs_from_eight_processes_that_start_on_an_empty_store(project):
    processes = [spawn(project.mlruns, "many") for _ in range(8)]
    answers = [process.communicate(timeout=240) for process in processes]
    assert [answer[0].strip() for answer in answers] == ["125"] * 8, answers
    assert len(store.list_runs(status="FINISHED")) == 1000
    assert len({run.run_id for run in query()}) == 1000
    assert all(verify_run(run.run_id) == [] for run in store.list_runs()[::50])


def test_a_disk_that_fills_up_while_a_capsule_is_written_is_said_and_leaves_the_run_open(project, monkeypatch):
    run_id, folder = store.open_run(project.mlruns, skeleton(), "request")
    raw = json.loads((folder / "opened.json").read_text())
    raw["status"], raw["times"]["ended"] = "FINISHED", store.now()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(capsule.os, "fsync", full)
        with pytest.raises(ProjectError, match="the disk of the store must have room; got none left at"):
            store.close_run(project.mlruns, raw)
    assert not (folder / capsule.FILE).exists()
    assert store.get_run(run_id).status == "RUNNING"
    assert store.close_run(project.mlruns, raw).status == "FINISHED"

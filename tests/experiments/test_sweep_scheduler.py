"""A sweep loses nothing and runs nothing twice, whoever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import sweep_helpers as helpers

from research.errors import RefusedError
from research.experiments.sweep import ledger as ledgers
from research.experiments.sweep import scheduler
from research.experiments.sweep.ledger import Ledger
from research.experiments.sweep.pool import Pool
from research.experiments.sweep.task import cause
from research.lineage import query, store

Inline = helpers.Inline


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("RESEARCH_STORE", "RESEARCH_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return helpers.make_project(tmp_path)


def enter(project, *parameters) -> Ledger:
    return Ledger.create(
        project, helpers.SPEC, helpers.points(*parameters), more={"notebook_digest": "d", "varied": ["x"]}
    )


def work(ledger: Ledger, executor, **options) -> scheduler.Progress:
    seen: list[scheduler.Progress] = []
    # a pool is made when the sweep is held: its workers hold the lock that the scheduler waits for
    make = executor if callable(executor) else lambda folder: executor
    scheduler.work(ledger, make, watch=seen.append, **options)
    return seen[-1]


def finished(project, ledger: Ledger) -> dict[int, int]:
    """How many finished runs each point has."""
    runs = query(sweep=ledger.sweep_id, status="FINISHED", project=project)
    return {p.number: sum(run.point == p.number for run in runs) for p in ledger.points()}


def test_every_point_is_run_once_and_the_best_come_first(project):
    ledger = enter(project, *({"x": x} for x in (3, 1, 2)))
    end = work(ledger, Inline())
    assert [p.state for p in ledger.points()] == ["done"] * 3
    assert [p.parameters["x"] for p in end.best] == [1, 2, 3]
    assert (end.done, end.ended, ledger.state()) == (3, 3, "finished")
    assert finished(project, ledger) == {0: 1, 1: 1, 2: 1}


def test_a_failed_point_is_an_answer_and_is_grouped_by_cause(project):
    ledger = enter(project, *({"x": x, "fails": x > 1} for x in range(4)))
    end = work(ledger, Inline())
    assert (end.done, end.failed) == (2, 2)
    from research.experiments.sweep.summary import causes

    (only,) = causes(ledger.points())
    assert (only["cause"], only["points"]) == ("cell 3 (x = f(n)): ValueError: bad #.", [2, 3])
    seen = Inline()
    work(ledger, seen, retry=True)
    assert seen.seen == [2, 3]


def test_a_worker_that_dies_costs_a_try_and_the_third_death_sets_the_point_aside(project):
    ledger = enter(project, {"x": 0}, {"x": 1}, {"x": 2})
    executor = Inline({0: 2, 1: 3})
    end = work(ledger, executor)
    assert [(p.state, p.attempts) for p in ledger.points()] == [("done", 2), ("set aside", 3), ("done", 0)]
    assert ledger.points()[1].message == "its worker died 3 times (killed by SIGKILL)"
    assert (end.aside, end.lost) == (1, 5)


def test_who_says_that_it_has_tried_enough_is_believed(project):
    ledger = enter(project, {"x": 0})
    work(ledger, Inline({0: 1}, final=True))
    assert ledger.points()[0].state == "set aside"


def test_a_stopped_sweep_goes_on_where_it_was(project):
    ledger = enter(project, *({"x": x} for x in range(6)))
    with pytest.raises(KeyboardInterrupt):
        work(ledger, Inline(stop_after=4))
    assert (ledger.state(), ledger.counts()["done"]) == ("interrupted", 4)
    rest = Inline()
    end = work(ledger, rest)
    assert rest.seen == [4, 5]
    assert (end.done, ledger.state()) == (6, "finished")
    again = Inline()
    work(ledger, again)
    assert again.seen == []


def test_a_run_that_was_closed_but_not_noted_is_taken_over(project):
    ledger = enter(project, {"x": 5}, {"x": 6})
    task = scheduler._task(ledger, ledger.points()[0], False)
    told = helpers.record(task)  # and the scheduler dies here
    rest = Inline()
    work(ledger, rest)
    assert rest.seen == [1]
    assert (ledger.points()[0].run_id, ledger.points()[0].value) == (told["run_id"], 25.0)


def test_two_schedulers_of_one_sweep_are_refused(project):
    ledger = enter(project, {"x": 5})
    with (
        ledger.scheduling(),
        pytest.raises(RefusedError, match="is going on in another process; wait for it, or stop it"),
    ):
        work(ledger, Inline())


def test_who_goes_on_waits_for_workers_left_behind(project):
    ledger = enter(project, {"x": 5})
    left, late = ledgers.working(ledger.folder), ledger.scheduling(wait_s=0.05)
    with left, pytest.raises(RefusedError, match=r"a worker of the former process is still"), late:
        pass
    work(ledger, Inline())


def test_a_sweep_is_found_by_name_part_and_latest(project):
    first, second = enter(project, {"x": 1}), enter(project, {"x": 2})
    assert ledgers.resolve(project, "latest") == second.sweep_id
    assert ledgers.resolve(project, first.sweep_id[-4:]) == first.sweep_id
    with pytest.raises(ValueError, match=r"sweep must name one sweep; got 'fake'\. It may be sweep-fake-"):
        ledgers.resolve(project, "fake")
    with pytest.raises(ValueError, match=r"sweep must be a recorded sweep; got 'x'\. See research sweep --list"):
        ledgers.resolve(project, "x")


def test_trials_count_every_recipe_of_a_notebook_once(project):
    for xs in ((1, 2), (2, 3, 4)):
        work(enter(project, *({"x": x} for x in xs)), Inline())
    assert ledgers.trials(project, "notebooks/fake.ipynb") == 4


def test_a_cause_leaves_numbers_and_paths_out():
    text = "a.ipynb failed in cell 4 (y = g(x)): ValueError: x is -1.5e-3. The partial notebook is /r/notebook.ipynb."
    assert cause(text) == "cell 4 (y = g(x)): ValueError: x is #."
    assert (
        cause("a.ipynb failed in start-up: the kernel died (exit code 3).")
        == "start-up: the kernel died (exit code #)."
    )


@pytest.mark.slow
def test_local_workers_run_every_point_and_survive_poison_and_silent_deaths(project):
    xs = [{"x": x, "poison": x == 3} for x in range(12)]
    ledger = enter(project, *xs)
    (project.root / "die-after-5").write_text("")
    end = work(ledger, lambda folder: Pool(3, folder, helpers.record))
    assert [p.number for p in ledger.points("set aside")] == [3]
    assert finished(project, ledger) == {x: int(x != 3) for x in range(12)}
    assert (end.done, end.aside, end.lost) == (11, 1, 4)


def start(project, ledger: Ledger, jobs: int) -> subprocess.Popen:
    call = [sys.executable, str(Path(helpers.__file__)), str(project.root), ledger.sweep_id, str(jobs)]
    return subprocess.Popen(call, cwd=project.root, stderr=subprocess.PIPE, text=True)


def children_of(folder: Path) -> list[int]:
    """Processes that hold the workers' lock."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                names = [str(fd.readlink()) for fd in (entry / "fd").iterdir()]
            except OSError:
                continue
            if str(folder / ".workers") in names and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


@pytest.mark.deep
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the workers in /proc")
def test_a_thousand_points_with_random_kills_lose_nothing_and_duplicate_nothing(project):
    count, jobs, chance = 1000, 8, random.Random(1)
    ledger = enter(project, *({"x": x, "sleep": 0.01} for x in range(count)))
    kills = {"workers": 0, "schedulers": 0}
    process = start(project, ledger, jobs)
    end = time.monotonic() + 200
    while process.poll() is None or ledger.counts()["waiting"]:
        assert time.monotonic() < end, ledger.counts()
        if process.poll() is not None:
            assert process.returncode in (0, -signal.SIGKILL), process.stderr.read()
            process.stderr.close()
            process = start(project, ledger, jobs)
        time.sleep(0.5)
        workers = children_of(ledger.folder)
        if kills["workers"] < 40 and workers and chance.random() < 0.8:
            os.kill(chance.choice([pid for pid in workers if pid != process.pid] or [process.pid]), signal.SIGKILL)
            kills["workers"] += 1
        if kills["schedulers"] < 6 and chance.random() < 0.25:
            process.kill()
            process.wait()
            kills["schedulers"] += 1
    process.wait()
    process.stderr.close()
    print(kills, ledger.counts())
    assert kills["schedulers"] >= 1
    states = [p.state for p in ledger.points()]
    aside = states.count("set aside")  # a point whose workers chance killed three times
    assert states.count("done") == count - aside
    runs = finished(project, ledger)
    assert all(runs[p.number] == int(p.state == "done") for p in ledger.points())
    store.close_dead_runs(project.mlruns)  # those that were killed on the way
    assert query(sweep=ledger.sweep_id, status="RUNNING", project=project) == []


@pytest.mark.deep
def test_a_cluster_gives_the_same_results_and_sets_poison_aside(project):
    pytest.importorskip("distributed")
    from research.experiments.sweep.cluster import Cluster

    xs = [{"x": x, "poison": x == 3} for x in range(10)]
    here, there = enter(project, *xs), enter(project, *xs)
    work(here, lambda folder: Pool(2, folder, helpers.record))
    (project.root / "die-after-5").write_text("")
    cluster = Cluster("local", 2, there.folder, helpers.record_held)
    end = work(there, cluster)
    assert [(p.number, p.message) for p in there.points("set aside")] == [(3, "its worker died 3 times on the cluster")]
    assert end.done == 9
    identities = lambda ledger: {  # noqa: E731
        run.point: run.identity for run in query(sweep=ledger.sweep_id, status="FINISHED", project=project)
    }
    assert identities(here) == identities(there)
    assert len(identities(there)) == 9


def answer_of(status: str, client: str):
    """What a cluster makes of a future in this status, with its client in that one."""
    from research.experiments.sweep.cluster import Cluster

    cluster = object.__new__(Cluster)
    cluster._client, cluster._out = SimpleNamespace(status=client), {7: None}
    return cluster._answer(7, SimpleNamespace(status=status))


@pytest.mark.parametrize("status", ["lost", "cancelled"])
def test_a_point_that_the_cluster_lost_is_tried_again(status):
    pytest.importorskip("distributed")
    found = answer_of(status, "running")
    assert (found.error, found.final, found.died) == (None, False, "the cluster lost it")
    with pytest.raises(RefusedError, match="the cluster must stay up; it went away with point 7"):
        answer_of(status, "connecting")


def test_an_address_without_a_scheduler_is_refused_by_name(project):
    pytest.importorskip("distributed")
    from research.experiments.sweep.cluster import Cluster

    with pytest.raises(ValueError, match=r"--cluster must be the address of a running Dask scheduler; got 'nowhere'"):
        Cluster("nowhere", 1, project.root)

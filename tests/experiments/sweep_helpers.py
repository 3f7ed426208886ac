"""A sweep without notebooks: what a worker does is a function of the parameters, recorded as a run would be."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from research.experiments.sweep.ledger import Ledger, working
from research.experiments.sweep.points import Points
from research.experiments.sweep.pool import Answer
from research.experiments.sweep.spec import Spec
from research.experiments.sweep.task import Task, facts
from research.lineage import store
from research.project import Project


def make_project(root: Path) -> Project:
    for name in ("dvc.yaml", "data/catalog.yaml"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return Project(root)


def skeleton(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operator": {"user": "ada", "git_name": "Ada", "git_email": "ada@example.org"},
        "notebook": {"path": "notebooks/fake.ipynb", "digest": "d" * 64, "title": "Fake"},
        "code": {"commit": "c" * 40, "closure": {}, "core": "", "digest": "", "dirty": []},
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


def record(task: Task) -> dict[str, Any]:
    """Open a run, do what the parameters say, close it."""
    parameters, root = task.parameters, store.root_of(Project(Path(task.project)))
    if parameters.get("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    with store.part_of(task.sweep_id, task.point):
        _, folder = store.open_run(root, skeleton(parameters), f"request {parameters}")
    time.sleep(parameters.get("sleep", 0.0))
    raw = json.loads((folder / "opened.json").read_text())
    raw["status"], raw["times"]["ended"] = "FINISHED", store.now()
    raw["results"]["metrics"]["loss"] = {"value": float(parameters["x"]) ** 2, "unit": "", "rtol": 0.0, "atol": 0.0}
    done = store.close_run(root, raw)
    marker = Path(task.project) / f"die-after-{task.point}"
    if marker.exists():  # closed, but nobody hears of it
        marker.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"state": "done", "run_id": done.run_id, "hit": 0, "seconds": 0.0, **facts(done.metrics, task.metric)}


def record_held(task: Task, folder: str) -> dict[str, Any]:
    """What a worker of a cluster does."""
    with working(Path(folder)):
        done = finished_run(task)
        return done if done is not None else record(task)


def finished_run(task: Task) -> dict[str, Any] | None:
    """The run that an earlier worker closed before it died (a real run finds it as a hit)."""
    run = Ledger(Project(Path(task.project)), task.sweep_id).finished_run(task.point)
    if run is None:
        return None
    return {"state": "done", "run_id": run.run_id, "hit": 0, "seconds": 0.0, **facts(run.metrics, task.metric)}


def notebook_text(parameters: str, *cells: str) -> str:
    """A notebook with these code cells, the first tagged `parameters`."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {"tags": ["parameters"] if i == 0 else []},
            "outputs": [],
            "execution_count": None,
            "id": f"cell-{i}",
        }
        for i, source in enumerate((parameters, *cells))
    ]
    return json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def points(*parameters: dict[str, Any]) -> Points:
    return Points(parameters, ("x",), 0, 0)


SPEC = Spec(notebook="notebooks/fake.ipynb", metric="loss")


class Inline:
    """Runs each point at once, in this process; `dies` says how many times a point's worker dies first."""

    def __init__(
        self, dies: dict[int, int] | None = None, *, final: bool = False, stop_after: int | None = None
    ) -> None:
        self.dies, self.final, self.left = dict(dies or {}), final, stop_after
        self.seen: list[int] = []
        self.waiting: list[Task] = []

    def free(self) -> int:
        return 1 - len(self.waiting)

    def submit(self, task: Task) -> None:
        self.waiting.append(task)

    def answers(self, timeout_s: float) -> list[Answer]:
        task = self.waiting.pop()
        self.seen.append(task.point)
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        if self.dies.get(task.point, 0) > 0:
            self.dies[task.point] -= 1
            return [Answer(task.point, None, died="killed by SIGKILL", final=self.final)]
        if task.parameters.get("fails"):
            message = f"notebooks/fake.ipynb failed in cell 3 (x = f(n)): ValueError: bad {task.point}."
            from research.experiments.sweep.task import cause

            return [
                Answer(task.point, {"state": "failed", "run_id": None, "message": message, "cause": cause(message)})
            ]
        return [Answer(task.point, record(task))]

    def close(self) -> None:
        """Nothing to end."""


if __name__ == "__main__":  # a scheduler to kill: PROJECT SWEEP JOBS
    from research.experiments.sweep.pool import Pool
    from research.experiments.sweep.scheduler import work

    sys.path.insert(0, str(Path(__file__).parent))
    import sweep_helpers

    work(
        Ledger(Project(Path(sys.argv[1])), sys.argv[2]),
        lambda folder: Pool(int(sys.argv[3]), folder, sweep_helpers.record),
    )

"""One point in one process: the same function in a local worker, on a cluster, and in a test."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from research.errors import InputError, ResearchError
from research.project import Project


class Task(NamedTuple):
    """All that a worker needs to know; plain values, so that it travels."""

    project: str
    notebook: str  # path in the project
    sweep_id: str
    point: int
    parameters: dict[str, Any]
    metric: str | None = None
    force: bool = False


def run_point(task: Task) -> dict[str, Any]:
    """Run one point and say what became of it; a notebook that fails is an answer, not an error."""
    from research.experiments.runner import run_notebook
    from research.lineage import store

    project, started = Project(Path(task.project)), time.perf_counter()
    options: dict[str, Any] = {"project": project, "force": task.force, "deliver": "never"}  # MLflow hears in bulk
    with store.part_of(task.sweep_id, task.point):
        try:
            outcome = run_notebook(project.root / task.notebook, task.parameters, **options)
        except InputError:
            raise  # the sweep was checked before: this is no matter of the point
        except ResearchError as error:
            run_id = getattr(error, "run_id", None)
            return {
                "state": "failed",
                "run_id": run_id,
                "message": str(error),
                "cause": cause(str(error)),
                "seconds": time.perf_counter() - started,
            }
    return {"state": "done", **facts(outcome.capsule.metrics, task.metric), "run_id": outcome.run_id} | {
        "hit": int(outcome.hit),
        "seconds": time.perf_counter() - started,
    }


def facts(metrics: dict[str, dict[str, Any]], metric: str | None) -> dict[str, Any]:
    """The value that says what is best, if the run recorded it."""
    if metric is None or metric not in metrics:
        return {"value": None}
    number = float(metrics[metric]["value"])
    return {"value": number if number == number else None}


_WHERE = re.compile(r" failed in (?:cell (\d+) \((.*)\)|(.*?)): (.*?)(?: The partial notebook is .*)?$", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def cause(message: str) -> str:
    """What failures have in common: the cell and the message, its numbers left open."""
    found = _WHERE.search(message)
    if not found:
        return _NUMBER.sub("#", message)[:200]
    place = f"cell {found[1]} ({found[2]})" if found[1] else found[3]
    return f"{place}: {_NUMBER.sub('#', found[4])}"[:200]

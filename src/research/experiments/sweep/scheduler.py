"""Hands out the points of a sweep, writes down what became of them, and goes on where another process stopped.

What is written is written after it happened: a point is done when its run is closed in the store and noted here. A
scheduler that dies between the two finds the run by sweep and point and takes it over, so nothing is run twice; a
worker that dies costs its point a try; a point whose workers died three times is set aside.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from research.errors import RefusedError
from research.experiments import notebooks
from research.experiments.sweep import design, points
from research.experiments.sweep.ledger import (
    ASIDE,
    DONE,
    FAILED,
    FINISHED,
    INTERRUPTED,
    WAITING,
    Ledger,
    Point,
    best,
)
from research.experiments.sweep.pool import Answer, Executor, Pool
from research.experiments.sweep.spec import Spec
from research.experiments.sweep.task import Task, facts, run_point
from research.project import Project

MOST_TRIES = 3


@dataclass(slots=True)
class Progress:
    """How far a sweep is; handed to whoever shows it, again and again."""

    total: int
    metric: str | None
    goal: str
    done: int = 0
    failed: int = 0
    aside: int = 0
    hits: int = 0
    lost: int = 0  # workers that died
    started: float = field(default_factory=time.monotonic)
    first: float = 0.0  # when the first point ended
    here: int = 0  # points that this process has seen the end of
    best: list[Point] = field(default_factory=list)
    last: Point | None = None

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.aside

    @property
    def rate(self) -> float:
        """Points a second, in this process; once there are some, without the time that workers took to start."""
        if self.here > 4:
            return (self.here - 1) / max(1e-9, time.monotonic() - self.first)
        return self.here / max(1e-9, time.monotonic() - self.started)

    @property
    def left_s(self) -> float | None:
        return (self.total - self.ended) / self.rate if self.here else None


Watcher = Callable[[Progress], None]
Start = Callable[[Path], Executor]  # given the folder of the sweep


def local(jobs: int) -> Start:
    """Worker processes on this machine."""
    return lambda folder: Pool(jobs, folder, run_point)


def plan(spec: Spec, project: Project) -> points.Points:
    """The checked points of a sweep; nothing is run or written."""
    schema = notebooks.read(project.root / spec.notebook).schema()
    return points.check(spec, schema, design.draw(spec, schema, project))


def sweep(spec: Spec, project: Project, start: Start, *, watch: Watcher | None = None, force: bool = False) -> Ledger:
    """Run every point of `spec` and record it.

    Raises
    ------
    ParameterError
        Before anything runs: names every point that breaks a rule of the notebook's schema.
    """
    planned = plan(spec, project)
    more = {"notebook_digest": notebooks.read(project.root / spec.notebook).digest, "varied": list(planned.varied)}
    ledger = Ledger.create(project, spec, planned, more=more)
    work(ledger, start, watch=watch, force=force)
    return ledger


def resume(ledger: Ledger, start: Start, *, watch: Watcher | None = None, failed: bool = False) -> Ledger:
    """Go on with a sweep that was stopped or killed; with `failed` also try again what failed or was set aside."""
    refuse_changed(ledger)
    work(ledger, start, watch=watch, retry=failed)
    return ledger


def refuse_changed(ledger: Ledger) -> None:
    """Points of one sweep come from one notebook."""
    if notebooks.read(ledger.project.root / ledger.notebook).digest != ledger.spec["notebook_digest"]:
        raise RefusedError(
            f"{ledger.notebook} has changed since sweep {ledger.sweep_id} began. Start a new sweep: points that were "
            "run with the same code are answered at once."
        )


def work(
    ledger: Ledger,
    start: Start,
    *,
    watch: Watcher | None = None,
    force: bool = False,
    retry: bool = False,
) -> None:
    """Run what is waiting."""
    with ledger.scheduling():
        if retry:
            ledger.again(FAILED, ASIDE)
        with at_work(ledger, start) as worker:
            worker.run(watch, force=force)
        if watch is not None:
            watch(worker.progress)


class Worker:
    """Runs the waiting points of a sweep, as often as there are some; its executor starts with the first."""

    def __init__(self, ledger: Ledger, start: Start, progress: Progress) -> None:
        self.progress = progress
        self._ledger, self._start = ledger, start
        self._executor: Executor | None = None

    def run(self, watch: Watcher | None, *, force: bool = False) -> None:
        todo = deque(_take_over(self._ledger, self.progress, self._ledger.points(WAITING)))
        if not todo:
            return
        if self._executor is None:
            self._executor = self._start(self._ledger.folder)
        _loop(self._ledger, self._executor, todo, self.progress, watch, force)

    def close(self) -> None:
        if self._executor is not None:
            self._executor.close()


@contextmanager
def at_work(ledger: Ledger, start: Start, *, total: int | None = None) -> Iterator[Worker]:
    """The sweep is running inside; afterwards it is finished, or interrupted."""
    ledger.reopen()
    progress = _progress(ledger)
    progress.total = total or progress.total
    worker = Worker(ledger, start, progress)
    try:
        yield worker
    except BaseException:
        ledger.close(INTERRUPTED)
        raise
    finally:
        worker.close()
    ledger.close(FINISHED)


def _progress(ledger: Ledger) -> Progress:
    counts, everything = ledger.counts(), ledger.points()
    made = Progress(len(everything), ledger.metric, ledger.goal)
    made.done, made.failed, made.aside, made.hits = counts[DONE], counts[FAILED], counts[ASIDE], counts["hits"]
    made.best = best(everything, ledger.goal, 5)
    return made


def _take_over(ledger: Ledger, progress: Progress, waiting: list[Point]) -> list[Point]:
    """Note the points whose run was closed although nobody heard; the others."""
    left = []
    for point in waiting:
        if not _adopt(ledger, progress, point):
            left.append(point)
    return left


def _adopt(ledger: Ledger, progress: Progress, point: Point) -> bool:
    run = ledger.finished_run(point.number)
    if run is None:
        return False
    found = {"state": DONE, "run_id": run.run_id, "seconds": run.seconds, **facts(run.metrics, ledger.metric)}
    _note(ledger, progress, point, found)
    return True


def _loop(
    ledger: Ledger,
    executor: Executor,
    todo: deque[Point],
    progress: Progress,
    watch: Watcher | None,
    force: bool,
) -> None:
    out: dict[int, Point] = {}
    while todo or out:
        while todo and executor.free():
            point = todo.popleft()
            out[point.number] = point
            executor.submit(_task(ledger, point, force))
        for answer in executor.answers(0.25):
            again = _take(ledger, progress, out.pop(answer.point), answer)
            if again is not None:
                todo.append(again)
        if watch is not None:
            watch(progress)


def _task(ledger: Ledger, point: Point, force: bool) -> Task:
    root = str(ledger.project.root)
    return Task(root, ledger.notebook, ledger.sweep_id, point.number, point.parameters, ledger.metric, force)


def _take(ledger: Ledger, progress: Progress, point: Point, answer: Answer) -> Point | None:
    """Write down an answer; the point when it has to be tried again."""
    import dataclasses

    if answer.error is not None:
        raise answer.error
    if answer.facts is not None:
        _note(ledger, progress, point, answer.facts)
        return None
    progress.lost += 1
    if _adopt(ledger, progress, point):
        return None
    tries = point.attempts + 1
    if tries < MOST_TRIES and not answer.final:
        ledger.note(point.number, attempts=tries)
        return dataclasses.replace(point, attempts=tries)
    message = answer.died if answer.final else f"its worker died {tries} times ({answer.died})"
    found = {"state": ASIDE, "attempts": tries, "message": message, "cause": message}
    _note(ledger, progress, point, found)
    return None


def _note(ledger: Ledger, progress: Progress, point: Point, found: dict[str, Any]) -> None:
    import dataclasses

    ledger.note(point.number, **found)
    state = found["state"]
    progress.done += state == DONE
    progress.failed += state == FAILED
    progress.aside += state == ASIDE
    progress.hits += bool(found.get("hit"))
    progress.here += 1
    progress.first = progress.first or time.monotonic()
    known = {name: value for name, value in found.items() if name in Point.__dataclass_fields__}
    progress.last = dataclasses.replace(point, **known)
    progress.best = best([*progress.best, progress.last], progress.goal, 5)

"""Worker processes on this machine: forked from a server that has imported everything once; each lives long.

A worker takes one point at a time. It dies with the scheduler (Linux tells it), and a worker that dies is replaced;
what that means for its point is the scheduler's matter.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from research.experiments.sweep.task import Task

_PRELOAD = ["research.experiments.sweep.preload"]


class Answer(NamedTuple):
    """What came back for a point: its facts, or how the worker died."""

    point: int
    facts: dict[str, Any] | None
    died: str = ""
    error: BaseException | None = None  # of the sweep, not of the point
    final: bool = False  # whoever runs it has tried often enough


class Executor(Protocol):
    """Whoever runs points."""

    def free(self) -> int:
        """How many points may be handed over now."""

    def submit(self, task: Task) -> None: ...

    def answers(self, timeout_s: float) -> Sequence[Answer]:
        """What has come back; waits for the first at most so long."""

    def close(self) -> None: ...


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Any
    task: Task | None = None
    ready: bool = False


def serve(pipe: Any, folder: str, run: Callable[[Task], dict[str, Any]]) -> None:
    """The loop of a worker."""
    from research.experiments.sweep.ledger import working

    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the scheduler
    with working(Path(folder)), contextlib.suppress(EOFError, BrokenPipeError):
        pipe.send(("ready", None))
        while (task := pipe.recv()) is not None:
            try:
                pipe.send(("done", run(task)))
            except Exception as error:
                pipe.send(("error", error))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; the fork server ends with the scheduler


class Pool:
    """`jobs` local workers."""

    def __init__(self, jobs: int, folder: Path, run: Callable[[Task], dict[str, Any]]) -> None:
        self._folder, self._run = folder, run
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._workers = [self._start() for _ in range(jobs)]

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, str(self._folder), self._run), daemon=False)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def pids(self) -> list[int]:
        return [int(worker.process.pid) for worker in self._workers]

    def free(self) -> int:
        return sum(worker.task is None for worker in self._workers)

    def submit(self, task: Task) -> None:
        worker = next(w for w in self._workers if w.task is None)
        worker.task = task
        if worker.ready:  # else it is sent when the worker says so: not before it holds its lock
            self._send(worker)

    def _send(self, worker: _Worker) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionError):  # its death is seen by `answers`
            worker.pipe.send(worker.task)

    def answers(self, timeout_s: float) -> list[Answer]:
        connection.wait([*(w.pipe for w in self._workers), *(w.process.sentinel for w in self._workers)], timeout_s)
        out: list[Answer] = []
        for place, worker in enumerate(self._workers):
            out += self._listen(worker)
            if worker.process.exitcode is not None:
                out += self._listen(worker)  # what it said before it died
                if worker.task is not None:
                    out.append(Answer(worker.task.point, None, died=_ending(worker.process.exitcode)))
                worker.pipe.close()
                self._workers[place] = self._start()
        return out

    def _listen(self, worker: _Worker) -> list[Answer]:
        out = []
        with contextlib.suppress(EOFError, ConnectionError):
            while worker.pipe.poll():
                word, content = worker.pipe.recv()
                if word == "ready":
                    worker.ready = True
                    if worker.task is not None:
                        self._send(worker)
                elif worker.task is not None:
                    point, worker.task = worker.task.point, None
                    out.append(Answer(point, content) if word == "done" else Answer(point, None, error=content))
        return out

    def close(self) -> None:
        """Let idle workers end; kill those at a point."""
        for worker in self._workers:
            if worker.task is not None:
                worker.process.kill()
            else:
                with contextlib.suppress(OSError):
                    worker.pipe.send(None)
        for worker in self._workers:
            worker.process.join(5.0)
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

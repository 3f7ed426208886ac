"""The same points on Dask distributed: `local` starts workers here, an address uses a cluster that stands.

Every worker must see the project and the store under the same paths (asked of each before anything runs), because a
point is recorded where it is run. Dask gives a point whose worker died to another one; after three deaths it gives
up, and the point is set aside.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from research.errors import InputError, MissingExtraError, RefusedError, rule
from research.experiments.sweep.pool import Answer, Executor
from research.experiments.sweep.task import Task, run_point

_DEATHS = 3
_START_S = 60.0
_AHEAD = 2  # points handed over per thread of the cluster


def on_cluster(address: str, jobs: int) -> Callable[[Path], Executor]:
    """What runs points on the cluster at `address`, or on one of `jobs` processes here."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MissingExtraError("a cluster needs Dask: pip install 'research[distributed]'") from None
    return lambda folder: Cluster(address, jobs, folder)


def run_held(task: Task, folder: str) -> dict[str, Any]:
    """One point on a worker that holds the sweep while it is at it."""
    from research.experiments.sweep.ledger import working

    with working(Path(folder)):
        return run_point(task)


def sees(path: str, word: str) -> bool:
    """Whether this worker sees the file that the scheduler wrote."""
    try:
        return Path(path).read_text(encoding="utf-8") == word
    except OSError:
        return False


class Cluster:
    """Hands points to Dask."""

    def __init__(
        self, address: str, jobs: int, folder: Path, run: Callable[[Task, str], dict[str, Any]] = run_held
    ) -> None:
        self._folder, self._run = folder, run
        self._local: Any = None
        self._client = self._here(jobs) if address == "local" else _connect(address)
        self._done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._out: dict[int, Any] = {}
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _here(self, jobs: int) -> Any:
        import dask
        from distributed import Client, LocalCluster

        settings = {
            "distributed.scheduler.allowed-failures": _DEATHS - 1,
            "distributed.worker.daemon": False,  # a run starts processes of its own
            "distributed.admin.log-format": "%(message)s",
            "logging.distributed": "critical",
        }
        with dask.config.set(settings):
            self._local = LocalCluster(
                n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
            )
            return Client(self._local)

    def _check(self) -> None:
        """Refuse a cluster without workers, or one whose workers do not see the store."""
        with contextlib.suppress(TimeoutError):
            self._client.wait_for_workers(1, timeout=_START_S)
        if not self._threads():
            raise RefusedError(f"the cluster at {self._client.scheduler.address} has no workers; start dask worker.")
        word, note = secrets.token_hex(8), self._folder / f".cluster-{socket.gethostname()}"
        note.write_text(word, encoding="utf-8")
        try:
            seen = self._client.run(sees, str(note), word)
        finally:
            note.unlink()
        blind = [worker for worker, found in seen.items() if not found]
        if blind:
            raise RefusedError(
                f"every worker must see the store at {self._folder}; {blind[0]} does not. Share the folder, "
                "or set RESEARCH_STORE to a shared one."
            )

    def _threads(self) -> int:
        return sum(worker["nthreads"] for worker in self._client.scheduler_info(n_workers=-1)["workers"].values())

    def free(self) -> int:
        return max(0, _AHEAD * max(1, self._threads()) - len(self._out))

    def submit(self, task: Task) -> None:
        future = self._client.submit(
            self._run, task, str(self._folder), pure=False, key=f"point-{task.point}-{id(task)}"
        )
        self._out[task.point] = future
        future.add_done_callback(lambda done, point=task.point: self._done.put((point, done)))

    def answers(self, timeout_s: float) -> list[Answer]:
        out: list[Answer] = []
        with contextlib.suppress(queue.Empty):
            out.append(self._answer(*self._done.get(timeout=timeout_s)))
            while True:
                out.append(self._answer(*self._done.get_nowait()))
        return out

    def _answer(self, point: int, future: Any) -> Answer:
        from distributed import KilledWorker

        del self._out[point]
        if future.status == "finished":
            return Answer(point, future.result())
        if future.status != "error":  # cancelled or lost: the point, with its worker, or the whole cluster
            if self._client.status != "running":
                raise RefusedError(f"the cluster must stay up; it went away with point {point}. Start it and resume.")
            return Answer(point, None, died="the cluster lost it")
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Answer(point, None, died=f"its worker died {_DEATHS} times on the cluster", final=True)
        return Answer(point, None, error=error)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.cancel(list(self._out.values()), force=True)
        with contextlib.suppress(Exception):
            self._client.close()
        if self._local is not None:
            with contextlib.suppress(Exception):
                self._local.close()


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        text = " ".join(str(error).split())[:120]
        hint = f"{text}. Start dask scheduler, or write --cluster local."
        raise InputError(rule("--cluster", "be the address of a running Dask scheduler", address, hint)) from None

"""The papermill engine `research`: papermill's contract on a kernel of our own, over ipc, saved as it goes.

`papermill --engine research in.ipynb out.ipynb` works too; `research run` adds checks, record and tracking.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from research.experiments.process import Kernel


@contextlib.contextmanager
def _without_slow_grammar() -> Iterator[None]:
    """jsonschema builds a URI grammar at import, over a second, for a format that notebooks do not have."""
    name = "rfc3987_syntax"
    had = name in sys.modules
    if not had:
        sys.modules[name] = None  # type: ignore[assignment]
    warnings.filterwarnings(
        "ignore", message="Cell is missing an id field"
    )  # ids come with format 4.5; ours may be older
    try:
        yield
    finally:
        if not had:
            del sys.modules[name]


with _without_slow_grammar():
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

SAVE_EVERY_S = 0.5
NAME = "research"


class Step(NamedTuple):
    """Progress of a run: a cell starts or is done."""

    cell: int  # position among the cells of the source notebook, from 1
    total: int
    line: str  # first line of its code
    done: bool
    seconds: float


class _Manager(NotebookExecutionManager):
    """Keeps the executed notebook on disk as the run goes, and says where it is."""

    def __init__(self, nb: Any, progress: Callable[[Step], None] | None, **options: Any) -> None:
        super().__init__(nb, progress_bar=False, **options)
        self._progress = progress
        self._saved = 0.0
        self._started = 0.0
        self.where = "start-up"  # the running cell, in words

    def save(self, **kwargs: Any) -> None:
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            super().save(**kwargs)
            self._saved = time.monotonic()

    def cell_start(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        self._started = time.monotonic()
        if cell_index is not None:  # in words, now: papermill moves cells when one fails
            number = f"cell {source_number(self.nb, cell_index)}"
            self.where = f"{'the injected parameters' if is_injected(cell) else number} ({first_line(cell)})"
        super().cell_start(cell, cell_index, **kwargs)
        self._tell(cell, cell_index, False)

    def cell_complete(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        super().cell_complete(cell, cell_index, **kwargs)
        self._tell(cell, cell_index, True)

    def notebook_complete(self, **kwargs: Any) -> None:
        self._saved = 0.0
        super().notebook_complete(**kwargs)

    def _tell(self, cell: Any, index: int | None, done: bool) -> None:
        if self._progress is not None and index is not None and cell.cell_type == "code" and not is_injected(cell):
            seconds = time.monotonic() - self._started
            self._progress(Step(source_number(self.nb, index), source_total(self.nb), first_line(cell), done, seconds))


def is_injected(cell: Any) -> bool:
    return "injected-parameters" in cell.get("metadata", {}).get("tags", [])


def source_number(nb: Any, index: int) -> int:
    """The number of a cell in the source notebook, from 1, where papermill has injected none."""
    return 1 + sum(not is_injected(cell) for cell in nb.cells[:index])


def source_total(nb: Any) -> int:
    return sum(not is_injected(cell) for cell in nb.cells)


def first_line(cell: Any) -> str:
    """The first line of a cell that is code."""
    lines = [line.strip() for line in cell["source"].splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    line = (code or lines or [""])[0]
    return line if len(line) <= 72 else line[:69] + "..."


class _Client(PapermillNotebookClient):
    """Runs the cells, then asks the kernel what it has seen."""

    def papermill_execute_cells(self) -> None:
        super().papermill_execute_cells()
        code = "__import__('research.experiments.witness', fromlist=['write']).write()"
        with contextlib.suppress(Exception):  # no report is a finding of its own
            self.wait_for_reply(self.kc.execute(code, silent=True, store_history=False))


class ResearchEngine(Engine):  # type: ignore[misc]
    """Runs a notebook on a private kernel."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: Any = None,
        progress_bar: Any = None,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        kernel: Kernel | None = None,
        progress: Callable[[Step], None] | None = None,
        positions: list[Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        manager = _Manager(nb, progress, output_path=output_path, autosave_cell_every=autosave_cell_every)
        if positions is not None:
            positions.append(manager)
        manager.notebook_start()
        own = kernel or Kernel(cwd=Path.cwd(), env={})
        client = None
        try:
            client = _Client(manager, km=own.manager, kernel_name="python3", startup_timeout=120, iopub_timeout=60)
            client.execute(cleanup_kc=False)
        finally:
            if client is not None and client.kc is not None:
                client.kc.stop_channels()
            if kernel is None:
                own.close()
            manager.notebook_complete()
        return manager.nb


papermill_engines.register(NAME, ResearchEngine)


def execute(
    source: Path, target: Path, parameters: Mapping[str, Any], kernel: Kernel, progress: Callable[[Step], None] | None
) -> None:
    """Run `source` with papermill on `kernel`; the executed notebook goes to `target` as it grows.

    Raises
    ------
    RunError
        Names the cell, its first line, and the exception.
    """
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    from research.errors import RunError

    positions: list[_Manager] = []
    try:
        execute_notebook(
            _literal(source),
            _literal(target),
            parameters=dict(parameters),
            engine_name=NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            kernel=kernel,
            progress=progress,
            positions=positions,
        )
    except PapermillExecutionError as error:
        raise RunError(f"{_where(positions)}: {error.ename}: {_one_line(error.evalue)}") from None
    except (DeadKernelError, RuntimeError) as error:
        if kernel.exit_status() is None and not isinstance(error, DeadKernelError):  # outputs were lost, for one
            raise RunError(f"{_where(positions)}: {_one_line(str(error))}") from None
        last = kernel.last_words()
        said = f" Its last words: {_one_line(last)}" if last else ""
        raise RunError(f"{_where(positions)}: the kernel died ({_ending(kernel.exit_status())}).{said}") from None


def _literal(path: Path) -> str:
    """papermill fills `{name}` in paths from the parameters; ours mean what they say."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _where(positions: list[_Manager]) -> str:
    return positions[0].where if positions else "start-up"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    line = line if len(line) <= 300 else line[:297] + "..."
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _ending(status: int | None) -> str:
    import signal

    if status is None:
        return "for an unknown reason"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}"

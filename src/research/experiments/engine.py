"""The papermill engine `research`: papermill's contract, with our interpreters, saved now and then, not per cell.

    papermill --engine research in.ipynb out.ipynb -p n 5

A notebook runs in `process` mode, or on a Jupyter kernel where its metadata say so; `research run` adds checks,
record and tracking.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from research.errors import RunError
from research.experiments import execution
from research.experiments.cells import Interpreter, NeedsKernel, ending, one_line
from research.experiments.executed import SAVE_EVERY_S, tags
from research.experiments.outputs import OutputLimitError, Outputs
from research.experiments.page import without_slow_grammar
from research.experiments.warm.client import InterpreterDiedError, TimeLimitError

with without_slow_grammar():
    from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

NAME = "research"


class _Manager(NotebookExecutionManager):  # type: ignore[misc]
    """papermill's bookkeeping, that writes the notebook now and then."""

    _saved = 0.0

    def save(self, **kwargs: Any) -> None:
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            super().save(**kwargs)
            self._saved = time.monotonic()

    def notebook_complete(self, **kwargs: Any) -> None:
        self._saved = 0.0
        super().notebook_complete(**kwargs)


class ResearchEngine(Engine):  # type: ignore[misc]
    """Runs the cells of a notebook that papermill has prepared."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: Any = None,
        progress_bar: Any = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        execution_timeout: float | None = None,
        **kwargs: Any,
    ) -> Any:
        manager = _Manager(
            nb,
            output_path=output_path,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        manager.notebook_start()
        try:
            mode = execution.mode_in(nb.metadata, "notebook", None)
            how = execution.How(cwd=Path(kwargs.get("cwd") or Path.cwd()), mode=mode)
            try:
                _run(manager, mode, how, execution_timeout)
            except NeedsKernel:
                _run(manager, "kernel", how, execution_timeout)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb


def _run(manager: _Manager, mode: execution.Mode, how: execution.How, timeout_s: float | None) -> None:
    interpreter = execution.open_interpreter(mode, how)
    outputs = Outputs()
    try:
        for index, cell in enumerate(manager.nb.cells):
            manager.cell_start(cell, index)
            if cell.cell_type == "code" and cell.source.strip() and "skip-execution" not in tags(cell):
                good = _run_cell(cell, interpreter, outputs, timeout_s)
                if not good and "raises-exception" not in tags(cell):
                    manager.cell_exception(cell, index)
                    break
            manager.cell_complete(cell, index)
    finally:
        interpreter.close()


def _run_cell(cell: Any, interpreter: Interpreter, outputs: Outputs, timeout_s: float | None) -> bool:
    """Whether the cell did what it should; papermill finds the error in its outputs."""
    from nbformat import from_dict

    held: dict[str, Any] = {}
    outputs.begin(held)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        reply: Mapping[str, Any] = interpreter.run(cell.source, cell.get("id"), outputs.hear, deadline=deadline)
    except InterpreterDiedError as error:
        raise RunError(f"the kernel died ({ending(error.status)}). {one_line(interpreter.last_words())}") from None
    except TimeLimitError:
        raise RunError(f"a cell must end within {timeout_s:g} s; got no end.") from None
    except OutputLimitError as error:
        raise RunError(f"{error}.") from None
    finally:
        outputs.settle()
        cell.outputs = from_dict(held["outputs"])
    if reply.get("needs_kernel"):
        raise NeedsKernel
    cell.execution_count = reply.get("execution_count")
    return bool(reply["status"] == "ok")


papermill_engines.register(NAME, ResearchEngine)

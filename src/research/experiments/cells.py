"""Run the cells of a notebook, one after the other, on an interpreter of any kind, within limits."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from research.errors import RunError
from research.experiments.executed import Executed, first_line, is_injected, tags
from research.experiments.outputs import OutputLimitError
from research.experiments.warm.client import InterpreterDiedError, TimeLimitError


class Step(NamedTuple):
    """Progress of a run: a cell starts or is done."""

    cell: int  # position among the cells of the source notebook, from 1
    total: int
    line: str  # first line of its code
    done: bool
    seconds: float


class NeedsKernel(Exception):
    """The notebook asks for what only a Jupyter kernel has."""


class Interpreter(Protocol):
    """What runs cells."""

    mode: str
    left: list[str]  # processes that had to be ended with it; known, as what follows, once it is closed
    cpu_s: float | None
    peak_memory: int | None

    @property
    def warm(self) -> bool: ...

    def run(
        self, source: str, cell_id: str | None, hear: Callable[[Mapping[str, Any]], None], *, deadline: float | None
    ) -> dict[str, Any]: ...

    def stop(self) -> None: ...

    def report(self) -> dict[str, Any] | None: ...

    def last_words(self) -> str: ...

    def widget_state(self) -> dict[str, Any]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take; None is no limit."""

    timeout_s: float | None = None
    memory: int | None = None  # bytes
    output: int | None = None  # characters


def run_cells(
    book: Executed, interpreter: Interpreter, limits: Limits, progress: Callable[[Step], None] | None
) -> None:
    """Run the cells of `book`.

    Raises
    ------
    RunError
        Names the cell, its first line, and the exception.
    NeedsKernel
    """
    deadline = None if limits.timeout_s is None else time.monotonic() + limits.timeout_s
    for number, cell in book.to_run():
        where = "the injected parameters" if is_injected(cell) else f"cell {number}"
        where = f"{where} ({first_line(cell)})"
        tell = progress if progress is not None and not is_injected(cell) else None
        if tell is not None:
            tell(Step(number, book.total, first_line(cell), False, 0.0))
        book.begin(cell)
        reply, failure = _run_one(book, cell, interpreter, deadline, limits)
        if reply.get("needs_kernel"):
            raise NeedsKernel
        seconds = book.end(cell, count=reply.get("execution_count"), failed=bool(failure))
        if tell is not None:
            tell(Step(number, book.total, first_line(cell), True, seconds))
        if failure and not ("raises-exception" in tags(cell) and reply):
            book.finish(cell)
            raise RunError(f"{where}: {failure}")
        book.save(now=False)
    book.finish()


def _run_one(
    book: Executed, cell: dict[str, Any], interpreter: Interpreter, deadline: float | None, limits: Limits
) -> tuple[dict[str, Any], str]:
    """The reply to one cell, and what went wrong with it."""

    def hear(event: Mapping[str, Any]) -> None:
        book.outputs.hear(event)
        book.save(now=False)

    try:
        reply = interpreter.run("".join(cell["source"]), cell.get("id"), hear, deadline=deadline)
    except InterpreterDiedError as error:
        last = interpreter.last_words()
        said = f" Its last words: {one_line(last)}" if last else ""
        return {}, f"the kernel died ({ending(error.status)}).{said}"
    except TimeLimitError:
        interpreter.stop()
        return {}, f"the run must end within {limits.timeout_s:g} s; got no end."
    except OutputLimitError as error:
        interpreter.stop()
        return {}, f"{error}."
    if reply["status"] == "ok":
        return reply, ""
    shown = [output for output in cell["outputs"] if output["output_type"] == "error"]
    told = reply if reply["ename"] != "NoneType" or not shown else shown[-1]  # a display that failed, not the code
    return reply, f"{told['ename']}: {one_line(told['evalue'])}"


def one_line(text: str) -> str:
    line = " ".join(text.split())
    line = line if len(line) <= 300 else line[:297] + "..."
    return line if line.endswith((".", "!", "?")) else f"{line}."


def ending(status: int | None) -> str:
    if status is None:
        return "for an unknown reason"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}"

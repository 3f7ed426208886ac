"""One notebook from source to executed copy, in `process` or in `kernel` mode.

`process` (the default): a child of the warm process runs the cells in an IPython shell. `kernel`: a Jupyter kernel,
for widgets and whatever else needs one; a notebook asks for it with `metadata.research.engine = "kernel"`. A notebook
that turns out to need a kernel is begun again on one, with a note.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from research.errors import RunError, require
from research.experiments.cells import Interpreter, Limits, NeedsKernel, Step, ending, run_cells
from research.experiments.executed import Executed
from research.experiments.warm import place
from research.experiments.warm.client import last_words

Mode = Literal["process", "kernel"]
MODES = ("process", "kernel")


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """In which way a notebook is run."""

    cwd: Path
    mode: Mode = "process"
    cold: bool = False  # a fresh interpreter, whatever is warm
    env: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Ran:
    """What is known of a run besides its notebook."""

    mode: str = "process"
    warm: bool = False
    report: dict[str, Any] | None = None  # of the witness
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # processes that had to be ended
    cpu_s: float | None = None
    peak_memory: int | None = None  # bytes


def mode_of(source: Path, wanted: str | None) -> Mode:
    """The mode of a run: as wanted, else as the notebook says, else `process` where the system can."""
    metadata = {} if wanted is not None else json.loads(source.read_bytes()).get("metadata") or {}
    return mode_in(metadata, source.name, wanted)


def mode_in(metadata: Mapping[str, Any], name: str, wanted: str | None) -> Mode:
    """The same, from the metadata of the notebook called `name`."""
    if wanted is not None:
        require(wanted in MODES, "engine", wanted, f"be one of {', '.join(MODES)}")
        found = wanted
    else:
        found = (metadata.get("research") or {}).get("engine", "process")
        require(found in MODES, f"metadata.research.engine of {name}", found, f"be one of {', '.join(MODES)}")
    return "process" if found == "process" and place.is_possible() else "kernel"


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    how: How,
    ran: Ran,
    progress: Callable[[Step], None] | None = None,
) -> None:
    """Run `source`; the executed notebook goes to `target` as it grows, what else is known into `ran`.

    Raises
    ------
    RunError
        Names the cell, its first line, and the exception.
    """
    mode = how.mode
    try:
        _attempt(mode, source, target, parameters, how, ran, progress)
    except NeedsKernel:
        ran.notes.append("begun again on a Jupyter kernel: it uses widgets or comms")
        _attempt("kernel", source, target, parameters, how, ran, progress)


def _attempt(
    mode: Mode,
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    how: How,
    ran: Ran,
    progress: Callable[[Step], None] | None,
) -> None:
    book = Executed(source, target, parameters, limit=how.limits.output)
    ran.mode = mode
    interpreter = open_interpreter(mode, how)
    try:
        ran.warm = interpreter.warm
        run_cells(book, interpreter, how.limits, progress)
        if widgets := interpreter.widget_state():
            book.raw["metadata"]["widgets"] = widgets
            book.save()
    except (RunError, NeedsKernel):
        raise
    except BaseException:  # Ctrl-C, a full disk
        interpreter.stop()
        raise
    finally:
        ran.report = interpreter.report()
        interpreter.close()
        ran.left, ran.cpu_s, ran.peak_memory = interpreter.left, interpreter.cpu_s, interpreter.peak_memory


def open_interpreter(mode: Mode, how: How) -> Interpreter:
    """An interpreter in `mode`, ready for cells."""
    from research.experiments.warm.client import Interpreter as Process
    from research.experiments.warm.client import InterpreterDiedError

    try:
        if mode == "process":
            return Process(cwd=how.cwd, env=how.env, log=how.log, memory=how.limits.memory, cold=how.cold)
        from research.experiments.kernel_cells import KernelInterpreter

        return KernelInterpreter(cwd=how.cwd, env=how.env, log=how.log, memory=how.limits.memory, cold=how.cold)
    except InterpreterDiedError as error:
        said = last_words(how.log)
        raise RunError(f"start-up: the kernel died ({ending(error.status)}). {said}".rstrip()) from None
    except OSError as error:
        raise RunError(f"no interpreter could be started: {error}.") from None

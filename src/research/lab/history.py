"""What a notebook recorded before, and what differs now: parameters, cells, code, data, environment, results.

"Now" is the notebook as it is saved, the values in the kernel, the files of the project, and what `record(...)` has
declared in this kernel.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import InputError, ResearchError, rule
from research.experiments.jsonable import float_from_json
from research.experiments.summary import number
from research.project import Project, find_project

_OPENED = "notebooks/opened/"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was: `then` and `now` as text for people."""

    kind: str  # parameter, cell, code, data, environment, result
    name: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class Session:
    """The notebook that a kernel belongs to."""

    project: Project
    path: Path  # of the file
    values: Mapping[str, Any]  # the kernel's names

    @property
    def name(self) -> str:
        return self.path.resolve().relative_to(self.project.root.resolve()).as_posix()

    @property
    def is_opened_run(self) -> bool:
        return self.name.startswith(_OPENED)


def session(values: Mapping[str, Any], history: list[str]) -> Session:
    """The notebook of this kernel: told by VS Code or JupyterLab, or found by its parameters cell.

    Raises
    ------
    InputError
        When nobody says which notebook it is.
    """
    project = find_project()
    told = values.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    path = Path(str(told)) if told else None
    if path is None or path.suffix != ".ipynb" or not path.is_file():
        path = _by_parameters(project, history)
    if path is None or not path.resolve().is_relative_to(project.root.resolve()):
        hint = "Save the notebook inside the project, and run its parameters cell."
        raise InputError(rule("this notebook", f"be known and lie in {project.root}", str(told or "nothing"), hint))
    return Session(project, path, values)


def _by_parameters(project: Project, history: list[str]) -> Path | None:
    """The one notebook whose parameters cell ran here."""
    from research.experiments import notebooks

    ran = {source.strip() for source in history if source.strip()}
    found = []
    for path in sorted((project.root / "notebooks").rglob("*.ipynb")):
        try:
            cells = notebooks.read(path).cells
        except ResearchError:
            continue
        if any("parameters" in cell["tags"] and cell["source"].strip() in ran for cell in cells):
            found.append(path)
    return found[0] if len(found) == 1 else None


def runs(where: Session, limit: int | None = None) -> list[Any]:
    """Recorded runs of the notebook, newest first; of a run that was opened again, that run."""
    from research.lineage import get_run, list_runs

    if where.is_opened_run:
        try:
            return [get_run(where.path.stem, project=where.project)]
        except ResearchError:
            return []
    found = [r for r in list_runs(notebook=where.name, project=where.project) if r.notebook == where.name]
    return found[:limit]


def last(where: Session) -> Any | None:
    """The capsule of the newest run that finished; None when there is none."""
    from research.lineage import load_capsule

    done = next((run for run in runs(where) if run.status == "FINISHED"), None)
    return None if done is None else load_capsule(done.run_id, project=where.project)


def differences(where: Session, recorded: Any) -> list[Difference]:
    """Everything that differs between a run and now; empty when a run now would be asked the same."""
    return [
        *_parameters(where, recorded),
        *_cells(where, recorded),
        *_files(where, recorded),
        *_environment(where, recorded),
        *_results(recorded),
    ]


def _parameters(where: Session, recorded: Any) -> list[Difference]:
    from research.experiments import notebooks

    try:
        schema = notebooks.read(where.path).schema()
        now = schema.check({name: where.values[name] for name in schema.names if name in where.values}).to_json()
    except ResearchError as error:
        return [Difference("parameter", "cell", "valid", str(error))]
    then = recorded.parameters
    names = [*then, *(name for name in now if name not in then)]
    return [
        Difference("parameter", name, _text(then, name), _text(now, name))
        for name in names
        if then.get(name) != now.get(name) or (name in then) != (name in now)
    ]


def _text(values: Mapping[str, Any], name: str) -> str:
    return number(values[name]) if name in values else "none"


def _cells(where: Session, recorded: Any) -> list[Difference]:
    """Code cells of the saved notebook against those that ran, by their text."""
    import difflib
    import json

    from research.experiments import notebooks
    from research.lab.reopen import notebook_of

    executed = recorded.folder / "notebook.ipynb"
    if not executed.is_file():
        return []
    ran = notebook_of(json.loads(executed.read_text(encoding="utf-8")), recorded)["cells"]
    added = {"parameters-of-run", "data-of-run"}
    then = ["".join(c["source"]) for c in ran if c["cell_type"] == "code" and c.get("id") not in added]
    cells = [(n, c) for n, c in enumerate(notebooks.read(where.path).cells, 1) if c["type"] == "code"]
    cells = [(n, c) for n, c in cells if "injected-parameters" not in c["tags"] and not _is_aid(c["source"])]
    now = [c["source"] for _, c in cells]
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        for i in range(max(b - a, d - c)) if tag != "equal" else ():
            old = then[a + i] if a + i < b else ""
            new = now[c + i] if c + i < d else ""
            place = f"cell {cells[c + i][0]}" if c + i < d else "removed cell"
            if not _same_code(old, new):
                found.append(Difference("cell", place, *_first_change(old, new)))
    return found


def _is_aid(source: str) -> bool:
    """A cell that only asks these questions, or holds the data of a run that was opened again."""
    lines = [line for line in source.splitlines() if line.strip()]
    asks = all(line.startswith(("%load_ext research", "%last", "%run_info", "%lineage")) for line in lines)
    return "research.lab.held" in source or (bool(lines) and asks)


def _same_code(old: str, new: str) -> bool:
    """Whether two cells are the same but for comments and spaces."""
    try:
        return ast.dump(ast.parse(old)) == ast.dump(ast.parse(new))
    except SyntaxError:
        return old == new


def _first_change(old: str, new: str) -> tuple[str, str]:
    a, b = old.splitlines(), new.splitlines()
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return (a[at].strip() if at < len(a) else "no line"), (b[at].strip() if at < len(b) else "no line")


def _files(where: Session, recorded: Any) -> list[Difference]:
    """Modules and data files that have other bytes than they had."""
    from research.experiments.closure import closure_file
    from research.fingerprint import digest_file

    found = []
    for name, digest in recorded.closure.items():
        path = closure_file(where.project, name)
        now = digest_file(path) if path is not None else ""
        if now != digest:
            found.append(Difference("code", name.removeprefix("outside/"), digest[:12], now[:12] or "gone"))
    for read in recorded.data:
        path = where.project.root / read["path"]
        now = digest_file(path) if path.is_file() else ""
        if now != read["file_sha256"]:
            found.append(Difference("data", read["name"], str(read["file_sha256"])[:12], now[:12] or "gone"))
    return found


def _environment(where: Session, recorded: Any) -> list[Difference]:
    from research.lineage import environment

    then, now = recorded.environment, environment.describe(where.project.lock)
    old, new = then.get("distributions", {}), now.get("distributions", {})
    found = [
        Difference("environment", name, old.get(name, "none"), new.get(name, "none"))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if then.get("python") != now.get("python"):
        found.insert(0, Difference("environment", "Python", str(then.get("python")), str(now.get("python"))))
    return found


def _results(recorded: Any) -> list[Difference]:
    """What this kernel declared against what was recorded, beyond the declared tolerance."""
    from research.experiments.recording import declared

    mine, found = declared(), list[Difference]()
    for name, item in mine["metrics"].items():
        old = recorded.metrics.get(name)
        if old is None:
            found.append(Difference("result", name, "none", number(item["value"])))
        elif not _within(float_from_json(old["value"]), float_from_json(item["value"]), old):
            then, now = float_from_json(old["value"]), float_from_json(item["value"])
            change = f" ({(now - then) / abs(then):+.2%})" if then and abs(then) < float("inf") else ""
            found.append(Difference("result", name, number(then), number(now) + change))
    for name, item in mine["tables"].items():
        before = recorded.tables.get(name)
        if before is None or before["digest"] != item["digest"]:
            rows = "none" if before is None else f"{before['rows']:,} rows"
            found.append(Difference("result", f"table {name}", rows, f"{item['rows']:,} rows, other values"))
    if mine["passed"] is not None and mine["passed"] != recorded.passed:
        found.append(Difference("result", "passed", str(recorded.passed), str(mine["passed"])))
    return found


def _within(then: float, now: float, item: Mapping[str, Any]) -> bool:
    rtol, atol = float_from_json(item["rtol"]), float_from_json(item["atol"])
    return then == now or then != then or abs(now - then) <= atol + rtol * abs(then)

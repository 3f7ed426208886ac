"""The end of `make demo`: what ran, what came out, who approved it, where to look. Colour on a terminal only."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from research.report import text
from research.report.facts import Facts, collect

if TYPE_CHECKING:
    from research.project import Project
    from research.report.facts import Model, Notebook

_STYLES = {"passed": "green", "not passed": "red", "failed": "red", "running": "yellow"}
_SHOWN = 3  # numbers for each notebook


def summary(project: Project | None = None, *, width: int | None = None, colour: bool | None = None) -> str:
    """The summary as text, ready to print.

    Parameters
    ----------
    project : Project, optional
        Default: the project around the working directory.
    width : int, optional
        Columns; default: the terminal's, 100 elsewhere.
    colour : bool, optional
        Default: on a terminal, unless NO_COLOR is set.
    """
    import shutil

    from rich.console import Console

    from research.project import find_project

    facts = collect(project or find_project())
    terminal = sys.stdout.isatty() if colour is None else colour
    columns = width or (shutil.get_terminal_size((100, 40)).columns if sys.stdout.isatty() else 100)
    buffer = io.StringIO()
    colours: Any = "standard" if terminal and not (colour is None and os.environ.get("NO_COLOR")) else None
    console = Console(
        file=buffer, width=max(columns, 72), color_system=colours, force_terminal=bool(colours), highlight=False
    )
    _print(console, facts)
    return buffer.getvalue()


def _print(console: Any, facts: Facts) -> None:
    if not facts.ran:
        console.print("No run is recorded yet. make demo runs everything; research run NOTEBOOK runs one.")
        return
    console.print(_table(facts.ran))
    for notebook in facts.ran:
        for line in _problems(notebook):
            console.print(line, style="red", markup=False)
    for model in facts.models:
        if model.version:
            console.print(_model(model), markup=False)
    for ledger in facts.ledgers:
        if ledger.problem:
            console.print(f"Ledger: {ledger.problem}", style="red", markup=False)
    console.print()
    for label, place in _places(facts):
        console.print(f"{label:<10}{place}", markup=False, soft_wrap=True)


def _table(ran: list[Notebook]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("notebook", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("numbers", overflow="fold")
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("run", no_wrap=True)
    for notebook in ran:
        run = notebook.run
        assert run is not None
        shown = list(notebook.headline.items())[:_SHOWN]
        numbers = "; ".join(
            f"{text.label(name, m['unit'])} {text.quantity(m['value'], text.unit_beside(name, m['unit']))}"
            for name, m in shown
        )
        verdict = Text(notebook.verdict, style=_STYLES.get(notebook.verdict, ""))
        took = text.duration(run.seconds)
        table.add_row(notebook.key, verdict, Text(numbers), took, run.run_id.rsplit("-", 1)[-1])
    return table


def _problems(notebook: Notebook) -> list[str]:
    found = [f"{notebook.key}: not as it was recorded: {problem}" for problem in notebook.problems]
    if notebook.run is not None and notebook.run.status == "FAILED":
        found.append(f"{notebook.key}: {notebook.run.message}")
    if notebook.failed_since is not None:
        found.append(f"{notebook.key}: a newer run failed: {notebook.failed_since.message}")
    return found


def _model(model: Model) -> str:
    """heston_dax version 1: production (demo ledger). submit ada, validate bo, approve cy."""
    where = " (demo ledger)" if model.demo else ""
    steps = ", ".join(f"{s.step} {s.person}" for s in model.signatures)
    return f"Model {model.name} version {model.version}: {model.state}{where}. Signed: {steps}."


def _places(facts: Facts) -> list[tuple[str, str]]:
    run = facts.ran[-1].run
    page = facts.project.reports / "index.html"
    found = [("Page", str(page))] if page.is_file() else [("Page", "research report")]
    found += [("Runs", "research runs    make ui (MLflow)    make lab (JupyterLab)")]
    if run is not None:
        found.append(("Re-run", f"research reproduce {run.run_id}"))
    live = [model for model in facts.models if model.state == "production"]
    if live:
        demo = ", demo=True" if live[-1].demo else ""
        found.append(("Model", f"python -c 'import research; print(research.load(\"{live[-1].reference}\"{demo}))'"))
    return found

"""`research runs`: list runs; filter and sort them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from research.lineage.store import Run

app = typer.Typer(add_completion=False)


@app.command()
def runs(
    where: Annotated[
        str | None,
        typer.Option("-w", "--where", metavar="TEST", help='Keep runs where, e.g. "rmse < 20 and passed = yes".'),
    ] = None,
    notebook: Annotated[str | None, typer.Option("-n", "--notebook", help="Part of the notebook's path.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="FINISHED, FAILED or RUNNING.")] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="NAME", help="A field, metric or parameter; -NAME for largest first."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs, newest first; filter and sort them by fields, metrics and parameters."""
    from research.lineage.store import close_dead_runs, list_runs, root_of

    close_dead_runs(root_of())
    found = list_runs(notebook=notebook, status=status, where=where, sort=sort, limit=limit)
    if as_json:
        print(json.dumps([run.to_json() for run in found]))
        return
    from research.cli import _print

    if not found:
        _print.line("No runs. Try research run notebooks/calibration/heston.ipynb")
        return
    rows = [[run.run_id, _state(run), _seconds(run), "yes" if run.pinned else "no", _results(run)] for run in found]
    _print.table("", ["run (UTC)", "state", "s", "pinned", "results"], rows, right=[2], cut=True)


def _state(run: Run) -> str:
    """One word for status and verdict."""
    if run.status != "FINISHED":
        return run.status
    return {True: "passed", False: "not passed", None: "recorded"}[run.passed]


def _seconds(run: Run) -> str:
    return "-" if run.seconds is None else f"{run.seconds:.1f}"


def _results(run: Run) -> str:
    """The first metrics, or why there are none."""
    from research.cli import _print

    shown = [f"{k} {_print.number(m['value'])} {m['unit']}".rstrip() for k, m in list(run.metrics.items())[:4]]
    return ", ".join(shown) or run.message[:100]

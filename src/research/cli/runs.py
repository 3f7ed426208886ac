"""`research runs`: list runs; filter and sort them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

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
    rows = []
    for run in found:
        metrics = ", ".join(
            f"{k} {_print.number(m['value'])}{' ' + m['unit'] if m['unit'] else ''}"
            for k, m in list(run.metrics.items())[:3]
        )
        seconds = "-" if run.seconds is None else f"{run.seconds:.1f}"
        passed = "-" if run.passed is None else ("yes" if run.passed else "no")
        rows.append(
            [
                run.run_id,
                run.status,
                run.started[:16].replace("T", " "),
                seconds,
                passed,
                "yes" if run.pinned else "no",
                metrics or run.message[:60],
            ]
        )
    _print.table("", ["run", "status", "started (UTC)", "s", "passed", "pinned", "results"], rows, right=[3])

"""`research runs`: list runs; filter, sort and choose columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from research.lineage.store import Run

app = typer.Typer(add_completion=False)


@app.command()
def runs(
    where: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--where",
            metavar="TEST",
            help="Keep runs where, e.g. \"rmse < 20 and model = 'heston'\". Names: fields, metrics, parameters.",
        ),
    ] = None,
    notebook: Annotated[str | None, typer.Option("-n", "--notebook", help="Part of the notebook's path.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="FINISHED, FAILED or RUNNING.")] = None,
    columns: Annotated[
        str | None,
        typer.Option("-c", "--columns", metavar="NAMES", help="Columns by choice: started,rmse,n_paths."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="NAME", help="A field, metric or parameter; -NAME for largest first."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0 for all.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs, newest first; filter and sort them by fields, metrics and parameters.

    Tests join by and, or, not and brackets; = != < <= > >= ~ (contains), in (a, b). `age < 2d` takes the last two days.
    """
    from research.lineage import listing
    from research.lineage.store import close_dead_runs, list_runs, root_of

    close_dead_runs(root_of())
    plain = not (where or sort or columns)
    found = list_runs(notebook=notebook, status=status, where=where, sort=sort, limit=limit if plain else None)
    names = listing.columns(found, columns) if columns else []
    shown = found[:limit] if limit else found
    if as_json:
        whole = [run.to_json() for run in shown]
        print(json.dumps([{"run_id": run.run_id, **_chosen(run, names)} for run in shown] if names else whole))
        return
    from research.cli import _print

    if not found:
        _print.line("No runs. Try research run notebooks/calibration/heston.ipynb" if plain else "No run passes.")
        return
    if names:
        _table_of(shown, names)
    else:
        rows = [[run.run_id, listing.state(run), _seconds(run), _yes(run.pinned), _results(run)] for run in shown]
        _print.table("", ["run (UTC)", "state", "s", "pinned", "results"], rows, right=[2], cut=True)
    if len(found) > len(shown):
        _print.line(f"{len(shown)} of {len(found):,} runs; --limit 0 shows all.", "dim")


def _chosen(run: Run, names: list[str]) -> dict[str, Any]:
    from research.lineage.listing import value_of

    return {name: value_of(run, name) for name in names}


def _table_of(found: list[Run], names: list[str]) -> None:
    from research.cli import _print
    from research.lineage.listing import value_of

    values = [[value_of(run, name) for name in names] for run in found]
    right = [
        i + 1
        for i, _ in enumerate(names)
        if all(
            isinstance(row[i], (int, float)) and not isinstance(row[i], bool) for row in values if row[i] is not None
        )
    ]
    rows = [[run.run_id, *(_cell(name, v) for name, v in zip(names, row))] for run, row in zip(found, values)]
    _print.table("", ["run (UTC)", *names], rows, right=right)


def _cell(name: str, value: Any) -> str:
    from research.cli import _print

    if name in ("started", "ended") and value:
        return str(value)[:19].replace("T", " ")
    if name == "commit" and value:
        return str(value)[:12]
    return _print.number(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _seconds(run: Run) -> str:
    return "-" if run.seconds is None else f"{run.seconds:.1f}"


def _results(run: Run) -> str:
    """The first metrics, or why there are none."""
    from research.cli import _print

    shown = [f"{k} {_print.number(m['value'])} {m['unit']}".rstrip() for k, m in list(run.metrics.items())[:4]]
    return ", ".join(shown) or run.message[:100]

"""`research reproduce RUN`: re-run a pinned run in a clean checkout; end with a verdict."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from research.experiments.reproduction import Reproduction

app = typer.Typer(add_completion=False)


@app.command()
def reproduce(
    run: Annotated[str, typer.Argument(help="A run, a unique beginning or end of its name, or latest.")] = "latest",
    here: Annotated[
        bool, typer.Option("--here", help="In the working tree, with today's code; for a run that is not pinned.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Re-run a pinned run in a clean checkout of its commit, with its data and parameters; end with a verdict.

    Exit code 0: reproduced, exactly or within tolerance; 1: not reproduced, or refused.
    """
    from research.experiments.reproduction import reproduce as again

    if here and not as_json:
        print(
            "Warning: --here runs today's code and data; the verdict says nothing about the recorded commit.",
            file=sys.stderr,
        )
    verdict = again(run, here=here, say=None if as_json else lambda text: print(text, flush=True))
    if as_json:
        print(json.dumps(verdict.to_json()))
    else:
        _print_verdict(verdict)
    if not verdict.reproduced:
        raise typer.Exit(1)


def _print_verdict(verdict: Reproduction) -> None:
    from research.cli import _print

    rows = [[item.kind, item.name, item.outcome, item.detail] for item in verdict.results]
    if rows:
        _print.table(f"Run {verdict.run_id}", ["result", "name", "verdict", "first difference"], rows)
    if verdict.message:
        _print.line(verdict.message, "red")
    for cause in verdict.causes:
        _print.line(f"  {cause}", "yellow")
    count = sum(item.outcome == "EXACT" for item in verdict.results)
    total = sum(item.outcome != "NOT COMPARED" for item in verdict.results)
    _print.line(
        f"{verdict.verdict}: {count} of {total} results exact, {verdict.seconds:.1f} s",
        "bold green" if verdict.reproduced else "bold red",
    )

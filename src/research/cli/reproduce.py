"""`research reproduce RUN`: re-run it here, from its commit or in a new environment; a verdict and a cause."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from research.experiments.reproduction import Reproduction
    from research.experiments.sample import Sample

app = typer.Typer(add_completion=False)


@app.command()
def reproduce(
    run: Annotated[str, typer.Argument(help="A run, a unique beginning or end of its name, or latest.")] = "latest",
    here: Annotated[
        bool, typer.Option("--here", help="In the working tree, with today's code; for a run that is not pinned.")
    ] = False,
    fresh_env: Annotated[
        bool, typer.Option("--fresh-env", help="In a new environment made from the run's lock, kept by its digest.")
    ] = False,
    hermetic: Annotated[
        bool, typer.Option("--hermetic", help="Without network and undeclared files; says what was refused.")
    ] = False,
    cause: Annotated[
        bool | None,
        typer.Option(
            "--cause/--no-cause",
            help="If it is not reproduced, swap one thing at a time to find why; by default under ten minutes a trial.",
            show_default=False,
        ),
    ] = None,
    packages: Annotated[
        bool, typer.Option("--packages", help="Make the run's environment if that is needed to name the package.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="Re-run N approved runs drawn by chance.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the sample; today's date by default.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Sample the demo's ledger.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Re-run a run in a clean checkout of its commit, with its data and parameters; end with a verdict.

    Exit code 0: reproduced, exactly or within tolerance; 1: not reproduced, or refused.
    """
    say = None if as_json else lambda text: print(text, flush=True)
    if sample is not None:
        _sample(sample, seed, demo=demo, fresh_env=fresh_env, hermetic=hermetic, as_json=as_json)
        return
    from research.experiments.reproduction import reproduce as again

    if here and not as_json:
        print(
            "Warning: --here runs today's code and data; the verdict says nothing about the recorded commit.",
            file=sys.stderr,
        )
    verdict = again(run, here=here, fresh_env=fresh_env, hermetic=hermetic, explain=cause, packages=packages, say=say)
    if as_json:
        print(json.dumps(verdict.to_json()))
    else:
        _print_verdict(verdict)
    if not verdict.reproduced:
        raise typer.Exit(1)


def _print_verdict(verdict: Reproduction) -> None:
    from research.cli import _print

    rows = [[item.kind, item.name, item.outcome, _used(item.used), item.detail] for item in verdict.results]
    if rows:
        head = ["result", "name", "verdict", "used", "first difference"]
        _print.table(f"Run {verdict.run_id}", head, rows, right=[3])
    if verdict.message:
        _print.line(verdict.message, "red")
    if verdict.hermetic:
        for text in refusals(verdict.hermetic):
            _print.line(f"  {text}")
    for cause in verdict.causes:
        label = ("cause: " if not cause.startswith("possibly:") else "") if verdict.explained else "also differs: "
        _print.line(f"  {label}{cause}", "yellow")
    count = sum(item.outcome == "EXACT" for item in verdict.results)
    total = sum(item.outcome != "NOT COMPARED" for item in verdict.results)
    _print.line(
        f"{verdict.verdict}: {count} of {total} results exact, {verdict.seconds:.1f} s",
        "bold green" if verdict.reproduced else "bold red",
    )


def _used(share: float | None) -> str:
    """How much of the declared tolerance was used."""
    if share is None:
        return ""
    return f"{share:.0%}" if share < 10 else f"{share:.3g}x"


def refusals(report: dict[str, object]) -> list[str]:
    """What a hermetic run was kept from, in lines."""
    from research.experiments.hermetic import lines

    return lines(report)


def _sample(count: int, seed: int | None, *, demo: bool, fresh_env: bool, hermetic: bool, as_json: bool) -> None:
    from research.experiments.sample import reproduce_sample
    from research.governance.approved import approved_runs

    def say(text: str) -> None:
        print(text, flush=True, file=sys.stderr if as_json else sys.stdout)

    found = reproduce_sample(
        approved_runs(demo=demo), count, seed=seed, fresh_env=fresh_env, hermetic=hermetic, say=say
    )
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        _print_sample(found)
    if found.reproduced < found.tried:
        raise typer.Exit(1)


def _print_sample(found: Sample) -> None:
    from research.cli import _print

    rows = [[item.run_id, item.verdict, f"{item.seconds:.1f}", item.reason] for item in found.items]
    _print.table("", ["run (UTC)", "verdict", "s", "why"], rows, right=[2])
    _print.line(found.sentence(), "bold green" if found.reproduced == found.tried else "bold red")

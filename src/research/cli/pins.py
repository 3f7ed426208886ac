"""`research pins add | list | check | remove`: golden runs, kept in git."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Golden runs: what notebooks must give, kept in git."
)


@app.command()
def add(
    run: Annotated[str, typer.Argument(help="A run, a unique beginning or end of its name, or latest.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the pin; the notebook's by default.")] = None,
    why: Annotated[str, typer.Option("--why", help="What this run guards.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Pin what a run found: later checks hold its notebook to these results."""
    from dataclasses import asdict

    from research.experiments.pins import add_pin

    pin = add_pin(run, name=name, why=why)
    if as_json:
        print(json.dumps(asdict(pin)))
        return
    print(f"pinned {pin.name}: {pin.notebook}, results {pin.results[:12]}")
    print(f"Commit it: git add pipelines/pins.yaml pipelines/pins/{pin.name}.json")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the pins."""
    from dataclasses import asdict

    from research.cli import _print
    from research.experiments.pins import read_pins

    pins = read_pins()
    if as_json:
        print(json.dumps([asdict(pin) for pin in pins]))
        return
    if not pins:
        _print.line("No pins. research pins add RUN")
        return
    rows = [[pin.name, pin.notebook, pin.results[:12], pin.why] for pin in pins]
    _print.table("", ["pin", "notebook", "results", "why"], rows, cut=True)


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="These pins; all by default.", show_default=False)] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those whose notebook, code or data changed since they were pinned.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Run even if an earlier run has the answer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that the notebooks still give what is pinned. Exit code 1: one of them does not."""
    from research.cli import _print
    from research.experiments.pins import check_pins

    found = check_pins(names, changed=changed, force=force)
    if as_json:
        print(json.dumps([item.to_json() for item in found]))
    for item in [] if as_json else found:
        exact = sum(result.outcome == "EXACT" for result in item.results)
        style = "green" if item.good else "bold red"
        count = f" ({exact} of {len(item.results)} results exact)" if item.results else ""
        _print.line(f"{item.name}: {item.verdict}{count}", style)
        if item.message:
            _print.line(f"  {item.message}", "red")
        for result in item.results:
            if result.outcome == "DIFFERS":
                _print.line(f"  {result.kind} {result.name}: {result.detail}", "red")
    if not found and not as_json:
        _print.line("No pins. research pins add RUN")
    if not all(item.good for item in found):
        raise typer.Exit(1)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Of the pin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take a pin out."""
    from research.experiments.pins import remove_pin

    remove_pin(name)
    print(json.dumps({"removed": name}) if as_json else f"removed {name}")

"""`research audit verify`: is everything recorded and signed still what it was? `audit log`: the ledger, readable."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Verify ledger, signatures, capsules and artifacts.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option("--head", metavar="HASH", help="A head published earlier: finds a removed tail.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at every byte of ledgers, signatures, payloads, capsules and artifacts. Exit code 1: something is wrong."""
    from research.governance import audit
    from research.project import find_project

    found = audit.verify(find_project(), head=head)
    if as_json:
        print(json.dumps(found.to_json()))
        raise typer.Exit(0 if found.ok else 1)
    from research.cli import _print

    _print.line(", ".join(f"{count} {name}" for name, count in found.checked.items()) + " checked")
    for name, last in found.heads.items():
        if last is not None:
            _print.line(f"head of the {name} ledger: entry {last.seq}, {last.hash}")
    for problem in found.problems:
        _print.line(f"  {problem}", "red")
    if not found.ok:
        _print.line(f"NOT OK: {len(found.problems)} problem{'s' if len(found.problems) > 1 else ''}", "bold red")
        raise typer.Exit(1)
    _print.line("OK", "bold green")


@app.command()
def log(
    demo: Annotated[bool, typer.Option("--demo", help="The demo's ledger.")] = False,
    as_json: Json = False,
) -> None:
    """The ledger, entry by entry, after verifying it."""
    from research.governance.ledger import utc
    from research.governance.office import open_office
    from research.governance.realm import realm

    entries = open_office(realm(demo=demo)).verified()
    if as_json:
        every = [
            {
                "seq": e.seq,
                "hash": e.hash,
                "prev": e.prev,
                "recorded": utc(e.recorded),
                "effective": utc(e.effective),
                "step": e.step,
                "model": e.model,
                "version": e.version,
                "run": e.run,
                "record": e.record,
                "identity": e.identity,
                "person": e.person,
                "keyid": e.keyid,
                "facts": e.facts,
            }
            for e in entries
        ]
        print(json.dumps(every))
        return
    from research.cli import _print

    rows = [
        [str(e.seq), f"{e.recorded:%Y-%m-%d %H:%M:%S}", e.step, f"{e.model}@{e.version}", e.person, e.run, e.hash[:16]]
        for e in entries
    ]
    if rows:
        _print.table("", ["entry", "recorded (UTC)", "step", "version", "signed by", "run", "hash"], rows, right=[0])
    else:
        _print.line("The ledger is empty.")

"""`research new KIND NAME`: a notebook that runs at once, its test, and its stage."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(
    kind: Annotated[str, typer.Argument(help="calibration, backtesting or validation.", show_default=False)],
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and _.", show_default=False)],
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start a notebook from the template: it runs at once, its test passes, and dvc repro knows it."""
    from research.lab.scaffold import create
    from research.project import find_project

    made = create(kind, name, owner=owner, project=find_project())
    if as_json:
        print(json.dumps(asdict(made)))
        return
    print(f"{made.notebook}\n{made.test}\nstage {made.stage} in dvc.yaml, its parameters in params.yaml\n")
    print(f"Run it:   research run {made.notebook}\nTest it:  python -m pytest {made.test}")
    print(f"Keep it:  git add {made.notebook} {made.test} {' '.join(made.changed)}; then dvc repro {made.stage}")

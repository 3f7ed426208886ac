"""`research check`: what would keep notebooks from promotion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(
    notebook: Annotated[
        list[Path] | None,
        typer.Argument(help="Notebooks; all under notebooks/ when none is named.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what would keep notebooks from promotion, by reading them: hidden state, undeclared reads, unseeded
    randomness, the wall clock, magics, absolute paths. Exit code 1 when something is found."""
    import json

    from research.cli import _print
    from research.lab.inspection import inspect
    from research.project import find_project

    paths = notebook or committed(find_project().root / "notebooks")
    found = {str(path): inspect(path) for path in paths}
    bad = sum(bool(items) for items in found.values())
    if as_json:
        print(json.dumps({name: [item.to_json() for item in items] for name, items in found.items()}))
    else:
        for name, items in found.items():
            if items:
                _print.line(_shown(name), "bold")
            for item in items:
                _print.line(f"  {item}")
        _print.line(
            f"{bad} of {len(found)} notebooks would be kept from promotion."
            if bad
            else f"{len(found)} notebooks: nothing found that would keep them from promotion.",
            "red" if bad else "green",
        )
    if bad:
        raise typer.Exit(1)


def committed(folder: Path) -> list[Path]:
    """The notebooks of a project, without those that were opened again and the editor's copies."""
    return sorted(
        path
        for path in folder.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts and path.relative_to(folder).parts[0] != "opened"
    )


def _shown(name: str) -> str:
    try:
        return str(Path(name).resolve().relative_to(Path.cwd()))
    except ValueError:
        return name

"""`research report`: write reports/index.html from the recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(
    summary: Annotated[
        Path | None, typer.Option(help="Also write there which stages passed, from the pipeline's results, as JSON.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where to write the page (default: reports/index.html).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the page shows, as JSON.")] = False,
) -> None:
    """Write reports/index.html from the recorded runs."""
    import json

    from research.project import find_project
    from research.report.facts import collect
    from research.report.index import write

    project = find_project()
    path = write(project, output)
    if summary is not None:
        _write_summary(summary)
    if as_json:
        typer.echo(json.dumps({"path": str(path), **collect(project).to_json()}))
    else:
        typer.echo(str(path))


def _write_summary(path: Path) -> None:
    """One verdict a stage from `results/` beside `path`, and `passed` when all of them pass; canonical JSON."""
    import json

    from research.errors import ProjectError
    from research.fingerprint import canonical_json

    files = sorted((path.parent / "results").glob("*.json"))
    if not files:
        raise ProjectError(f"{path.parent / 'results'} must hold the results of the stages; got none. Run `dvc repro`.")
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    verdicts = {stage: result["passed"] for stage, result in found.items() if "passed" in result}
    path.write_bytes(canonical_json({"passed": all(verdicts.values()), "stages": verdicts}) + b"\n")

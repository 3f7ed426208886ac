"""`research run NOTEBOOK`: run it with checked parameters, and record it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperCommand

from research.errors import ParameterError, ResearchError, rule

app = typer.Typer(add_completion=False)


class _Pairs(TyperCommand):
    """Reads `-p NAME VALUE` (as papermill writes it) like `-p NAME=VALUE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        joined, rest = list[str](), list(args)
        while rest:
            word = rest.pop(0)
            joined.append(word)
            if word in ("-p", "--parameter") and len(rest) >= 2 and "=" not in rest[0]:
                joined.append(f"{rest.pop(0)}={rest.pop(0)}")
        return list(super().parse_args(ctx, joined))


@app.command(cls=_Pairs)
def run(
    notebook: Annotated[Path, typer.Argument(help="The notebook to run.", show_default=False)],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Overrule a default; repeat for more."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("-f", "--file", metavar="FILE[:KEY]", help="Parameters from a YAML file, or a section of it."),
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="FILE", help="Write the rounded results there, as JSON.")
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option("--series", metavar="TABLE=FILE", help="Write a recorded table, rounded, as CSV: for dvc plots."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run even if an earlier run has the answer.")] = False,
    show_parameters: Annotated[
        bool, typer.Option("--parameters", help="Show what the notebook takes, and run nothing.")
    ] = False,
    hermetic: Annotated[
        bool, typer.Option("--hermetic", help="Without network and undeclared files; says what was refused.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="process|kernel", help="Where cells run (default: as the notebook says)."),
    ] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Use a fresh interpreter, not a child of the warm one.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="A run that takes longer fails.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="What a run may take, such as 4G; more fails it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a notebook with checked parameters, and record it.

    Parameters are checked before a kernel starts. An earlier run with the same code, parameters and data answers
    at once. Exit code 1: a cell failed; the run is kept as FAILED with the partial notebook.
    """
    if show_parameters:
        _show_parameters(notebook, as_json)
        return
    from research.experiments.results import write_series
    from research.experiments.runner import run_notebook

    wanted = _pairs_of(series or [])
    given = read_parameters(file or [], parameter or [])
    limits: dict[str, Any] = {"timeout": read_seconds(timeout), "memory": read_size(memory)}
    progress = _progress(as_json)
    try:
        outcome = run_notebook(
            notebook,
            given,
            force=force,
            results_path=results,
            progress=progress,
            hermetic=hermetic,
            engine=engine,
            cold=cold,
            **limits,
        )
    except ResearchError as error:
        progress.close()
        if as_json and getattr(error, "run_id", None):
            print(json.dumps({"error": type(error).__name__, "message": str(error), "run_id": error.run_id}))  # type: ignore[attr-defined]
            raise typer.Exit(error.exit_code) from None
        raise
    progress.close()
    for name, path in wanted.items():
        write_series(outcome.capsule, name, path)
    from research.cli.show import run_json, run_lines

    if as_json:
        print(json.dumps({"hit": outcome.hit, **run_json(outcome.capsule)}))
    else:
        run_lines(outcome.capsule, hit=outcome.hit)
        for note in [] if outcome.hit else outcome.capsule.raw.get("engine", {}).get("notes", []):
            print(f"  {note}", file=sys.stderr)
        if outcome.untold:
            print(f"  MLflow will be told by a later run: {outcome.untold}", file=sys.stderr)


def read_size(text: str | None) -> int | None:
    """Bytes of `4G`, `500M`, `1.5GB`; None stays None."""
    if text is None:
        return None
    import re

    units = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if found is None or float(found[1]) <= 0.0:
        raise ParameterError(rule("--memory", "be a size such as 500M or 4G", text))
    return int(float(found[1]) * units[found[2]])


def read_seconds(value: float | None) -> float | None:
    """A time limit, checked."""
    if value is not None and not value > 0.0:
        raise ParameterError(rule("--timeout", "be > 0 seconds", value))
    return value


def _pairs_of(words: list[str]) -> dict[str, Path]:
    """TABLE=FILE of `--series`."""
    for word in words:
        if not all(word.partition("=")):
            raise ParameterError(rule("--series", "be TABLE=FILE", word, "For example residuals=plots/residuals.csv."))
    return {word.partition("=")[0]: Path(word.partition("=")[2]) for word in words}


def read_parameters(files: list[str], words: list[str]) -> dict[str, Any]:
    """Parameters of `-f` files, later ones over earlier ones, overruled by `-p`, which names each once."""
    from research.experiments.files import read_parameter_file

    given: dict[str, Any] = {}
    for spec in files:
        given.update(read_parameter_file(spec))
    for word in words:
        if "=" not in word:
            raise ParameterError(rule("-p", "be followed by NAME VALUE", word))
    pairs = [word.partition("=")[::2] for word in words]
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"-p {name} must be given once; got it {names.count(name)} times.")
    given.update(pairs)
    return given


def _show_parameters(path: Path, as_json: bool) -> None:
    from research.experiments import notebooks

    notebook = notebooks.read(path)
    schema = notebook.schema()
    defaults = schema.check({}).to_json()
    if as_json:
        print(
            json.dumps({"notebook": str(path), "title": notebook.title(), "schema": schema.model.model_json_schema()})
        )
        return
    from research.cli import _print

    rows = [[item.name, item.text, str(defaults[item.name]), item.comment] for item in schema.items]
    _print.table(f"{notebook.title()} ({path})", ["parameter", "type", "default", "meaning"], rows)


class _Lines:
    """Progress as plain lines: for logs and for DVC; on standard error when standard output is JSON."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, step: Any) -> None:
        if step.done and step.seconds >= 0.05:
            print(f"  cell {step.cell}/{step.total}  {step.seconds:6.1f} s  {step.line}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to tidy."""


class _Bar:
    """Progress as a bar: the running cell, its first line, the time so far."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.description}", markup=True),
        )
        self._bar = Progress(*columns, transient=True)
        self._task = self._bar.add_task("starting", total=None)
        self._bar.start()

    def __call__(self, step: Any) -> None:
        from rich.markup import escape

        done = step.cell if step.done else step.cell - 1
        closing = step.done and step.cell == step.total
        what = "keeping the record" if closing else escape(step.line[:40])
        self._bar.update(self._task, total=step.total, completed=done, description=what)

    def close(self) -> None:
        self._bar.stop()


def _progress(as_json: bool) -> _Lines | _Bar:
    if as_json:
        return _Lines(sys.stderr)
    return _Bar() if sys.stdout.isatty() else _Lines(sys.stdout)

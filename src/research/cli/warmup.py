"""`research warmup`: compile every kernel into the cache."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import typer

app = typer.Typer(add_completion=False)


def warm(modules: Sequence[str] = (), *, force: bool = False, quiet: bool = False) -> tuple[int, float]:
    """Compile what is not compiled yet; (number of kernels, seconds), seconds 0.0 when all were warm.

    `modules` limits it to the kernels that importing these makes known.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from research.core import _warmup

    names = list(_warmup.discover(modules))
    if not force and _warmup.is_warm(names):
        return len(names), 0.0
    started = time.perf_counter()
    console = Console(stderr=True)
    columns = (
        TextColumn("Compiling kernels"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[name]}"),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=len(names), name="")

        def done(name: str) -> None:
            bar.update(task, advance=1, name=name.removeprefix("research.core."))

        _warmup.warm_up(names, workers=min(8, os.cpu_count() or 1), on_done=done)
    return len(names), time.perf_counter() - started


@app.command()
def command(
    force: bool = typer.Option(False, "--force", help="Go through all kernels even when the cache says it is warm."),
    json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Compile every kernel into the cache, so that no first call waits."""
    from research.core._jit import cache_key, cache_root

    count, seconds = warm(force=force, quiet=json)
    if json:
        from json import dumps

        print(
            dumps(
                {"kernels": count, "seconds": round(seconds, 3), "cache": str(cache_root() / "kernels" / cache_key())}
            )
        )
    elif seconds:
        print(f"{count} kernels compiled in {seconds:.1f} s, cached in {cache_root()}.")
    else:
        print(f"{count} kernels were compiled already for this core and CPU.")

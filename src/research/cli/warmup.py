"""`research warmup`: compile every kernel into the cache."""

from __future__ import annotations

import os
import time

import typer

app = typer.Typer(add_completion=False)


def warm(*, force: bool = False, quiet: bool = False) -> tuple[int, float]:
    """Compile what is not compiled yet; (number of kernels, seconds), seconds 0.0 when all were warm."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from research.core import _warmup

    if not force and (count := _warmup.is_warm()):
        return count, 0.0
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
        task = bar.add_task("", total=len(_warmup.discover()), name="")

        def done(name: str) -> None:
            bar.update(task, advance=1, name=name.removeprefix("research.core."))

        count = _warmup.warm_up(workers=min(2, os.cpu_count() or 1), on_done=done)
    return count, time.perf_counter() - started


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

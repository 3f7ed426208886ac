"""Running notebooks: ours (process, kernel, warm and cold), papermill and nbclient, in one run.

What a person waits for is measured: whole commands from a shell where the peer is a command, calls where it is a
library. Ours records every run; the peers record nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

REPEATS = 3
MANY = 16


def _code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source)) % 10**8}",
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "execution_count": None,
    }


def _write(path: Path, cells: list[dict[str, Any]]) -> Path:
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@contextlib.contextmanager
def _project() -> Iterator[Path]:
    """A small project of its own, and a warm process that serves nobody else."""
    with tempfile.TemporaryDirectory(prefix="nb-") as folder:
        root = Path(folder) / "project"
        for name, text in {"dvc.yaml": "stages: {}\n", "data/catalog.yaml": "datasets: {}\n"}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        before = dict(os.environ)
        runtime = Path(folder) / "r"
        runtime.mkdir()
        os.environ |= {"RESEARCH_PROJECT": str(root), "XDG_RUNTIME_DIR": str(runtime), "RESEARCH_MLFLOW": "off"}
        os.environ.pop("RESEARCH_WARM", None)
        from research.experiments.warm import client

        client.start(wait=True)
        try:
            yield root
        finally:
            client.stop()
            os.environ.clear()
            os.environ.update(before)


def _best(call: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def _shell(*words: object, **env: str) -> None:
    done = subprocess.run(
        [str(w) for w in words], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout[-500:]}{done.stderr[-500:]}")


def _research(notebook: Path, *words: str, **env: str) -> None:
    _shell(Path(sys.executable).with_name("research"), "run", notebook, "--force", *words, **env)


def _papermill(notebook: Path) -> None:
    out = notebook.with_suffix(".out.ipynb")
    _shell(Path(sys.executable).with_name("papermill"), "--no-progress-bar", notebook, out)


def _nbclient(notebook: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(notebook, as_version=4)
    NotebookClient(book, kernel_name="python3").execute()


def _ours(notebook: Path, mode: str, *, cold: bool = False) -> None:
    from research.experiments import execution

    ran = execution.Ran()
    how = execution.How(cwd=notebook.parent, mode=mode, cold=cold)  # type: ignore[arg-type]
    execution.execute(notebook, notebook.with_suffix(".out.ipynb"), {}, how, ran)
    if not cold and not ran.warm:
        from research.experiments.warm import client

        client.start(wait=True)  # somebody edited the code meanwhile; the next repetition counts


def _row(name: str, what: str, seconds: float, accuracy: str, *, peer: bool = False) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "accuracy": accuracy, "what": what, "peer": peer}


def _two_cells(root: Path) -> list[dict[str, Any]]:
    record = "import research\nresearch.record(metrics={'n': float(n)})"
    book = _write(root / "notebooks" / "two.ipynb", [_code("n: int = 1", "parameters"), _code(record)])
    what = "two cells, from a shell"
    return [
        _row("research run, warm", what, _best(lambda: _research(book)), "recorded"),
        _row("research run --cold", what, _best(lambda: _research(book, "--cold")), "recorded"),
        _row("papermill", what, _best(lambda: _papermill(book), 2), "not recorded", peer=True),
    ]


def _trivial(root: Path) -> list[dict[str, Any]]:
    book = _write(root / "notebooks" / "many.ipynb", [_code(f"x = {i}\nprint(x)") for i in range(200)])
    what = "200 trivial cells"
    return [
        _row("process", what, _best(lambda: _ours(book, "process")), "the same outputs"),
        _row("kernel, warm", what, _best(lambda: _ours(book, "kernel")), "the same outputs"),
        _row("nbclient", what, _best(lambda: _nbclient(book), 2), "", peer=True),
        _row("papermill", what, _best(lambda: _papermill(book), 1), "", peer=True),
    ]


def _at_once(root: Path) -> list[dict[str, Any]]:
    names = range(MANY)
    cells = [_code("import pandas as pd"), _code("pd.DataFrame({'a': [1, 2]}).sum()")]
    books = [_write(root / "notebooks" / f"at_once_{i}.ipynb", list(cells)) for i in names]

    def together(run: Callable[[Path], None]) -> None:
        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(run, books))

    what = f"{MANY} notebooks at once, from a shell"
    return [
        _row("research run, warm", what, _best(lambda: together(_research), 2), "recorded"),
        _row("papermill", what, _best(lambda: together(_papermill), 1), "not recorded", peer=True),
    ]


def _large(root: Path) -> list[dict[str, Any]]:
    book = _write(root / "notebooks" / "large.ipynb", [_code(f"print('x{i}' * 200_000)") for i in range(50)])
    what = "50 cells with 20 MB of output"
    return [
        _row("process", what, _best(lambda: _ours(book, "process"), 2), "all kept"),
        _row("papermill", what, _best(lambda: _papermill(book), 1), "all kept", peer=True),
    ]


def _recording(root: Path) -> list[dict[str, Any]]:
    """Recording 20 values, as far as the durable local record: from the executed notebook to the closed run."""
    from research.lineage import capsule

    raw = {"schema": capsule.SCHEMA, "notebook": {"digest": "0"}, "code": {"closure": {}}, "parameters": {}, "data": []}
    raw |= {"environment": {"lock": None}, "seeds": {}}
    entry = {"value": 1.25, "unit": "bp", "rtol": 1e-9, "atol": 0.0}
    results = {"metrics": {f"m{i}": entry for i in range(20)}, "tables": {}, "figures": {}, "evidence": []}
    raw["results"] = {**results, "model": None, "passed": True}
    seconds = _best(lambda: capsule.write(root, raw), 20)
    return [_row("capsule, synced to disk", "recording 20 values", seconds, "durable")]


def run() -> list[dict[str, Any]]:
    """All rows, ours and the peers'."""
    with _project() as root:
        return [*_two_cells(root), *_trivial(root), *_at_once(root), *_large(root), *_recording(root)]

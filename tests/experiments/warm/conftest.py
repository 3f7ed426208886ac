"""One warm process for the tests of this folder, apart from the user's own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from research.experiments import execution
from research.experiments.cells import Limits
from research.experiments.warm import client, place

if not place.is_possible():
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="package")
def runtime() -> Iterator[Path]:
    """A runtime folder with a short name, and the settings of a warm process in it."""
    folder = Path(tempfile.mkdtemp(prefix="rw-", dir="/tmp"))
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_RUNTIME_DIR", str(folder))
    patch.setenv("RESEARCH_WARM_IDLE", "120")
    patch.delenv("RESEARCH_WARM", raising=False)
    yield folder
    client.stop()
    patch.undo()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def warm(runtime: Path) -> dict[str, Any]:
    """A warm process that answers."""
    assert client.start(wait=True), (runtime / f"research-{os.getuid()}").glob("*.log")
    state = client.ask({"do": "state"})
    assert state is not None
    return state


def notebook(path: Path, *sources: str, metadata: dict[str, Any] | None = None) -> Path:
    cells = [
        {"cell_type": "code", "id": f"c{i}", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        for i, text in enumerate(sources)
    ]
    content = {"cells": cells, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
    return path


class Result:
    """An executed notebook, and what is known of its run."""

    def __init__(self, path: Path, ran: execution.Ran) -> None:
        self.path, self.ran = path, ran

    @property
    def cells(self) -> list[dict[str, Any]]:
        return [c for c in json.loads(self.path.read_text())["cells"] if c["cell_type"] == "code"]

    @property
    def text(self) -> str:
        return "".join(o["text"] for c in self.cells for o in c["outputs"] if o["output_type"] == "stream")


@pytest.fixture
def run(tmp_path: Path, runtime: Path) -> Callable[..., Result]:
    """Runs cells; `run(source, ..., mode=, cold=, timeout=, memory=, output=)`."""

    def go(
        *sources: str, mode: execution.Mode = "process", cold: bool = False, metadata: Any = None, **limits: Any
    ) -> Result:
        source = notebook(tmp_path / "in.ipynb", *sources, metadata=metadata)
        target = tmp_path / f"out-{mode}-{cold}.ipynb"
        held = Limits(timeout_s=limits.get("timeout"), memory=limits.get("memory"), output=limits.get("output"))
        how = execution.How(cwd=tmp_path, mode=mode, cold=cold, log=tmp_path / "log", limits=held)
        ran = execution.Ran()
        result = Result(target, ran)
        go.last = result  # type: ignore[attr-defined]
        execution.execute(source, target, {}, how, ran)
        return result

    return go

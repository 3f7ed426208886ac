"""Small projects for the lab: one bare for what needs no run, one with a recorded run, shared by a module."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PARAMETERS = """\
from datetime import date
from typing import Annotated
from annotated_types import Gt

as_of: date = date(2002, 7, 5)  # day of the study
n: Annotated[int, Gt(0)] = 5  # points
scale: float = 1.0  # spread, bp"""
CELLS = [
    "import research\nfrom research import metric, record\nparams = research.parameters(globals())",
    "values = [scale * i for i in range(n)]\nassert as_of.year >= 2000",
    "record(metrics={'mean': metric(sum(values) / n, 'bp')}, tables={'values': {'value': values}}, passed=n >= 3)",
]
ENVIRONMENT = ("RESEARCH_PROJECT", "RESEARCH_STORE", "RESEARCH_SOURCE", "JPY_SESSION_NAME")


def code(source: str, name: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "source": source, "id": name, "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [], "execution_count": None,
    }  # fmt: skip


def notebook(*sources: str) -> str:
    cells = [{"cell_type": "markdown", "source": "# Tiny study", "id": "title", "metadata": {}}]
    cells += [code(PARAMETERS, "parameters", "parameters"), *(code(s, f"c{i}") for i, s in enumerate(sources))]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def make(root: Path) -> Path:
    """A project folder with one notebook."""
    for path, text in {
        "dvc.yaml": "stages: {}\n",
        "data/catalog.yaml": "datasets: {}\n",
        "pyproject.toml": '[project]\nname = "tiny"\n',
        "requirements.lock": "",
        "notebooks/study/tiny.ipynb": notebook(*CELLS),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare project; the working directory lies in it, MLflow is off."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESEARCH_MLFLOW", "off")
    monkeypatch.setenv("RESEARCH_WARM", "0")
    made = make(tmp_path / "project")
    monkeypatch.chdir(made)
    return made


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A project with one recorded run, and the run's name; read it, do not change it."""
    from research.experiments.runner import run_notebook
    from research.project import Project

    made = make(tmp_path_factory.mktemp("ran") / "project")
    off = {"RESEARCH_MLFLOW": "off", "RESEARCH_WARM": "0"}
    before = {name: os.environ.pop(name, None) for name in (*ENVIRONMENT, *off)}
    os.environ.update(off)
    try:
        outcome = run_notebook(made / "notebooks/study/tiny.ipynb", {"n": "7"}, project=Project(made))
        yield made, outcome.run_id
    finally:
        for name in off:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})

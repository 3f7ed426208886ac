"""A tiny project of its own for every test: a git repository with the code under test, a catalogue and a notebook."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOMS = ("cli", "conventions", "data", "experiments", "lineage")
SOURCE = Path(__file__).resolve().parents[2] / "src"
PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}

PARAMETERS = """\
from datetime import date
from typing import Annotated, Literal
from annotated_types import Gt

as_of: date = date(2002, 7, 5)  # day of the study
n: int = 5  # points
scale: Annotated[float, Gt(0)] = 1.0  # spread of the draws, bp
method: Literal["normal", "uniform"] = "normal"
seed: int = 20260630  # every draw below
"""
CHECK = "import research\nfrom research import metric, record\nparams = research.parameters(globals())"
DRAW = """\
import random
draws = random.Random(seed)
values = [(draws.gauss(0, 1) if method == "normal" else draws.random()) * scale for _ in range(n)]
assert as_of.year >= 2000"""
RECORD = """\
record(
    metrics={"mean": metric(sum(values) / n, "bp"), "count": n},
    tables={"values": {"i": list(range(n)), "value": values}},
    passed=n >= 3,
)"""


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "execution_count": None,
    }


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def notebook_json(*cells: dict[str, Any]) -> str:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    numbered = [{**cell, "id": f"cell-{i}"} for i, cell in enumerate(cells)]
    return json.dumps(
        {"cells": numbered, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )


def study(*between: str) -> str:
    """The usual notebook, with more code cells before the last."""
    cells = [markdown("# Tiny study\n\nDraws a few numbers."), code(PARAMETERS, "parameters"), code(CHECK), code(DRAW)]
    return notebook_json(*cells, *(code(source) for source in between), code(RECORD))


@dataclass
class TinyProject:
    """A project folder, and the `research` command of the code that stands in it."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    parameters_cell = PARAMETERS
    check_cell = CHECK
    code = staticmethod(code)
    markdown = staticmethod(markdown)
    notebook_json = staticmethod(notebook_json)
    study = staticmethod(study)

    @property
    def store(self) -> Path:
        return self.root / "mlruns"

    @property
    def notebook(self) -> Path:
        return self.root / "notebooks" / "study" / "tiny.ipynb"

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str = "state") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def command(self, *args: str | Path) -> list[str]:
        return [sys.executable, "-m", "research", *map(str, args)]

    def research(self, *args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `research ...` in the project, with its own code."""
        call = self.command(*args)
        return subprocess.run(call, cwd=self.root, env={**self.env, **env}, capture_output=True, text=True, check=False)


def _copy_code(target: Path) -> None:
    """The ground and the rooms that a run needs, without the finance."""
    shutil.copytree(
        SOURCE / "research", target, ignore=lambda folder, names: [n for n in names if _is_left_out(folder, n)]
    )


def _is_left_out(folder: str, name: str) -> bool:
    if name == "__pycache__" or name.endswith(".pyc"):
        return True
    top = Path(folder) == SOURCE / "research"
    return top and (SOURCE / "research" / name).is_dir() and name not in ROOMS


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TinyProject]:
    """Makes a committed project; MLflow is off unless asked for."""

    def make(*, mlflow: bool = False, committed: bool = True, source: bool = True) -> TinyProject:
        root = tmp_path / "project"
        env = {**os.environ, **PERSON, "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("RESEARCH_PROJECT", "RESEARCH_STORE", "RESEARCH_SOURCE", "PYTHONPATH"):
            env.pop(name, None)
            monkeypatch.delenv(name, raising=False)
        env |= {
            "RESEARCH_MLFLOW": "on" if mlflow else "off",
            "RESEARCH_WARM": "0",  # each project has its own copy of the code: no warm process would serve two tests
            "PYTHONPATH": str(root / "src") if source else str(SOURCE),
        }
        project = TinyProject(root, env)
        for path, text in {
            "dvc.yaml": "stages: {}\n",
            "data/catalog.yaml": "datasets: {}\n",
            "pyproject.toml": '[project]\nname = "tiny"\n',
            "requirements.lock": "",
            ".gitignore": "mlruns/\n__pycache__/\n",
            "notebooks/study/tiny.ipynb": study(),
        }.items():
            project.write(path, text)
        if source:
            _copy_code(root / "src" / "research")
        if committed:
            project.git("init", "-q")
            project.commit("first")
        for name in ("RESEARCH_MLFLOW", "RESEARCH_WARM", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", *PERSON):
            monkeypatch.setenv(name, env[name])
        monkeypatch.chdir(root)
        return project

    return make


@pytest.fixture
def project(make_project: Callable[..., TinyProject]) -> TinyProject:
    return make_project()


@pytest.fixture
def bare(make_project: Callable[..., TinyProject]) -> TinyProject:
    """A project without repository and without a copy of the code: for what is refused before it matters."""
    return make_project(source=False, committed=False)

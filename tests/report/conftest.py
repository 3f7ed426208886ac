"""A project with recorded runs, made through the store's own doors."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from research.fingerprint import digest_bytes
from research.lineage import store
from research.project import Project

CATALOG = """
datasets:
  equity/prices:
    description: Closing prices
    owner: desk
    source: a published table
    licence: free
    raw: data/raw/prices.csv
    path: data/curated/prices.parquet
    columns: {close: {type: float, unit: points, meaning: last price}}
  equity/unread:
    description: Nobody reads this
    owner: desk
    source: elsewhere
    licence: free
    raw: data/raw/unread.csv
    path: data/curated/unread.parquet
    columns: {close: {type: float, unit: points, meaning: last price}}
"""
READ = {
    "name": "equity/prices",
    "as_of": "2002-07-05",
    "columns": ["close"],
    "path": "data/curated/prices.parquet",
    "sha256": "ab" * 32,
    "file_sha256": "cd" * 32,
    "dvc_md5": "12" * 16,
    "rows": 1234,
    "quality": {"missing": 0.0, "gaps": 3.0, "verdict": "pass"},
}


def notebook(title: str, purpose: str = "", record: dict[str, Any] | None = None) -> str:
    """A notebook as JSON text, executed when it has a record."""
    names = record or {"metrics": {}, "figures": {}}
    lines = [f"  {name} = 0" for name in names["metrics"]] + [f"  figure {name}" for name in names["figures"]]
    card = [line + "\n" for line in ["record: passed", *lines]]
    data = {"application/vnd.research.record+json": record, "text/plain": card}
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}}] if record else []
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": [f"# {title}\n", "\n", purpose]},
        {"cell_type": "code", "metadata": {}, "source": ["1"], "outputs": outputs, "execution_count": 1},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, sort_keys=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a dictionary and nothing run."""
    monkeypatch.delenv("RESEARCH_STORE", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "governance" / "inventory").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "data" / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "house"\n')
    return Project(tmp_path)


Maker = Callable[..., str]


@pytest.fixture
def add_run(project: Project) -> Maker:
    """Record one run; its run_id."""

    def add(
        path: str = "notebooks/calibration/heston.ipynb",
        *,
        title: str = "Heston calibration",
        status: str = "FINISHED",
        passed: bool | None = True,
        pinned: bool = True,
        metrics: dict[str, tuple[Any, str]] | None = None,
        figures: dict[str, bytes] | None = None,
        evidence: list[dict[str, Any]] | None = None,
        reads: list[dict[str, Any]] | None = None,
        message: str = "",
        started: datetime | None = None,
        html: str | None = "<p>executed</p>",
    ) -> str:
        source = project.root / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(notebook(title, "Fits the model to one day."))
        values = {
            name: {"value": value, "unit": unit, "rtol": 1e-9, "atol": 0.0}
            for name, (value, unit) in (metrics or {"rmse": (12.34, "bp")}).items()
        }
        raw = _skeleton(path, pinned)
        run_id, folder = store.open_run(project.mlruns, raw, "request")
        pictures = {}
        for name, data in (figures or {}).items():
            (folder / f"{name}.png").write_bytes(data)
            pictures[name] = {"path": f"{name}.png", "sha256": digest_bytes(data)}
        declared = {"metrics": values, "figures": pictures}
        (folder / "notebook.ipynb").write_text(notebook(title, "Fits the model to one day.", declared))
        if html is not None:
            (folder / "notebook.html").write_text(html)
        begin = started or datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
        times = {"started": begin.isoformat(), "ended": (begin + timedelta(seconds=7.5)).isoformat(), "cells": []}
        results = {"metrics": values, "tables": {}, "figures": pictures, "evidence": evidence or [], "model": None}
        raw |= {"run_id": run_id, "status": status, "times": times, "results": results | {"passed": passed}}
        raw |= {"data": [READ] if reads is None else reads, "artifacts": store.artifacts(folder)}
        store.close_run(project.mlruns, raw, message)
        return run_id

    return add


def _skeleton(path: str, pinned: bool) -> dict[str, Any]:
    return {
        "operator": {"user": "ada", "git_name": "Ada", "git_email": "ada@example.org"},
        "notebook": {"path": path, "digest": "00" * 32},
        "code": {"commit": "f1" * 20, "closure": {}, "core": "00" * 32, "digest": "00" * 32, "dirty": []},
        "parameters": {"as_of": "2002-07-05", "seed": 1},
        "seeds": {"seed": 1},
        "data": [],
        "environment": {"lock": "00" * 32, "python": "3.11", "distributions": {}, "digest": "00" * 32},
        "results": {"metrics": {}, "tables": {}, "figures": {}, "evidence": [], "model": None, "passed": None},
        "artifacts": {},
        "pinned": pinned,
        "unpinned_reasons": [] if pinned else ["src/research/models/heston.py differs from HEAD"],
    }

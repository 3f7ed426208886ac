"""Each notebook with its newest run: verdict, results, pictures, and where the executed copy lies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.errors import IntegrityError
from research.report.text import words

if TYPE_CHECKING:
    from research.lineage import Capsule, Run
    from research.project import Project

# The walk of data decides the order in which notebooks are shown.
KINDS = ("tour", "calibration", "backtesting", "validation", "monitoring")
RECORD = "application/vnd.research.record+json"
HEADLINE = 5  # metrics shown first


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A recorded picture."""

    name: str
    path: Path
    png: bool

    @property
    def caption(self) -> str:
        return words(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """One notebook and its newest closed run."""

    path: str  # in the project
    title: str
    purpose: str
    runs: int  # how often it ran
    run: Run | None = None
    capsule: Capsule | None = None
    problems: list[str] = field(default_factory=list)  # what is wrong with the record
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)  # in the order of the notebook
    figures: list[Figure] = field(default_factory=list)
    reproductions: list[dict[str, Any]] = field(default_factory=list)
    failed_since: Run | None = None  # a newer run that failed

    @property
    def kind(self) -> str:
        return Path(self.path).parent.name

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @property
    def key(self) -> str:
        """calibration/heston"""
        return f"{self.kind}/{self.name}"

    @property
    def verdict(self) -> str:
        """passed, not passed, recorded, failed, running, not run."""
        if self.run is None:
            return "not run"
        if self.run.status != "FINISHED":
            return self.run.status.lower()
        return {True: "passed", False: "not passed", None: "recorded"}[self.run.passed]

    @property
    def headline(self) -> dict[str, dict[str, Any]]:
        return dict(list(self.metrics.items())[:HEADLINE])

    @property
    def evidence(self) -> list[dict[str, Any]]:
        return self.capsule.evidence if self.capsule else []

    @property
    def html(self) -> Path | None:
        """The executed notebook as a page, when the run kept one."""
        if self.capsule is None:
            return None
        from research.experiments import page  # it may have to be made

        return _kept(self.capsule, ".html") or page.of_run(self.capsule.folder, self.title)


def _kept(capsule: Capsule | None, suffix: str) -> Path | None:
    if capsule is None:
        return None
    found = [name for name in sorted(capsule.artifacts) if name.endswith(suffix) and "/" not in name]
    return capsule.folder / found[0] if found and (capsule.folder / found[0]).is_file() else None


def notebooks(project: Project) -> list[Notebook]:
    """Every notebook that ran or could run, in the order of the walk."""
    from research.lineage import list_runs

    runs: dict[str, list[Run]] = {path: [] for path in _on_disk(project)}
    for run in list_runs(project=project):
        runs.setdefault(run.notebook, []).append(run)
    return [_notebook(project, path, runs[path]) for path in sorted(runs, key=_order)]


def _on_disk(project: Project) -> list[str]:
    found = (project.root / "notebooks").glob("*/*.ipynb")
    return [path.relative_to(project.root).as_posix() for path in found if not path.name.startswith(("_", "."))]


def _order(path: str) -> tuple[int, str, str]:
    kind = Path(path).parent.name
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind, path)


def _notebook(project: Project, path: str, runs: list[Run]) -> Notebook:
    """The newest finished run is shown, else the newest failed one, else the one that goes on."""
    finished = [run for run in runs if run.status == "FINISHED"]
    failed = [run for run in runs if run.status == "FAILED"]
    run = (finished or failed or runs or [None])[0]
    title, purpose = _heading(project.root / path)
    if run is None:
        return Notebook(path=path, title=title or path, purpose=purpose, runs=0)
    newer = [bad for bad in failed if finished and bad.started > run.started]
    common: dict[str, Any] = {"path": path, "runs": len(runs), "run": run, "failed_since": (newer or [None])[0]}
    if run.status == "RUNNING":
        return Notebook(title=title or path, purpose=purpose, **common)
    return _closed(project, run, title, purpose, common)


def _closed(project: Project, run: Run, title: str, purpose: str, common: dict[str, Any]) -> Notebook:
    from research.lineage import load_capsule, reproductions, verify_run

    problems = verify_run(run.run_id, project=project)
    try:
        capsule = load_capsule(run.run_id, project=project)
    except IntegrityError:
        return Notebook(title=title or run.notebook, purpose=purpose, problems=problems, **common)
    executed = _kept(capsule, ".ipynb")
    if executed is not None:
        title, purpose = (new or old for new, old in zip(_heading(executed), (title, purpose)))
    card = _card(executed)
    figures = capsule.results["figures"]
    return Notebook(
        title=title or run.notebook,
        purpose=purpose,
        capsule=capsule,
        problems=problems,
        metrics={name: capsule.metrics[name] for name in _ordered(capsule.metrics, card, "\n  {} = ")},
        figures=[
            Figure(name=name, path=capsule.folder / figures[name]["path"], png=figures[name]["path"].endswith(".png"))
            for name in _ordered(figures, card, "\n  figure {}\n")
        ],
        reproductions=reproductions(run.run_id, project=project),
        **common,
    )


def _ordered(found: dict[str, Any], card: str, line: str) -> list[str]:
    """Names in the order of the notebook's card; every file in between sorts its keys."""

    def place(name: str) -> tuple[int, str]:
        at = card.find(line.format(name))
        return (at if at >= 0 else len(card), name)

    return sorted(found, key=place)


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):  # a page about runs does not stop at a broken notebook
        return []
    return [cell for cell in cells if isinstance(cell, dict)]


def _heading(path: Path) -> tuple[str, str]:
    """Title and first paragraph of the first markdown cell."""
    for cell in _cells(path):
        if cell.get("cell_type") == "markdown":
            lines = "".join(cell.get("source", "")).strip().splitlines()
            title = lines[0].lstrip("# ").strip() if lines and lines[0].startswith("#") else ""
            paragraphs = "\n".join(lines[1 if title else 0 :]).strip().split("\n\n")
            return title, " ".join(paragraphs[0].split()).removeprefix("**Purpose.**").strip()
    return "", ""


def _card(executed: Path | None) -> str:
    """What `record` showed as text: one line a result, in the order of the notebook."""
    parts: list[str] = []
    for cell in _cells(executed) if executed else []:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if RECORD in data:
                parts.append("".join(data.get("text/plain", "")) + "\n")
    return "".join(parts)

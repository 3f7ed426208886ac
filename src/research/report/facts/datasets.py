"""The data that the shown runs read: digest, rows, quality, and what the dictionary says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from research.errors import ResearchError

if TYPE_CHECKING:
    from research.project import Project
    from research.report.facts.notebooks import Notebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One data set of the dictionary; `reads` is empty when no shown run read it."""

    name: str
    description: str = ""
    owner: str = ""
    source: str = ""
    licence: str = ""
    reads: list[dict[str, Any]] = field(default_factory=list)  # one for each distinct content that was read
    readers: list[str] = field(default_factory=list)  # keys of the notebooks


def datasets(project: Project, notebooks: Sequence[Notebook]) -> list[Dataset]:
    """Those that were read first, then the rest of the dictionary; each by name."""
    entries = _dictionary(project)
    reads: dict[str, dict[str, dict[str, Any]]] = {}
    readers: dict[str, list[str]] = {}
    for notebook in notebooks:
        for read in notebook.capsule.data if notebook.capsule else []:
            reads.setdefault(read["name"], {}).setdefault(read["sha256"], read)
            known = readers.setdefault(read["name"], [])
            if notebook.key not in known:
                known.append(notebook.key)
    names = sorted(reads) + sorted(set(entries) - set(reads))
    return [
        _dataset(name, entries.get(name), list(reads.get(name, {}).values()), readers.get(name, [])) for name in names
    ]


def _dictionary(project: Project) -> dict[str, Any]:
    from research import data

    try:
        return dict(data.catalog(project))
    except ResearchError:  # `research data list` names the mistake; the page shows the runs all the same
        return {}


def _dataset(name: str, entry: Any, reads: list[dict[str, Any]], readers: list[str]) -> Dataset:
    said = {key: str(getattr(entry, key, "") or "") for key in ("description", "owner", "source", "licence")}
    return Dataset(name=name, reads=reads, readers=readers, **said)

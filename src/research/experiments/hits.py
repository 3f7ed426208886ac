"""Has this been run before? As ccache does: what an earlier run of the same request read is hashed again.

A request is notebook, parameters, environment and lock. An earlier finished run answers it when every file of its
closure and of its data still has its digest, it read nothing undeclared, and it is as good as a new run would be:
a run that was not pinned does not answer once the code is committed.
"""

from __future__ import annotations

from typing import Any

from research.errors import IntegrityError, ResearchError
from research.experiments.closure import closure_file, code_reasons
from research.experiments.notebooks import Notebook
from research.fingerprint import digest_json, source_files
from research.lineage import capsule, memo, store
from research.lineage.capsule import Capsule
from research.project import Project


def request_digest(notebook: Notebook, parameters: dict[str, Any], environment: dict[str, Any]) -> str:
    """What is asked, without the code that the notebook will import."""
    return digest_json(
        {
            "notebook": notebook.digest,
            "parameters": parameters,
            "environment": environment["digest"],
            "lock": environment["lock"],
        }
    )


def find_hit(project: Project, request: str, notebook: str, notebook_digest: str) -> Capsule | None:
    """The newest run that answers `request` as a new run would; None when there is none."""
    root = store.root_of(project)
    for run in store.runs_of_request(root, request):
        try:
            found = capsule.read(store.folder_of(root, run.run_id))
        except IntegrityError:
            continue
        if found.record == run.record and found.notebook == notebook and _answers(project, found, notebook_digest):
            return found
    return None


def _answers(project: Project, found: Capsule, notebook_digest: str) -> bool:
    if (
        any(found.raw["undeclared"].values())
        or not _closure_is_same(project, found)
        or not _data_is_same(project, found)
    ):
        return False
    if any(not (found.folder / name).is_file() for name in found.artifacts):
        return False
    return found.pinned or bool(code_reasons(project, found.closure, found.notebook, notebook_digest)[0])


def _closure_is_same(project: Project, found: Capsule) -> bool:
    for name, digest in found.closure.items():
        path = closure_file(project, name)
        if path is None or memo.file_digest(path) != digest:
            return False
    for prefix in ("src/research/core", "outside/research/core"):
        recorded = {name for name in found.closure if name.startswith(f"{prefix}/")}
        folder = closure_file(project, f"{prefix}/__init__.py")
        if recorded and folder is not None:
            present = {f"{prefix}/{p.relative_to(folder.parent).as_posix()}" for p in source_files(folder.parent)}
            if present != recorded:
                return False
    return True


def _data_is_same(project: Project, found: Capsule) -> bool:
    if found.data and catalog_digest(project) != found.raw["catalog"] and not _contracts_are_same(project, found):
        return False
    for read in found.data:
        path = project.root / read["path"]
        if not path.is_file() or memo.file_digest(path) != read["file_sha256"]:
            return False
    return True


def _contracts_are_same(project: Project, found: Capsule) -> bool:
    """The dictionary was edited: are the entries of what was read the same? (Slow: this imports the data room.)"""
    from research.data import catalog

    try:
        entries = catalog(project)
        return all(entries[read["name"]].contract_digest == read.get("contract") for read in found.data)
    except (ResearchError, KeyError):
        return False


def catalog_digest(project: Project) -> str | None:
    """The data dictionary decides how a file is read, so an edit of it makes a run anew."""
    return memo.file_digest(project.catalog) if project.catalog.is_file() else None

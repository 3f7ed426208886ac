"""The code closure of a run, and why a run is not pinned.

Closure: the `research` modules that the kernel imported, file by file, all of `core/` if any of it, project files
that were imported or read beside them under `src/`, `pyproject.toml` and `requirements.lock`. A run is pinned when
closure and notebook equal HEAD, the installed packages are those of the lock, the operator is known, and nothing
was read but what `data.load` declared.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from research.fingerprint import digest_bytes, source_files
from research.lineage import environment, git, memo
from research.project import Project

_PROJECT_FILES = {"pyproject.toml", "requirements.lock"}
_CONFIGURATION = {"dvc.yaml", "dvc.lock", "params.yaml", "data/catalog.yaml", ".dvcignore"}
_SYSTEM = (
    "/proc/",
    "/sys/",
    "/dev/",
    "/etc/",
    "/usr/share/",
    "/usr/lib",
    "/lib",
    "/usr/local/share/",
    "/System/",
    "/Library/",
)
_CACHES = ("matplotlib", "fontconfig", "research", "numba", "ipython", "jupyter", "plotly")


def code_closure(project: Project, modules: Mapping[str, str], opened: Iterable[str] = ()) -> dict[str, str]:
    """Path in the project (or `outside/...`) and digest of every file of code that the run used."""
    root = str(project.root.resolve())
    files = {Path(file) for file in modules.values()}
    package = _package(modules)
    if package is not None and any(name.startswith("research.core") for name in modules):
        files.update(source_files(package / "core"))
    files.update(
        Path(p) for p in opened if p.startswith(f"{root}/src/") and not p.endswith(".pyc") and Path(p).is_file()
    )
    files.update(project.root / name for name in _PROJECT_FILES if (project.root / name).is_file())
    return {_name(file, root, package): memo.file_digest(file) for file in sorted(files) if file.is_file()}


def _package(modules: Mapping[str, str]) -> Path | None:
    return Path(modules["research"]).parent if "research" in modules else None


def _name(file: Path, root: str, package: Path | None) -> str:
    full = str(file)
    if full.startswith(f"{root}{os.sep}") and "site-packages" not in full:
        return file.relative_to(root).as_posix()
    if package is not None and file.is_relative_to(package):
        return f"outside/research/{file.relative_to(package).as_posix()}"
    return f"outside/{file.name}"


def closure_file(project: Project, name: str) -> Path | None:
    """Where a file of a recorded closure is now; None when it is gone."""
    if name.startswith("outside/research/"):
        path = Path(__file__).resolve().parents[1] / name.removeprefix("outside/research/")
    else:
        path = project.root / name
    return path if path.is_file() else None


def differing_from_head(project: Project, closure: Mapping[str, str], notebook: str, notebook_digest: str) -> list[str]:
    """Files of the closure, the notebook included, that are not as in HEAD."""
    from research.experiments.notebooks import digest

    inside = [name for name in closure if not name.startswith("outside/")]
    committed = git.contents(project.root, [*inside, notebook])
    wrong = []
    for name in inside:
        content = committed[name]
        if content is None or digest_bytes(content) != closure[name]:
            wrong.append(name)
    content = committed[notebook]
    if content is None or digest(content) != notebook_digest:
        wrong.append(notebook)
    return wrong


def code_reasons(
    project: Project, closure: Mapping[str, str], notebook: str, notebook_digest: str
) -> tuple[list[str], list[str]]:
    """Why code, environment or operator do not pin a run, and the files that differ from HEAD."""
    reasons, dirty = [], list[str]()
    found = git.head(project.root)
    if found.commit is None:
        reasons.append(found.reason)
    else:
        dirty = differing_from_head(project, closure, notebook, notebook_digest)
        reasons += [f"{name} differs from HEAD" for name in dirty[:8]]
        if len(dirty) > 8:
            reasons.append(f"{len(dirty) - 8} more files differ from HEAD")
        if not git.operator(project.root)["git_email"]:
            reasons.append("git does not know who runs this (no user.email)")
    if any(name.startswith("outside/") for name in closure):
        reasons.append("research is imported from outside the project")
    if not project.lock.is_file():
        reasons.append("there is no requirements.lock")
    elif wrong := environment.off_lock(project.lock):
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        reasons.append(f"installed packages are not those of the lock: {', '.join(wrong[:3])}{more}")
    return reasons, dirty


def undeclared(project: Project, seen: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the run took in without declaring it: files, network, processes, databases."""
    root = project.root.resolve()
    declared = {str((root / read["path"]).resolve()) for read in seen["reads"] if read.get("path")}
    reads = [p for p in seen["opened"] if not _is_expected(os.path.realpath(p), root, project, declared)]
    return {
        "reads": [_short(p, root) for p in reads],
        "network": list(seen["network"]),
        "processes": list(seen["processes"]),
        "databases": [_short(p, root) for p in seen["databases"]],
    }


def undeclared_reasons(found: Mapping[str, list[str]]) -> list[str]:
    """One sentence for each kind of undeclared input."""
    words = {
        "reads": "undeclared read of {} (use data.load)",
        "network": "network: {}",
        "processes": "started a process: {}",
        "databases": "opened a database: {}",
    }
    out = []
    for kind, items in found.items():
        shown = ", ".join(items[:3]) + (f" and {len(items) - 3} more" if len(items) > 3 else "")
        if items:
            out.append(words[kind].format(shown))
    return out


def _short(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix() if path.startswith(f"{root}{os.sep}") else path


def _is_expected(path: str, root: Path, project: Project, declared: set[str]) -> bool:
    if path in declared or path.startswith(_SYSTEM) or not os.path.isfile(path):  # noqa: PTH113
        return True
    if path.startswith(f"{project.mlruns.resolve()}{os.sep}steps{os.sep}"):  # checked by digest; see `step`
        return True
    if path.startswith(f"{root}{os.sep}"):
        name = Path(path).relative_to(root).as_posix()
        return (
            name in _PROJECT_FILES | _CONFIGURATION
            or name.startswith(("src/", ".dvc/config"))
            or name.endswith((".dvc", ".pyc", ".py"))
        )
    return _is_cache(path) or "/site-packages/" in path or ("/research/" in path and path.endswith((".py", ".pyc")))


def _is_cache(path: str) -> bool:
    """A cache or a setting of matplotlib, fontconfig, numba, Jupyter or ours, at one of the usual places."""
    home = str(Path.home())
    given = [os.environ.get(name) for name in ("MPLCONFIGDIR", "RESEARCH_CACHE", "NUMBA_CACHE_DIR", "IPYTHONDIR")]
    if path.startswith(tuple(f"{os.path.realpath(p)}{os.sep}" for p in given if p)):
        return True
    bases = [os.environ.get("XDG_CACHE_HOME"), os.environ.get("XDG_CONFIG_HOME"), f"{home}/.cache", f"{home}/.config"]
    bases += [f"{home}/.local/share", f"{home}/Library/Caches", tempfile.gettempdir()]
    usual = [f"{os.path.realpath(base)}/{name}" for base in bases if base for name in _CACHES]
    usual += [f"{home}/.{name}" for name in _CACHES] + [f"{home}/.fonts", f"{tempfile.gettempdir()}/rk-"]
    return path.startswith(tuple(usual))

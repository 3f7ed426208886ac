"""Two versions of code as text: cells of a notebook, and modules as patches."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from research.experiments.factors import cell_changes, text_of
from research.fingerprint import digest_bytes
from research.lineage import git
from research.lineage.capsule import Capsule
from research.project import Project

MAX_LINES = 400  # of one patch


def diff_cells(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changed cells: their numbers from 1, both texts, and a patch of their lines."""
    out = []
    for what, i, j, k, m in cell_changes(old, new):
        before, after = ("\n\n".join(text_of(c) for c in cells) for cells in (old[i:j], new[k:m]))
        kind = (new[k] if m > k else old[i])["cell_type"]
        number = [i + 1 if j > i else None, k + 1 if m > k else None]
        out.append({"what": what, "cell": number, "type": kind, "patch": patch(before, after)})
    return out


def patch(old: str, new: str, name: str = "") -> list[str]:
    """A unified diff, without headers when there is no name; long ones are cut."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=2))
    lines = lines if name else lines[2:]
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"... {more} more lines"]


def diff_modules(project: Project, a: Capsule, b: Capsule) -> list[dict[str, Any]]:
    """Files of the code closure that differ, with a patch where both texts are known."""
    old, new = a.closure, b.closure
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    before, after = texts(project, a, names), texts(project, b, names)
    out = []
    for name in names:
        x, y = before[name], after[name]
        what = "added" if name not in old else "removed" if name not in new else "changed"
        known = (x is not None or name not in old) and (y is not None or name not in new)
        out.append({"path": name, "what": what, "patch": patch(x or "", y or "", name) if known else None})
    return out


def texts(project: Project, run: Capsule, names: list[str]) -> dict[str, str | None]:
    """The text of code files as a run had them: from its commit, the working tree or HEAD, whichever has the digest."""
    wanted = {name: run.closure[name] for name in names if name in run.closure and not name.startswith("outside/")}
    sources: list[Mapping[str, bytes | None]] = []
    if run.commit and git.has_commit(project.root, run.commit):
        sources.append(git.contents(project.root, wanted, run.commit))
    sources.append({name: _bytes(project.root / name) for name in wanted})
    out: dict[str, str | None] = dict.fromkeys(names)
    for name, digest in wanted.items():
        found = (source[name] for source in sources)
        data = next((content for content in found if content is not None and digest_bytes(content) == digest), None)
        out[name] = None if data is None else data.decode("utf-8", errors="replace")
    return out


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None

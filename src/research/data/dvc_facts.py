"""What DVC calls a file: the md5 in dvc.lock or in a .dvc file, read as YAML, without DVC.

DVC 3 names a file by the md5 of its bytes. Where the committed name differs from the bytes at hand (a stage is
running, or the file was changed), the bytes win and the source says so.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from research.data.yaml12 import read_yaml
from research.errors import DataError
from research.project import Project

_cache: dict[tuple[str, int, int], dict[str, str]] = {}


def _names(path: Path, folder: str) -> dict[str, str]:
    """path relative to the project -> md5, for every output named in a dvc.lock or .dvc file."""
    status = path.stat()
    key = (str(path), status.st_mtime_ns, status.st_size)
    if key not in _cache:
        value = read_yaml(path)
        outs: list[Any] = list(value.get("outs", [])) if isinstance(value, dict) else []
        for stage in (value.get("stages", {}) if isinstance(value, dict) else {}).values():
            outs += stage.get("outs", [])
        found = {
            f"{folder}{out['path']}": str(out["md5"])
            for out in outs
            if isinstance(out, dict) and "path" in out and "md5" in out
        }
        _cache[key] = found
    return _cache[key]


def dvc_name(project: Project, relative: str, content: bytes) -> tuple[str, str]:
    """(md5, who says so) of the file at `relative` whose bytes are `content`."""
    computed = hashlib.md5(content, usedforsecurity=False).hexdigest()
    for path, folder in (
        (project.root / "dvc.lock", ""),
        (project.root / f"{relative}.dvc", f"{Path(relative).parent.as_posix()}/"),
    ):
        try:
            known = _names(path, folder).get(relative)
        except (OSError, DataError, AttributeError):  # absent, or being written by a running stage
            continue
        if known == computed:
            return computed, "dvc.lock" if folder == "" else ".dvc file"
        if known is not None:
            return computed, "computed, differs from dvc.lock" if folder == "" else "computed, differs from .dvc file"
    return computed, "computed"

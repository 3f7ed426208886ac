"""Content from DVC's remote by its hash, into the cache: for data that the cache has lost."""

from __future__ import annotations

import os
from pathlib import Path

from research.project import Project


def fetch(project: Project, md5: str, target: Path) -> Path | None:
    """The file that DVC names `md5`, fetched from the default remote to `target`; None when it has none.

    What is wrong with the remote (no network, no rights) reads as absence: the caller says that the data are missing.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with Repo(str(project.root)) as repo:
            remote = repo.cloud.get_remote_odb(name=None, command="fetch")
            target.parent.mkdir(parents=True, exist_ok=True)
            remote.fs.get_file(remote.oid_to_path(md5), str(partial))
        partial.replace(target)
    except (DvcException, OSError, ValueError):
        partial.unlink(missing_ok=True)
        return None
    return target
